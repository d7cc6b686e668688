// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "control/compile/ranges.hpp"

namespace rampart::compile {

inline constexpr uint32_t kNone = 0xFFFFFFFF;

/// What peers are told apart by: addresses of one zone that belong to pods of one group, or to no
/// pod at all. These are the classes of addresses that the data path knows (Identity::class_id).
/// An atom keeps its number. Those that a frame begins with are numbered by zone, then group, so
/// that a block is few ranges.
class Atoms {
 public:
  /// Made if it is not there. `group`: kNone for addresses of no pod.
  uint32_t add(uint32_t zone, uint32_t group);
  std::optional<uint32_t> find(uint32_t zone, uint32_t group) const;
  /// The atom of addresses in `zone` that are no pod's; it must be there.
  uint32_t outside(uint32_t zone) const { return outside_[zone]; }

  uint32_t size() const { return static_cast<uint32_t>(group_.size()); }
  uint32_t group(uint32_t atom) const { return group_[atom]; }
  uint32_t zone(uint32_t atom) const { return zone_[atom]; }
  const Ranges& of_zone(uint32_t zone) const { return of_zone_[zone]; }
  const std::vector<uint32_t>& of_group(uint32_t group) const {
    return group < of_group_.size() ? of_group_[group] : none_;
  }

 private:
  std::vector<uint32_t> group_, zone_;
  std::vector<uint32_t> outside_;  ///< by zone; kNone: not there
  std::vector<Ranges> of_zone_;
  std::vector<std::vector<uint32_t>> of_group_;
  std::vector<uint32_t> none_;
};

}  // namespace rampart::compile
