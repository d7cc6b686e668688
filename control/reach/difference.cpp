// SPDX-License-Identifier: Apache-2.0
#include "control/reach/difference.hpp"

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

std::map<Instance, size_t> instances_of(const Reach& reach, const Vocabulary& vocabulary) {
  std::map<End::Key, size_t> ends;
  for (size_t i = 0; i < reach.ends().size(); ++i) ends.emplace(reach.ends()[i].key, i);
  std::map<Instance, size_t> all;
  std::set<const kube::Pod*> pods;
  for (const End& end : reach.ends()) pods.insert(end.pods.begin(), end.pods.end());
  for (const kube::Pod* pod : pods) {
    size_t numbers[2] = {0, 0};
    for (const auto& [address, key] : vocabulary.kinds_of(*pod)) {
      const size_t number = numbers[address.is_v4() ? 0 : 1]++;
      all.emplace(Instance{{pod->ns, pod->name}, address.family(), number}, ends.at(key));
    }
  }
  return all;
}

class Comparison {
 public:
  Comparison(const Reach& before, const Reach& after, const Vocabulary& vocabulary, PortSets& sets)
      : before_(before), after_(after), sets_(sets) {
    for (size_t i = 0; i < before.ends().size(); ++i) keys_before_.emplace(before.ends()[i].key, i);
    for (size_t i = 0; i < after.ends().size(); ++i) keys_after_.emplace(after.ends()[i].key, i);
    group(vocabulary);
  }

  Difference run() {
    Difference made;
    std::vector<Both> groups;
    for (const auto& [both, pods] : groups_) {
      groups.push_back(both);
      made.parties.push_back(party(both, pods));
    }
    for (size_t from = 0; from < groups.size(); ++from) {
      for (size_t to = 0; to < groups.size(); ++to) {
        const Id was = cell(before_, groups[from].first, groups[to].first);
        const Id is = cell(after_, groups[from].second, groups[to].second);
        if (was == is) continue;
        made.pairs.push_back({from, to, sets_.without(is, was), sets_.without(was, is)});
      }
    }
    return made;
  }

 private:
  void group(const Vocabulary& vocabulary) {
    const auto old = instances_of(before_, vocabulary), now = instances_of(after_, vocabulary);
    for (const auto& [instance, end] : old) {
      const auto stays = now.find(instance);
      // One that goes while others of its kind stay is not missed.
      if (stays == now.end() && keys_after_.count(before_.ends()[end].key) > 0) continue;
      const auto becomes = stays == now.end() ? std::nullopt : std::optional(stays->second);
      groups_[{end, becomes}].insert(instance.pod);
    }
    for (const auto& [instance, end] : now) {
      if (old.count(instance) > 0 || keys_before_.count(after_.ends()[end].key) > 0) continue;
      groups_[{std::nullopt, end}].insert(instance.pod);
    }
    // Kinds of which no pod has stayed by name, but others are there in both.
    for (const auto& [key, end] : keys_before_) {
      const auto stays = keys_after_.find(key);
      if (stays != keys_after_.end()) groups_.try_emplace({end, stays->second});
    }
  }

  static Id cell(const Reach& reach, std::optional<size_t> from, std::optional<size_t> to) {
    return from && to ? reach.at(*from, *to) : PortSets::kNothing;
  }

  Party party(const Both& both, const std::set<kube::ObjectKey>& pods) const {
    const End* was = both.first ? &before_.ends()[*both.first] : nullptr;
    const End* is = both.second ? &after_.ends()[*both.second] : nullptr;
    const End& shown = is != nullptr ? *is : *was;
    Party made{shown.name, shown.key.ns, {}, was != nullptr, is != nullptr};
    for (const kube::ObjectKey& pod : pods) made.pods.push_back(pod.text());
    if (was != nullptr && is != nullptr && was->key != is->key) {
      made.name = pods.size() == 1 ? pods.begin()->text() + ", now " + is->name : is->name;
      made.name += " (was " + was->name + ")";
    }
    return made;
  }

  const Reach& before_;
  const Reach& after_;
  PortSets& sets_;
  std::map<End::Key, size_t> keys_before_, keys_after_;
  std::map<Both, std::set<kube::ObjectKey>> groups_;
};

}  // namespace

Result<Difference> compare(const kube::ClusterState& before, const kube::ClusterState& after,
                           PortSets& sets) {
  const Vocabulary vocabulary({&before, &after});
  auto old = Reach::of(before, vocabulary, sets);
  if (!old) return std::move(old).error();
  auto now = Reach::of(after, vocabulary, sets);
  if (!now) return std::move(now).error();
  return Comparison(*old, *now, vocabulary, sets).run();
}

}  // namespace rampart::reach
