// SPDX-License-Identifier: Apache-2.0
#include <utility>

#include "control/compile/compile.hpp"

namespace rampart::compile {

std::shared_ptr<const RuleSet> startup_rules(RuleSet::Mode mode) {
  auto rules = std::make_shared<RuleSet>();
  rules->mode = mode;
  // Nobody asks these tables, but nobody needs to check for null either. Empty ones always build.
  rules->addresses = std::move(AddressMap::build({}, {}, {}, 0, nullptr)).value();
  rules->subjects = std::make_shared<const std::vector<Subjects>>(1);
  return rules;
}

}  // namespace rampart::compile
