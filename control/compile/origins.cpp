// SPDX-License-Identifier: Apache-2.0
#include "control/compile/origins.hpp"

#include <algorithm>
#include <numeric>
#include <utility>

namespace rampart::compile {

Origins::Origins(std::vector<kube::Admission> entries, std::vector<uint32_t> numbers, uint32_t next)
    : entries_(std::move(entries)),
      numbers_(std::make_shared<const std::vector<uint32_t>>(std::move(numbers))),
      by_number_(entries_.size()),
      next_(next) {
  std::iota(by_number_.begin(), by_number_.end(), 0U);
  std::sort(by_number_.begin(), by_number_.end(),
            [&](uint32_t a, uint32_t b) { return (*numbers_)[a] < (*numbers_)[b]; });
}

const kube::Admission* Origins::find(uint32_t number) const {
  const auto at = std::partition_point(by_number_.begin(), by_number_.end(),
                                       [&](uint32_t index) { return (*numbers_)[index] < number; });
  return at != by_number_.end() && (*numbers_)[*at] == number ? &entries_[*at] : nullptr;
}

}  // namespace rampart::compile
