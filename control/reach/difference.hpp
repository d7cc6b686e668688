// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "control/reach/reach.hpp"

/// What two clusters differ in, as far as packets notice.
namespace rampart::reach {

/// Pods that are of one kind before and of one kind after; or a zone.
struct Party {
  std::string name;               ///< "shop/app=web"; "shop/web-0 (was app=api)" if it has changed
  std::string ns;                 ///< empty: a zone
  std::vector<std::string> pods;  ///< "shop/web-0", by name; none: a zone
  bool before = true, after = true;  ///< false: there are no pods of the kind
};

struct Difference {
  struct Pair {
    size_t from = 0, to = 0;  ///< parties
    PortSets::Id opened = PortSets::kNothing, closed = PortSets::kNothing;
  };
  std::vector<Party> parties;
  std::vector<Pair> pairs;  ///< those that differ, by from, then to
  bool none() const { return pairs.empty(); }
};

/// Compares by reachability: pods that are in both clusters by name, whatever their kind has
/// become, and others by kind. A pod that comes or goes where others of its kind stay is no
/// difference; a kind that comes or goes opens or closes all that it may reach and that may reach
/// it. What is computed are pairs of which a change concerns one end: kTooLarge if even these are
/// more than kMostPairs. One thread (that of `sets`).
Result<Difference> compare(const kube::ClusterState& before, const kube::ClusterState& after,
                           PortSets& sets);

}  // namespace rampart::reach
