// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "control/kube/model.hpp"

/// Large clusters of certain shapes, for tests of size and for figures. The same arguments make the
/// same cluster.
namespace rampart::support {

struct Shape {
  size_t pods = 5000;
  size_t policies = 200;
  size_t namespaces = 50;
  /// Every pod carries a label that no other has.
  bool unique_labels = false;
  /// Peers name single pods by that label (implies it).
  bool select_by_unique_label = false;
  /// Every pod has a node of its own; otherwise fifty share one.
  bool node_each = false;
  /// Where policies select by `app`, or by one of `app`, `tier` and `version`, which cross each
  /// other in every namespace, for subjects and peers alike.
  bool crossing_labels = false;
  /// Peers are lists of pods drawn by lot, whatever their namespace: no order of classes makes
  /// them few ranges.
  bool random_sets = false;
  /// Subjects are drawn by lot too.
  bool random_subjects = false;
  uint64_t seed = 1;
};

/// Policies are of six kinds in turn: default deny; from an app of the same namespace; from a tier
/// of the namespaces of a team; from a block with exceptions; egress to DNS; egress to an app by a
/// named port.
kube::ClusterState make_cluster(const Shape& shape);

}  // namespace rampart::support
