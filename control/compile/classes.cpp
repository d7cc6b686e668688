// SPDX-License-Identifier: Apache-2.0
#include "control/compile/classes.hpp"

#include <algorithm>
#include <map>
#include <numeric>
#include <utility>

#include "control/compile/fair_share.hpp"
#include "control/compile/refinement.hpp"
#include "dataplane/state/rule_set.hpp"

namespace rampart::compile {
namespace {

using kube::Direction;
constexpr Direction kDirections[] = {Direction::kEgress, Direction::kIngress};

/// Indices of `sets`, those with most members first.
std::vector<uint32_t> largest_first(const std::vector<uint64_t>& sizes) {
  std::vector<uint32_t> order(sizes.size());
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(),
                   [&](uint32_t a, uint32_t b) { return sizes[a] > sizes[b]; });
  return order;
}

/// One direction of one namespace: its groups that some box is for, and the sets of these.
struct Component {
  uint32_t ns = 0;
  Direction direction = Direction::kIngress;
  std::vector<uint32_t> sets;
  std::vector<uint32_t> groups;   ///< rising
  std::vector<uint32_t> numbers;  ///< of each of them, from 0
  uint32_t classes = 0;

  /// A set of groups as places in `groups`.
  Ranges places(const std::vector<uint32_t>& of_set) const {
    Ranges found;
    for (const uint32_t group : of_set) {
      const auto place = std::lower_bound(groups.begin(), groups.end(), group);
      append(found, static_cast<uint32_t>(place - groups.begin()));
    }
    return found;
  }
  void refine(const std::vector<SubjectSet>& all) {
    std::vector<uint64_t> sizes;
    for (const uint32_t set : sets) {
      groups.insert(groups.end(), all[set].groups.begin(), all[set].groups.end());
      sizes.push_back(all[set].groups.size());
    }
    std::sort(groups.begin(), groups.end());
    groups.erase(std::unique(groups.begin(), groups.end()), groups.end());
    Refinement refinement(static_cast<uint32_t>(groups.size()));
    for (const uint32_t i : largest_first(sizes)) refinement.split(places(all[sets[i]].groups));
    numbers = refinement.numbers();
    classes = refinement.classes();
  }
};

}  // namespace

SubjectClasses number_subjects(const Demands& demands, const Groups& groups, const Members& members,
                               const Boxes& boxes, uint32_t most) {
  std::map<std::pair<uint32_t, Direction>, Component> components;
  for (uint32_t s = 0; s < boxes.subject_sets.size(); ++s) {
    const SubjectSet& set = boxes.subject_sets[s];
    Component& component = components[{set.ns, set.direction}];
    component.ns = set.ns;
    component.direction = set.direction;
    component.sets.push_back(s);
  }
  std::vector<Cost> costs;
  for (auto& [key, component] : components) {
    component.refine(boxes.subject_sets);
    costs.push_back({component.ns, component.classes});
  }
  const std::vector<uint32_t> no_room = without_room(costs, most + 1 - kFirstOpenClass);

  SubjectClasses made;
  for (const Direction direction : kDirections) {
    const auto d = static_cast<size_t>(direction);
    made.of_group[d].assign(groups.size(), Subject::kNotIsolated);
    for (const PolicyDemand& policy : demands.policies) {
      if (!policy.isolates[d]) continue;
      for (const uint32_t group : members.subjects[policy.subject]) {
        made.of_group[d][group] = kShutClass;
      }
    }
  }
  made.of_set.resize(boxes.subject_sets.size());
  uint32_t next = kFirstOpenClass, index = 0;
  for (const auto& [key, component] : components) {
    const auto d = static_cast<size_t>(component.direction);
    if (std::binary_search(no_room.begin(), no_room.end(), index++)) {
      made.shut[d].push_back(component.ns);
      continue;
    }
    for (size_t g = 0; g < component.groups.size(); ++g) {
      made.of_group[d][component.groups[g]] = static_cast<uint16_t>(next + component.numbers[g]);
    }
    for (const uint32_t set : component.sets) {
      made.of_set[set] =
          translate(component.places(boxes.subject_sets[set].groups), component.numbers);
      for (Range& range : made.of_set[set]) range = {range.first + next, range.last + next};
    }
    next += component.classes;
  }
  const auto is_shut = [](uint16_t c) { return c == kShutClass; };
  const bool any_shut = std::any_of(made.of_group[0].begin(), made.of_group[0].end(), is_shut) ||
                        std::any_of(made.of_group[1].begin(), made.of_group[1].end(), is_shut);
  made.count = next - kFirstOpenClass + (any_shut ? 1 : 0);
  return made;
}

PeerClasses number_peers(uint32_t atoms, const Boxes& boxes, uint32_t spares) {
  std::vector<uint64_t> sizes;
  for (const Ranges& set : boxes.peer_sets) sizes.push_back(size_of(set));
  Refinement refinement(atoms + 1 + spares);  // nobody comes after the atoms
  for (const uint32_t s : largest_first(sizes)) refinement.split(boxes.peer_sets[s]);
  PeerClasses made;
  made.of_atom = refinement.numbers();
  made.nobody = made.of_atom[atoms];
  made.count = refinement.classes();
  for (const Ranges& set : boxes.peer_sets) {
    made.of_set.push_back(translate(set, made.of_atom));
  }
  made.of_atom.resize(atoms);
  return made;
}

}  // namespace rampart::compile
