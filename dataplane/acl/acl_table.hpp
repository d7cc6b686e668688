// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <vector>

#include "dataplane/acl/acl_rule.hpp"
#include "dataplane/acl/service_map.hpp"
#include "dataplane/base/result.hpp"
#include "dataplane/dpdk/acl_context.hpp"

namespace rampart {

/// How questions about classes become questions to the rules, for when no one order of the classes
/// makes all rules short. A subject class is asked about once for each of its `asks`, under the
/// number that it has there and with the peer's number in the ask's view; the rules are written in
/// these numbers. An empty plan: the rules speak of classes as they are, and each question is asked
/// once.
struct AclPlan {
  struct Ask {
    uint16_t subject = 0;
    uint16_t view = 0;  ///< index into `views`
    bool operator==(const Ask&) const = default;
  };
  std::vector<uint32_t> first;  ///< class s is asked about by asks[first[s]] … asks[first[s+1] - 1]
  std::vector<Ask> asks;
  std::vector<std::vector<uint32_t>> views;  ///< the numbers of all peer classes
  bool operator==(const AclPlan&) const = default;
};
/// A plan may have this many asks for a subject class.
inline constexpr unsigned kMaxAsks = 8;

/// An immutable list of allow rules, compiled with rte_acl. Built on a control thread (EAL must be
/// up), asked by any number of threads at once.
class AclTable {
 public:
  /// Compiles `rules`. An empty list is a table that never matches and needs no DPDK memory.
  /// Errors: kInvalid for a rule of number 0 or with crossed bounds, kNoMemory when DPDK's heap
  /// is too small, kTooLarge for more than 2^28 rules; kInvalid for a plan with more than kMaxAsks
  /// asks for a class, or one that leads nowhere.
  static Result<std::shared_ptr<const AclTable>> build(std::vector<AclRule> rules,
                                                       AclPlan plan = {});

  /// Answers `count` questions in one pass (any number; best in bursts of up to 128): `rules[i]`
  /// becomes the lowest AclRule::rule among those that match `queries[i]`, or 0 if none does.
  void classify(const AclQuery* queries, unsigned count, uint32_t* rules) const noexcept;

  /// The rules as they were given; a table of equal rules and an equal plan gives equal answers.
  const std::vector<AclRule>& rules() const noexcept { return rules_; }
  const AclPlan& plan() const noexcept { return plan_; }

 private:
  AclTable(std::vector<AclRule> rules, AclPlan plan, std::optional<ServiceMap> services,
           std::optional<AclContext> context)
      : rules_(std::move(rules)),
        plan_(std::move(plan)),
        services_(std::move(services)),
        context_(std::move(context)) {}
  void ask(const AclQuery* queries, unsigned count, uint32_t* rules) const noexcept;
  void classify_by_plan(const AclQuery* queries, unsigned count, uint32_t* rules) const noexcept;

  std::vector<AclRule> rules_;
  AclPlan plan_;
  std::optional<ServiceMap> services_;  ///< none: keys are wide
  std::optional<AclContext> context_;   ///< none: no rules
};

}  // namespace rampart
