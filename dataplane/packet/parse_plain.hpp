// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <tmmintrin.h>

#include <array>
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

/// By the first octet of an IPv4 address: bit 0, it is no plain source; bit 1, no plain
/// destination. Plain are 1.0.0.0 to 223.255.255.255, multicast as a destination; nothing of
/// loopback's.
constexpr std::array<uint8_t, 256> odd_first_octets() {
  std::array<uint8_t, 256> odd{};
  for (unsigned octet = 0; octet < odd.size(); ++octet) {
    const bool never = octet == 0 || octet == 127;
    odd[octet] = static_cast<uint8_t>((never || octet >= 224) | (never || octet >= 240) << 1);
  }
  return odd;
}
inline constexpr auto kOddFirstOctets = odd_first_octets();

/// Ports to which a datagram may be more than one of a flow: DHCP, and tunnels (VXLAN's and
/// Geneve's).
inline constexpr uint16_t kSpecialUdpPorts[] = {67, 68, 546, 547, 4789, 8472, 6081};

constexpr bool is_vxlan_or_geneve(uint16_t port) {
  return (port == 4789) | (port == 8472) | (port == 6081);
}
constexpr bool is_special_udp(uint16_t port) {
  bool special = false;
  for (const uint16_t one : kSpecialUdpPorts) special |= port == one;
  return special;
}

/// A set of 64 hash values that tells most ports from the special ones with one look. 53 is not in
/// it, nor 123, nor 443.
constexpr unsigned special_udp_hash(uint16_t port) {
  return (port ^ port >> 7) & 63;
}
constexpr uint64_t special_udp_hashes() {
  uint64_t set = 0;
  for (const uint16_t port : kSpecialUdpPorts) set |= uint64_t{1} << special_udp_hash(port);
  return set;
}
inline bool is_special_udp_quickly(uint16_t port) {
  constexpr uint64_t kSet = special_udp_hashes();
  return (kSet >> special_udp_hash(port) & 1) != 0 && is_special_udp(port);
}

/// What a plain packet has in either family; addresses lie before the transport header.
struct PlainTransport {
  const uint8_t* header;
  uint32_t bytes;  ///< of the header and its payload
  uint32_t ports;  ///< source and destination as they lie there
  uint8_t protocol;

  bool is_udp() const noexcept { return protocol == static_cast<uint8_t>(IpProtocol::kUdp); }
};

/// `ports`: of a packet, as they lie there or by end.
constexpr bool has_both_ports(uint32_t ports) {
  return (ports & 0xffff) != 0 && ports >> 16 != 0;
}

/// Looks at the transport header at `l4`, of `bytes` bytes with its payload, all of them readable.
[[gnu::always_inline]] inline bool check_plain_transport(const uint8_t* l4, uint32_t bytes,
                                                         uint8_t protocol,
                                                         PlainTransport& out) noexcept {
  const auto ports = load<uint32_t>(l4);
  const auto destination = static_cast<uint16_t>(ports >> 16);
  out = {l4, bytes, ports, protocol};
  if (out.is_udp()) {
    const uint16_t length = read16(l4 + 4);
    return length >= 8 && length <= bytes && destination != 0 &&
           !is_special_udp_quickly(__builtin_bswap16(destination));
  }
  if (protocol != static_cast<uint8_t>(IpProtocol::kTcp)) return false;
  if (bytes < 20 || !has_both_ports(ports)) return false;
  const uint32_t header = (l4[12] >> 4) * 4U;
  constexpr uint64_t kSane = sane_tcp_flags();
  return header >= 20 && header <= bytes && (kSane >> (l4[13] & 0x3f) & 1) != 0;
}

