// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

namespace rampart {

/// Every way in which a packet can end here. X(enumerator, name in counters, one line of meaning).
/// Enumerator, name and meaning come from this one list.
#define RAMPART_DROP_REASONS(X)                                                                    \
  X(kRunt, "runt", "frame too short for its Ethernet header or VLAN tags")                         \
  X(kVlanDepth, "vlan_depth", "more than two VLAN tags")                                           \
  X(kNonIp, "non_ip", "neither IP nor ARP, and --non-ip is drop")                                  \
  X(kIpTruncated, "ip_truncated",                                                                  \
    "the IP header or the length it states does not fit in the frame (offloads on the sender?)")   \
  X(kIpVersion, "ip_version", "the version field does not fit the EtherType")                      \
  X(kIpHeader, "ip_header", "IPv4 header length below 20 bytes or beyond the packet, bad option")  \
  X(kIpChecksum, "ip_checksum", "the IPv4 header checksum is wrong")                               \
  X(kIpExtension, "ip_extension", "IPv6 extension headers: too many, cut short or unknown")        \
  X(kSourceRoute, "source_route",                                                                  \
    "IPv4 source route option, IPv6 routing header of type 0 or with segments left")               \
  X(kMartian, "martian", "an address that must not stand on a wire, or source equal destination")  \
  X(kSpoofed, "spoofed", "a source outside the --port-sources of its port")                        \
  X(kFragmentTiny, "fragment_tiny",                                                                \
    "a first fragment without its whole header, or a later one that would rewrite it")             \
  X(kFragmentLength, "fragment_length",                                                            \
    "a fragment that is empty, no multiple of eight, too far out, or contradicts the end")         \
  X(kFragmentOverlap, "fragment_overlap",                                                          \
    "a fragment that overlaps or repeats another, or whose datagram was spoilt by one that did")   \
  X(kFragmentOrphan, "fragment_orphan", "a later fragment whose first did not come in time")       \
  X(kFragmentLimit, "fragment_limit",                                                              \
    "a fragment for which there was no room (--fragments, --fragments-held)")                      \
  X(kFragmentDenied, "fragment_denied",                                                            \
    "a later fragment whose first was dropped, or whose flow is no more")                          \
  X(kL4Truncated, "l4_truncated", "the transport header is cut short")                             \
  X(kL4Header, "l4_header",                                                                        \
    "a transport header that contradicts itself (data offset, length) or has port 0")              \
  X(kTcpFlags, "tcp_flags", "a combination of TCP flags that no stack sends")                      \
  X(kL4Checksum, "l4_checksum",                                                                    \
    "the TCP, UDP, SCTP or ICMP checksum is wrong (checksum offload on the sender?)")              \
  X(kNoPolicyYet, "no_policy_yet", "no snapshot has been accepted yet and --startup is drop")      \
  X(kDeniedEgress, "denied_egress", "an egress policy isolates the source and none allows it")     \
  X(kDeniedIngress, "denied_ingress",                                                              \
    "an ingress policy isolates the destination and none allows it")                               \
  X(kNoFlow, "no_flow", "belongs to no known flow and cannot open one (mid-stream TCP, SCTP)")     \
  X(kTcpWindow, "tcp_window",                                                                      \
    "TCP sequence or acknowledgement numbers outside what both ends have agreed on")               \
  X(kTcpState, "tcp_state", "a TCP segment that the state of its connection does not allow")       \
  X(kSctpTag, "sctp_tag", "an SCTP verification tag that is not that of the association")          \
  X(kSctpState, "sctp_state", "an SCTP chunk that the state of its association does not allow")    \
  X(kIcmpUnrelated, "icmp_unrelated", "an ICMP error or echo reply that belongs to no known flow") \
  X(kSynChallenged, "syn_challenged",                                                              \
    "a SYN under a flood, answered with a challenge, or a client's answer to that")                \
  X(kFloodDeferred, "flood_deferred",                                                              \
    "a first packet in a flood that leaves the worker no time: let through when it is sent again") \
  X(kQuota, "quota", "a new flow of a source, or to a destination, that has as many as it may")    \
  X(kTableFull, "table_full", "a new flow found no room in the flow table")                        \
  X(kTunnel, "tunnel", "encapsulated traffic, and --tunnels is drop")                              \
  X(kHandoffFull, "handoff_full", "the ring to the worker that owns the flow was full")            \
  X(kTxFull, "tx_full", "the outgoing port took no more packets")                                  \
  X(kTxError, "tx_error",                                                                          \
    "the driver took the packet and then reported an error, or it fits no buffer")                 \
  X(kPortDown, "port_down", "the outgoing port was being reset or was down")                       \
  X(kRxMissed, "rx_missed", "the receiving port had no free descriptor (driver's count)")          \
  X(kRxError, "rx_error", "the receiving port or driver rejected the frame (driver's count)")      \
  X(kRxNoMbuf, "rx_no_mbuf", "no packet buffer was free for the frame (driver's count)")           \
  X(kStopping, "stopping", "still in a ring when the appliance stopped")                           \
  X(kInternal, "internal", "reached the end of the pipeline without a verdict (a bug)")

enum class DropReason : uint8_t {
  kNone = 0,  ///< not dropped
#define RAMPART_X(id, name, meaning) id,
  RAMPART_DROP_REASONS(RAMPART_X)
#undef RAMPART_X
      kCount
};

inline constexpr unsigned kDropReasons = static_cast<unsigned>(DropReason::kCount);

struct DropReasonText {
  std::string_view name;
  std::string_view meaning;
};

inline constexpr std::array<DropReasonText, kDropReasons> kDropReasonTexts{
    {{"none", "not dropped"},
#define RAMPART_X(id, name, meaning) {name, meaning},
     RAMPART_DROP_REASONS(RAMPART_X)
#undef RAMPART_X
    }};

constexpr std::string_view to_string(DropReason reason) {
  return kDropReasonTexts[static_cast<unsigned>(reason)].name;
}

}  // namespace rampart
