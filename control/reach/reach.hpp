// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <vector>

#include "control/reach/ends.hpp"
#include "control/reach/port_set.hpp"
#include "dataplane/base/result.hpp"

/// Who can reach whom on which ports: what the plain evaluator says of every new connection there
/// could be, all at once.
namespace rampart::reach {

/// Beyond so many ends a matrix is refused: it grows with their square. (10,000 pods of 500
/// namespaces under 1,000 policies have some 4,000; they take a second and 160 MB.)
inline constexpr size_t kMostEnds = 6000;

/// A matrix over the ends of one cluster. What is left out of it: that a pod reaches itself and
/// that a pod and its own node reach each other whatever the policies say, and that of several
/// claimants of an address each must be allowed. Immutable once made.
class Reach {
 public:
  /// `state` and `sets` must outlive it. kTooLarge: more ends than kMostEnds. Some microseconds for
  /// each pair of ends that a rule connects. One thread (that of `sets`).
  static Result<Reach> of(const kube::ClusterState& state, const Vocabulary& vocabulary,
                          PortSets& sets);

  const std::vector<End>& ends() const { return ends_; }
  /// What a new connection from one end to another may use; nothing if they share no family.
  PortSets::Id at(size_t from, size_t to) const { return cells_[from * ends_.size() + to]; }
  /// Whether a policy isolates this end for egress or ingress.
  bool isolated_egress(size_t end) const { return egress_[end]; }
  bool isolated_ingress(size_t end) const { return ingress_[end]; }

 private:
  Reach() = default;

  std::vector<End> ends_;
  std::vector<bool> egress_, ingress_;
  std::vector<PortSets::Id> cells_;
};

}  // namespace rampart::reach
