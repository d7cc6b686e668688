// SPDX-License-Identifier: Apache-2.0
#include "control/reach/difference.hpp"

#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <utility>

namespace rampart::reach {
namespace {

using Id = PortSets::Id;
/// The ends of a party before and after.
using Both = std::pair<std::optional<size_t>, std::optional<size_t>>;

/// Where each address of each pod stands: (pod, family, how manieth of it) -> end.
struct Instance {
  kube::ObjectKey pod;
  Family family;
  size_t number;
  auto operator<=>(const Instance&) const = default;
};

/// One of the two clusters.
struct Side {
  Side(const kube::ClusterState& cluster, const Vocabulary& vocabulary)
      : state(cluster), ends(ends_of(cluster, vocabulary)) {
    for (size_t i = 0; i < ends.size(); ++i) places.emplace(ends[i].key, i);
  }

  const kube::ClusterState& state;
  std::vector<End> ends;
  std::map<End::Key, size_t> places;  ///< of ends
};

std::map<Instance, size_t> instances_of(const Side& side, const Vocabulary& vocabulary) {
  std::map<Instance, size_t> all;
  std::set<const kube::Pod*> pods;
  for (const End& end : side.ends) pods.insert(end.pods.begin(), end.pods.end());
  for (const kube::Pod* pod : pods) {
    size_t numbers[2] = {0, 0};
    for (const auto& [address, key] : vocabulary.kinds_of(*pod)) {
      const size_t number = numbers[address.is_v4() ? 0 : 1]++;
      all.emplace(Instance{{pod->ns, pod->name}, address.family(), number}, side.places.at(key));
    }
  }
  return all;
}

const kube::Labels& labels_of(const kube::ClusterState& state, const std::string& ns) {
  static const kube::Labels kNone;
  const auto found = state.namespaces.find({{}, ns});
  return found == state.namespaces.end() ? kNone : found->second->labels;
}

/// Which ends a change of policies or of namespaces concerns. The verdict on a pair hangs on its
/// two ends, the labels of their namespaces, and the policies that select the one or the other;
/// where none of these has changed for either, it is what it was.
class Concerned {
 public:
  Concerned(const kube::ClusterState& before, const kube::ClusterState& after)
      : before_(before), after_(after) {
    add_policies(before, after);
    add_policies(after, before);
  }

  bool has(const End& end) const {
    if (end.external()) return false;
    if (labels_of(before_, end.key.ns) != labels_of(after_, end.key.ns)) return true;
    const auto found = policies_.find(end.key.ns);
    return found != policies_.end() &&
           std::any_of(found->second.begin(), found->second.end(),
                       [&](const auto* policy) { return policy->subject.matches(end.key.labels); });
  }

 private:
  /// Those of `one` that are not the same in the other.
  void add_policies(const kube::ClusterState& one, const kube::ClusterState& other) {
    for (const auto& [key, policy] : one.policies) {
      const auto found = other.policies.find(key);
      const bool same =
          found != other.policies.end() && (found->second == policy || *found->second == *policy);
      if (!same) policies_[policy->ns].push_back(policy.get());
    }
  }

  const kube::ClusterState &before_, &after_;
  std::map<std::string, std::vector<const kube::NetworkPolicy*>> policies_;  // by namespace
};

class Comparison {
 public:
  Comparison(const kube::ClusterState& before, const kube::ClusterState& after,
             const Vocabulary& vocabulary)
      : before_(before, vocabulary), after_(after, vocabulary) {
    group(vocabulary);
    for (const auto& [both, pods] : groups_) concern(both);
  }

  Result<Difference> run(PortSets& sets) {
    const auto old = computed(before_, sets);
    if (!old) return old.error();
    const auto now = computed(after_, sets);
    if (!now) return now.error();
    Difference made;
    std::vector<Both> groups;
    std::vector<bool> concerned;
    for (const auto& [both, pods] : groups_) {
      groups.push_back(both);
      made.parties.push_back(party(both, pods));
      concerned.push_back(is_concerned(before_, both.first) || is_concerned(after_, both.second));
    }
    const Pairs pairs(std::move(concerned));
    for (size_t from = 0; from < groups.size(); ++from) {
      for (const size_t to : pairs.others(from)) {
        const Id was = cell(*old, groups[from].first, groups[to].first);
        const Id is = cell(*now, groups[from].second, groups[to].second);
        if (was == is) continue;
        made.pairs.push_back({from, to, sets.without(is, was), sets.without(was, is)});
      }
    }
    return made;
  }

