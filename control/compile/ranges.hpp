// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

namespace rampart::compile {

/// Numbers from `first` to `last`, both included.
struct Range {
  uint32_t first = 0;
  uint32_t last = 0;
  auto operator<=>(const Range&) const = default;
};

/// A set of numbers: sorted, apart from each other by at least one number.
using Ranges = std::vector<Range>;

/// Adds numbers that lie at or after everything in `set`.
inline void append(Ranges& set, Range more) {
  if (!set.empty() && more.first <= set.back().last + 1) {
    set.back().last = std::max(set.back().last, more.last);
  } else {
    set.push_back(more);
  }
}
inline void append(Ranges& set, uint32_t number) {
  append(set, Range{number, number});
}

/// A set from numbers in any order.
inline Ranges make_ranges(std::vector<uint32_t> numbers) {
  std::sort(numbers.begin(), numbers.end());
  Ranges set;
  for (const uint32_t number : numbers) append(set, number);
  return set;
}

/// How many numbers a set holds.
inline uint64_t size_of(const Ranges& set) {
  uint64_t size = 0;
  for (const Range& r : set) size += uint64_t{r.last} - r.first + 1;
  return size;
}

}  // namespace rampart::compile
