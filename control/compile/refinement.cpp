// SPDX-License-Identifier: Apache-2.0
#include "control/compile/refinement.hpp"

#include <algorithm>
#include <numeric>
#include <utility>

namespace rampart::compile {

Refinement::Refinement(uint32_t atoms) : order_(atoms), position_(atoms), block_of_(atoms, 0) {
  std::iota(order_.begin(), order_.end(), 0);
  std::iota(position_.begin(), position_.end(), 0);
  if (atoms > 0) blocks_.push_back({0, atoms, 0});
}

bool Refinement::split(const Ranges& set, bool only_if_one_range) {
  touched_.clear();
  for (const Range& range : set) {
    for (uint32_t atom = range.first; atom <= range.last; ++atom) {
      Block& block = blocks_[block_of_[atom]];
      if (block.marked == 0) touched_.push_back(block_of_[atom]);
      // Swap it with the last atom that is not marked yet.
      const uint32_t to = block.end - 1 - block.marked++;
      const uint32_t from = position_[atom], other = order_[to];
      order_[from] = other;
      position_[other] = from;
      order_[to] = atom;
      position_[atom] = to;
    }
  }
  std::sort(touched_.begin(), touched_.end(),
            [&](uint32_t a, uint32_t b) { return blocks_[a].begin < blocks_[b].begin; });

  if (only_if_one_range) {
    bool one = true;
    for (size_t i = 0; i < touched_.size(); ++i) {
      if (i > 0 && blocks_[touched_[i - 1]].end != blocks_[touched_[i]].begin) one = false;
      if (i > 0 && i + 1 < touched_.size() && !is_full(touched_[i])) one = false;
    }
    if (!one) {
      for (const uint32_t b : touched_) blocks_[b].marked = 0;
      return false;
    }
  }

  const size_t count = touched_.size();
  for (size_t i = 0; i < count; ++i) {
    const uint32_t b = touched_[i];
    const uint32_t begin = blocks_[b].begin, end = blocks_[b].end;
    const uint32_t marked = std::exchange(blocks_[b].marked, 0);
    const uint32_t kept = end - begin - marked;
    if (kept == 0) continue;
    const bool next_touched = i + 1 < count && blocks_[touched_[i + 1]].begin == end;
    Block fresh;
    if (next_touched) {
      fresh = {end - marked, end, 0};
      blocks_[b].end = end - marked;
    } else {
      // The set's part to the front: change places with as many others as there are.
      const uint32_t moved = std::min(marked, kept);
      for (uint32_t k = 0; k < moved; ++k) {
        std::swap(order_[begin + k], order_[end - 1 - k]);
        position_[order_[begin + k]] = begin + k;
        position_[order_[end - 1 - k]] = end - 1 - k;
      }
      fresh = {begin, begin + marked, 0};
      blocks_[b].begin = begin + marked;
    }
    const auto number = static_cast<uint32_t>(blocks_.size());
    for (uint32_t p = fresh.begin; p < fresh.end; ++p) block_of_[order_[p]] = number;
    blocks_.push_back(fresh);
  }
  return true;
}

std::vector<uint32_t> Refinement::numbers() const {
  std::vector<uint32_t> numbers(order_.size());
  uint32_t number = 0;
  for (uint32_t p = 0; p < order_.size(); ++p) {
    if (p > 0 && block_of_[order_[p]] != block_of_[order_[p - 1]]) ++number;
    numbers[order_[p]] = number;
  }
  return numbers;
}

Ranges translate(const Ranges& atoms, const std::vector<uint32_t>& numbers) {
  std::vector<uint32_t> found;
  for (const Range& range : atoms) {
    for (uint32_t atom = range.first; atom <= range.last; ++atom) {
      // Neighbours often share a class: leave the plainest repetitions out before sorting.
      if (found.empty() || found.back() != numbers[atom]) found.push_back(numbers[atom]);
    }
  }
  return make_ranges(std::move(found));
}

}  // namespace rampart::compile
