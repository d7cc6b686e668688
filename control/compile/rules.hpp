// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "control/compile/boxes.hpp"
#include "control/compile/demands.hpp"
#include "control/compile/numbering.hpp"
#include "dataplane/acl/acl_rule.hpp"

/// Sixth stage: boxes over classes become ACL rules.
namespace rampart::compile {

/// More ACL rules than this are not built: namespaces share them fairly.
inline constexpr size_t kMaxAclRules = size_t{1} << 18;

struct Rules {
  std::vector<AclRule> rules;          ///< by AclRule::rule, which is 1 + Box::origin
  std::vector<size_t> of_policy;       ///< how many, by index in Demands::policies
  std::vector<uint32_t> without_room;  ///< policies that were left out as a whole, rising
};
Rules make_rules(const Demands& demands, const Boxes& boxes, const Numbering& numbering,
                 size_t most = kMaxAclRules);

}  // namespace rampart::compile