/// The numbers of a segment whose header lies at `l4` (20 bytes readable) as TcpFields has them,
/// but for the window scale, which is 0.
[[gnu::always_inline]] inline __m128i numbers_of(const uint8_t* l4, uint32_t payload) noexcept {
  // They stand side by side on either side; only their bytes are the other way round.
  static_assert(sizeof(TcpFields) == 16 && offsetof(TcpFields, acknowledgement) == 4 &&
                offsetof(TcpFields, window) == 8 && offsetof(TcpFields, payload) == 10 &&
                offsetof(TcpFields, window_scale) == 12);
  const __m128i order = _mm_setr_epi8(3, 2, 1, 0, 7, 6, 5, 4, 11, 10, -1, -1, -1, -1, -1, -1);
  const __m128i all = _mm_loadu_si128(reinterpret_cast<const __m128i*>(l4 + 4));
  return _mm_insert_epi16(_mm_shuffle_epi8(all, order), static_cast<int>(payload), 5);
}
inline void put(TcpFields& out, __m128i numbers) noexcept {
  _mm_storeu_si128(reinterpret_cast<__m128i*>(&out), numbers);
}

/// What of a ParsedPacket of a plain packet stands before its addresses, in words as it is stored:
/// so many bytes, one by one, would be a third of what reading a first packet takes.
struct PlainWords {
  uint64_t head;     ///< head_of_plain()
  uint32_t flags;    ///< `tcp_flags`, `opens_flow` << 8, `changes_state` << 16
  uint32_t offsets;  ///< `l3_offset`, `l4_offset` << 16
  uint32_t l4_bytes, fragment_id, vlans;
  uint32_t ports;  ///< source and destination as they lie in the packet

  [[gnu::always_inline]] void put(ParsedPacket& out) const noexcept {
    static_assert(
        offsetof(ParsedPacket, tcp_flags) == 8 && offsetof(ParsedPacket, opens_flow) == 9 &&
        offsetof(ParsedPacket, changes_state) == 10 && offsetof(ParsedPacket, l3_offset) == 12 &&
        offsetof(ParsedPacket, l4_offset) == 14 && offsetof(ParsedPacket, l4_bytes) == 16 &&
        offsetof(ParsedPacket, fragment_id) == 20 && offsetof(ParsedPacket, vlans) == 24 &&
        offsetof(ParsedPacket, source_port) == 28 &&
        offsetof(ParsedPacket, destination_port) == 30 && offsetof(ParsedPacket, source) == 32);
    // One by one, or g++ puts them together in memory and loads that at once, which has to wait
    // until it has been stored.
    auto* to = reinterpret_cast<uint8_t*>(&out);
    std::memcpy(to, &head, 8);
    unsigned at = 8;
    for (const uint32_t word : {flags, offsets, l4_bytes, fragment_id, vlans, ports}) {
      std::memcpy(to + at, &word, 4);
      at += 4;
    }
  }
};
static_assert(sizeof(PlainWords) == 32);

/// The first eight bytes of a ParsedPacket that is of kind kFlow, no fragment and no tunnel.
constexpr uint64_t head_of_plain(Family family, IpProtocol protocol) noexcept {
  static_assert(offsetof(ParsedPacket, kind) == 0 && offsetof(ParsedPacket, family) == 2 &&
                offsetof(ParsedPacket, protocol) == 7);
  static_assert(static_cast<uint8_t>(DropReason::kNone) == 0);
  return static_cast<uint64_t>(PacketKind::kFlow) | static_cast<uint64_t>(family) << 16 |
         static_cast<uint64_t>(protocol) << 56;
}

/// Bytes of the IP header of a plain packet.
template <Family kFamily>
inline constexpr uint32_t kPlainIpBytes = kFamily == Family::kV4 ? 20 : 40;

template <Family kFamily>
[[gnu::always_inline]] inline void put_addresses(const uint8_t* ip, ParsedPacket& out) noexcept {
  if constexpr (kFamily == Family::kV4) {
    put(out.source, load<uint32_t>(ip + 12), 0);
    put(out.destination, load<uint32_t>(ip + 16), 0);
  } else {
    put(out.source, load<uint64_t>(ip + 8), load<uint64_t>(ip + 16));
    put(out.destination, load<uint64_t>(ip + 24), load<uint64_t>(ip + 32));
  }
}

