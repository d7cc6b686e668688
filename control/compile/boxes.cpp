// SPDX-License-Identifier: Apache-2.0
#include "control/compile/boxes.hpp"

#include <algorithm>
#include <map>
#include <set>
#include <tuple>
#include <utility>

namespace rampart::compile {
namespace {

using kube::Direction;

/// Pods without an address will get one that lies where the others' lie, unless that is too many
/// places to guess at.
constexpr size_t kZonesToGuess = 4;

/// The numbers that a group's pods give to a name.
template <typename Use>
void for_each_number(const std::vector<NamedPort>& ports, uint32_t name, Use use) {
  for (const NamedPort& port : ports) {
    if (port.name == name) use(port.number);
  }
}

class BoxMaker {
 public:
  BoxMaker(const Demands& demands, const Groups& groups, const Members& members, const Zones& zones,
           const Atoms& atoms)
      : demands_(demands), groups_(groups), members_(members), zones_(zones), atoms_(atoms) {}

  Boxes make() && {
    for (const Entry& entry : demands_.entries) add(entry);
    return std::move(made_);
  }

 private:
  /// A named port at one of its numbers; without a name, the whole set.
  struct Port {
    uint32_t name = kNone;
    L4Port number = 0;
    auto operator<=>(const Port&) const = default;
  };

  void add(const Entry& entry) {
    Box box{entry.origin, entry.policy, 0, kNone, entry.service};
    const uint32_t name = entry.service.name;
    if (name == kNone) {
      add(box, entry, {}, {});
      return;
    }
    box.service.name = kNone;
    const bool egress = entry.direction == Direction::kEgress;
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
      const auto peers = peer_set(entry.peer, peer_port);
      if (!peers) return;
      box.peers = *peers;
    }
    made_.boxes.push_back(box);
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
  bool has(uint32_t group, Port port) const {
    return std::binary_search(groups_.ports(group).begin(), groups_.ports(group).end(),
                              NamedPort{port.name, port.number});
  }

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
    }
    return entry->second == kNone ? std::nullopt : std::optional(entry->second);
  }

  std::optional<uint32_t> peer_set(uint32_t peer, Port port) {
    const auto [entry, added] = peer_sets_.try_emplace({peer, port}, kNone);
    if (added) {
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
        entry->second = static_cast<uint32_t>(made_.peer_sets.size());
        made_.peer_sets.push_back(std::move(set));
      }
    }
    return entry->second == kNone ? std::nullopt : std::optional(entry->second);
  }

  Ranges peer_atoms(uint32_t peer) const {
    if (peer == kNone) return {{0, atoms_.size() - 1}};
    const PeerDemand& demand = demands_.peers[peer];
    Ranges set;
    if (demand.block != kNone) {
      for (const Range& range : zones_.blocks[demand.block]) {
        append(set, Range{atoms_.of_zone(range.first).first, atoms_.of_zone(range.last).last});
      }
      return set;
    }
    std::vector<uint32_t> found;
    for (const Range& range : members_.peers[peer]) {
      for (uint32_t group = range.first; group <= range.last; ++group) {
        const auto& of_group = atoms_.of_group(group);
        found.insert(found.end(), of_group.begin(), of_group.end());
      }
    }
    return make_ranges(std::move(found));
  }

  const Demands& demands_;
  const Groups& groups_;
  const Members& members_;
  const Zones& zones_;
  const Atoms& atoms_;
  Boxes made_;
  std::map<std::tuple<uint32_t, Direction, Port>, uint32_t> subject_sets_;
  std::map<std::pair<uint32_t, Port>, uint32_t> peer_sets_;
  std::map<std::pair<uint32_t, uint32_t>, std::set<L4Port>> peer_numbers_;
};

}  // namespace

Atoms::Atoms(const kube::ClusterState& state, const Groups& groups, const Zones& zones)
    : of_group_(groups.size()) {
  for (uint32_t zone = 0; zone < zones.count; ++zone) keys_.push_back(key(zone, kNone));
  std::set<uint32_t> pod_zones;
  std::vector<bool> placed(groups.size());
  for (const auto& [name, pod] : state.pods) {
    if (!counts_as_pod(*pod) || pod->addresses.empty()) continue;
    const uint32_t group = *groups.find(*pod);
    placed[group] = true;
    for (const IpAddress& address : pod->addresses) {
      const uint32_t zone = zones.zone_of(address);
      pod_zones.insert(zone);
      keys_.push_back(key(zone, group));
    }
  }
  for (uint32_t group = 0; group < groups.size() && pod_zones.size() <= kZonesToGuess; ++group) {
    if (placed[group]) continue;
    for (const uint32_t zone : pod_zones) keys_.push_back(key(zone, group));
  }
  std::sort(keys_.begin(), keys_.end());
  keys_.erase(std::unique(keys_.begin(), keys_.end()), keys_.end());
  for (uint32_t atom = 0; atom < size(); ++atom) {
    if (group(atom) != kNone) of_group_[group(atom)].push_back(atom);
  }
}

Range Atoms::of_zone(uint32_t zone) const {
  const auto begin = std::lower_bound(keys_.begin(), keys_.end(), uint64_t{zone} << 32);
  const auto end = std::lower_bound(begin, keys_.end(), uint64_t{zone + 1} << 32);
  return {static_cast<uint32_t>(begin - keys_.begin()),
          static_cast<uint32_t>(end - keys_.begin() - 1)};
}

Boxes make_boxes(const Demands& demands, const Groups& groups, const Members& members,
                 const Zones& zones, const Atoms& atoms) {
  return BoxMaker(demands, groups, members, zones, atoms).make();
}

}  // namespace rampart::compile
