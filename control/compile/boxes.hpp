// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <vector>

#include "control/compile/demands.hpp"
#include "control/compile/kinds.hpp"
#include "control/compile/ranges.hpp"

/// Fourth stage: entries become boxes, whose sides are sets of pods, of addresses and of ports.
/// Named ports are gone after this: an entry that uses one is a box for each number it has.
namespace rampart::compile {

/// A named port at one of its numbers; without a name, the whole set.
struct Port {
  uint32_t name = kNone;
  L4Port number = 0;
  auto operator<=>(const Port&) const = default;
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
  std::vector<Ranges> peer_sets;  ///< atoms, and spares (see spares.hpp); never empty
  std::vector<Box> boxes;         ///< by origin; those that no connection can meet are left out

  /// Where the sets come from, for who comes later. `set` is kNone where it is empty now.
  struct SubjectSource {
    uint32_t subject = 0;  ///< demand
    kube::Direction direction = kube::Direction::kIngress;
    Port port;
    uint32_t set = kNone;
  };
  struct PeerSource {
    uint32_t peer = kNone;  ///< demand; kNone: every address
    Port port;
    uint32_t set = kNone;
    std::vector<uint32_t> owners;  ///< namespaces whose policies speak of it
  };
  std::vector<SubjectSource> subject_sources;
  std::vector<PeerSource> peer_sources;
  /// Named ports of subjects, and of peers, that are asked for: a number that a pod brings along
  /// may be new. (In SubjectSource::port and PeerSource::port the number means nothing here.)
  std::vector<SubjectSource> subject_names;
  std::vector<PeerSource> peer_names;
};

Boxes make_boxes(const Demands& demands, const Kinds& kinds, const Members& members);

}  // namespace rampart::compile
