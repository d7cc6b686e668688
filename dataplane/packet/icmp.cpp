// SPDX-License-Identifier: Apache-2.0
#include "dataplane/packet/ip_layer.hpp"

namespace rampart::detail {
namespace {

/// What an ICMP message is to a flow.
enum class Role : uint8_t {
  kQuery,  ///< has an identifier and waits for an answer
  kReply,  ///< the answer
  kError,  ///< quotes the packet it complains about
  kOther,
};

Role role_v4(uint8_t type) {
  switch (type) {
    case 8:   // echo
    case 13:  // timestamp
    case 15:  // information
    case 17:  // address mask
    case 42:  // extended echo (RFC 8335)
      return Role::kQuery;
    case 0:
    case 14:
    case 16:
    case 18:
    case 43:
      return Role::kReply;
    case 3:   // destination unreachable
    case 4:   // source quench
    case 5:   // redirect
    case 11:  // time exceeded
    case 12:  // parameter problem
      return Role::kError;
    default:
      return Role::kOther;
  }
}

Role role_v6(uint8_t type) {
  // RFC 4443 §2.1: the high bit tells errors from the rest, those yet to be invented included.
  if (type < 128) return Role::kError;
  if (type == 128 || type == 160) return Role::kQuery;
  return type == 129 || type == 161 ? Role::kReply : Role::kOther;
}

Role role_of(Family family, uint8_t type) {
  return family == Family::kV4 ? role_v4(type) : role_v6(type);
}

/// See ParsedPacket::source_port.
void set_query_ports(Role role, uint16_t identifier, ParsedPacket& out) {
  const be16 asker{identifier != 0 ? identifier : uint16_t{1}};
  const be16 asked{identifier != 0 ? uint16_t{0} : uint16_t{2}};
  out.source_port = role == Role::kQuery ? asker : asked;
  out.destination_port = role == Role::kQuery ? asked : asker;
}

/// Reads the quoted packet at `at` into the tuple, whose addresses are still the outer ones.
/// kNone, or why the error must not pass.
DropReason read_quote(const IpLayer& ip, uint32_t at, ParsedPacket& out) {
  const bool v4 = out.family == Family::kV4;
  const uint32_t bytes = ip.bytes_from(at), fixed = v4 ? 20 : 40, width = v4 ? 4 : 16;
  if (bytes < fixed + 8) return DropReason::kL4Truncated;
  const uint8_t* quote = ip.frame + at;
  if (quote[0] >> 4 != (v4 ? 4 : 6)) return DropReason::kL4Header;

  uint32_t transport = 0;
  uint8_t protocol = 0;
  if (v4) {
    const uint32_t header = (quote[0] & 0xfU) * 4;
    if (header < 20) return DropReason::kL4Header;
    // Nobody may complain about a later fragment (RFC 1122 §3.2.2).
    if ((read16(quote + 6) & 0x1fff) != 0) return DropReason::kIcmpUnrelated;
    transport = at + header;
    protocol = quote[9];
  } else {
    const ExtensionChain chain = walk_extensions(ip.frame, at + 40, ip.readable, quote[6]);
    if (chain.reason == DropReason::kSourceRoute) return DropReason::kIcmpUnrelated;
    if (chain.reason != DropReason::kNone) return DropReason::kL4Truncated;
    // The first fragment of the same packet was as big, and its error can be matched.
    if (chain.offset != 0) return DropReason::kIcmpUnrelated;
    transport = chain.upper;
    protocol = chain.protocol;
  }
  if (ip.bytes_from(transport) < 8) return DropReason::kL4Truncated;

  // An error goes to whom the quoted packet came from; there is no address translation between us
  // and the ends of a wire. Otherwise anybody could knock at any address with a guessed quote.
  const uint8_t* from = quote + (v4 ? 12 : 8);
  if (std::memcmp(from, out.destination, width) != 0) return DropReason::kIcmpUnrelated;
  std::memcpy(out.source, from, width);
  std::memcpy(out.destination, from + width, width);
  out.protocol = protocol;

  const uint8_t* l4 = ip.frame + transport;
  switch (static_cast<IpProtocol>(protocol)) {
    case IpProtocol::kTcp:
    case IpProtocol::kUdp:
    case IpProtocol::kSctp:
      out.source_port = be16{read16(l4)};
      out.destination_port = be16{read16(l4 + 2)};
      // The first eight bytes, which are always quoted, hold the sequence number and the tag.
      if (protocol == static_cast<uint8_t>(IpProtocol::kTcp)) {
        out.tcp.sequence = read32(l4 + 4);
      } else if (protocol == static_cast<uint8_t>(IpProtocol::kSctp)) {
        out.sctp = SctpFields{read32(l4 + 4), 0, false};
      }
      break;
    case IpProtocol::kIcmp:
    case IpProtocol::kIcmpV6: {
      if (v4 != (protocol == static_cast<uint8_t>(IpProtocol::kIcmp))) break;
      const Role role = role_of(out.family, l4[0]);
      // No error about an error (RFC 1122 §3.2.2, RFC 4443 §2.4 e).
      if (role == Role::kError) return DropReason::kIcmpUnrelated;
      if (role != Role::kOther) set_query_ports(role, read16(l4 + 4), out);
      break;
    }
    default:
      break;
  }
  return DropReason::kNone;
}

}  // namespace

void parse_icmp(const IpLayer& ip, ParsedPacket& out) noexcept {
  if (ip.bytes_from(out.l4_offset) < 8) {
    out.reason = cut_short(ip, out);
    return;
  }
  const uint8_t* icmp = ip.frame + out.l4_offset;
  out.icmp_type = icmp[0];
  const Role role = role_of(out.family, icmp[0]);
  if (role == Role::kError) {
    // Errors fit the smallest MTU (RFC 1812 §4.3.2.3, RFC 4443 §2.4 c): in pieces they are a trick.
    out.reason =
        out.fragment ? DropReason::kIcmpUnrelated : read_quote(ip, out.l4_offset + 8U, out);
    if (out.reason == DropReason::kNone) out.kind = PacketKind::kIcmpError;
    return;
  }
  out.reason = DropReason::kNone;
  if (out.family == Family::kV6 && role == Role::kOther && is_neighbour_discovery(ip, out)) {
    out.kind = PacketKind::kPassAlways;
    return;
  }
  out.kind = PacketKind::kFlow;
  if (role != Role::kOther) set_query_ports(role, read16(icmp + 4), out);
  out.opens_flow = role != Role::kReply;
}

}  // namespace rampart::detail
