// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <set>
#include <string>
#include <vector>

#include "control/reach/reach.hpp"

/// A matrix with its namespaces drawn together.
namespace rampart::reach {

/// Which ends to show, and which each for itself.
struct View {
  bool kinds = false;                ///< every kind for itself
  std::set<std::string> expanded;    ///< these namespaces only
  std::set<std::string> namespaces;  ///< not empty: show what goes from or to these only

  bool wants(const std::string& ns) const { return namespaces.empty() || namespaces.count(ns) > 0; }
};

struct Group {
  std::string name;          ///< of a namespace, a kind or a zone
  bool external = false;     ///< a zone
  std::vector<size_t> ends;  ///< of the matrix
  size_t pods = 0;
};

/// What goes from one group to another.
struct Passage {
  PortSets::Id any = PortSets::kNothing;    ///< what some pair of ends may use
  PortSets::Id every = PortSets::kNothing;  ///< what all pairs may use
  bool operator==(const Passage&) const = default;
};

class Overview {
 public:
  /// `reach` must have the pairs that the view shows.
  Overview(const Reach& reach, PortSets& sets, const View& view);

  const std::vector<Group>& groups() const { return groups_; }
  /// Between zones there is nothing to say: everything, whatever the policies are. Nothing between
  /// two that were not asked for.
  Passage at(size_t from, size_t to) const {
    return pairs_.has(from, to) ? cells_[from][pairs_.place(from, to)] : Passage{};
  }
  /// Whether the view has this passage: one end is in a namespace that was asked for, one is a pod.
  bool shows(size_t from, size_t to) const;

 private:
  std::vector<Group> groups_;
  Pairs pairs_{{}};
  std::vector<std::vector<Passage>> cells_;  ///< as pairs_ says
};

}  // namespace rampart::reach
