// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <iterator>
#include <ostream>

#include "dataplane/flow/tracked.hpp"

namespace rampart {

inline std::ostream& operator<<(std::ostream& to, FlowState state) {
  return to << to_string(state);
}
inline std::ostream& operator<<(std::ostream& to, DropReason reason) {
  return to << to_string(reason);
}
inline std::ostream& operator<<(std::ostream& to, TrackAction action) {
  static constexpr const char* kNames[] = {"accept", "accept unproven", "pass unchanged", "drop",
                                           "reopen"};
  static_assert(std::size(kNames) == static_cast<unsigned>(TrackAction::kReopen) + 1);
  return to << kNames[static_cast<unsigned>(action)];
}

}  // namespace rampart
