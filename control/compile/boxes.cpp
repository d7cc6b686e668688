// SPDX-License-Identifier: Apache-2.0
#include "control/compile/boxes.hpp"

#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <tuple>
#include <utility>

namespace rampart::compile {
namespace {

using kube::Direction;

/// The numbers that a group's pods give to a name.
template <typename Use>
void for_each_number(const std::vector<NamedPort>& ports, uint32_t name, Use use) {
  for (const NamedPort& port : ports) {
    if (port.name == name) use(port.number);
  }
}

class BoxMaker {
 public:
  BoxMaker(const Demands& demands, const Kinds& kinds, const Members& members)
      : demands_(demands),
        groups_(kinds.groups),
        zones_(kinds.zones),
        atoms_(kinds.atoms),
        members_(members) {}

  Boxes make() && {
    for (const Entry& entry : demands_.entries) add(entry);
    return std::move(made_);
  }

 private:
  void add(const Entry& entry) {
    Box box{entry.origin, entry.policy, 0, kNone, entry.service};
    const uint32_t name = entry.service.name;
    if (name == kNone) {
      add(box, entry, {}, {});
      return;
    }
    box.service.name = kNone;
    const bool egress = entry.direction == Direction::kEgress;
    note_name(entry, name);
    for (const L4Port number :
         egress ? peer_numbers(entry.peer, name) : subject_numbers(entry.policy, name)) {
      box.service.first = box.service.last = number;
      const Port port{name, number};
      if (egress) {
        add(box, entry, {}, port);
      } else {
        add(box, entry, port, {});
      }
    }
  }

  void add(Box box, const Entry& entry, Port subject_port, Port peer_port) {
    const auto subjects =
        subject_set(demands_.policies[entry.policy].subject, entry.direction, subject_port);
    if (!subjects) return;
    box.subjects = *subjects;
    if (entry.peer != kNone || peer_port.name != kNone) {
      const auto peers = peer_set(entry.peer, peer_port, ns_of(entry));
      if (!peers) return;
      box.peers = *peers;
    }
    made_.boxes.push_back(box);
  }

  uint32_t ns_of(const Entry& entry) const {
    return demands_.subjects[demands_.policies[entry.policy].subject].ns;
  }
  void note_name(const Entry& entry, uint32_t name) {
    const Port port{name, 0};
    if (entry.direction == Direction::kIngress) {
      const uint32_t subject = demands_.policies[entry.policy].subject;
      if (named_subjects_.insert({subject, name}).second) {
        made_.subject_names.push_back({subject, entry.direction, port, kNone});
      }
      return;
    }
    const auto next = static_cast<uint32_t>(made_.peer_names.size());
    const auto [at, added] = named_peers_.try_emplace({entry.peer, name}, next);
    if (added) made_.peer_names.push_back({entry.peer, port, kNone, {}});
    add_owner(made_.peer_names[at->second].owners, ns_of(entry));
  }
  /// Entries come policy by policy, so namespace by namespace.
  static void add_owner(std::vector<uint32_t>& owners, uint32_t ns) {
    if (owners.empty() || owners.back() != ns) owners.push_back(ns);
  }

  std::set<L4Port> subject_numbers(uint32_t policy, uint32_t name) const {
    std::set<L4Port> numbers;
    for (const uint32_t group : members_.subjects[demands_.policies[policy].subject]) {
      for_each_number(groups_.ports(group), name, [&](L4Port n) { numbers.insert(n); });
    }
    return numbers;
  }
  const std::set<L4Port>& peer_numbers(uint32_t peer, uint32_t name) {
    const auto [entry, added] = peer_numbers_.try_emplace({peer, name});
    std::set<L4Port>& numbers = entry->second;
    if (added) {
      for (const Range& range : peer_atoms(peer)) {
        for (uint32_t atom = range.first; atom <= range.last; ++atom) {
          if (atoms_.group(atom) == kNone) continue;
          for_each_number(groups_.ports(atoms_.group(atom)), name,
                          [&](L4Port n) { numbers.insert(n); });
        }
      }
    }
    return numbers;
  }
  bool has(uint32_t group, Port port) const { return groups_.has(group, {port.name, port.number}); }

