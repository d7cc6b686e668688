// SPDX-License-Identifier: Apache-2.0
//
// What is said to be covered must be covered: checked against the plain evaluator, which knows
// nothing of containment.
#include "control/lint/containment.hpp"

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "control/kube/evaluate.hpp"
#include "control/lint/checks.hpp"
#include "tests/support/random_cluster.hpp"

namespace rampart::lint {
namespace {

IpPrefix prefix(const std::string& text) {
  return IpPrefix::parse(text).value();
}

TEST(Exhausted, CountsWhatIsLeft) {
  EXPECT_FALSE(exhausted(prefix("10.0.0.0/24"), {}));
  EXPECT_TRUE(exhausted(prefix("10.0.0.0/24"), {prefix("10.0.0.0/24")}));
  EXPECT_TRUE(exhausted(prefix("10.0.0.0/24"), {prefix("10.0.0.128/25"), prefix("10.0.0.0/25")}));
  EXPECT_FALSE(exhausted(prefix("10.0.0.0/30"), {prefix("10.0.0.0/32"), prefix("10.0.0.2/31")}));
  EXPECT_TRUE(exhausted(prefix("10.0.0.0/31"), {prefix("10.0.0.0/32"), prefix("10.0.0.1/32")}));
  EXPECT_TRUE(exhausted(prefix("0.0.0.0/0"), {prefix("0.0.0.0/1"), prefix("128.0.0.0/1")}));
  EXPECT_FALSE(exhausted(prefix("::/0"), {prefix("0.0.0.0/0")}));
  EXPECT_FALSE(exhausted(prefix("::/0"), {prefix("::1/128"), prefix("ffff::/16")}));
}

/// The state without one rule of one policy. (Isolation stays, also without its last rule.)
kube::ClusterState without(kube::ClusterState state, const kube::ObjectKey& key,
                           const RuleView& view) {
  kube::NetworkPolicy policy = *state.policies.at(key);
  auto& rules = view.egress() ? policy.egress : policy.ingress;
  rules.erase(rules.begin() + static_cast<std::ptrdiff_t>(view.index));
  state.policies[key] = std::make_shared<const kube::NetworkPolicy>(std::move(policy));
  return state;
}

TEST(Shadows, AreRulesThatNobodyMisses) {
  constexpr uint64_t kClusters = 150;
  size_t shadows = 0, differences_without_others = 0, others = 0;
  for (uint64_t seed = 1; seed <= kClusters; ++seed) {
    support::RandomCluster random(seed);
    const kube::ClusterState state = random.make();
    kube::Survey survey;
    survey.state = state;
    for (const auto& [key, policy] : state.policies)
      survey.policies.emplace(key, kube::SeenPolicy{});
    std::vector<std::string> named;
    for (const Finding& finding : examine(survey)) {
      if (finding.rule == RuleId::kShadowedRule) named.push_back(finding.object + finding.path);
    }
    const auto probes = random.probes(state, 200);
    const kube::Evaluator before(state);
    for (const auto& [key, policy] : state.policies) {
      for (const RuleView& view : rules_of(*policy)) {
        const bool shadow = std::find(named.begin(), named.end(),
                                      "NetworkPolicy " + key.text() + view.path()) != named.end();
        const kube::ClusterState changed = without(state, key, view);
        const kube::Evaluator after(changed);
        bool differs = false;
        for (const auto& probe : probes) {
          const bool same =
              before.evaluate(probe.from, probe.to, probe.protocol, probe.port).allowed ==
              after.evaluate(probe.from, probe.to, probe.protocol, probe.port).allowed;
          differs = differs || !same;
          if (shadow) {
            EXPECT_TRUE(same) << "seed " << seed << ", " << key.text() << " " << view.path() << ", "
                              << probe.text();
          }
        }
        shadows += shadow ? 1 : 0;
        others += shadow ? 0 : 1;
        differences_without_others += !shadow && differs ? 1 : 0;
      }
    }
  }
  // The test means something: there were shadows, and rules that are missed when they go.
  EXPECT_GT(shadows, 50U);
  EXPECT_GT(differences_without_others, 50U) << "of " << others;
}

}  // namespace
}  // namespace rampart::lint
