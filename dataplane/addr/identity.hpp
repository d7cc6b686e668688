// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <type_traits>

namespace rampart {

/// What the policy in force knows of one address.
///
/// A *class* is a set of addresses that no policy can tell apart: those of pods of one namespace
/// whose labels and named ports are alike as far as any selector can see, within what all ipBlocks
/// cut the address space into. It keeps its number while policies come and go.
///
/// `node` and `endpoint` are for what concerns one pair of addresses (a pod and its own node):
/// they are compared directly and never split a class.
struct Identity {
  /// `flags`: this is an address of the node `node` (and perhaps of its host-network pods).
  static constexpr uint16_t kIsNode = 1;
  /// `flags`: several live pods claim the address. `endpoint` is then an index into the rule set's
  /// list of shared addresses; a packet passes only if every one of those identities lets it pass.
  static constexpr uint16_t kShared = 2;

  uint32_t class_id = 0;  ///< index into RuleSet::subjects and RulePart::peers
  uint32_t node = 0;      ///< number of the pod's node, or of the node itself; 0: none
  uint32_t endpoint = 0;  ///< 1 + index in the rule set's endpoints; 0: no pod
  uint16_t flags = 0;
  uint16_t reserved = 0;

  bool operator==(const Identity&) const = default;
};
static_assert(sizeof(Identity) == 16 && std::has_unique_object_representations_v<Identity>);

/// Whether one of the two is the other one's node: such traffic is always allowed (that is how the
/// kubelet's probes pass; Kubernetes "Network Policies", "The two sorts of pod isolation").
constexpr bool is_pod_and_own_node(const Identity& a, const Identity& b) {
  return a.node != 0 && a.node == b.node && ((a.flags | b.flags) & Identity::kIsNode) != 0;
}

}  // namespace rampart
