// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "dataplane/base/ip_address.hpp"
#include "dataplane/state/rule_set.hpp"

namespace rampart::support {

/// One question to a rule set, as a worker would put it.
inline Verdict ask(const RuleSet& rules, const IpAddress& from, const IpAddress& to,
                   uint8_t protocol, L4Port port) {
  const Question question{rules.addresses->find(from), rules.addresses->find(to), protocol, port};
  Verdict verdict;
  judge(rules, &question, 1, &verdict);
  return verdict;
}

}  // namespace rampart::support
