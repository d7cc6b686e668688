// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace rampart::compile {

/// What one policy (or whatever else is shared out) costs, and whose it is.
struct Cost {
  uint32_t owner = 0;
  size_t amount = 0;
};

/// Shares `room` among owners, smallest wishes first, and returns which of `costs` do not fit, as
/// indices, rising: none while all together fit. Otherwise no owner gets more than the level at
/// which the rest is just enough for everybody who wants more, and of an owner's things the largest
/// go first. So whoever asks for too much loses of his own only.
std::vector<uint32_t> without_room(const std::vector<Cost>& costs, size_t room);

}  // namespace rampart::compile
