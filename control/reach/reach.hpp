// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <utility>
#include <vector>

#include "control/reach/ends.hpp"
#include "control/reach/pairs.hpp"
#include "control/reach/port_set.hpp"
#include "dataplane/base/result.hpp"

/// Who can reach whom on which ports: what the plain evaluator says of every new connection there
/// could be, all at once.
namespace rampart::reach {

/// Beyond so many pairs of ends a matrix is refused: those of 6,000 ends. (10,000 pods of 500
/// namespaces under 1,000 policies have some 4,000 ends; all pairs of them take a second and 160
/// MB.)
inline constexpr size_t kMostPairs = 36'000'000;

/// A matrix over the ends of one cluster. What is left out of it: that a pod reaches itself and
/// that a pod and its own node reach each other whatever the policies say, and that of several
/// claimants of an address each must be allowed. Immutable once made.
class Reach {
 public:
  /// All pairs. `state` and `sets` must outlive it. kTooLarge: more pairs than kMostPairs. Some
  /// microseconds for each pair of ends that a rule connects. One thread (that of `sets`).
  static Result<Reach> of(const kube::ClusterState& state, const Vocabulary& vocabulary,
                          PortSets& sets);
  /// Only pairs of which one end is wanted: `wanted` has an entry for each of `ends`, which are
  /// those of `state`.
  static Result<Reach> of(const kube::ClusterState& state, std::vector<End> ends,
                          std::vector<bool> wanted, PortSets& sets);

  const std::vector<End>& ends() const { return ends_; }
  /// The pairs that were computed.
  const Pairs& pairs() const { return pairs_; }
  /// What a new connection from one end to another may use; nothing if they share no family. Only
  /// for pairs that were computed.
  PortSets::Id at(size_t from, size_t to) const { return cells_[from][pairs_.place(from, to)]; }
  /// Whether a policy isolates this end for egress or ingress.
  bool isolated_egress(size_t end) const { return egress_[end]; }
  bool isolated_ingress(size_t end) const { return ingress_[end]; }

 private:
  Reach(std::vector<End> ends, std::vector<bool> wanted)
      : ends_(std::move(ends)), pairs_(std::move(wanted)) {}

  std::vector<End> ends_;
  Pairs pairs_;
  std::vector<bool> egress_, ingress_;
  std::vector<std::vector<PortSets::Id>> cells_;  ///< as pairs_ says
};

}  // namespace rampart::reach
