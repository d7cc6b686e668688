// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "dataplane/acl/acl_table.hpp"
#include "dataplane/addr/address_map.hpp"
#include "dataplane/base/ids.hpp"
#include "dataplane/state/verdict.hpp"

namespace rampart {

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
  std::shared_ptr<const AclTable> acl;
  /// What a match of the ACL's rule N is reported as: its entry N - 1. Null: as N.
  std::shared_ptr<const std::vector<uint32_t>> rule_numbers;
  /// All identities of the addresses that several live pods claim (Identity::kShared).
  std::vector<std::vector<Identity>> shared_addresses;
};

/// More claimants of one address than this, and it is denied everything (fail closed): judging it
/// would cost a question for every pair of identities.
inline constexpr unsigned kMaxClaimants = 8;

/// Judges `count` connections (any number; best up to 64 at a time). Writes a verdict for each.
/// `rules.mode` must be kByTables. Worker threads and control threads; no allocation.
/// The questions hold pointers from `rules.addresses`: where source and destination are the same
/// pointer, an address talks to itself, which is never denied (a pod that is its own client).
void judge(const RuleSet& rules, const Question* questions, unsigned count,
           Verdict* verdicts) noexcept;

}  // namespace rampart
