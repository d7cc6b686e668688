// SPDX-License-Identifier: Apache-2.0
#include "control/compile/place.hpp"

#include <algorithm>
#include <utility>

namespace rampart::compile {
namespace {

/// Numbers for node names: those of before, and new ones where a name is new.
class NodeNumbering {
 public:
  NodeNumbering(const kube::ClusterState& state, const Roster& before)
      : before_(before.nodes), last_(before.last_node) {
    // Names that are gone are kept, for they may come back, until they are the most.
    if (before_ && before_->size() > 2 * (state.nodes.size() + state.pods.size()) + 1024) {
      before_.reset();
    }
  }
  /// Numbers are never given out twice, so a node that was forgotten gets a new one.
  bool forgot() const { return before_ == nullptr; }
  uint32_t number(const std::string& name) {
    if (name.empty()) return 0;
    static const NodeNumbers kNoNumbers;
    const NodeNumbers& known = changed_ ? *changed_ : before_ ? *before_ : kNoNumbers;
    if (const auto found = known.find(name); found != known.end()) return found->second;
    if (!changed_) changed_ = std::make_shared<NodeNumbers>(known);
    return changed_->emplace(name, ++last_).first->second;
  }
  void finish(Roster& roster) {
    roster.nodes = changed_  ? std::move(changed_)
                   : before_ ? before_
                             : std::make_shared<const NodeNumbers>();
    roster.last_node = last_;
  }

 private:
  std::shared_ptr<const NodeNumbers> before_;
  std::shared_ptr<NodeNumbers> changed_;
  uint32_t last_ = 0;
};

/// Calls use(claim) for each address that a pod stands behind, or says that its node does.
/// `number`: the pod's, if it counts as one.
template <typename Use>
void for_each_claim(const kube::Pod& pod, uint32_t number, const Roster& roster, Use use) {
  if (pod.finished) return;
  const uint32_t node = roster.node(pod.node_name);
  for (const IpAddress& address : pod.addresses) {
    if (!pod.host_network) {
      use(Claim{address, false, number});
    } else if (node != 0) {
      use(Claim{address, true, node});
    }
  }
  if (node == 0) return;
  for (const IpAddress& address : pod.host_addresses) use(Claim{address, true, node});
}
template <typename Use>
void for_each_claim(const kube::Node& node, uint32_t /*number*/, const Roster& roster, Use use) {
  for (const IpAddress& address : node.addresses) use(Claim{address, true, roster.node(node.name)});
}

class Updater {
 public:
  Updater(const kube::ClusterState& state, Roster& roster,
          kube::CowVector<const kube::Pod*>& endpoints)
      : state_(state), roster_(roster), endpoints_(endpoints) {}

  std::optional<std::vector<IpAddress>> run(Changes& changes) {
    NodeNumbering nodes(state_, roster_);
    anew_ = changes.most || nodes.forgot();
    changes.numbers.clear();
    for (const auto& [before, after] : changes.pods) {
      const bool was = before != nullptr && counts_as_pod(*before);
      changes.numbers.push_back({was ? roster_.numbers.at(before) : 0, 0});
    }
    if (!anew_) {
      for (size_t c = 0; c < changes.pods.size(); ++c) {
        if (const kube::Pod* before = changes.pods[c].before; before != nullptr) {
          count(*before, changes.numbers[c][0], false);
        }
      }
      for (const auto& change : changes.nodes) {
        if (change.before != nullptr) count(*change.before, 0, false);
      }
    }
    if (nodes.forgot()) {
      number_nodes_of_all(nodes);
    } else {
      for (const auto& change : changes.pods) {
        if (change.after != nullptr && !change.after->finished)
          nodes.number(change.after->node_name);
      }
      for (const auto& change : changes.nodes) {
        if (change.after != nullptr) nodes.number(change.after->name);
      }
    }
    nodes.finish(roster_);
    for (size_t c = 0; c < changes.pods.size(); ++c) {
      changes.numbers[c][1] = renumber(changes.pods[c], changes.numbers[c][0]);
    }
    if (anew_) {
      roster_.numbers = decltype(roster_.numbers)::from_sorted(sorted_numbers());
      roster_.claims = decltype(roster_.claims)::from_sorted(sorted_claims());
      return std::nullopt;
    }
    for (size_t c = 0; c < changes.pods.size(); ++c) {
      if (const kube::Pod* after = changes.pods[c].after; after != nullptr) {
        count(*after, changes.numbers[c][1], true);
      }
    }
    for (const auto& change : changes.nodes) {
      if (change.after != nullptr) count(*change.after, 0, true);
    }
    write_counted();
    std::sort(touched_.begin(), touched_.end());
    touched_.erase(std::unique(touched_.begin(), touched_.end()), touched_.end());
    return std::move(touched_);
  }

 private:
  void number_nodes_of_all(NodeNumbering& nodes) const {
    for (const auto& [key, pod] : state_.pods) {
      if (!pod->finished) nodes.number(pod->node_name);
    }
    for (const auto& [key, node] : state_.nodes) nodes.number(node->name);
  }

