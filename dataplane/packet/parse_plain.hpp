// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

#include "dataplane/packet/ip_layer.hpp"
#include "dataplane/packet/parsed_packet.hpp"

/// The straight way through a frame as most are: one tag at most, IPv4 without options or IPv6
/// without extension headers, whole and in one piece, TCP or UDP, nothing about it that anybody
/// would have to look at twice. It settles nothing else: whatever does not fit is left to
/// parse_any_frame, which says the same of what does.
namespace rampart {

namespace detail {

/// Bit n is set if a stack sends the flags n (FIN to URG; PSH never matters here): RFC 9293 wants
/// ACK on everything but a first SYN and a RST, and SYN, FIN and RST exclude each other.
constexpr uint64_t sane_tcp_flags() {
  using namespace tcp_flag;
  uint64_t set = 0;
  for (unsigned base : {unsigned{kSyn}, unsigned{kSyn | kUrg}, unsigned{kSyn | kAck},
                        unsigned{kRst}, unsigned{kRst | kAck}, unsigned{kFin | kAck},
                        unsigned{kFin | kAck | kUrg}, unsigned{kAck}, unsigned{kAck | kUrg}}) {
    set |= 1ULL << base | 1ULL << (base | kPsh);
  }
  return set;
}

/// EtherTypes as they lie there.
inline constexpr uint16_t kIpv4 = 0x0008, kIpv6 = 0xdd86, kTag = 0x0081;

template <typename Word>
inline Word load(const uint8_t* p) noexcept {
  Word v;
  std::memcpy(&v, p, sizeof v);
  return v;
}

/// Two words as an address. (An array of them would be built in memory and read again whole, which
/// has to wait for the pieces.)
inline void put(uint8_t* address, uint64_t first, uint64_t second) noexcept {
  std::memcpy(address, &first, 8);
  std::memcpy(address + 8, &second, 8);
}

/// Whether the 20 bytes of an IPv4 header sum up to what they have to (RFC 1071): the sum of its
/// 16-bit words with end-around carry is a multiple of 65535, as is, then, that of its longer ones.
inline bool header_sum_ok(const uint8_t* ip) noexcept {
  uint64_t sum = 0;
  const bool carry = __builtin_add_overflow(load<uint64_t>(ip), load<uint64_t>(ip + 8), &sum);
  const uint64_t rest = uint64_t{load<uint32_t>(ip + 16)} + carry;
  const bool again = __builtin_add_overflow(sum, rest, &sum);
  return (sum + again) % 0xffff == 0;
}

constexpr bool is_vxlan_or_geneve(uint16_t port) {
  return (port == 4789) | (port == 8472) | (port == 6081);
}
/// Ports to which a datagram may be more than one of a flow: DHCP, and tunnels.
constexpr bool is_special_udp(uint16_t port) {
  return (port == 67) | (port == 68) | (port == 546) | (port == 547) | is_vxlan_or_geneve(port);
}

/// The transport header at `l4`, of `bytes` bytes with its payload, all of them readable. The
/// fields below l4_bytes are filled.
[[gnu::always_inline]] inline bool read_plain_transport(const uint8_t* l4, uint32_t bytes,
                                                        uint8_t protocol,
                                                        ParsedPacket& out) noexcept {
  const auto ports = load<uint32_t>(l4);
  const auto source = static_cast<uint16_t>(ports),
             destination = static_cast<uint16_t>(ports >> 16);
  if (protocol == static_cast<uint8_t>(IpProtocol::kUdp)) {
    const uint16_t length = read16(l4 + 4);
    if (length < 8 || length > bytes || destination == 0 ||
        is_special_udp(__builtin_bswap16(destination))) {
      return false;
    }
    out.tcp_flags = 0;
    out.opens_flow = true;
    out.changes_state = false;
    out.tcp = TcpFields{};
  } else if (protocol == static_cast<uint8_t>(IpProtocol::kTcp)) {
    if (bytes < 20 || source == 0 || destination == 0) return false;
    const uint32_t header = (l4[12] >> 4) * 4U;
    const uint8_t flags = l4[13];
    constexpr uint64_t kSane = sane_tcp_flags();
    if (header < 20 || header > bytes || (kSane >> (flags & 0x3f) & 1) == 0) return false;
    using namespace tcp_flag;
    out.tcp.sequence = read32(l4 + 4);
    out.tcp.acknowledgement = read32(l4 + 8);
    out.tcp.window = read16(l4 + 14);
    out.tcp.payload = static_cast<uint16_t>(bytes - header);
    out.tcp.window_scale = TcpFields::kNoScale;
    if ((flags & kSyn) != 0 && !read_syn_options(l4 + 20, header - 20, out.tcp)) return false;
    out.tcp_flags = flags;
    out.opens_flow = (flags & (kSyn | kAck | kRst | kFin)) == kSyn;
    out.changes_state = (flags & (kSyn | kRst | kFin)) != 0;
  } else {
    return false;
  }
  out.protocol = protocol;
  constexpr size_t kPorts = offsetof(ParsedPacket, source_port);
  static_assert(offsetof(ParsedPacket, destination_port) == kPorts + 2);
  std::memcpy(reinterpret_cast<uint8_t*>(&out) + kPorts, &ports, sizeof ports);
  out.kind = PacketKind::kFlow;
  out.reason = DropReason::kNone;
  out.sctp_chunk = out.icmp_type = 0;
  out.fragment = out.tunnel = false;
  return true;
}

[[gnu::always_inline]] inline bool read_plain_v4(const uint8_t* frame, uint32_t l3,
                                                 uint32_t readable, ParsedPacket& out) noexcept {
  const uint8_t* ip = frame + l3;
  if (readable < l3 + 28) return false;
  const auto first = load<uint32_t>(ip), second = load<uint32_t>(ip + 4);
  const uint32_t total = __builtin_bswap32(first) & 0xffff;
  constexpr uint32_t kOffsetAndMore = 0xff3f0000;  // as they lie there
  if ((first & 0xff) != 0x45 || (second & kOffsetAndMore) != 0) return false;
  if (total < 28 || l3 + total > readable || !header_sum_ok(ip)) return false;
  const auto source = load<uint32_t>(ip + 12), destination = load<uint32_t>(ip + 16);
  const uint32_t s = source & 0xff, d = destination & 0xff;
  // Within 1.0.0.0 … 223.255.255.255, multicast as a destination; none of them loopback's.
  if ((s - 1 >= 223) | (s == 127) | (d - 1 >= 239) | (d == 127) | (source == destination)) {
    return false;
  }
  if (!read_plain_transport(ip + 20, total - 20, ip[9], out)) return false;
  out.family = Family::kV4;
  out.l3_offset = static_cast<uint16_t>(l3);
  out.l4_offset = static_cast<uint16_t>(l3 + 20);
  out.l4_bytes = total - 20;
  out.fragment_id = __builtin_bswap32(second) >> 16;
  put(out.source, source, 0);
  put(out.destination, destination, 0);
  return true;
}

[[gnu::always_inline]] inline bool read_plain_v6(const uint8_t* frame, uint32_t l3,
                                                 uint32_t readable, ParsedPacket& out) noexcept {
  const uint8_t* ip = frame + l3;
  if (readable < l3 + 48) return false;
  const uint32_t payload = read16(ip + 4);
  if (ip[0] >> 4 != 6 || payload < 8 || l3 + 40 + payload > readable) return false;
  const auto source = load<uint64_t>(ip + 8), source_low = load<uint64_t>(ip + 16);
  const auto destination = load<uint64_t>(ip + 24), destination_low = load<uint64_t>(ip + 32);
  // Neither of them in ::/8, which has addresses that must not be here, nor multicast.
  const unsigned s = source & 0xff, d = destination & 0xff;
  if ((s - 1 >= 254) | (d - 1 >= 254) |
      (((source ^ destination) | (source_low ^ destination_low)) == 0)) {
    return false;
  }
  if (!read_plain_transport(ip + 40, payload, ip[6], out)) return false;
  out.family = Family::kV6;
  out.l3_offset = static_cast<uint16_t>(l3);
  out.l4_offset = static_cast<uint16_t>(l3 + 40);
  out.l4_bytes = payload;
  out.fragment_id = 0;
  put(out.source, source, source_low);
  put(out.destination, destination, destination_low);
  return true;
}

}  // namespace detail

/// Reads a frame if it is a plain one without tags and over IPv4, as in most bursts nearly all are:
/// a way of its own keeps its headers in registers. `contiguous`: no more than the frame has. The
/// rest as parse_plain_frame, which reads these frames, too.
[[gnu::always_inline]] inline bool parse_plainest_frame(const uint8_t* frame, uint32_t contiguous,
                                                        ParsedPacket& out) noexcept {
  if (contiguous < 14 || detail::load<uint16_t>(frame + 12) != detail::kIpv4) return false;
  out.vlans = 0;
  return detail::read_plain_v4(frame, 14, contiguous, out);
}

/// Reads a frame if it is a plain one: then `out` is filled wholly, and of kind kFlow, without a
/// tunnel and no fragment. False: it is not, and `out` is in no state to be read. Arguments and
/// threads as parse_frame.
[[gnu::always_inline]] inline bool parse_plain_frame(const uint8_t* frame, uint32_t contiguous,
                                                     uint32_t frame_bytes,
                                                     ParsedPacket& out) noexcept {
  using detail::kIpv4, detail::kIpv6, detail::kTag;
  using detail::load;
  const uint32_t readable = contiguous < frame_bytes ? contiguous : frame_bytes;
  if (readable < 18) return false;
  uint32_t l3 = 14, vlans = 0;
  auto type = load<uint16_t>(frame + 12);
  if (type == kTag) {
    vlans = (detail::read16(frame + 14) & 0xfffU) << 12;
    type = load<uint16_t>(frame + 16);
    l3 = 18;
  }
  out.vlans = vlans;
  if (type == kIpv4) return detail::read_plain_v4(frame, l3, readable, out);
  return type == kIpv6 && detail::read_plain_v6(frame, l3, readable, out);
}

}  // namespace rampart
