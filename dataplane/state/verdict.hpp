// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "dataplane/addr/identity.hpp"
#include "dataplane/base/ids.hpp"

namespace rampart {

enum class Outcome : uint8_t { kAllow, kDenyEgress, kDenyIngress };

/// What the rule set says of a new connection, and why. A rule of 0: no rule decided that
/// direction (its end is not isolated, or the pair is a pod and its own node, or nothing matched).
struct Verdict {
  Outcome outcome = Outcome::kDenyEgress;
  uint32_t egress_rule = 0;   ///< as RulePart::rule_numbers names it; 0: none decided
  uint32_t ingress_rule = 0;  ///< the same
};

/// One connection to be judged, in the direction in which it is (or was) opened.
struct Question {
  const Identity* source = nullptr;
  const Identity* destination = nullptr;
  uint8_t protocol = 0;
  L4Port port = 0;  ///< destination port, host order; 0 for protocols without ports
};

}  // namespace rampart
