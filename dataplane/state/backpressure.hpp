// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <bit>
#include <cstdint>

#include "dataplane/base/ids.hpp"
#include "dataplane/packet/burst.hpp"

namespace rampart {

/// With more packets than this in it, a ring between workers is long: its taker comes behind.
inline constexpr uint32_t kLongRing = 2 * Burst::kSize;

/// Whether a worker leaves a port's queue alone for a moment, because most of what it last received
/// there went into rings that are long. More of it would wait there until its buffers are in
/// nobody's cache, or be lost, after it has been read. And the taker, who shortens a long ring
/// before he turns to his own ports, gives us less in turn, so that we receive still more: of two
/// workers with the same work one came to receive nearly all packets, and the other to judge them.
///
/// What is our own waits with the rest, in the NIC's queue; so it takes most of a burst to begin
/// this, and it does not last. One of these for each port, written by its worker alone.
struct Backpressure {
  uint32_t targets = 0;  ///< bit n: worker n, whose ring was long; 0: receive
  Tsc since = 0;         ///< when the port was first left alone for them; 0: not yet

  /// About as long as a burst takes to be read and given away: a worker whose fellow has stopped
  /// still receives half of what it could.
  static constexpr Tsc kLongest = 8192;

  /// Whether to leave the port alone in a loop that began at `now`, which is not 0. `is_long(n)`:
  /// whether worker n's ring still is.
  template <typename IsLong>
  bool holds(Tsc now, IsLong&& is_long) noexcept {
    if (targets == 0) return false;
    if (since == 0) since = now;
    if (now - since < kLongest) {
      for (uint32_t left = targets; left != 0; left &= left - 1) {
        if (is_long(static_cast<unsigned>(std::countr_zero(left)))) return true;
      }
    }
    *this = {};
    return false;
  }
};

}  // namespace rampart
