// SPDX-License-Identifier: Apache-2.0
#include "control/compile/verdicts.hpp"

#include <string_view>

namespace rampart::compile {

std::string Verdicts::wrong_of(const IpAddress& from, const IpAddress& to,
                               const ProbedService& service) const {
  const Asked asked{from, to, service};
  const kube::Explanation plain = evaluator_.evaluate(from, to, service.protocol, service.port);
  const Verdict verdict = judged(*made_.rules, asked);
  if (agrees(asked, verdict, plain)) {
    if (!is_kept_wrongly(asked, verdict)) return {};
    return asked.text() +
           ": the verdict is another one than before, and live flows would not be judged again";
  }
  const std::string_view outcome = verdict.outcome == Outcome::kAllow        ? "allowed"
                                   : verdict.outcome == Outcome::kDenyEgress ? "denied for egress"
                                                                             : "denied for ingress";
  // The proof's evaluator has no reasons.
  const kube::Evaluator telling(*made_.state,
                                [this](const IpAddress& address) { return tables_.end(address); });
  return asked.text() + ": by the tables " + std::string(outcome) + " (egress by " +
         origin_text(verdict.egress_rule) + ", ingress by " + origin_text(verdict.ingress_rule) +
         "), by the policies " + (plain.allowed ? "allowed" : "denied") + ": " +
         telling.evaluate(from, to, service.protocol, service.port).why;
}

std::string Verdicts::Asked::text() const {
  return from.text() + " to " + to.text() + ", protocol " + std::to_string(service.protocol) +
         " port " + std::to_string(service.port);
}

Verdict Verdicts::judged(const RuleSet& rules, const Asked& asked) {
  const Question question{rules.addresses->find(asked.from), rules.addresses->find(asked.to),
                          asked.service.protocol, asked.service.port};
  Verdict verdict;
  judge(rules, &question, 1, &verdict);
  return verdict;
}

std::string Verdicts::origin_text(uint32_t rule) const {
  if (rule == 0) return "no rule";
  const kube::Admission* by = made_.origins->find(rule);
  return by == nullptr ? "a rule that is not there" : by->policy.text() + " " + by->rule_path();
}

bool Verdicts::is_origin(uint32_t rule, const std::optional<kube::Admission>& expected) const {
  if (rule == 0) return !expected;
  const kube::Admission* by = made_.origins->find(rule);
  return expected && by != nullptr && *by == *expected;
}

bool Verdicts::agrees(const Asked& asked, const Verdict& verdict,
                      const kube::Explanation& plain) const {
  const Outcome expected = plain.allowed          ? Outcome::kAllow
                           : plain.egress.allowed ? Outcome::kDenyIngress
                                                  : Outcome::kDenyEgress;
  if (verdict.outcome == expected && is_origin(verdict.egress_rule, plain.egress.admission) &&
      is_origin(verdict.ingress_rule, plain.ingress.admission)) {
    return true;
  }
  // Of several who claim an address, either may be the one that decides.
  return plain.allowed == (verdict.outcome == Outcome::kAllow) &&
         (tables_.end(asked.from).is_shared() || tables_.end(asked.to).is_shared());
}

/// Whether a live flow would not be judged again although the verdict is another one.
bool Verdicts::is_kept_wrongly(const Asked& asked, const Verdict& now) const {
  if (previous_ == nullptr) return false;
  const RuleSet &rules = *made_.rules, &before = *previous_->rules;
  const auto changed = [&](const IpAddress& address) {
    return is_after(rules.addresses->changed_in(address), revision_mark(before.revision));
  };
  if (rules.policy_changed_in > before.revision || changed(asked.from) || changed(asked.to)) {
    return false;
  }
  const Verdict then = judged(before, asked);
  return then.outcome != now.outcome || then.egress_rule != now.egress_rule ||
         then.ingress_rule != now.ingress_rule;
}

}  // namespace rampart::compile
