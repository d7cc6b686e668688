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

namespace test {

/// Where a check stands in a test. (clang 14 has no std::source_location.)
struct Where {
  const char* file;
  int line;
  static constexpr Where current(const char* file = __builtin_FILE(), int line = __builtin_LINE()) {
    return {file, line};
  }
};

}  // namespace test
}  // namespace rampart
