// SPDX-License-Identifier: Apache-2.0
#include "control/reach/overview.hpp"

#include <algorithm>
#include <utility>

namespace rampart::reach {
namespace {

bool meet(const End& a, const End& b) {
  return (a.v4 && b.v4) || (a.v6 && b.v6);
}

/// Pairs that share no family say nothing about policies and do not count.
Passage passage(const Reach& reach, PortSets& sets, const Group& from, const Group& to) {
  Passage made{PortSets::kNothing, PortSets::kAll};
  bool met = false;
  for (const size_t a : from.ends) {
    for (const size_t b : to.ends) {
      if (!meet(reach.ends()[a], reach.ends()[b])) continue;
      met = true;
      made.any = sets.united(made.any, reach.at(a, b));
      made.every = sets.intersected(made.every, reach.at(a, b));
    }
  }
  if (!met) made.every = PortSets::kNothing;
  return made;
}

}  // namespace

Overview::Overview(const Reach& reach, PortSets& sets, const View& view) {
  std::vector<bool> wanted;
  for (size_t i = 0; i < reach.ends().size(); ++i) {
    const End& end = reach.ends()[i];
    const std::string& ns = end.key.ns;
    // A zone of a family that no pod speaks has nobody to reach.
    if (end.external() &&
        std::none_of(reach.ends().begin(), reach.ends().end(),
                     [&](const End& pod) { return !pod.external() && meet(end, pod); })) {
      continue;
    }
    const bool alone = end.external() || view.kinds || view.expanded.count(ns) > 0;
    // Ends come by namespace, so those of one stand together.
    const bool same = !alone && !groups_.empty() && groups_.back().name == ns;
    if (!same) {
      groups_.push_back({alone ? end.name : ns, end.external(), {}, 0});
      wanted.push_back(view.wants(ns));
    }
    groups_.back().ends.push_back(i);
  }
  for (Group& group : groups_) {
    std::set<const kube::Pod*> pods;  // a dual-stack pod may be of two kinds
    for (const size_t end : group.ends) {
      pods.insert(reach.ends()[end].pods.begin(), reach.ends()[end].pods.end());
    }
    group.pods = pods.size();
  }
  pairs_ = Pairs(std::move(wanted));
  cells_.resize(groups_.size());
  for (size_t from = 0; from < groups_.size(); ++from) {
    cells_[from].reserve(pairs_.others(from).size());
    for (const size_t to : pairs_.others(from)) {
      cells_[from].push_back(passage(reach, sets, groups_[from], groups_[to]));
    }
  }
}

bool Overview::shows(size_t from, size_t to) const {
  return pairs_.has(from, to) && !(groups_[from].external && groups_[to].external);
}

}  // namespace rampart::reach
