// SPDX-License-Identifier: Apache-2.0
#include "control/compile/spares.hpp"

#include <algorithm>
#include <unordered_set>
#include <vector>

#include "control/compile/membership.hpp"

namespace rampart::compile {
namespace {

/// More than this are not made.
constexpr size_t kMostSpares = 4096;

}  // namespace

uint32_t add_spares(uint32_t atoms, size_t few, Boxes& boxes) {
  std::vector<bool> is_shared(boxes.peer_sets.size());
  for (const Boxes::PeerSource& source : boxes.peer_sources) {
    if (source.set != kNone) is_shared[source.set] = source.owners.size() > few;
  }
  if (std::find(is_shared.begin(), is_shared.end(), true) == is_shared.end()) return 0;

  // A family of sets is known by the sum of their marks.
  const auto all = sums_over<uint64_t>(boxes.peer_sets, atoms, mark_of);
  const auto shared = sums_over<uint64_t>(
      boxes.peer_sets, atoms, [&](uint32_t set) { return is_shared[set] ? mark_of(set) : 0; });
  std::unordered_set<uint64_t> wanted(shared.begin(), shared.end());
  wanted.erase(0);
  for (const uint64_t family : all) wanted.erase(family);

  std::vector<uint32_t> like;  // the atom whose sets a spare is in, rising
  for (uint32_t atom = 0; atom < atoms && like.size() < kMostSpares; ++atom) {
    if (wanted.erase(shared[atom]) != 0) like.push_back(atom);
  }
  for (uint32_t set = 0; set < boxes.peer_sets.size(); ++set) {
    if (!is_shared[set]) continue;
    Ranges& members = boxes.peer_sets[set];
    Ranges spares;
    for (const Range& range : members) {
      const auto first = std::lower_bound(like.begin(), like.end(), range.first);
      const auto last = std::upper_bound(first, like.end(), range.last);
      for (auto at = first; at != last; ++at) {
        append(spares, atoms + 1 + static_cast<uint32_t>(at - like.begin()));
      }
    }
    members.insert(members.end(), spares.begin(), spares.end());
  }
  return static_cast<uint32_t>(like.size());
}

}  // namespace rampart::compile
