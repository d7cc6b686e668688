// SPDX-License-Identifier: Apache-2.0
#include "control/compile/groups.hpp"

#include <algorithm>
#include <utility>

namespace rampart::compile {
namespace {

constexpr uint64_t kMix = 0x9E3779B97F4A7C15;

/// Namespaces by number, with the labels that selectors mention.
LabelIndex index_namespaces(const kube::ClusterState& state, const Demands& demands) {
  std::vector<std::vector<Label>> labels(demands.namespaces.size());
  for (const auto& [key, ns] : state.namespaces) {
    labels[demands.namespaces.find(ns->name)->second] = demands.namespace_words.project(ns->labels);
  }
  LabelIndex index;
  for (auto& of_one : labels) index.add(std::move(of_one));
  return index;
}

/// Groups of one namespace that match.
std::vector<uint32_t> select_in(const Groups& groups, uint32_t ns, const Selector& selector) {
  std::vector<uint32_t> found;
  const std::vector<uint32_t>& all = groups.of_namespace(ns);
  const std::vector<uint32_t>* some = groups.index().candidates(selector);
  const auto& shorter = some != nullptr && some->size() < all.size() ? *some : all;
  for (const uint32_t group : shorter) {
    if (groups.ns(group) == ns && groups.index().matches(selector, group)) found.push_back(group);
  }
  return found;
}

/// Finds pods by (namespaces, pods) pairs of selectors, and remembers what comes up again.
class PeerFinder {
 public:
  PeerFinder(const kube::ClusterState& state, const Demands& demands, const Groups& groups)
      : demands_(demands),
        groups_(groups),
        index_(index_namespaces(state, demands)),
        namespaces_(demands.namespace_selectors.size()),
        everywhere_(demands.selectors.size()) {}

  Ranges find(const PeerDemand& demand) {
    Ranges found;
    if (demand.ns != kNone) {
      const auto groups = demand.selector == kNone
                              ? groups_.of_namespace(demand.ns)
                              : select_in(groups_, demand.ns, demands_.selectors[demand.selector]);
      for (const uint32_t group : groups) append(found, group);
    } else if (demand.ns_selector == kNone) {
      if (demand.selector != kNone) return make_ranges(everywhere(demand.selector));
      if (groups_.size() > 0) found.push_back({0, groups_.size() - 1});
    } else {
      return find_in(namespaces(demand.ns_selector), demand.selector);
    }
    return found;
  }

 private:
  Ranges find_in(const std::vector<uint32_t>& namespaces, uint32_t selector) {
    std::vector<uint32_t> found;
    size_t there = 0;
    for (const uint32_t ns : namespaces) there += groups_.of_namespace(ns).size();
    if (selector == kNone) {
      found.reserve(there);
      for (const uint32_t ns : namespaces) {
        const auto& groups = groups_.of_namespace(ns);
        found.insert(found.end(), groups.begin(), groups.end());
      }
    } else if (const auto& all = everywhere(selector); all.size() < there) {
      std::copy_if(all.begin(), all.end(), std::back_inserter(found), [&](uint32_t group) {
        return std::binary_search(namespaces.begin(), namespaces.end(), groups_.ns(group));
      });
    } else {
      for (const uint32_t ns : namespaces) {
        const auto groups = select_in(groups_, ns, demands_.selectors[selector]);
        found.insert(found.end(), groups.begin(), groups.end());
      }
    }
    return make_ranges(std::move(found));
  }
  const std::vector<uint32_t>& namespaces(uint32_t selector) {
    auto& known = namespaces_[selector];
    if (!known) known = index_.select(demands_.namespace_selectors[selector]);
    return *known;
  }
  const std::vector<uint32_t>& everywhere(uint32_t selector) {
    auto& known = everywhere_[selector];
    if (!known) known = groups_.index().select(demands_.selectors[selector]);
    return *known;
  }

  const Demands& demands_;
  const Groups& groups_;
  LabelIndex index_;
  std::vector<std::optional<std::vector<uint32_t>>> namespaces_, everywhere_;
};

}  // namespace

size_t VectorHash::operator()(const std::vector<uint32_t>& words) const noexcept {
  uint64_t hash = words.size();
  for (const uint32_t word : words) {
    hash = (hash ^ word) * kMix;
    hash ^= hash >> 29;
  }
  return hash;
}

std::optional<std::vector<uint32_t>> Groups::signature(const kube::Pod& pod,
                                                       std::vector<Label>& labels,
                                                       std::vector<NamedPort>& ports) const {
  const auto ns = namespaces_.find(pod.ns);
  if (ns == namespaces_.end()) return std::nullopt;
  labels = pod_words_.project(pod.labels);
  ports.clear();
  for (const kube::ContainerPort& port : pod.ports) {
    if (port.name.empty() || port_names_.empty()) continue;
    const PortName wanted{port.name, port.protocol};
    const auto found = std::lower_bound(port_names_.begin(), port_names_.end(), wanted);
    if (found == port_names_.end() || *found != wanted) continue;
    ports.push_back({static_cast<uint32_t>(found - port_names_.begin()), port.number});
  }
  std::sort(ports.begin(), ports.end());
  ports.erase(std::unique(ports.begin(), ports.end()), ports.end());

  std::vector<uint32_t> row{ns->second, static_cast<uint32_t>(labels.size())};
  for (const Label& label : labels) row.insert(row.end(), {label.key, label.value});
  for (const NamedPort& port : ports) row.insert(row.end(), {port.name, port.number});
  return row;
}

uint32_t Groups::add(const kube::Pod& pod) {
  std::vector<Label> labels;
  std::vector<NamedPort> ports;
  auto row = signature(pod, labels, ports);
  const uint32_t ns = row->front();
  const auto [entry, added] = known_.try_emplace(std::move(*row), size());
  if (added) {
    of_namespace_[ns].push_back(size());
    ns_.push_back(ns);
    ports_.push_back(std::move(ports));
    index_.add(std::move(labels));
  }
  return entry->second;
}

std::optional<uint32_t> Groups::find(const kube::Pod& pod) const {
  std::vector<Label> labels;
  std::vector<NamedPort> ports;
  const auto row = signature(pod, labels, ports);
  const auto found = row ? known_.find(*row) : known_.end();
  return found == known_.end() ? std::nullopt : std::optional(found->second);
}

Members find_members(const kube::ClusterState& state, const Demands& demands,
                     const Groups& groups) {
  Members members;
  for (const SubjectDemand& demand : demands.subjects) {
    members.subjects.push_back(select_in(groups, demand.ns, demands.selectors[demand.selector]));
  }
  PeerFinder finder(state, demands, groups);
  for (const PeerDemand& demand : demands.peers) {
    members.peers.push_back(demand.block == kNone ? finder.find(demand) : Ranges{});
  }
  return members;
}

}  // namespace rampart::compile
