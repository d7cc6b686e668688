// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "dataplane/base/ids.hpp"
#include "dataplane/flow/flow_state.hpp"

namespace rampart {

/// Whether a worker has more to do than time for it, and a flood is to blame. While that is so,
/// first packets of new flows are put off until they are sent again (stages/defer.cpp): what a
/// flood costs is what it takes to read its packets, and the rest of the time belongs to those who
/// are known.
///
/// Too much to do: in three of four loops of a window, a queue or ring had a whole burst ready.
/// Written by its worker alone.
struct Overload {
  bool active = false;
  bool backlog = false;                        ///< this loop met a whole burst
  uint32_t loops = 0, loops_with_backlog = 0;  ///< of this window
  Tick window = 0;                             ///< in which they were counted
  Tick until = 0;

  /// Ticks for which it lasts after the last window that was too much: about five seconds. (How
  /// much there would be to do without it, nobody knows until it is over.)
  static constexpr Tick kLasts = 300;

  /// At the end of every loop. `flooded`: many flows are new and unanswered.
  void look(Tick now, bool flooded) noexcept {
    ++loops;
    loops_with_backlog += backlog;
    backlog = false;
    if (now == window) return;
    if (flooded && 4 * loops_with_backlog >= 3 * loops) {
      active = true;
      until = now + kLasts;
    } else if (active && static_cast<int32_t>(now - until) > 0) {
      active = false;
    }
    window = now;
    loops = loops_with_backlog = 0;
  }
};

}  // namespace rampart