  /// A pod keeps its number as long as it counts as one. Returns the number that it has now.
  uint32_t renumber(const Change<kube::Pod>& change, uint32_t was) {
    const bool is = change.after != nullptr && counts_as_pod(*change.after);
    if (was != 0 && !anew_) roster_.numbers.erase(change.before);
    if (!is) {
      if (was == 0) return 0;
      endpoints_.set(was - 1, nullptr);
      roster_.free_endpoints.push_back(was);
      return 0;
    }
    const uint32_t number = was != 0 ? was : take();
    if (!anew_) roster_.numbers.emplace(change.after, number);
    endpoints_.set(number - 1, change.after);
    return number;
  }
  uint32_t take() {
    if (roster_.free_endpoints.empty()) {
      endpoints_.push_back(nullptr);
      return static_cast<uint32_t>(endpoints_.size());
    }
    const uint32_t taken = roster_.free_endpoints.back();
    roster_.free_endpoints.pop_back();
    return taken;
  }

  template <typename T>
  void count(const T& object, uint32_t number, bool more) {
    for_each_claim(object, number, roster_, [&](const Claim& claim) {
      // A pod may be another kind of pod, or elsewhere, behind the same address.
      if (!claim.is_node) touched_.push_back(claim.address);
      counted_.emplace_back(claim, more ? 1 : -1);
    });
  }
  /// Brings the claims up to date with all that was counted: in their order, and where as many came
  /// as went, not at all.
  void write_counted() {
    std::sort(counted_.begin(), counted_.end());
    for (auto begin = counted_.begin(), end = begin; begin != counted_.end(); begin = end) {
      const Claim& claim = begin->first;
      int more = 0;
      for (; end != counted_.end() && end->first == claim; ++end) more += end->second;
      if (more == 0) continue;
      const auto found = roster_.claims.find(claim);
      const uint32_t before = found == roster_.claims.end() ? 0 : found->second;
      const uint32_t now = before + static_cast<uint32_t>(more);
      if (before == 0) {
        roster_.claims.emplace(claim, now);
      } else if (now == 0) {
        roster_.claims.erase(found);
      } else {
        roster_.claims.assign(found, now);
      }
      if (before == 0 || now == 0) touched_.push_back(claim.address);
    }
  }

  std::vector<std::pair<const kube::Pod*, uint32_t>> sorted_numbers() const {
    std::vector<std::pair<const kube::Pod*, uint32_t>> numbers;
    numbers.reserve(endpoints_.size());
    for (size_t e = 0; e < endpoints_.size(); ++e) {
      if (endpoints_[e] != nullptr)
        numbers.emplace_back(endpoints_[e], static_cast<uint32_t>(e + 1));
    }
    std::sort(numbers.begin(), numbers.end());
    return numbers;
  }
  std::vector<std::pair<Claim, uint32_t>> sorted_claims() const {
    std::vector<Claim> all;
    all.reserve(4 * state_.pods.size() + 2 * state_.nodes.size());
    const auto add = [&](const Claim& claim) { all.push_back(claim); };
    for (size_t e = 0; e < endpoints_.size(); ++e) {
      if (endpoints_[e] != nullptr) {
        for_each_claim(*endpoints_[e], static_cast<uint32_t>(e + 1), roster_, add);
      }
    }
    for (const auto& [key, pod] : state_.pods) {
      if (!counts_as_pod(*pod)) for_each_claim(*pod, 0, roster_, add);
    }
    for (const auto& [key, node] : state_.nodes) for_each_claim(*node, 0, roster_, add);
    std::sort(all.begin(), all.end());
    std::vector<std::pair<Claim, uint32_t>> claims;
    claims.reserve(all.size());
    for (const Claim& claim : all) {
      if (claims.empty() || claims.back().first != claim) claims.emplace_back(claim, 0);
      ++claims.back().second;
    }
    return claims;
  }

