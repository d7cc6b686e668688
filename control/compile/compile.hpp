// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <vector>

#include "control/compile/origins.hpp"
#include "control/kube/cow_vector.hpp"
#include "control/kube/evaluate.hpp"
#include "control/kube/model.hpp"
#include "dataplane/base/ids.hpp"
#include "dataplane/base/result.hpp"
#include "dataplane/state/rule_set.hpp"

/// The policy compiler: from the objects of a cluster to the rule set that workers ask.
namespace rampart::compile {

/// Something an operator should know of a desired state that is in force all the same.
struct Warning {
  std::string code;    ///< as in docs/api.md: "unsupported-policy" …
  std::string object;  ///< "NetworkPolicy web/allow", "10.0.0.1", "ClusterNetworkPolicy deny"
  std::string message;
  auto operator<=>(const Warning&) const = default;
};

/// What a policy came to, for `GET /v1/policies`.
struct PolicyFacts {
  kube::ObjectKey policy;
  size_t pods = 0;       ///< that it selects (live, not on the host's network)
  size_t acl_rules = 0;  ///< that it became
  /// Why it isolates its pods and allows nothing, or empty: the policy's own fails_closed, or that
  /// the tables had no room for it.
  std::string fails_closed;
  bool operator==(const PolicyFacts&) const = default;
};

/// What the next compilation takes over from this one; nobody else's business.
struct Memory;

/// One compiled revision and what the control plane must know of it. Immutable. Holds DPDK memory
/// through `rules`: it must be gone before the EAL is.
struct Compiled {
  std::shared_ptr<const RuleSet> rules;             ///< mode kByTables; no part of it is null
  std::shared_ptr<const kube::ClusterState> state;  ///< what was compiled
  /// Rule N of a verdict is origins->find(N): the entry of a policy that allowed. Of several that
  /// allow, the one that kube::Evaluator names. Never null.
  std::shared_ptr<const Origins> origins;
  /// Identity::endpoint N of an address that is not shared is endpoints[N - 1]: a pod of `state`.
  /// Null: nobody at present (a pod keeps its number as long as it lives).
  kube::CowVector<const kube::Pod*> endpoints;

  size_t addresses = 0;           ///< exact entries of the address map: pods' and nodes'
  size_t classes = 0;             ///< peer classes, of the part of the rules that has most
  size_t subjects = 0;            ///< subject classes of both directions, "not isolated" left out
  size_t acl_rules = 0;           ///< rules that connections are judged by
  size_t policy_entries = 0;      ///< (rule × peer × port) entries of all policies
  std::vector<Warning> warnings;  ///< sorted

  std::shared_ptr<const Memory> memory;
};

/// Compiles a desired state. The EAL must be up. Control threads, one at a time.
///
/// What did not change since `previous` (the revision in force; may be null) is shared with it:
/// shards of the address map, the ACL, the numbers of rules, classes, nodes and pods. Where it is
/// known whom a change can concern, RuleSet::policy_changed_in stays what it was, and only the
/// addresses of those have changed: no live flow of others is judged again.
///
/// A policy that cannot be compiled isolates its pods, allows nothing and is a warning; it never
/// fails the whole. Errors: kNoMemory when DPDK's heap is too small for the tables, kTooLarge for
/// more rules than rte_acl can number.
Result<std::shared_ptr<const Compiled>> compile(std::shared_ptr<const kube::ClusterState> state,
                                                Revision revision, const Compiled* previous);

/// When the compiler does not look for what it can keep.
struct Effort {
  /// With no more entries of policies than this, a change of policies or namespaces is no reason to
  /// have several parts: all of it is compiled anew.
  size_t small = 256;
  /// A peer that no more namespaces than this speak of is made no room for (see spares.hpp): it is
  /// as well to compile these again.
  size_t few = 4;
};
/// The same with another effort.
Result<std::shared_ptr<const Compiled>> compile_with(
    const Effort& effort, std::shared_ptr<const kube::ClusterState> state, Revision revision,
    const Compiled* previous);

/// What each policy came to, by key. Any thread.
std::vector<PolicyFacts> policy_facts(const Compiled& compiled);

/// What is in force as revision 0, before the first snapshot: `mode` is kDropAll or kPassAll.
/// Needs no EAL.
std::shared_ptr<const RuleSet> startup_rules(RuleSet::Mode mode);

}  // namespace rampart::compile
