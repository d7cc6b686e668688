// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

namespace rampart {

/// One DPDK ethdev (not a TCP/UDP port: that is an `L4Port`).
using PortId = uint16_t;
/// TCP, UDP or SCTP port number in host order.
using L4Port = uint16_t;
/// Number of an accepted desired state, counted one by one; 0 is what is in force before the first
/// snapshot.
using Revision = uint64_t;
/// Its low half, as it is kept where there is little room. Differences count, so it may wrap.
using RevisionMark = uint32_t;
constexpr RevisionMark revision_mark(Revision revision) {
  return static_cast<RevisionMark>(revision);
}
/// Whether `a` comes after `b`.
constexpr bool is_after(RevisionMark a, RevisionMark b) {
  return static_cast<int32_t>(a - b) > 0;
}
/// Index of a worker, 0 … N-1 (not an lcore id).
using WorkerId = uint16_t;
/// Ticks of the invariant time stamp counter.
using Tsc = uint64_t;

/// IANA protocol numbers, as they stand in IPv4 `protocol` and IPv6 `next header`.
enum class IpProtocol : uint8_t {
  kIcmp = 1,
  kIgmp = 2,
  kTcp = 6,
  kUdp = 17,
  kIcmpV6 = 58,
  kSctp = 132,
};

}  // namespace rampart
