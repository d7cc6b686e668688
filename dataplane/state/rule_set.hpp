// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "dataplane/acl/acl_table.hpp"
#include "dataplane/addr/address_map.hpp"
#include "dataplane/base/ids.hpp"
#include "dataplane/state/verdict.hpp"
#include "dataplane/state/verdict_cache.hpp"

namespace rampart {

/// The rules for the pods of some namespaces, compiled together. A cluster of some size has a large
/// part, and small ones for the namespaces whose policies have changed since that was made.
struct RulePart {
  std::shared_ptr<const AclTable> acl;
  /// The number of each class of addresses as a peer in `acl`. Null: it is the class's own.
  std::shared_ptr<const std::vector<uint32_t>> peers;
  /// What a match of rule N of `acl` is reported as: entry N - 1. Null: as N.
  std::shared_ptr<const std::vector<uint32_t>> rule_numbers;
};
/// More parts than this are not made.
inline constexpr unsigned kMaxParts = 64;

/// Whose rules a pod is under in one direction.
struct Subject {
  static constexpr uint16_t kNotIsolated = 0;
  uint16_t part = 0;    ///< index into RuleSet::parts
  uint16_t number = 0;  ///< the subject class there; kNotIsolated: nothing is asked
  bool operator==(const Subject&) const = default;
};
/// The two directions of one class of addresses.
struct Subjects {
  Subject egress, ingress;
  bool operator==(const Subjects&) const = default;
};

/// The compiled form of one revision: immutable once published, shared by all workers. The parts
/// that did not change are shared with the rule set before.
struct RuleSet {
  Revision revision = 0;
  /// Before the first snapshot there are no tables, and this is the verdict on everything;
  /// otherwise kByTables.
  enum class Mode : uint8_t { kDropAll, kPassAll, kByTables } mode = Mode::kDropAll;
  /// The latest revision in which more changed than can be told by addresses. A flow judged since
  /// then needs to be judged again only if one of its addresses changed (see AddressMap).
  Revision policy_changed_in = 0;
  std::shared_ptr<const AddressMap> addresses;
  /// By class of addresses: every one that `addresses` knows is below its size.
  std::shared_ptr<const std::vector<Subjects>> subjects;
  std::vector<RulePart> parts;
  /// All identities of the addresses that several live pods claim (Identity::kShared); none: too
  /// many.
  std::vector<std::vector<Identity>> shared_addresses;
};

/// More claimants of one address than this, and it is denied everything (fail closed): judging it
/// would cost a question for every pair of identities.
inline constexpr unsigned kMaxClaimants = 8;

/// Judges `count` connections (any number; best up to 64 at a time). Writes a verdict for each.
/// `rules.mode` must be kByTables. Worker threads and control threads; no allocation.
/// The questions hold pointers from `rules.addresses`: where source and destination are the same
/// pointer, an address talks to itself, which is never denied (a pod that is its own client).
/// `known`: what the calling worker has been told of late, which is not asked again; what comes of
/// the rest is kept there.
void judge(const RuleSet& rules, const Question* questions, unsigned count, Verdict* verdicts,
           VerdictCache* known = nullptr) noexcept;

}  // namespace rampart
