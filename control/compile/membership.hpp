// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <vector>

#include "control/compile/ranges.hpp"
#include "control/kube/evaluate.hpp"

namespace rampart::compile {

/// What is in exactly the same sets is of one class. So that a class can be found by its sets, each
/// set has a mark, drawn by lot when the process began, and a class is known by the sum of its
/// sets' marks: that two differ and have the same sum happens once in 2^64 times, and nobody can
/// bring it about.
uint64_t mark_of(uint32_t set);
/// The same for subject classes: sets of groups, of one direction of one namespace.
uint64_t mark_of_subject(uint32_t ns, kube::Direction direction, uint64_t sets);

/// For each number below `count` the sum of what the sets are worth that it is in: worth(index).
template <typename T, typename Worth>
std::vector<T> sums_over(const std::vector<Ranges>& sets, uint32_t count, Worth worth) {
  std::vector<T> sums(count + 1);
  for (uint32_t set = 0; set < sets.size(); ++set) {
    const T more = worth(set);
    for (const Range& range : sets[set]) {
      sums[range.first] += more;
      sums[range.last + 1] -= more;
    }
  }
  for (uint32_t n = 1; n < count; ++n) sums[n] += sums[n - 1];
  sums.pop_back();
  return sums;
}

}  // namespace rampart::compile
