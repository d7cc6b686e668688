// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <vector>

#include "dataplane/acl/acl_rule.hpp"
#include "dataplane/base/result.hpp"
#include "dataplane/dpdk/acl_context.hpp"

namespace rampart {

/// An immutable list of allow rules, compiled with rte_acl. Built on a control thread (EAL must be
/// up), asked by any number of threads at once.
class AclTable {
 public:
  /// Compiles `rules`. An empty list is a table that never matches and needs no DPDK memory.
  /// Errors: kInvalid for a rule of number 0 or with crossed bounds, kNoMemory when DPDK's heap
  /// is too small, kTooLarge for more than 2^28 rules.
  static Result<std::shared_ptr<const AclTable>> build(std::vector<AclRule> rules);

  /// Answers `count` questions in one pass (any number; best in bursts of up to 128): `rules[i]`
  /// becomes the lowest AclRule::rule among those that match `queries[i]`, or 0 if none does.
  void classify(const AclQuery* queries, unsigned count, uint32_t* rules) const noexcept;

  /// The rules as they were given; a table of equal rules gives equal answers.
  const std::vector<AclRule>& rules() const noexcept { return rules_; }

 private:
  AclTable(std::vector<AclRule> rules, std::optional<AclContext> context)
      : rules_(std::move(rules)), context_(std::move(context)) {}

  std::vector<AclRule> rules_;
  std::optional<AclContext> context_;  ///< none: no rules
};

}  // namespace rampart
