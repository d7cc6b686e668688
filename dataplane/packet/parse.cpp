// SPDX-License-Identifier: Apache-2.0
#include "dataplane/packet/parse.hpp"

#include <algorithm>

#include "dataplane/packet/checksum.hpp"
#include "dataplane/packet/ip_layer.hpp"

namespace rampart {
namespace {

using detail::ExtensionChain;
using detail::IpLayer;
using detail::read16;
using detail::read32;
using detail::read64;

constexpr uint32_t kEthernetBytes = 14, kTagBytes = 4;
constexpr uint16_t kTypeIpv4 = 0x0800, kTypeArp = 0x0806, kTypeIpv6 = 0x86dd;
constexpr uint32_t kMaxDatagram = 65535;

/// 802.1Q, 802.1ad, and the number that bridges used for double tags before the latter.
constexpr bool is_tag(uint16_t type) {
  return type == 0x8100 || type == 0x88a8 || type == 0x9100;
}

/// How far the part of a transport header reaches that decides. A later fragment that starts
/// below would rewrite it (RFC 1858 §3, RFC 3128).
constexpr uint32_t header_bytes(uint8_t protocol) {
  switch (static_cast<IpProtocol>(protocol)) {
    case IpProtocol::kTcp:
    case IpProtocol::kSctp:  // up to the initiate tag of an INIT or INIT ACK
      return 20;
    default:
      return 8;
  }
}

/// The fields of IPv4 and of the Fragment header, after which a packet is a piece or a whole.
/// `data`: bytes in this piece; `before`: bytes of the headers that come with every piece.
/// False if the packet is settled by now: only a first fragment is read on.
bool take_fragment(uint32_t offset, bool more, uint32_t data, uint32_t before, ParsedPacket& out) {
  out.fragment = true;
  if (offset + data + before > kMaxDatagram || (more && data % 8 != 0) || data == 0) {
    out.reason = DropReason::kFragmentLength;
    return false;
  }
  if (offset == 0) return true;
  if (offset < header_bytes(out.protocol)) {
    out.reason = DropReason::kFragmentTiny;
    return false;
  }
  out.tunnel = detail::is_tunnel_protocol(out.protocol);
  out.kind = PacketKind::kFragment;
  out.reason = DropReason::kNone;
  return false;
}

void parse_tcp(const IpLayer& ip, ParsedPacket& out) {
  static constexpr uint64_t kSane = detail::sane_tcp_flags();
  const uint32_t bytes = ip.bytes_from(out.l4_offset);
  if (bytes < 20) {
    out.reason = detail::cut_short(ip, out);
    return;
  }
  const uint8_t* tcp = ip.frame + out.l4_offset;
  out.source_port = be16{read16(tcp)};
  out.destination_port = be16{read16(tcp + 2)};
  const uint32_t header = (tcp[12] >> 4) * 4U;
  const uint8_t flags = tcp[13];
  out.tcp_flags = flags;
  if (header < 20 || (header > out.l4_bytes && !out.fragment) || out.source_port.raw() == 0 ||
      out.destination_port.raw() == 0) [[unlikely]] {
    out.reason = DropReason::kL4Header;
    return;
  }
  if (header > bytes) [[unlikely]] {
    out.reason = detail::cut_short(ip, out);
    return;
  }
  if ((kSane >> (flags & 0x3f) & 1) == 0) [[unlikely]] {
    out.reason = DropReason::kTcpFlags;
    return;
  }
  using namespace tcp_flag;
  out.tcp.sequence = read32(tcp + 4);
  out.tcp.acknowledgement = read32(tcp + 8);
  out.tcp.window = read16(tcp + 14);
  out.tcp.payload = static_cast<uint16_t>(out.l4_bytes - header);
  if ((flags & kSyn) != 0 && !detail::read_syn_options(tcp + 20, header - 20, out.tcp)) {
    out.reason = DropReason::kL4Header;
    return;
  }
  out.opens_flow = (flags & (kSyn | kAck | kRst | kFin)) == kSyn;
  out.changes_state = (flags & (kSyn | kRst | kFin)) != 0;
  out.kind = PacketKind::kFlow;
  out.reason = DropReason::kNone;
}

void parse_udp(const IpLayer& ip, ParsedPacket& out) {
  if (ip.bytes_from(out.l4_offset) < 8) {
    out.reason = detail::cut_short(ip, out);
    return;
  }
  const uint8_t* udp = ip.frame + out.l4_offset;
  out.source_port = be16{read16(udp)};
  out.destination_port = be16{read16(udp + 2)};
  const uint16_t length = read16(udp + 4);
  // Source port 0 means "no answer wanted" (RFC 768). Bytes behind the datagram are tolerated.
  if (length < 8 || (length > out.l4_bytes && !out.fragment) || out.destination_port.raw() == 0) {
    out.reason = DropReason::kL4Header;
    return;
  }
  out.reason = DropReason::kNone;
  if (detail::is_dhcp(ip, out)) {
    out.kind = PacketKind::kPassAlways;
    return;
  }
  out.kind = PacketKind::kFlow;
  out.opens_flow = true;
  out.tunnel = detail::is_vxlan_or_geneve(out.destination_port.host());
}

/// RFC 9260 §3.
void parse_sctp(const IpLayer& ip, ParsedPacket& out) {
  if (ip.bytes_from(out.l4_offset) < 16) {
    out.reason = detail::cut_short(ip, out);
    return;
  }
  const uint8_t* sctp = ip.frame + out.l4_offset;
  out.source_port = be16{read16(sctp)};
  out.destination_port = be16{read16(sctp + 2)};
  out.sctp_chunk = sctp[12];
  const uint32_t length = read16(sctp + 14), room = out.l4_bytes - 12;
  if (length < 4 || (length > room && !out.fragment) || out.source_port.raw() == 0 ||
      out.destination_port.raw() == 0) {
    out.reason = DropReason::kL4Header;
    return;
  }
  out.sctp = SctpFields{read32(sctp + 4), 0, false};
  using namespace sctp_type;
  if (out.sctp_chunk == kInit || out.sctp_chunk == kInitAck) {
    // §3.3.2, §3.3.3: 16 bytes of fixed parameters, of which the initiate tag is the first.
    if (length < 20) {
      out.reason = DropReason::kL4Header;
      return;
    }
    if (ip.bytes_from(out.l4_offset) < 20) {
      out.reason = DropReason::kL4Truncated;
      return;
    }
    out.sctp.initiate_tag = read32(sctp + 16);
    if (out.sctp.initiate_tag == 0) {
      out.reason = DropReason::kL4Header;
      return;
    }
  } else if (out.sctp_chunk == kAbort || out.sctp_chunk == kShutdownComplete) {
    out.sctp.reflected_tag = (sctp[13] & 1) != 0;
  }
  constexpr uint32_t kMoving = 1U << kInit | 1U << kInitAck | 1U << kAbort | 1U << kShutdown |
                               1U << kShutdownAck | 1U << kCookieEcho | 1U << kCookieAck |
                               1U << kShutdownComplete;
  out.changes_state = out.sctp_chunk < 32 && (kMoving >> out.sctp_chunk & 1) != 0;
  // INIT travels alone and without a verification tag (§3.3.2, §8.5.1); padding is not counted.
  out.opens_flow =
      out.sctp_chunk == kInit && out.sctp.tag == 0 && !out.fragment && room - length < 4;
  out.kind = PacketKind::kFlow;
  out.reason = DropReason::kNone;
}

void parse_transport(const IpLayer& ip, ParsedPacket& out) {
  const bool v4 = out.family == Family::kV4;
  switch (static_cast<IpProtocol>(out.protocol)) {
    case IpProtocol::kTcp:
      return parse_tcp(ip, out);
    case IpProtocol::kUdp:
      return parse_udp(ip, out);
    case IpProtocol::kSctp:
      return parse_sctp(ip, out);
    case IpProtocol::kIcmp:
      if (v4) return detail::parse_icmp(ip, out);
      break;
    case IpProtocol::kIcmpV6:
      if (!v4) return detail::parse_icmp(ip, out);
      break;
    case IpProtocol::kIgmp:
      if (v4 && detail::is_igmp(ip, out)) {
        out.kind = PacketKind::kPassAlways;
        out.reason = DropReason::kNone;
        return;
      }
      break;
    default:
      break;
  }
  out.kind = PacketKind::kFlow;
  out.reason = DropReason::kNone;
  out.opens_flow = true;
  out.tunnel = detail::is_tunnel_protocol(out.protocol);
}

void refuse(DropReason reason, ParsedPacket& out) {
  out.kind = PacketKind::kDropped;
  out.reason = reason;
}

/// RFC 791 §3.1. kNone, or what is wrong with the options in `bytes`.
DropReason check_options(const uint8_t* bytes, uint32_t length) {
  constexpr uint8_t kEnd = 0, kNoOperation = 1, kLooseRoute = 131, kStrictRoute = 137;
  for (uint32_t at = 0; at < length;) {
    const uint8_t type = bytes[at];
    if (type == kEnd) break;
    if (type == kNoOperation) {
      ++at;
      continue;
    }
    if (type == kLooseRoute || type == kStrictRoute) return DropReason::kSourceRoute;
    if (at + 2 > length || bytes[at + 1] < 2 || at + bytes[at + 1] > length) {
      return DropReason::kIpHeader;
    }
    at += bytes[at + 1];
  }
  return DropReason::kNone;
}

/// Addresses that must not stand on a wire (RFC 1122 §3.2.1.3, RFC 6890), but for 0.0.0.0 as a
/// source, which DHCP and IGMP use.
bool is_martian_v4(uint32_t source, uint32_t destination) {
  const uint32_t s = source >> 24, d = destination >> 24;
  const bool bad_source = (s == 0 && source != 0) | (s == 127) | (s >= 224);
  const bool bad_destination = (d == 0) | (d == 127) | ((d >= 240) & (destination != 0xffffffff));
  return bad_source | bad_destination | (source == destination);
}

void parse_ipv4(const uint8_t* frame, uint32_t contiguous, uint32_t frame_bytes,
                ParsedPacket& out) {
  const uint32_t l3 = out.l3_offset;
  const uint8_t* header = frame + l3;
  if (contiguous < l3 + 20) return refuse(DropReason::kIpTruncated, out);
  if (header[0] >> 4 != 4) return refuse(DropReason::kIpVersion, out);
  const uint32_t header_length = (header[0] & 0xfU) * 4, total = read16(header + 2);
  if (header_length < 20 || total < header_length) return refuse(DropReason::kIpHeader, out);
  if (l3 + total > frame_bytes || l3 + header_length > contiguous) {
    return refuse(DropReason::kIpTruncated, out);
  }
  const bool options = header_length != 20;
  const uint64_t sum = options ? ones_sum(header, header_length) : ones_sum(header, 20);
  if (fold_sum(sum) != 0xffff) return refuse(DropReason::kIpChecksum, out);
  if (options) [[unlikely]] {
    const DropReason reason = check_options(header + 20, header_length - 20);
    if (reason != DropReason::kNone) return refuse(reason, out);
  }

  const uint32_t source = read32(header + 12);
  if (is_martian_v4(source, read32(header + 16))) return refuse(DropReason::kMartian, out);
  std::memcpy(out.source, header + 12, 4);
  std::memcpy(out.destination, header + 16, 4);
  out.protocol = header[9];
  out.fragment_id = read16(header + 4);
  out.l4_offset = static_cast<uint16_t>(l3 + header_length);
  out.l4_bytes = total - header_length;

  const uint16_t field = read16(header + 6);
  const bool piece = (field & 0x3fff) != 0;
  if (piece) [[unlikely]] {
    const bool more = (field & 0x2000) != 0;
    if (!take_fragment((field & 0x1fffU) * 8, more, out.l4_bytes, header_length, out)) {
      if (source == 0) refuse(DropReason::kMartian, out);
      return;
    }
  }
  parse_transport({frame, std::min(contiguous, l3 + total), header[8], piece}, out);
  if (source == 0 && out.kind != PacketKind::kPassAlways) [[unlikely]] {
    if (out.kind != PacketKind::kDropped) refuse(DropReason::kMartian, out);
  }
}

/// RFC 4291 §2.5, §2.7: loopback, IPv4-mapped, multicast sources, multicast that stays within a
/// node. The unspecified source is left to the caller: neighbour discovery and MLD use it.
bool is_martian_v6(const uint8_t* source, const uint8_t* destination) {
  const uint64_t s0 = read64(source), s1 = read64(source + 8);
  const uint64_t d0 = read64(destination), d1 = read64(destination + 8);
  const bool bad_source = (source[0] == 0xff) | ((s0 == 0) & ((s1 == 1) | (s1 >> 32 == 0xffff)));
  const bool bad_destination = ((d0 == 0) & ((d1 <= 1) | (d1 >> 32 == 0xffff))) |
                               ((destination[0] == 0xff) & ((destination[1] & 0x0f) <= 1));
  return bad_source | bad_destination | ((s0 == d0) & (s1 == d1));
}

void parse_ipv6(const uint8_t* frame, uint32_t contiguous, uint32_t frame_bytes,
                ParsedPacket& out) {
  const uint32_t l3 = out.l3_offset;
  const uint8_t* header = frame + l3;
  out.family = Family::kV6;
  if (contiguous < l3 + 40) return refuse(DropReason::kIpTruncated, out);
  if (header[0] >> 4 != 6) return refuse(DropReason::kIpVersion, out);
  const uint32_t end = l3 + 40 + read16(header + 4);
  if (end > frame_bytes) return refuse(DropReason::kIpTruncated, out);
  if (is_martian_v6(header + 8, header + 24)) return refuse(DropReason::kMartian, out);
  std::memcpy(out.source, header + 8, 16);
  std::memcpy(out.destination, header + 24, 16);
  const bool unspecified = (read64(header + 8) | read64(header + 16)) == 0;

  IpLayer ip{frame, std::min(contiguous, end), header[7], false};
  uint32_t upper = l3 + 40;
  out.protocol = header[6];
  bool whole = true;
  if (detail::is_extension(out.protocol)) [[unlikely]] {
    const ExtensionChain chain = detail::walk_extensions(frame, upper, ip.readable, out.protocol);
    if (chain.reason != DropReason::kNone) {
      // A first fragment holds the whole chain (RFC 7112).
      const bool tiny = chain.cut_short && chain.more && ip.readable == end;
      return refuse(tiny ? DropReason::kFragmentTiny : chain.reason, out);
    }
    upper = chain.upper;
    out.protocol = chain.protocol;
    out.fragment_id = chain.id;
    ip.fragment = chain.fragment;
    if (chain.offset != 0 || chain.more) {
      whole = take_fragment(chain.offset, chain.more, end - chain.fragment_data,
                            chain.fragment_data - l3 - 48, out);
    }
  }
  out.l4_offset = static_cast<uint16_t>(upper);
  out.l4_bytes = end - upper;
  if (whole) parse_transport(ip, out);
  if (unspecified && out.kind != PacketKind::kPassAlways && out.kind != PacketKind::kDropped)
      [[unlikely]] {
    refuse(DropReason::kMartian, out);
  }
}

}  // namespace

void parse_any_frame(const uint8_t* frame, uint32_t contiguous, uint32_t frame_bytes,
                     ParsedPacket& out) noexcept {
  out = ParsedPacket{};
  contiguous = std::min(contiguous, frame_bytes);
  if (contiguous < kEthernetBytes) return refuse(DropReason::kRunt, out);
  uint32_t l3 = kEthernetBytes;
  uint16_t type = read16(frame + 12);
  if (is_tag(type)) {
    for (unsigned tags = 0; is_tag(type); ++tags) {
      if (tags == 2) return refuse(DropReason::kVlanDepth, out);
      if (contiguous < l3 + kTagBytes) return refuse(DropReason::kRunt, out);
      out.vlans |= (read16(frame + l3) & 0xfffU) << (tags == 0 ? 12 : 0);
      type = read16(frame + l3 + 2);
      l3 += kTagBytes;
    }
  }
  out.l3_offset = static_cast<uint16_t>(l3);
  if (type == kTypeIpv4) [[likely]] {
    return parse_ipv4(frame, contiguous, frame_bytes, out);
  }
  if (type == kTypeIpv6) return parse_ipv6(frame, contiguous, frame_bytes, out);
  out.kind = type == kTypeArp ? PacketKind::kPassAlways : PacketKind::kNonIp;
  out.reason = DropReason::kNone;
}

}  // namespace rampart
