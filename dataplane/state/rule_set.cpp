// SPDX-License-Identifier: Apache-2.0
#include "dataplane/state/rule_set.hpp"

#include <algorithm>

namespace rampart {
namespace {

constexpr unsigned kBurst = 64;

/// What is asked of the ACLs for some connections, and the answers: the numbers by which the rules
/// that matched are known, or 0.
template <unsigned kMost>
class Asking {
 public:
  /// Puts down what has to be asked about one pair of identities. Returns in which directions:
  /// bit 0 egress, bit 1 ingress.
  uint8_t add(const RuleSet& rules, const Identity& source, const Identity& destination,
              const Question& q) noexcept {
    const Subject egress = (*rules.subjects)[source.class_id].egress;
    const Subject ingress = (*rules.subjects)[destination.class_id].ingress;
    uint8_t asked = 0;
    if (egress.number != Subject::kNotIsolated) {
      add(egress, q, destination.class_id);
      asked |= 1;
    }
    if (ingress.number != Subject::kNotIsolated) {
      add(ingress, q, source.class_id);
      asked |= 2;
    }
    return asked;
  }

  /// Gets the answers to all of it, part by part.
  void classify(const RuleSet& rules) noexcept {
    if (rules.parts.size() == 1) return classify(rules.parts[0], queries_, count_, answers_);
    uint8_t left[kMost];
    unsigned count = count_;
    for (unsigned i = 0; i < count; ++i) left[i] = static_cast<uint8_t>(i);
    while (count > 0) {
      const uint16_t part = part_[left[0]];
      AclQuery queries[kMost];
      uint32_t found[kMost];
      uint8_t about[kMost];
      unsigned here = 0, others = 0;
      for (unsigned n = 0; n < count; ++n) {
        const uint8_t i = left[n];
        if (part_[i] == part) {
          about[here] = i;
          queries[here++] = queries_[i];
        } else {
          left[others++] = i;
        }
      }
      count = others;
      classify(rules.parts[part], queries, here, found);
      for (unsigned n = 0; n < here; ++n) answers_[about[n]] = found[n];
    }
  }

  /// What came of the pairs, in the order in which they were put down.
  Verdict take(uint8_t asked) noexcept {
    Verdict v{Outcome::kAllow, 0, 0};
    if ((asked & 1) != 0) {
      v.egress_rule = answers_[next_++];
      if (v.egress_rule == 0) v.outcome = Outcome::kDenyEgress;
    }
    if ((asked & 2) != 0) {
      v.ingress_rule = answers_[next_++];
      if (v.ingress_rule == 0 && v.outcome == Outcome::kAllow) v.outcome = Outcome::kDenyIngress;
    }
    return v;
  }

 private:
  static_assert(kMost <= 256);
  static void classify(const RulePart& part, AclQuery* queries, unsigned count,
                       uint32_t* answers) noexcept {
    if (count == 0) return;
    if (part.peers) {
      const uint32_t* numbers = part.peers->data();
      for (unsigned i = 0; i < count; ++i) queries[i].peer = numbers[queries[i].peer];
    }
    part.acl->classify(queries, count, answers);
    if (!part.rule_numbers) return;
    const uint32_t* numbers = part.rule_numbers->data();
    for (unsigned i = 0; i < count; ++i) {
      if (answers[i] != 0) answers[i] = numbers[answers[i] - 1];
    }
  }
  void add(Subject subject, const Question& q, uint32_t peer) noexcept {
    part_[count_] = subject.part;
    queries_[count_++] = {q.protocol, subject.number, peer, q.port};
  }

  AclQuery queries_[kMost];
  uint16_t part_[kMost];
  uint32_t answers_[kMost];
  unsigned count_ = 0, next_ = 0;
};

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
  Asking<kPairs * 2> asking;
  uint8_t asked[kPairs];
  unsigned pairs = 0;
  for (size_t s = 0; s < sources.count; ++s) {
    for (size_t d = 0; d < destinations.count; ++d) {
      const Identity &from = sources.list[s], &to = destinations.list[d];
      asked[pairs++] = is_pod_and_own_node(from, to) ? uint8_t{0} : asking.add(rules, from, to, q);
    }
  }
  asking.classify(rules);

  Verdict all{Outcome::kAllow, 0, 0};
  for (unsigned p = 0; p < pairs; ++p) {
    const Verdict v = asking.take(asked[p]);
    if (v.outcome == Outcome::kDenyEgress) return v;
    if (v.outcome == Outcome::kDenyIngress && all.outcome == Outcome::kAllow) all = v;
    if (all.outcome == Outcome::kAllow) {
      if (all.egress_rule == 0) all.egress_rule = v.egress_rule;
      if (all.ingress_rule == 0) all.ingress_rule = v.ingress_rule;
    }
  }
  return all;
}

bool is_shared(const Question& q) noexcept {
  return ((q.source->flags | q.destination->flags) & Identity::kShared) != 0;
}

/// Whether the classes of both ends may not be all that decides.
bool is_special(const Question& q) noexcept {
  return q.source == q.destination || (q.source->flags | q.destination->flags) != 0;
}

/// At most kBurst questions. `known`: null, or what has been answered of late.
void judge_burst(const RuleSet& rules, const Question* questions, unsigned count, Verdict* verdicts,
                 VerdictCache* known) noexcept {
  constexpr uint8_t kKnown = 0xfe, kShared = 0xff;
  Asking<kBurst * 2> asking;
  uint8_t asked[kBurst];
  VerdictCache::Key key[kBurst];
  for (unsigned i = 0; known != nullptr && i < count; ++i) {
    key[i] = {questions[i], rules.revision};
    known->prefetch(key[i]);
  }
  for (unsigned i = 0; i < count; ++i) {
    const Question& q = questions[i];
    if (is_special(q)) [[unlikely]] {
      asked[i] = 0;
      if (q.source == q.destination) continue;  // an address talks to itself
      if (is_shared(q)) {
        asked[i] = kShared;
        continue;
      }
      if (is_pod_and_own_node(*q.source, *q.destination)) continue;
    }
    const Verdict* verdict = known != nullptr ? known->find(key[i]) : nullptr;
    if (verdict != nullptr) {
      verdicts[i] = *verdict;
      asked[i] = kKnown;
    } else {
      asked[i] = asking.add(rules, *q.source, *q.destination, q);
    }
  }
  asking.classify(rules);
  for (unsigned i = 0; i < count; ++i) {
    if (asked[i] == kKnown) continue;
    if (asked[i] == kShared) {
      verdicts[i] = judge_shared(rules, questions[i]);
      continue;
    }
    verdicts[i] = asking.take(asked[i]);
    // (One of this burst may have been the same.)
    if (known != nullptr && asked[i] != 0 && known->find(key[i]) == nullptr) {
      known->keep(key[i], verdicts[i]);
    }
  }
}

}  // namespace

void judge(const RuleSet& rules, const Question* questions, unsigned count, Verdict* verdicts,
           VerdictCache* known) noexcept {
  for (unsigned at = 0; at < count; at += kBurst) {
    judge_burst(rules, questions + at, std::min(count - at, kBurst), verdicts + at, known);
  }
}

}  // namespace rampart
