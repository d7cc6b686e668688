// SPDX-License-Identifier: Apache-2.0
#include "control/compile/atoms.hpp"

#include <algorithm>

namespace rampart::compile {

std::optional<uint32_t> Atoms::find(uint32_t zone, uint32_t group) const {
  if (group == kNone) {
    if (zone >= outside_.size() || outside_[zone] == kNone) return std::nullopt;
    return outside_[zone];
  }
  for (const uint32_t atom : of_group(group)) {
    if (zone_[atom] == zone) return atom;
  }
  return std::nullopt;
}

uint32_t Atoms::add(uint32_t zone, uint32_t group) {
  if (const auto known = find(zone, group)) return *known;
  const uint32_t atom = size();
  group_.push_back(group);
  zone_.push_back(zone);
  if (zone >= of_zone_.size()) {
    of_zone_.resize(zone + 1);
    outside_.resize(zone + 1, kNone);
  }
  append(of_zone_[zone], atom);
  if (group == kNone) {
    outside_[zone] = atom;
  } else {
    if (group >= of_group_.size())
      of_group_.resize(std::max<size_t>(group + 1, 2 * of_group_.size()));
    of_group_[group].push_back(atom);
  }
  return atom;
}

}  // namespace rampart::compile
