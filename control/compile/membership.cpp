// SPDX-License-Identifier: Apache-2.0
#include "control/compile/membership.hpp"

#include <algorithm>
#include <array>
#include <iterator>
#include <random>

#include "control/compile/classes.hpp"
#include "control/compile/part.hpp"

namespace rampart::compile {
namespace {

using kube::Direction;
constexpr Direction kDirections[] = {Direction::kEgress, Direction::kIngress};

uint64_t mixed(uint64_t v) {
  v = (v ^ v >> 32) * 0xD6E8FEB86659FD93;
  v = (v ^ v >> 32) * 0xD6E8FEB86659FD93;
  return v ^ v >> 32;
}
uint64_t drawn() {
  static const uint64_t chosen = [] {
    std::random_device random;
    return uint64_t{random()} << 32 | random();
  }();
  return chosen;
}

}  // namespace

uint64_t mark_of(uint32_t set) {
  return mixed(mixed(set + drawn()) + drawn());
}
uint64_t mark_of_subject(uint32_t ns, Direction direction, uint64_t sets) {
  return mixed(sets + mixed(uint64_t{ns} << 1 | static_cast<uint64_t>(direction)));
}

bool Part::is_peer(const Boxes::PeerSource& source, uint32_t atom, const Kinds& kinds) const {
  const uint32_t group = kinds.atoms.group(atom);
  if (source.peer == kNone) return true;
  const PeerDemand& demand = peers_[source.peer];
  if (demand.block != kNone) {
    return blocks_[demand.block].contains(kinds.zones.sample(kinds.atoms.zone(atom)));
  }
  if (group == kNone) return false;
  const uint32_t ns = kinds.groups.ns(group);
  if (demand.ns != kNone && demand.ns != ns) return false;
  if (demand.ns_selector != kNone &&
      !kinds.namespaces.matches(namespace_selectors_[demand.ns_selector], ns)) {
    return false;
  }
  return demand.selector == kNone ||
         kinds.groups.index().matches(selectors_[demand.selector], group);
}

/// The sources that an atom belongs to, rising.
Part::Membership Part::peer_sets(uint32_t atom, const Kinds& kinds) const {
  Membership found;
  const uint32_t group = kinds.atoms.group(atom);
  const auto look = [&](uint32_t s) {
    const Boxes::PeerSource& source = peer_sources_[s];
    if (source.port.name != kNone &&
        (group == kNone || !kinds.groups.has(group, {source.port.name, source.port.number}))) {
      return;
    }
    if (is_peer(source, atom, kinds)) found.push_back(s);
  };
  for (const uint32_t s : peers_anywhere_) look(s);
  if (group != kNone) {
    const uint32_t ns = kinds.groups.ns(group);
    const auto here = peers_of_ns_.find(ns);
    if (here != peers_of_ns_.end()) {
      for (const uint32_t s : here->second) look(s);
    }
    for (size_t n = 0; n < namespace_selectors_.size(); ++n) {
      if (!kinds.namespaces.matches(namespace_selectors_[n], ns)) continue;
      for (const uint32_t s : peers_of_ns_selector_[n]) look(s);
    }
  }
  std::sort(found.begin(), found.end());
  return found;
}

/// What the class of these sources is known by. Sets that were empty have no mark.
uint64_t Part::marks_of(const Membership& sources) const {
  uint64_t sum = 0;
  for (const uint32_t s : sources) {
    if (peer_sources_[s].set != kNone) sum += mark_of(peer_sources_[s].set);
  }
  return sum;
}

uint32_t Part::place_peer(uint32_t atom, const Kinds& kinds,
                          std::vector<uint32_t>& without_place) const {
  const Membership mine = peer_sets(atom, kinds);
  const uint32_t group = kinds.atoms.group(atom);
  const auto give_up = [&](const Boxes::PeerSource& source) {
    without_place.insert(without_place.end(), source.owners.begin(), source.owners.end());
  };
  // A number of a named port that nobody had: a rule that there is not.
  for (const Boxes::PeerSource& name : peer_names_) {
    if (group == kNone || !is_peer(name, atom, kinds)) continue;
    for (const NamedPort& port : kinds.groups.ports(group)) {
      if (port.name != name.port.name) continue;
      const bool known = std::any_of(mine.begin(), mine.end(), [&](uint32_t s) {
        const Boxes::PeerSource& source = peer_sources_[s];
        return source.peer == name.peer && source.set != kNone &&
               source.port == Port{port.name, port.number};
      });
      if (!known) give_up(name);
    }
  }
  for (const uint32_t s : mine) {
    if (peer_sources_[s].set == kNone) give_up(peer_sources_[s]);  // so no rule was written
  }
  const auto exactly = peer_of_membership_.find(marks_of(mine));
  if (exactly != peer_of_membership_.end()) return exactly->second;
  const uint32_t best = nearest_class(mine);
  for (const uint32_t s : mine) {
    const Boxes::PeerSource& source = peer_sources_[s];
    if (source.set != kNone && !is_in(best, source.set)) give_up(source);
  }
  return best;
}

/// Of the classes that are in no set but these, the one whose lack of the others concerns fewest
/// namespaces.
uint32_t Part::nearest_class(const Membership& sources) const {
  struct Found {
    uint32_t sets = 0;  ///< of these
    size_t owners = 0;  ///< of those
  };
  std::vector<Found> found(peer_classes_);
  for (const uint32_t s : sources) {
    const Boxes::PeerSource& source = peer_sources_[s];
    if (source.set == kNone) continue;
    for (const Range& range : classes_of_set_[source.set]) {
      for (uint32_t c = range.first; c <= range.last; ++c) {
        ++found[c].sets;
        found[c].owners += source.owners.size();
      }
    }
  }
  uint32_t best = nobody_;
  for (uint32_t c = 0; c < peer_classes_; ++c) {
    if (found[c].sets == sets_of_class_[c] && found[c].owners > found[best].owners) best = c;
  }
  return best;
}

bool Part::is_in(uint32_t peer_class, uint32_t set) const {
  const Ranges& classes = classes_of_set_[set];
  const auto after = std::partition_point(classes.begin(), classes.end(),
                                          [&](const Range& r) { return r.first <= peer_class; });
  return after != classes.begin() && peer_class <= std::prev(after)->last;
}

std::optional<std::array<uint16_t, 2>> Part::place_subject(uint32_t group,
                                                           const Kinds& kinds) const {
  const uint32_t ns = kinds.groups.ns(group);
  const auto demands = subjects_of_ns_.find(ns);
  std::array<uint16_t, 2> found{Subject::kNotIsolated, Subject::kNotIsolated};
  if (demands == subjects_of_ns_.end()) return found;
  uint64_t sums[2] = {0, 0};
  bool isolated[2] = {false, false};
  for (const uint32_t demand : demands->second) {
    if (!kinds.groups.index().matches(selectors_[subject_demands_[demand].selector], group)) {
      continue;
    }
    for (const size_t d : {0, 1}) isolated[d] |= isolates_[demand][d];
    const auto has_set = [&](Direction direction, Port port, uint64_t& sum) {
      const auto sources = sources_of_subject_.find(demand);
      if (sources == sources_of_subject_.end()) return false;
      for (const uint32_t s : sources->second) {
        const Boxes::SubjectSource& source = subject_sources_[s];
        if (source.direction != direction || source.port != port || source.set == kNone) continue;
        sum += mark_of(source.set);
        return true;
      }
      return false;
    };
    if (const auto names = names_of_subject_.find(demand); names != names_of_subject_.end()) {
      for (const uint32_t n : names->second) {
        for (const NamedPort& port : kinds.groups.ports(group)) {
          const Boxes::SubjectSource& name = subject_names_[n];
          if (port.name != name.port.name) continue;
          if (!has_set(name.direction, {port.name, port.number},
                       sums[static_cast<size_t>(name.direction)])) {
            return std::nullopt;
          }
        }
      }
    }
    const auto sources = sources_of_subject_.find(demand);
    if (sources == sources_of_subject_.end()) continue;
    for (const uint32_t s : sources->second) {
      const Boxes::SubjectSource& source = subject_sources_[s];
      if (source.port.name != kNone) continue;
      if (source.set == kNone) return std::nullopt;
      sums[static_cast<size_t>(source.direction)] += mark_of(source.set);
    }
  }
  for (const Direction direction : kDirections) {
    const auto d = static_cast<size_t>(direction);
    if (!isolated[d]) continue;
    if (sums[d] == 0) {
      found[d] = kShutClass;
      continue;
    }
    const auto known = subject_of_membership_.find(mark_of_subject(ns, direction, sums[d]));
    if (known == subject_of_membership_.end()) return std::nullopt;
    found[d] = known->second;
  }
  return found;
}

}  // namespace rampart::compile
