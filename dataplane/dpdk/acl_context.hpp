// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <rte_acl.h>
#include <rte_errno.h>
#include <rte_memory.h>

#include <cstdint>
#include <string>
#include <utility>

#include "dataplane/base/result.hpp"
#include "dataplane/dpdk/acl_algorithm.hpp"

namespace rampart {

/// Owner of one rte_acl context. Made, filled and built on a control thread; once built, any
/// number of threads may classify with it. Needs a running EAL.
class AclContext {
 public:
  /// An empty context. `name` must be new in this process (at most 31 characters): rte_acl_create
  /// would hand out the context that has the name already, which would then have two owners.
  /// `rule_bytes`: size of one rule (RTE_ACL_RULE_SZ of its fields).
  /// Errors: kConflict for a name in use, kTooLarge for a long one, kNoMemory.
  static Result<AclContext> create(const std::string& name, uint32_t rule_bytes,
                                   uint32_t max_rules) {
    if (name.size() >= RTE_ACL_NAMESIZE) {
      return Error{ErrorCode::kTooLarge, "the name is longer than 31 characters", name};
    }
    if (rte_acl_find_existing(name.c_str()) != nullptr) {
      return Error{ErrorCode::kConflict, "an ACL of this name exists", name};
    }
    rte_acl_param param{};
    param.name = name.c_str();
    param.socket_id = SOCKET_ID_ANY;
    param.rule_size = rule_bytes;
    param.max_rule_num = max_rules;
    rte_acl_ctx* context = rte_acl_create(&param);
    if (context == nullptr) {
      // rte_acl_create only logs when memory is short, so rte_errno says nothing reliable.
      return Error{
          ErrorCode::kNoMemory,
          "no room for " + std::to_string(max_rules) + " rules in DPDK's heap (see --memory)",
          name};
    }
    choose_acl_algorithm(context);
    return AclContext(context);
  }

  AclContext(AclContext&& other) noexcept : context_(std::exchange(other.context_, nullptr)) {}
  AclContext& operator=(AclContext&& other) noexcept {
    std::swap(context_, other.context_);
    return *this;
  }
  ~AclContext() { rte_acl_free(context_); }

  /// Copies rules in. Errors: kInvalid for a rule that rte_acl refuses, kNoMemory when full.
  Result<void> add(const rte_acl_rule* rules, uint32_t count) {
    return check(rte_acl_add_rules(context_, rules, count), "adding rules");
  }
  /// Builds the run-time tables. Errors: kNoMemory, kInvalid.
  Result<void> build(const rte_acl_config& config) {
    return check(rte_acl_build(context_, &config), "building the tables");
  }

  rte_acl_ctx* get() const noexcept { return context_; }

 private:
  explicit AclContext(rte_acl_ctx* context) : context_(context) {}
  static Result<void> check(int result, const char* doing) {
    if (result == 0) return {};
    return Error{
        result == -ENOMEM || result == -ERANGE ? ErrorCode::kNoMemory : ErrorCode::kInvalid,
        std::string(doing) + ": " + rte_strerror(-result), "rte_acl"};
  }

  rte_acl_ctx* context_;
};

}  // namespace rampart
