// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <type_traits>

#include "dataplane/base/cacheline.hpp"
#include "dataplane/flow/flow_state.hpp"
#include "dataplane/packet/flow_key.hpp"

namespace rampart {

/// What is known of a flow besides its key; written by its worker alone.
///
///   offset size field         written when
///      0     4  last_seen     every packet (the line is in the cache already, and nobody else's)
///      4     4  judged_in     judged, or found untouched by a newer revision
///      8     8  rules         judged
///     16    16  *_low         every packet
///     32     8  *_high        when the low half wraps
///     40     1  state         on a change
///     41     1  opener_end    insert
struct FlowFacts {
  Tick last_seen = 0;
  uint32_t judged_in = 0;            ///< low half of the revision it was last judged under
  uint32_t egress_rule = 0;          ///< as in Verdict
  uint32_t ingress_rule = 0;         ///< as in Verdict
  uint32_t packets_low[2] = {0, 0};  ///< by Side
  uint32_t bytes_low[2] = {0, 0};    ///< of whole frames, by Side
  uint16_t packets_high[2] = {0, 0};
  uint16_t bytes_high[2] = {0, 0};
  FlowState state = FlowState::kOther;
  uint8_t opener_end = 0;  ///< which end of the normalised key sent the first packet
  uint16_t reserved = 0;

  /// The side on which the sender of a packet stands, given its end of the key.
  Side side(unsigned end) const { return end == opener_end ? Side::kOpener : Side::kReplier; }

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
static_assert(sizeof(FlowFacts) == 44 && offsetof(FlowFacts, state) == 40);

/// One flow, both directions. IPv4 fills one cache line, IPv6 the better part of two.
template <typename Key>
struct alignas(kCacheLine) FlowEntry {
  Key key;
  FlowFacts facts;
};
static_assert(sizeof(FlowEntry<FlowKeyV4>) == kCacheLine);
static_assert(sizeof(FlowEntry<FlowKeyV6>) == 2 * kCacheLine);
static_assert(std::is_trivially_copyable_v<FlowEntry<FlowKeyV4>>);

}  // namespace rampart
