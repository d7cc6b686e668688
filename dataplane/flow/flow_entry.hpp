// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <type_traits>

#include "dataplane/base/cacheline.hpp"
#include "dataplane/flow/flow_state.hpp"
#include "dataplane/flow/sctp_tracker.hpp"
#include "dataplane/flow/tcp_tracker.hpp"
#include "dataplane/packet/flow_key.hpp"

namespace rampart {

/// What is kept of a flow for people: why it may pass, and how much did. Nothing depends on it, so
/// it is written and hardly ever waited for. Where it lies, FlowTable::tally knows.
struct FlowTally {
  uint32_t egress_rule = 0;          ///< as in Verdict
  uint32_t ingress_rule = 0;         ///< as in Verdict
  uint32_t packets_low[2] = {0, 0};  ///< by Side
  uint32_t bytes_low[2] = {0, 0};    ///< of whole frames, by Side
  uint16_t packets_high[2] = {0, 0};
  uint16_t bytes_high[2] = {0, 0};

  /// Of a flow that begins with a packet of this side. (An index would have it made in memory,
  /// where a load of the whole waits for all stores before it.)
  static FlowTally first(Side side, uint32_t frame_bytes) {
    const uint32_t opener = side == Side::kOpener ? 1 : 0, replier = 1 - opener;
    return {.packets_low = {opener, replier},
            .bytes_low = {opener * frame_bytes, replier * frame_bytes}};
  }

  void count(Side side, uint32_t frame_bytes) {
    const auto i = static_cast<unsigned>(side);
    if (++packets_low[i] == 0) ++packets_high[i];
    bytes_low[i] += frame_bytes;
    if (bytes_low[i] < frame_bytes) ++bytes_high[i];
  }
  uint64_t packets(Side side) const {
    const auto i = static_cast<unsigned>(side);
    return uint64_t{packets_high[i]} << 32 | packets_low[i];
  }
  uint64_t bytes(Side side) const {
    const auto i = static_cast<unsigned>(side);
    return uint64_t{bytes_high[i]} << 32 | bytes_low[i];
  }
};
static_assert(sizeof(FlowTally) == 32);

/// What every packet of a flow needs to know of it besides its key; written by its worker alone.
///
///   offset size field         written when
///      0     4  last_seen     every packet (the line is in the cache already, and nobody else's)
///      4     4  judged_in     judged, or found untouched by a newer revision
///      8     1  state         on a change
///      9     1  opener_end    insert
///     10     1  opener_port   insert
///     11     1  condemned     judged by the sweep
///     12    32  track         by the state machines of TCP and SCTP; where there are none, in
///                             IPv4, with every packet
struct FlowFacts {
  Tick last_seen = 0;
  uint32_t judged_in = 0;  ///< low half of the revision it was last judged under
  FlowState state = FlowState::kOther;
  uint8_t opener_end = 0;   ///< which end of the normalised key sent the first packet
  uint8_t opener_port = 0;  ///< which end of the wire it came in on: see WorkerPort::end
  uint8_t condemned = 0;    ///< no longer allowed; its next packet gets the reset for it
  union {
    TcpTrack tcp;     ///< states of TCP
    SctpTrack sctp;   ///< states of SCTP
    FlowTally tally;  ///< of an IPv4 flow that is neither
  } track = {};

  /// The side on which the sender of a packet stands, given its end of the key.
  Side side(unsigned end) const { return end == opener_end ? Side::kOpener : Side::kReplier; }
};
static_assert(sizeof(FlowFacts) == 44 && offsetof(FlowFacts, track) == 12);

/// Whether flows of this protocol (IANA number) have a TcpTrack or a SctpTrack.
constexpr bool has_track(uint8_t protocol) {
  return protocol == static_cast<uint8_t>(IpProtocol::kTcp) ||
         protocol == static_cast<uint8_t>(IpProtocol::kSctp);
}

/// One flow, both directions. IPv4 fills one cache line, in which the tally takes the place of the
/// track if there is none, and lies elsewhere if there is one; IPv6 needs two lines, in which the
/// tally has room.
template <typename Key>
struct alignas(kCacheLine) FlowEntry {
  static constexpr bool kHoldsTally = false;
  Key key;
  FlowFacts facts;
};
template <>
struct alignas(kCacheLine) FlowEntry<FlowKeyV6> {
  static constexpr bool kHoldsTally = true;
  FlowKeyV6 key;
  FlowFacts facts;
  FlowTally tally;
};
static_assert(sizeof(FlowEntry<FlowKeyV4>) == kCacheLine);
static_assert(sizeof(FlowEntry<FlowKeyV6>) == 2 * kCacheLine);
static_assert(std::is_trivially_copyable_v<FlowEntry<FlowKeyV4>>);

/// A flow as it is handed out to those who ask.
template <typename Key>
struct FlowCopy {
  Key key;
  FlowFacts facts;
  FlowTally tally;
};

}  // namespace rampart
