// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <cstring>
#include <type_traits>

#include "dataplane/base/cacheline.hpp"
#include "dataplane/base/ids.hpp"
#include "dataplane/packet/drop_reason.hpp"
#include "dataplane/packet/flow_key.hpp"
#include "dataplane/packet/fragment.hpp"

namespace rampart {

/// Packets that are held, oldest first; links of a FragmentTable.
struct HeldChain {
  static constexpr uint32_t kNone = ~uint32_t{0};
  uint32_t first = kNone, last = kNone;
  bool empty() const { return first == kNone; }
};

/// Where a datagram in pieces stands.
enum class DatagramState : uint8_t {
  kWaiting,  ///< its first fragment has not come: the others are held
  kJudging,  ///< the first is in the burst that is being worked on
  kPassing,  ///< the first has passed, or is with the worker that judges it: the others follow
  kRefused,  ///< nothing of it passes any more
};

/// What a piece is to the pieces before it.
enum class Admission : uint8_t {
  kNew,          ///< noted down
  kRepeated,     ///< nothing but bytes that were there before
  kOverlap,      ///< some of its bytes were there before
  kContradicts,  ///< two ends, or data beyond the end
  kTooMany,      ///< more pieces, or more gaps between them, than are noted down
};

/// What is known of one datagram that comes in pieces. Four cache lines.
struct alignas(kCacheLine) Datagram {
  /// As many as 65,535 bytes are over links of 576 bytes (RFC 791 §3.2), and some.
  static constexpr unsigned kMaxPieces = 128;
  /// Pieces that touch are one range, so these are the gaps that reordering may leave: a thorough
  /// shuffle of 45 pieces (an MTU of 1,500) leaves about eleven.
  static constexpr unsigned kMaxRanges = 27;

  struct Range {
    uint16_t offset, end;
  };

  FragmentKey key;
  uint32_t next;  ///< of the same bucket
  Tsc since;      ///< when it came to its state
  Tsc grown;      ///< when the last piece came that was new
  uint64_t hash;  ///< of `key`
  uint64_t flow_hash;
  uint8_t flow_bytes[sizeof(FlowKeyV6)];  ///< key of the first one's flow, once that has come
  HeldChain held;
  uint32_t older, newer;  ///< of the same state
  uint16_t total;         ///< where the last piece ends; 0 before it has come
  uint8_t pieces;
  uint8_t ranges;
  DatagramState state;
  DropReason why;           ///< kNone, or why nothing of it passes any more
  uint8_t flow_end;         ///< which end of the flow's key the source is
  uint8_t flow_owner;       ///< whose flow it is
  Range range[kMaxRanges];  ///< what has come: sorted, apart from each other

  /// Takes note of a piece if it fits to those before.
  Admission admit(Piece p) noexcept;

  /// Whether every byte has come, from the first to the last.
  bool is_complete() const {
    return total != 0 && ranges == 1 && range[0].offset == 0 && range[0].end == total;
  }

  template <typename Key>
  void set_flow(const Key& k, uint64_t of_key, unsigned end, WorkerId owner) {
    std::memcpy(flow_bytes, &k, sizeof k);
    flow_hash = of_key;
    flow_end = static_cast<uint8_t>(end);
    flow_owner = static_cast<uint8_t>(owner);
  }
  template <typename Key>
  Key flow_key() const {
    Key k;
    std::memcpy(&k, flow_bytes, sizeof k);
    return k;
  }
};
static_assert(sizeof(Datagram) == 4 * kCacheLine && std::is_trivially_copyable_v<Datagram>);

}  // namespace rampart