  const kube::ClusterState& state_;
  Roster& roster_;
  kube::CowVector<const kube::Pod*>& endpoints_;
  std::vector<std::pair<Claim, int>> counted_;  ///< claims that come (1) and go (-1)
  bool anew_ = false;                           ///< all of the maps are written anew in the end
  std::vector<IpAddress> touched_;
};

template <typename T>
void find_in(const kube::ClusterState::Objects<T>* before,
             const kube::ClusterState::Objects<T>& after, std::vector<Change<T>>& changes) {
  static const kube::ClusterState::Objects<T> kNothing;
  using Pointer = std::shared_ptr<const T>;
  kube::ClusterState::Objects<T>::for_each_difference(
      before != nullptr ? *before : kNothing, after,
      [&](const kube::ObjectKey&, const Pointer* a, const Pointer* b) {
        changes.push_back({a != nullptr ? a->get() : nullptr, b != nullptr ? b->get() : nullptr});
      });
}

void add_to_group(Memory& memory, uint32_t group, bool more) {
  while (memory.pods_in_group.size() <= group) {
    memory.pods_in_group.push_back(0);
    ++memory.empty_groups;
  }
  const uint32_t count = memory.pods_in_group[group] + (more ? 1 : -1U);
  if (more && count == 1) --memory.empty_groups;
  if (!more && count == 0) ++memory.empty_groups;
  memory.pods_in_group.set(group, count);
}

}  // namespace

Changes find_changes(const kube::ClusterState* before, const kube::ClusterState& after) {
  Changes changes;
  find_in(before != nullptr ? &before->pods : nullptr, after.pods, changes.pods);
  find_in(before != nullptr ? &before->nodes : nullptr, after.nodes, changes.nodes);
  find_in(before != nullptr ? &before->policies : nullptr, after.policies, changes.policies);
  find_in(before != nullptr ? &before->namespaces : nullptr, after.namespaces, changes.namespaces);
  const auto is_equal = [](const auto& change) {
    return change.before != nullptr && change.after != nullptr && *change.before == *change.after;
  };
  std::erase_if(changes.policies, is_equal);
  std::erase_if(changes.namespaces, is_equal);
  constexpr size_t kShare = 8;
  changes.most = before == nullptr || changes.pods.size() + changes.nodes.size() >
                                          (after.pods.size() + after.nodes.size()) / kShare + 64;
  return changes;
}

std::optional<std::vector<IpAddress>> update(const kube::ClusterState& state, Changes& changes,
                                             Roster& roster,
                                             kube::CowVector<const kube::Pod*>& endpoints) {
  return Updater(state, roster, endpoints).run(changes);
}

void place_changed(const Changes& changes, Memory& memory) {
  // A pod that is of the kind that it was of keeps its number, and so its place.
  const auto is_of_the_same_kind = [](const Change<kube::Pod>& change) {
    const auto& [before, after] = change;
    return before != nullptr && after != nullptr && counts_as_pod(*before) &&
           counts_as_pod(*after) && before->labels == after->labels &&
           before->ports == after->ports;
  };
  for (const auto& change : changes.pods) {
    if (change.before == nullptr || !counts_as_pod(*change.before)) continue;
    if (is_of_the_same_kind(change)) continue;
    add_to_group(memory, memory.kinds->group(*change.before), false);
  }
  for (size_t c = 0; c < changes.pods.size(); ++c) {
    const auto& change = changes.pods[c];
    const kube::Pod* after = change.after;
    const uint32_t number = changes.numbers[c][1];
    if (number == 0) continue;
    if (is_of_the_same_kind(change)) {
      PodPlace place = memory.places[number - 1];
      place.node = memory.roster.node(after->node_name);
      memory.places.set(number - 1, place);
      continue;
    }
    const uint32_t group = memory.kinds->group(*after);
    while (memory.places.size() < number) memory.places.push_back({});
    memory.places.set(number - 1, {group, memory.roster.node(after->node_name)});
    add_to_group(memory, group, true);
  }
}

void place_all(const kube::CowVector<const kube::Pod*>& endpoints, Memory& memory) {
  Kinds& kinds = *memory.kinds;
  std::vector<uint32_t> count;
  std::vector<uint64_t> atoms;
  memory.places = {};
  uint32_t near = 0;
  for (uint32_t zone = 0; zone < kinds.zones.count(); ++zone) atoms.push_back(uint64_t{zone} << 32);
  for (size_t e = 0; e < endpoints.size(); ++e) {
    PodPlace place;
    if (const kube::Pod* pod = endpoints[e]) {
      place = {kinds.group(*pod), memory.roster.node(pod->node_name)};
      if (count.size() <= place.group) count.resize(place.group + 1);
      ++count[place.group];
      for (const IpAddress& address : pod->addresses) {
        const uint32_t zone = kinds.zones.zone_of(address, near);
        atoms.push_back(uint64_t{zone} << 32 | (place.group + 1));
      }
    }
    memory.places.push_back(place);
  }
  memory.pods_in_group = {};
  for (const uint32_t pods : count) memory.pods_in_group.push_back(pods);
  memory.empty_groups = 0;
  std::sort(atoms.begin(), atoms.end());
  atoms.erase(std::unique(atoms.begin(), atoms.end()), atoms.end());
  for (const uint64_t atom : atoms) {
    kinds.atoms.add(static_cast<uint32_t>(atom >> 32), static_cast<uint32_t>(atom) - 1);
  }
}

void place_again(const kube::CowVector<const kube::Pod*>& endpoints,
                 const std::vector<std::string>& keys, Memory& memory,
                 std::vector<IpAddress>& touched) {
  for (size_t e = 0; e < endpoints.size(); ++e) {
    const kube::Pod* pod = endpoints[e];
    if (pod == nullptr || std::none_of(keys.begin(), keys.end(), [&](const std::string& key) {
          return kube::find_label(pod->labels, key) != nullptr;
        })) {
      continue;
    }
    PodPlace place = memory.places[e];
    add_to_group(memory, place.group, false);
    place.group = memory.kinds->group(*pod);
    add_to_group(memory, place.group, true);
    memory.places.set(e, place);
    touched.insert(touched.end(), pod->addresses.begin(), pod->addresses.end());
  }
}

}  // namespace rampart::compile
