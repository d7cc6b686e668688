// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <bit>
#include <cstdint>

#include "dataplane/base/ids.hpp"
#include "dataplane/packet/burst.hpp"

namespace rampart {

/// With more packets than this in it, a ring between workers is long: more than its taker takes of
/// it at a time.
inline constexpr uint32_t kLongRing = 2 * Burst::kSize;

/// Whether a worker leaves a port's queue alone for a moment, because nearly all of the last whole
/// burst from it went into rings that are long. More of it would wait there until its buffers are
/// in nobody's cache, or be lost, after it has been read. And the taker, who shortens a long ring
/// before he turns to his own ports, gives us less in turn, so that we receive still more: of two
/// workers with the same work one came to receive most packets, and the other to judge them.
///
/// What is our own waits with the rest, in the NIC's queue, and is lost there if that gets full. So
/// it is not begun where more than a sixteenth is our own (who floods one worker's flows should not
/// hurt another's), and does not last. One of these for each port, written by its worker alone.
struct Backpressure {
  uint32_t targets = 0;  ///< bit n: worker n, whose ring was long; 0: receive
  Tsc since = 0;         ///< when the port was first left alone for them; 0: not yet

  /// About as long as a burst takes to be read and given away. A loop that takes longer counts
  /// whole.
  static constexpr Tsc kLongest = 8192;
  /// Whether so many packets of a burst are nearly all.
  static constexpr bool are_nearly_all(unsigned packets, unsigned of) {
    return 16 * packets >= 15 * of;
  }

  /// Whether to leave the port alone in a loop that began at `now`, which is not 0. `is_long(n)`:
  /// whether worker n's ring still is.
  template <typename IsLong>
  bool holds(Tsc now, IsLong&& is_long) noexcept {
    if (targets == 0) return false;
    if (since == 0) since = now;
    bool all_long = now - since < kLongest;
    for (uint32_t left = targets; left != 0 && all_long; left &= left - 1) {
      all_long = is_long(static_cast<unsigned>(std::countr_zero(left)));
    }
    if (!all_long) *this = {};
    return all_long;
  }
};

}  // namespace rampart
