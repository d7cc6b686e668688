// SPDX-License-Identifier: Apache-2.0
//
// Random clusters and random connections: the compiled rule set against the plain evaluator.
// See tests/support/chance.hpp for other seeds and longer runs.
#include <gtest/gtest.h>

#include <chrono>
#include <iostream>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "control/compile/compile.hpp"
#include "control/compile/prove.hpp"
#include "control/kube/encode.hpp"
#include "control/kube/evaluate.hpp"
#include "control/kube/events.hpp"
#include "tests/support/ask.hpp"
#include "tests/support/chance.hpp"
#include "tests/support/random_cluster.hpp"

namespace rampart {
namespace {

using compile::Compiled;
using support::RandomCluster;
using support::RandomProbe;

std::shared_ptr<const Compiled> compile_state(const kube::ClusterState& state, Revision revision,
                                              const Compiled* previous,
                                              const compile::Effort& effort = {}) {
  auto made = compile::compile_with(effort, std::make_shared<const kube::ClusterState>(state),
                                    revision, previous);
  EXPECT_TRUE(made) << made.error().text();
  return made ? *made : nullptr;
}

std::optional<kube::Admission> origin(const Compiled& compiled, uint32_t rule) {
  const kube::Admission* found = compiled.origins->find(rule);
  EXPECT_TRUE(found != nullptr || rule == 0) << "rule " << rule;
  return found == nullptr ? std::nullopt : std::optional(*found);
}

struct Counts {
  size_t allowed = 0, denied = 0, shared = 0, by_rule = 0, plans = 0;
};

/// Asks both. Returns false, having said so, when they differ.
bool agree(const Compiled& compiled, const kube::Evaluator& evaluator, const RandomProbe& probe,
           Counts& counts) {
  const auto plain = evaluator.evaluate(probe.from, probe.to, probe.protocol, probe.port);
  const Verdict verdict =
      support::ask(*compiled.rules, probe.from, probe.to, probe.protocol, probe.port);
  const bool allowed = verdict.outcome == Outcome::kAllow;
  ++(allowed ? counts.allowed : counts.denied);
  EXPECT_EQ(allowed, plain.allowed) << probe.text() << ": " << plain.why;
  if (evaluator.end(probe.from).is_shared() || evaluator.end(probe.to).is_shared()) {
    ++counts.shared;
    return allowed == plain.allowed;
  }
  // No two identities: then the reasons must be the same too.
  const auto expected = plain.allowed          ? Outcome::kAllow
                        : plain.egress.allowed ? Outcome::kDenyIngress
                                               : Outcome::kDenyEgress;
  EXPECT_EQ(verdict.outcome, expected) << probe.text() << ": " << plain.why;
  EXPECT_EQ(origin(compiled, verdict.egress_rule), plain.egress.admission)
      << probe.text() << ": " << plain.egress.why;
  EXPECT_EQ(origin(compiled, verdict.ingress_rule), plain.ingress.admission)
      << probe.text() << ": " << plain.ingress.why;
  counts.by_rule += (verdict.egress_rule | verdict.ingress_rule) != 0;
  return !testing::Test::HasFailure();
}

/// What of a compilation must hold whatever was compiled.
void check_facts(const Compiled& compiled) {
  size_t rules = 0;
  const auto policies = compile::policy_facts(compiled);
  for (const auto& facts : policies) rules += facts.acl_rules;
  EXPECT_EQ(rules, compiled.acl_rules);
  EXPECT_EQ(policies.size(), compiled.state->policies.size());
  for (size_t e = 0; e < compiled.endpoints.size(); ++e) {
    const kube::Pod* pod = compiled.endpoints[e];
    if (pod == nullptr) continue;
    const auto found = compiled.state->pods.find({pod->ns, pod->name});
    ASSERT_NE(found, compiled.state->pods.end());
    ASSERT_EQ(found->second.get(), pod);
    for (const IpAddress& address : pod->addresses) {
      const Identity* identity = compiled.rules->addresses->find(address);
      EXPECT_TRUE((identity->flags & Identity::kShared) != 0 || identity->endpoint == e + 1);
    }
  }
}

TEST(CompiledPolicy, EqualsTheEvaluator) {
  Counts counts;
  const uint64_t rounds = support::rounds(600);
  for (uint64_t round = 0; round < rounds; ++round) {
    SCOPED_TRACE("round " + std::to_string(round));
    RandomCluster random(support::seed() + round);
    const auto compiled = compile_state(random.make(), 1, nullptr);
    ASSERT_NE(compiled, nullptr);
    check_facts(*compiled);
    counts.plans += !compiled->rules->parts[0].acl->plan().first.empty();
    const kube::Evaluator evaluator(*compiled->state);
    for (const RandomProbe& probe : random.probes(*compiled->state, 400)) {
      ASSERT_TRUE(agree(*compiled, evaluator, probe, counts));
    }
  }
  std::cout << counts.allowed << " allowed, " << counts.denied << " denied, " << counts.shared
            << " with shared addresses, " << counts.by_rule << " allowed by a rule; "
            << counts.plans << " of " << rounds << " clusters needed a plan\n";
  EXPECT_GT(counts.denied, rounds * 20);
  EXPECT_GT(counts.by_rule, rounds * 10);
  EXPECT_GT(counts.shared, rounds * 5);
}

/// A chain of revisions, each compiled with the one before. A flow that was judged under the one
/// before is only judged again if the rule set says so: whenever it does not, nothing about the
/// flow's verdict may have changed.
TEST(CompiledPolicy, RevisionsFollowEachOtherSoundly) {
  Counts counts;
  size_t spared = 0, only_addresses = 0, revisions = 0, proved = 0, in_parts = 0;
  const uint64_t rounds = support::rounds(600) / 6 + 1;
  for (uint64_t round = 0; round < rounds; ++round) {
    SCOPED_TRACE("round " + std::to_string(round));
    RandomCluster random(~support::seed() + round);
    kube::ClusterState state = random.make();
    // In parts, as large clusters are compiled, and all anew.
    // Few namespaces speak of a set here, and yet some of them have to be too many.
    const compile::Effort effort{round % 4 == 0 ? compile::Effort{}.small : 0, round % 3};
    auto compiled = compile_state(state, 1, nullptr, effort);
    for (Revision revision = 2; revision < 14; ++revision) {
      random.change(state);
      const auto next = compile_state(state, revision, compiled.get(), effort);
      ASSERT_NE(next, nullptr);
      check_facts(*next);
      ++revisions;
      in_parts += next->rules->parts.size() > 1;
      only_addresses += next->rules->policy_changed_in != revision;
      const auto proof = compile::prove(*next, compiled.get(), std::chrono::seconds(1), revision);
      ASSERT_EQ(proof.wrong, "") << "revision " << revision;
      proved += proof.probes;
      const kube::Evaluator evaluator(*next->state);
      for (const RandomProbe& probe : random.probes(state, 100)) {
        ASSERT_TRUE(agree(*next, evaluator, probe, counts)) << "revision " << revision;
        const auto& addresses = *next->rules->addresses;
        if (next->rules->policy_changed_in == revision ||
            addresses.changed_in(probe.from) == revision ||
            addresses.changed_in(probe.to) == revision) {
          continue;
        }
        const auto put = [&](const Compiled& to) {
          return support::ask(*to.rules, probe.from, probe.to, probe.protocol, probe.port);
        };
        const Verdict before = put(*compiled), after = put(*next);
        ASSERT_EQ(before.outcome, after.outcome) << probe.text() << ", revision " << revision;
        ASSERT_EQ(origin(*compiled, before.egress_rule), origin(*next, after.egress_rule));
        ASSERT_EQ(origin(*compiled, before.ingress_rule), origin(*next, after.ingress_rule));
        ++spared;
      }
      compiled = next;
    }
  }
  std::cout << only_addresses << " of " << revisions << " revisions changed addresses only, "
            << spared << " connections needed no second judgement; " << in_parts
            << " were in several parts\n";
  EXPECT_GT(in_parts, revisions / 3);
  EXPECT_GT(only_addresses, revisions / 20);
  EXPECT_GT(spared, revisions);
  EXPECT_GT(proved, revisions * 10);
}

/// What the store keeps of a change: written down and read again it makes the same state.
TEST(Changes, WrittenDownMakeTheSameState) {
  size_t bytes = 0;
  for (uint64_t round = 0; round < support::rounds(600) / 6 + 1; ++round) {
    SCOPED_TRACE("round " + std::to_string(round));
    RandomCluster random(support::seed() + 31 * round);
    kube::ClusterState state;
    for (int change = 0; change < 12; ++change) {
      const kube::ClusterState before = state;
      random.change(state);
      if (random.one_in(6)) {
        // Through the events that people send, which can take a namespace along.
        const auto gone = kube::apply_events(
            state, R"({"type":"DELETED","object":{"apiVersion":"v1","kind":"Namespace",)"
                   R"("metadata":{"name":")" +
                       (state.namespaces.empty() ? "x" : state.namespaces.begin()->first.name) +
                       R"("}}})");
        ASSERT_TRUE(gone) << gone.error().text();
        state = gone->state;
        random.change(state);
      }
      // What comes from outside has its namespaces, and lists without repetitions.
      auto read = kube::decode_snapshot(kube::encode_snapshot(state));
      ASSERT_TRUE(read) << read.error().text();
      state = std::move(read->state);
      const std::string events = *kube::encode_changes(before, state);
      bytes += events.size();
      const auto again = kube::apply_events(before, events);
      ASSERT_TRUE(again) << again.error().text() << "\n" << events;
      ASSERT_TRUE(kube::same(again->state, state)) << events;
      ASSERT_EQ(kube::encode_changes(before, state, events.size()), events);
      if (!events.empty()) {
        ASSERT_FALSE(kube::encode_changes(before, state, events.size() - 1));
      }
    }
  }
  EXPECT_GT(bytes, 10000U);
}

}  // namespace
}  // namespace rampart
