// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "control/kube/model.hpp"
#include "control/kube/refusal.hpp"

namespace rampart::kube {

/// What one request may bring at most.
struct Limits {
  size_t bytes = size_t{512} << 20;  ///< of JSON text
  size_t depth = 256;                ///< of nested lists and objects
  size_t objects = 2'000'000;        ///< in a List, or events in a batch
};

/// A kind that policy does not speak of (ConfigMap …) and how many of it there were.
struct SkippedKind {
  std::string kind;
  uint64_t count = 0;
  bool operator==(const SkippedKind&) const = default;
};

struct Decoded {
  ClusterState state;
  std::vector<SkippedKind> skipped;  ///< by kind
};

/// Reads a desired state: a v1 List, a typed list (PodList, NetworkPolicyList …), lists within a
/// v1 List, or one object. All of it is checked, and anything that a Kubernetes API server would
/// refuse, or an object that stands there twice, refuses the whole. Namespaces that only their
/// content tells of are added (Namespace::implied). A Pod or NetworkPolicy without
/// metadata.namespace is of namespace "default", as with kubectl.
///
/// Any control thread; keeps nothing of `json`.
Checked<Decoded> decode_snapshot(std::string_view json, const Limits& limits = {});

}  // namespace rampart::kube