/// Fills `out` with what check_plain_v4 or check_plain_v6 has looked at, the packet's IP header
/// being at `ip`, `l3` bytes behind the frame's start. False: the options of a SYN are no plain
/// ones.
template <Family kFamily>
[[gnu::always_inline]] inline bool fill_plain(const uint8_t* ip, uint32_t l3, uint32_t vlans,
                                              const PlainTransport& t, ParsedPacket& out) noexcept {
  using namespace tcp_flag;
  constexpr uint32_t kHeader = kPlainIpBytes<kFamily>;
  PlainWords words{.head = head_of_plain(kFamily, static_cast<IpProtocol>(t.protocol)),
                   .flags = 1U << 8,
                   .offsets = l3 * 0x10001 + (kHeader << 16),
                   .l4_bytes = t.bytes,
                   .fragment_id = kFamily == Family::kV4 ? read16(ip + 4) : 0U,
                   .vlans = vlans,
                   .ports = t.ports};
  __m128i numbers = _mm_setzero_si128();
  uint8_t scale = TcpFields::kNoScale;
  if (!t.is_udp()) {
    const uint8_t* l4 = t.header;
    const uint32_t header = (l4[12] >> 4) * 4U, flags = l4[13];
    const bool opens = (flags & (kSyn | kAck | kRst | kFin)) == kSyn;
    const bool changes = (flags & (kSyn | kRst | kFin)) != 0;
    words.flags = flags | uint32_t{opens} << 8 | uint32_t{changes} << 16;
    numbers = numbers_of(l4, t.bytes - header);
    if ((flags & kSyn) != 0 && header != 20) {
      // (Asked again: who lends us memory may have written there since it was checked.)
      if (header - 20 > t.bytes - 20) return false;
      TcpFields options;
      if (!read_syn_options(l4 + 20, header - 20, options)) return false;
      scale = options.window_scale;
    }
  }
  words.put(out);
  put(out.tcp, _mm_insert_epi16(numbers, scale, 6));
  put_addresses<kFamily>(ip, out);
  return true;
}

/// Reads the numbers of a segment from the middle of a connection, one with ACK and without SYN,
/// FIN and RST, whose header lies at `l4`, `bytes` with its payload: `out` wholly but for the
/// window scale, which it has none of. False: it is another one, or its header has no length that
/// can be. `bytes`: 20 at least, all of them readable.
[[gnu::always_inline]] inline bool read_middle_segment(const uint8_t* l4, uint32_t bytes,
                                                       TcpFields& out) noexcept {
  using namespace tcp_flag;
  const uint32_t offset_and_flags = load<uint16_t>(l4 + 12);
  const uint32_t header = (offset_and_flags & 0xf0) / 4;
  if ((offset_and_flags >> 8 & (kSyn | kFin | kRst | kAck)) != kAck) return false;
  if (header < 20 || header > bytes) return false;
  put(out, numbers_of(l4, bytes - header));
  return true;
}

/// Looks at an IPv4 packet of which `readable` bytes may be read.
[[gnu::always_inline]] inline bool check_plain_v4(const uint8_t* ip, uint32_t readable,
                                                  PlainTransport& out) noexcept {
  if (readable < 28) return false;
  const auto first = load<uint32_t>(ip), second = load<uint32_t>(ip + 4);
  const uint32_t total = __builtin_bswap32(first) & 0xffff;
  constexpr uint32_t kOffsetAndMore = 0xff3f0000;  // as they lie there
  if ((first & 0xff) != 0x45 || (second & kOffsetAndMore) != 0) return false;
  if (total < 28 || total > readable || !header_sum_ok(ip)) return false;
  const auto source = load<uint32_t>(ip + 12), destination = load<uint32_t>(ip + 16);
  const unsigned odd =
      (kOddFirstOctets[source & 0xff] & 1) | (kOddFirstOctets[destination & 0xff] & 2);
  if (odd != 0 || source == destination) return false;
  return check_plain_transport(ip + 20, total - 20, ip[9], out);
}

