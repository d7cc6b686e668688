// SPDX-License-Identifier: Apache-2.0
#include "dataplane/state/source_filter.hpp"

#include <algorithm>

namespace rampart {

SourceFilter::SourceFilter(const std::vector<IpPrefix>& allowed) : off_(allowed.empty()) {
  std::vector<IpPrefix> sorted = allowed;
  std::sort(sorted.begin(), sorted.end());
  for (const IpPrefix& p : sorted) {
    // Blocks nest or are apart; sorted by address and length, a nested one follows its outer one.
    if (!ranges_.empty() && ranges_.back().last.family() == p.family() &&
        p.last() <= ranges_.back().last) {
      continue;
    }
    ranges_.push_back({p.first(), p.last()});
  }
}

bool SourceFilter::allows(Family family, const uint8_t* address) const noexcept {
  if (off_) return true;
  const IpAddress a = IpAddress::from_bytes(family, address);
  const auto after =
      std::upper_bound(ranges_.begin(), ranges_.end(), a,
                       [](const IpAddress& x, const Range& r) { return x < r.first; });
  return after != ranges_.begin() && a <= std::prev(after)->last;
}

}  // namespace rampart
