// SPDX-License-Identifier: Apache-2.0
#pragma once

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
  static constexpr const char* kNames[] = {"accept", "pass unchanged", "drop", "reopen"};
  return to << kNames[static_cast<unsigned>(action)];
}

}  // namespace rampart
