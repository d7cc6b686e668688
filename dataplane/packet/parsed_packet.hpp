// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <cstring>
#include <type_traits>

#include "dataplane/base/byte_order.hpp"
#include "dataplane/base/ids.hpp"
#include "dataplane/base/ip_address.hpp"
#include "dataplane/packet/drop_reason.hpp"

namespace rampart {

/// What the pipeline does with a packet after parsing.
enum class PacketKind : uint8_t {
  kDropped,     ///< `reason` says why
  kPassAlways,  ///< ARP, neighbour and router discovery, MLD, IGMP, DHCP: no state, no policy
  kNonIp,       ///< not IP: --non-ip decides
  kFlow,        ///< belongs to a flow: the tuple is its own
  kFragment,    ///< a later fragment: without ports, it belongs to the flow of its first
  kIcmpError,   ///< an ICMP error: the tuple is that of the packet it quotes, as it was sent
};

/// TCP flag bits as they lie in byte 13 of the header (RFC 9293 §3.1).
namespace tcp_flag {
inline constexpr uint8_t kFin = 0x01, kSyn = 0x02, kRst = 0x04, kPsh = 0x08, kAck = 0x10,
                         kUrg = 0x20, kEce = 0x40, kCwr = 0x80;
}

/// SCTP chunk types that move a flow (RFC 9260 §3.2).
namespace sctp_type {
inline constexpr uint8_t kInit = 1, kInitAck = 2, kAbort = 6, kShutdown = 7, kShutdownAck = 8,
                         kCookieEcho = 10, kCookieAck = 11, kShutdownComplete = 14;
}

/// What a TCP header says besides ports and flags, in host order.
struct TcpFields {
  static constexpr uint8_t kNoScale = 0xff, kMaxScale = 14;

  uint32_t sequence = 0;         ///< of a kIcmpError: that of the quoted segment
  uint32_t acknowledgement = 0;  ///< means something only with the ACK flag
  uint16_t window = 0;           ///< as on the wire, not scaled
  uint16_t payload = 0;          ///< bytes in this packet; of a first fragment not all there are
  /// Shift count of a SYN's or SYN-ACK's window scale option, kMaxScale at most (RFC 7323 §2.3);
  /// kNoScale: it has none, or this is no SYN.
  uint8_t window_scale = kNoScale;
};

/// What an SCTP packet says besides ports and chunk type, in host order.
struct SctpFields {
  uint32_t tag;           ///< Verification Tag; of a kIcmpError: that of the quoted packet
  uint32_t initiate_tag;  ///< of an INIT or INIT ACK, never 0 there; 0 otherwise
  /// The T bit of ABORT and SHUTDOWN COMPLETE: the tag is the one that its sender expects itself
  /// (RFC 9260 §8.5.1).
  bool reflected_tag;
};

/// All that later stages may know of a packet's bytes; they are read by parse_frame.
/// Addresses and ports are oriented: source and destination as in the packet (for kIcmpError: as
/// in the quoted packet, which travelled the other way).
struct ParsedPacket {
  PacketKind kind = PacketKind::kDropped;
  DropReason reason = DropReason::kRunt;
  Family family = Family::kV4;
  uint8_t sctp_chunk = 0;  ///< type of the first chunk (RFC 9260 §3.2); 0 unless SCTP
  uint8_t icmp_type = 0;   ///< ICMP or ICMPv6 type; for kIcmpError that of the error itself
  /// A piece of a datagram, whose checksum cannot be verified: the first (kFlow, with its whole
  /// transport header) or a later one (kFragment, whose `protocol` over IPv6 may be that of another
  /// extension header). read_fragment says which piece of which datagram.
  bool fragment = false;
  bool tunnel = false;         ///< IPIP, GRE, VXLAN, Geneve: the pods' addresses are inside
  uint8_t protocol = 0;        ///< IANA number; for kIcmpError that of the quoted packet
  uint8_t tcp_flags = 0;       ///< 0 unless TCP
  bool opens_flow = false;     ///< may open a flow: UDP, echo request, clean SYN, SCTP INIT, other
  bool changes_state = false;  ///< may change state of a flow it belongs to: SYN, FIN, RST, INIT …
  uint16_t l3_offset = 0;      ///< of the IP header, from the start of the frame, bytes
  uint16_t l4_offset = 0;      ///< of the transport header, from the start of the frame, bytes
  uint32_t l4_bytes = 0;       ///< transport header and payload as the IP header states, bytes
  uint32_t fragment_id = 0;    ///< IPv4 identification or IPv6 fragment identification, host order
  uint32_t vlans = 0;          ///< outer VID << 12 | inner VID; an absent tag and VID 0 are 0
  /// Ports as in the packet. An ICMP or ICMPv6 query has its identifier as source port and 0 as
  /// destination port, its reply the reverse, so that a query from the other end with the same
  /// identifier is another flow and needs a permission of its own; identifier 0, which would be
  /// the same both ways, stands as 1 and 2. Otherwise 0.
  be16 source_port;
  be16 destination_port;
  /// 4 or 16 bytes, network order.
  alignas(16) uint8_t source[16] = {};
  alignas(16) uint8_t destination[16] = {};
  /// By `protocol`.
  union {
    TcpFields tcp = {};
    SctpFields sctp;
  };

  IpAddress source_address() const { return IpAddress::from_bytes(family, source); }
  IpAddress destination_address() const { return IpAddress::from_bytes(family, destination); }
  /// The destination port as policies see it: 0 for protocols without ports.
  L4Port policy_port() const {
    switch (static_cast<IpProtocol>(protocol)) {
      case IpProtocol::kTcp:
      case IpProtocol::kUdp:
      case IpProtocol::kSctp:
        return destination_port.host();
      default:
        return 0;
    }
  }
};

static_assert(sizeof(ParsedPacket) == 80 && std::is_trivially_copyable_v<ParsedPacket>);

}  // namespace rampart
