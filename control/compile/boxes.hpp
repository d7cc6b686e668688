// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "control/compile/demands.hpp"
#include "control/compile/groups.hpp"
#include "control/compile/ranges.hpp"
#include "control/compile/zones.hpp"

/// Fourth stage: entries become boxes, whose sides are sets of pods, of addresses and of ports.
/// Named ports are gone after this: an entry that uses one is a box for each number it has.
namespace rampart::compile {

/// What peers are told apart by: addresses of one zone that belong to pods of one group, or to no
/// pod at all. Numbered by zone, then group, so that a block is few ranges.
class Atoms {
 public:
  Atoms() = default;
  Atoms(const kube::ClusterState& state, const Groups& groups, const Zones& zones);

  uint32_t size() const { return static_cast<uint32_t>(keys_.size()); }
  /// The atom of addresses in `zone` that are no pod's.
  uint32_t outside(uint32_t zone) const { return of_zone(zone).first; }
  /// Nothing if no pod of the group was in this zone.
  std::optional<uint32_t> find(uint32_t zone, uint32_t group) const {
    for (const uint32_t atom : of_group_[group]) {
      if (keys_[atom] >> 32 == zone) return atom;
    }
    return std::nullopt;
  }
  /// kNone: addresses of no pod.
  uint32_t group(uint32_t atom) const { return static_cast<uint32_t>(keys_[atom]) - 1; }
  Range of_zone(uint32_t zone) const;
  const std::vector<uint32_t>& of_group(uint32_t group) const { return of_group_[group]; }

 private:
  static uint64_t key(uint32_t zone, uint32_t group) { return uint64_t{zone} << 32 | (group + 1); }
  std::vector<uint64_t> keys_;
  std::vector<std::vector<uint32_t>> of_group_;
};

/// The pods that an entry is for: those that its policy isolates, or those of them that have its
/// named port at a certain number.
struct SubjectSet {
  kube::Direction direction = kube::Direction::kIngress;
  uint32_t ns = 0;
  std::vector<uint32_t> groups;  ///< rising, never empty
};

struct Box {
  uint32_t origin = 0;
  uint32_t policy = 0;
  uint32_t subjects = 0;   ///< index of a SubjectSet
  uint32_t peers = kNone;  ///< index of a set of atoms; kNone: every address
  Service service;         ///< never a name
};

struct Boxes {
  std::vector<SubjectSet> subject_sets;
  std::vector<Ranges> peer_sets;  ///< atoms, never empty
  std::vector<Box> boxes;         ///< by origin; those that no connection can meet are left out
};

Boxes make_boxes(const Demands& demands, const Groups& groups, const Members& members,
                 const Zones& zones, const Atoms& atoms);

}  // namespace rampart::compile