 private:
  /// Notes the ends of a group that is not what it was, or that the policies treat otherwise.
  void concern(const Both& both) {
    const End* was = both.first ? &before_.ends[*both.first] : nullptr;
    const End* is = both.second ? &after_.ends[*both.second] : nullptr;
    const bool same = was != nullptr && is != nullptr && was->key == is->key && was->v4 == is->v4 &&
                      was->v6 == is->v6 && !changes_.has(*was);
    if (same) return;
    if (was != nullptr) concerned_.insert(was->key);
    if (is != nullptr) concerned_.insert(is->key);
  }

  bool is_concerned(const Side& side, std::optional<size_t> end) const {
    return end && concerned_.count(side.ends[*end].key) > 0;
  }

  Result<Reach> computed(const Side& side, PortSets& sets) const {
    std::vector<bool> wanted;
    wanted.reserve(side.ends.size());
    for (const End& end : side.ends) wanted.push_back(concerned_.count(end.key) > 0);
    auto made = Reach::of(side.state, side.ends, std::move(wanted), sets);
    if (made) return made;
    Error error = std::move(made).error();
    error.what = "the changes concern " + error.what + ": compare fewer changes at a time";
    return error;
  }

  void group(const Vocabulary& vocabulary) {
    const auto old = instances_of(before_, vocabulary), now = instances_of(after_, vocabulary);
    for (const auto& [instance, end] : old) {
      const auto stays = now.find(instance);
      // One that goes while others of its kind stay is not missed.
      if (stays == now.end() && after_.places.count(before_.ends[end].key) > 0) continue;
      const auto becomes = stays == now.end() ? std::nullopt : std::optional(stays->second);
      groups_[{end, becomes}].insert(instance.pod);
    }
    for (const auto& [instance, end] : now) {
      if (old.count(instance) > 0 || before_.places.count(after_.ends[end].key) > 0) continue;
      groups_[{std::nullopt, end}].insert(instance.pod);
    }
    // Kinds of which no pod has stayed by name, but others are there in both.
    for (const auto& [key, end] : before_.places) {
      const auto stays = after_.places.find(key);
      if (stays != after_.places.end()) groups_.try_emplace({end, stays->second});
    }
  }

  static Id cell(const Reach& reach, std::optional<size_t> from, std::optional<size_t> to) {
    return from && to ? reach.at(*from, *to) : PortSets::kNothing;
  }

  Party party(const Both& both, const std::set<kube::ObjectKey>& pods) const {
    const End* was = both.first ? &before_.ends[*both.first] : nullptr;
    const End* is = both.second ? &after_.ends[*both.second] : nullptr;
    const End& shown = is != nullptr ? *is : *was;
    Party made{shown.name, shown.key.ns, {}, was != nullptr, is != nullptr};
    for (const kube::ObjectKey& pod : pods) made.pods.push_back(pod.text());
    if (was != nullptr && is != nullptr && was->key != is->key) {
      made.name = pods.size() == 1 ? pods.begin()->text() + ", now " + is->name : is->name;
      made.name += " (was " + was->name + ")";
    }
    return made;
  }

  const Side before_, after_;
  const Concerned changes_{before_.state, after_.state};
  std::set<End::Key> concerned_;
  std::map<Both, std::set<kube::ObjectKey>> groups_;
};

}  // namespace

Result<Difference> compare(const kube::ClusterState& before, const kube::ClusterState& after,
                           PortSets& sets) {
  const Vocabulary vocabulary({&before, &after});
  return Comparison(before, after, vocabulary).run(sets);
}

}  // namespace rampart::reach
