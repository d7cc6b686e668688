// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <vector>

#include "control/compile/boxes.hpp"
#include "control/compile/demands.hpp"
#include "control/compile/groups.hpp"

/// Fifth stage: the sets that boxes speak of become classes, numbered so that a set is few ranges.
namespace rampart::compile {

/// The subject class of pods that are isolated and that nothing is allowed to. In both directions,
/// and in every rule set, so that a namespace that denies by default needs no class of its own.
inline constexpr uint16_t kShutClass = 1;
/// The others are numbered from here, namespace by namespace and direction by direction.
inline constexpr uint32_t kFirstOpenClass = 2;

struct SubjectClasses {
  /// Of each group, by kube::Direction; 0: not isolated, or of a namespace that has no policy here.
  std::vector<uint16_t> of_group[2];
  std::vector<Ranges> of_set;  ///< classes in each SubjectSet; empty: it was shut
  uint32_t count = 0;          ///< classes that some group has
  /// Namespaces for which there was no room: their pods that are isolated in the direction are
  /// allowed nothing. Rising.
  std::vector<uint32_t> shut[2];
};
/// `most`: the highest class that there may be.
SubjectClasses number_subjects(const Demands& demands, const Groups& groups, const Members& members,
                               const Boxes& boxes, uint32_t most = 0xFFFF);

struct PeerClasses {
  std::vector<uint32_t> of_atom;
  uint32_t nobody = 0;  ///< the class of what is in no set, whether there is an atom of it or not
  std::vector<Ranges> of_set;
  uint32_t count = 0;
};
/// `spares`: how many add_spares() has added.
PeerClasses number_peers(uint32_t atoms, const Boxes& boxes, uint32_t spares = 0);

}  // namespace rampart::compile