/// The same for IPv6.
[[gnu::always_inline]] inline bool check_plain_v6(const uint8_t* ip, uint32_t readable,
                                                  PlainTransport& out) noexcept {
  if (readable < 48) return false;
  const uint32_t payload = read16(ip + 4);
  if (ip[0] >> 4 != 6 || payload < 8 || 40 + payload > readable) return false;
  const auto source = load<uint64_t>(ip + 8), source_low = load<uint64_t>(ip + 16);
  const auto destination = load<uint64_t>(ip + 24), destination_low = load<uint64_t>(ip + 32);
  // Neither of them in ::/8, which has addresses that must not be here, nor multicast.
  const unsigned s = source & 0xff, d = destination & 0xff;
  if ((s - 1 >= 254) | (d - 1 >= 254) |
      (((source ^ destination) | (source_low ^ destination_low)) == 0)) {
    return false;
  }
  return check_plain_transport(ip + 40, payload, ip[6], out);
}

}  // namespace detail

/// Where the IP packet of a frame begins that may be a plain one.
struct PlainFrame {
  uint32_t l3;     ///< bytes from its start
  uint32_t vlans;  ///< as in ParsedPacket
  uint16_t type;   ///< EtherType as it lies there
};

/// `frame`: 18 bytes at least.
[[gnu::always_inline]] inline PlainFrame look_at_plain_frame(const uint8_t* frame) noexcept {
  using detail::load;
  const auto type = load<uint16_t>(frame + 12);
  if (type != detail::kTag) return {14, 0, type};
  return {18, (detail::read16(frame + 14) & 0xfffU) << 12, load<uint16_t>(frame + 16)};
}

/// Reads a frame if it is a plain one: then `out` is filled wholly, and of kind kFlow, without a
/// tunnel and no fragment. False: it is not, and `out` is in no state to be read. Arguments and
/// threads as parse_frame.
[[gnu::always_inline]] inline bool parse_plain_frame(const uint8_t* frame, uint32_t contiguous,
                                                     uint32_t frame_bytes,
                                                     ParsedPacket& out) noexcept {
  const uint32_t readable = contiguous < frame_bytes ? contiguous : frame_bytes;
  if (readable < 18) return false;
  const PlainFrame at = look_at_plain_frame(frame);
  const uint8_t* ip = frame + at.l3;
  detail::PlainTransport t;
  if (at.type == detail::kIpv4) {
    return detail::check_plain_v4(ip, readable - at.l3, t) &&
           detail::fill_plain<Family::kV4>(ip, at.l3, at.vlans, t, out);
  }
  return at.type == detail::kIpv6 && detail::check_plain_v6(ip, readable - at.l3, t) &&
         detail::fill_plain<Family::kV6>(ip, at.l3, at.vlans, t, out);
}

/// Reads a frame that is known to be a plain one, without asking again. False: it has more tags
/// than this looks behind, and `out` is in no state to be read.
inline bool read_plain_frame(const uint8_t* frame, ParsedPacket& out) noexcept {
  const PlainFrame at = look_at_plain_frame(frame);
  const uint8_t* ip = frame + at.l3;
  const auto transport = [ip](uint32_t header, uint32_t bytes, uint8_t protocol) {
    const uint8_t* l4 = ip + header;
    return detail::PlainTransport{l4, bytes, detail::load<uint32_t>(l4), protocol};
  };
  if (at.type == detail::kIpv4) {
    const uint32_t total = detail::read16(ip + 2);
    return detail::fill_plain<Family::kV4>(ip, at.l3, at.vlans, transport(20, total - 20, ip[9]),
                                           out);
  }
  return at.type == detail::kIpv6 &&
         detail::fill_plain<Family::kV6>(ip, at.l3, at.vlans,
                                         transport(40, detail::read16(ip + 4), ip[6]), out);
}

}  // namespace rampart
