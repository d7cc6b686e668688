// SPDX-License-Identifier: Apache-2.0
#include "dataplane/state/rule_set.hpp"

#include <algorithm>

namespace rampart {
namespace {

constexpr unsigned kBurst = 64;

/// Appends what has to be asked about one pair of identities. Returns how many questions that are.
/// `asked` tells the directions: bit 0 egress, bit 1 ingress.
unsigned ask(const Identity& source, const Identity& destination, const Question& q,
             AclQuery* queries, uint8_t& asked) noexcept {
  asked = 0;
  if (is_pod_and_own_node(source, destination)) return 0;
  unsigned n = 0;
  if (source.egress_subject != Identity::kNotIsolated) {
    queries[n++] = {q.protocol, source.egress_subject, destination.peer_class, q.port};
    asked |= 1;
  }
  if (destination.ingress_subject != Identity::kNotIsolated) {
    queries[n++] = {q.protocol, destination.ingress_subject, source.peer_class, q.port};
    asked |= 2;
  }
  return n;
}

/// Reads the answers of one pair in the order in which ask() wrote the questions.
Verdict settle(uint8_t asked, const uint32_t* answers) noexcept {
  Verdict v{Outcome::kAllow, 0, 0};
  if ((asked & 1) != 0) {
    v.egress_rule = *answers++;
    if (v.egress_rule == 0) v.outcome = Outcome::kDenyEgress;
  }
  if ((asked & 2) != 0) {
    v.ingress_rule = *answers;
    if (v.ingress_rule == 0 && v.outcome == Outcome::kAllow) v.outcome = Outcome::kDenyIngress;
  }
  return v;
}

struct Claimants {
  const Identity* list;
  size_t count;  ///< 0: too many, or the list is not there
};

Claimants claimants_of(const RuleSet& rules, const Identity& identity) noexcept {
  if ((identity.flags & Identity::kShared) == 0) return {&identity, 1};
  if (identity.endpoint >= rules.shared_addresses.size()) return {nullptr, 0};
  const std::vector<Identity>& list = rules.shared_addresses[identity.endpoint];
  if (list.size() > kMaxClaimants) return {nullptr, 0};
  return {list.data(), list.size()};
}

/// Several pods claim an address: whoever it is, the connection must be allowed. Egress is named
/// first, as for any other pair.
Verdict judge_shared(const RuleSet& rules, const Question& q) noexcept {
  const Claimants sources = claimants_of(rules, *q.source);
  const Claimants destinations = claimants_of(rules, *q.destination);
  if (sources.count == 0) return {Outcome::kDenyEgress, 0, 0};
  if (destinations.count == 0) return {Outcome::kDenyIngress, 0, 0};

  constexpr unsigned kPairs = kMaxClaimants * kMaxClaimants;
  AclQuery queries[kPairs * 2];
  uint32_t answers[kPairs * 2];
  uint8_t asked[kPairs];
  unsigned count = 0, pairs = 0;
  for (size_t s = 0; s < sources.count; ++s) {
    for (size_t d = 0; d < destinations.count; ++d) {
      count += ask(sources.list[s], destinations.list[d], q, queries + count, asked[pairs]);
      ++pairs;
    }
  }
  rules.acl->classify(queries, count, answers);

  Verdict all{Outcome::kAllow, 0, 0};
  const uint32_t* answer = answers;
  for (unsigned p = 0; p < pairs; ++p) {
    const Verdict v = settle(asked[p], answer);
    answer += (asked[p] & 1) + (asked[p] >> 1);
    if (v.outcome == Outcome::kDenyEgress) return v;
    if (v.outcome == Outcome::kDenyIngress && all.outcome == Outcome::kAllow) all = v;
    if (all.outcome == Outcome::kAllow) {
      if (all.egress_rule == 0) all.egress_rule = v.egress_rule;
      if (all.ingress_rule == 0) all.ingress_rule = v.ingress_rule;
    }
  }
  return all;
}

/// Rules by the numbers that they are known by outside.
void name_rules(const RuleSet& rules, Verdict& v) {
  if (!rules.rule_numbers) return;
  const uint32_t* numbers = rules.rule_numbers->data();
  if (v.egress_rule != 0) v.egress_rule = numbers[v.egress_rule - 1];
  if (v.ingress_rule != 0) v.ingress_rule = numbers[v.ingress_rule - 1];
}

}  // namespace

void judge(const RuleSet& rules, const Question* questions, unsigned count,
           Verdict* verdicts) noexcept {
  while (count > 0) {
    const unsigned n = std::min(count, kBurst);
    AclQuery queries[kBurst * 2];
    uint32_t answers[kBurst * 2];
    uint8_t asked[kBurst];
    unsigned pending = 0;
    for (unsigned i = 0; i < n; ++i) {
      const Question& q = questions[i];
      asked[i] = 0;
      if (q.source == q.destination) continue;  // an address talks to itself
      if (((q.source->flags | q.destination->flags) & Identity::kShared) != 0) continue;
      pending += ask(*q.source, *q.destination, q, queries + pending, asked[i]);
    }
    if (pending > 0) rules.acl->classify(queries, pending, answers);
    const uint32_t* answer = answers;
    for (unsigned i = 0; i < n; ++i) {
      const Question& q = questions[i];
      if (q.source != q.destination &&
          ((q.source->flags | q.destination->flags) & Identity::kShared) != 0) {
        verdicts[i] = judge_shared(rules, q);
      } else {
        verdicts[i] = settle(asked[i], answer);
        answer += (asked[i] & 1) + (asked[i] >> 1);
      }
      name_rules(rules, verdicts[i]);
    }
    questions += n;
    verdicts += n;
    count -= n;
  }
}

}  // namespace rampart