  /// Nothing if it is empty.
  std::optional<uint32_t> subject_set(uint32_t subject, Direction direction, Port port) {
    const auto [entry, added] = subject_sets_.try_emplace({subject, direction, port}, kNone);
    if (added) {
      SubjectSet set{direction, demands_.subjects[subject].ns, {}};
      for (const uint32_t group : members_.subjects[subject]) {
        if (port.name == kNone || has(group, port)) set.groups.push_back(group);
      }
      if (!set.groups.empty()) {
        entry->second = static_cast<uint32_t>(made_.subject_sets.size());
        made_.subject_sets.push_back(std::move(set));
      }
      made_.subject_sources.push_back({subject, direction, port, entry->second});
    }
    return entry->second == kNone ? std::nullopt : std::optional(entry->second);
  }

  std::optional<uint32_t> peer_set(uint32_t peer, Port port, uint32_t owner) {
    const auto next = static_cast<uint32_t>(made_.peer_sources.size());
    const auto [entry, added] = peer_sets_.try_emplace({peer, port}, next);
    if (added) {
      made_.peer_sources.push_back({peer, port, kNone, {}});
      Ranges set = peer_atoms(peer);
      if (port.name != kNone) {
        Ranges with_port;
        for (const Range& range : set) {
          for (uint32_t atom = range.first; atom <= range.last; ++atom) {
            const uint32_t group = atoms_.group(atom);
            if (group != kNone && has(group, port)) append(with_port, atom);
          }
        }
        set = std::move(with_port);
      }
      if (!set.empty()) {
        made_.peer_sources.back().set = static_cast<uint32_t>(made_.peer_sets.size());
        made_.peer_sets.push_back(std::move(set));
      }
    }
    Boxes::PeerSource& source = made_.peer_sources[entry->second];
    add_owner(source.owners, owner);
    return source.set == kNone ? std::nullopt : std::optional(source.set);
  }

  Ranges peer_atoms(uint32_t peer) const {
    if (peer == kNone) return {{0, atoms_.size() - 1}};
    const PeerDemand& demand = demands_.peers[peer];
    if (demand.block != kNone) return block_atoms(demands_.blocks[demand.block]);
    std::vector<uint32_t> found;
    for (const Range& range : members_.peers[peer]) {
      for (uint32_t group = range.first; group <= range.last; ++group) {
        const auto& of_group = atoms_.of_group(group);
        found.insert(found.end(), of_group.begin(), of_group.end());
      }
    }
    return make_ranges(std::move(found));
  }

  Ranges block_atoms(const kube::IpBlock& block) const {
    std::vector<Range> found;
    for (const Range& zones : zones_.zones_in(block)) {
      for (uint32_t zone = zones.first; zone <= zones.last; ++zone) {
        const Ranges& here = atoms_.of_zone(zone);
        found.insert(found.end(), here.begin(), here.end());
      }
    }
    std::sort(found.begin(), found.end());
    Ranges set;
    for (const Range& range : found) append(set, range);
    return set;
  }

  const Demands& demands_;
  const Groups& groups_;
  const Zones& zones_;
  const Atoms& atoms_;
  const Members& members_;
  Boxes made_;
  std::set<std::pair<uint32_t, uint32_t>> named_subjects_;
  std::map<std::pair<uint32_t, uint32_t>, uint32_t> named_peers_;
  std::map<std::tuple<uint32_t, Direction, Port>, uint32_t> subject_sets_;
  std::map<std::pair<uint32_t, Port>, uint32_t> peer_sets_;
  std::map<std::pair<uint32_t, uint32_t>, std::set<L4Port>> peer_numbers_;
};

}  // namespace

Boxes make_boxes(const Demands& demands, const Kinds& kinds, const Members& members) {
  return BoxMaker(demands, kinds, members).make();
}

}  // namespace rampart::compile
