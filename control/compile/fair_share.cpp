// SPDX-License-Identifier: Apache-2.0
#include "control/compile/fair_share.hpp"

#include <algorithm>
#include <map>
#include <numeric>

namespace rampart::compile {
namespace {

/// The most that one owner may have. `wishes`: rising.
size_t level_of(const std::vector<size_t>& wishes, size_t room) {
  for (size_t i = 0; i < wishes.size(); ++i) {
    const size_t share = room / (wishes.size() - i);
    if (wishes[i] > share) return share;
    room -= wishes[i];
  }
  return SIZE_MAX;
}

}  // namespace

std::vector<uint32_t> without_room(const std::vector<Cost>& costs, size_t room) {
  std::map<uint32_t, size_t> by_owner;
  for (const Cost& cost : costs) by_owner[cost.owner] += cost.amount;
  std::vector<size_t> wishes;
  wishes.reserve(by_owner.size());
  for (const auto& [owner, wish] : by_owner) wishes.push_back(wish);
  std::sort(wishes.begin(), wishes.end());
  const size_t level = level_of(wishes, room);

  std::vector<uint32_t> largest_first(costs.size());
  std::iota(largest_first.begin(), largest_first.end(), 0);
  std::stable_sort(largest_first.begin(), largest_first.end(),
                   [&](uint32_t a, uint32_t b) { return costs[a].amount > costs[b].amount; });
  std::vector<uint32_t> out;
  for (const uint32_t i : largest_first) {
    size_t& wish = by_owner[costs[i].owner];
    if (wish <= level || costs[i].amount == 0) continue;
    wish -= costs[i].amount;
    out.push_back(i);
  }
  std::sort(out.begin(), out.end());
  return out;
}

}  // namespace rampart::compile
