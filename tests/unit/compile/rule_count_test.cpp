// SPDX-License-Identifier: Apache-2.0
//
// The number of ACL rules stays below four times the number of (rule × peer × port) entries,
// whatever the number of pods and however their labels overlap.
#include <gtest/gtest.h>

#include <memory>
#include <ostream>
#include <random>
#include <string>

#include "control/compile/compile.hpp"
#include "control/kube/evaluate.hpp"
#include "tests/support/ask.hpp"
#include "tests/support/shapes.hpp"

namespace rampart {
namespace {

struct Named {
  const char* name;
  support::Shape shape;
};

void PrintTo(const Named& named, std::ostream* out) {
  *out << named.name;
}

class RuleCount : public ::testing::TestWithParam<Named> {};

/// Connections between pods drawn by lot mean what they should.
void spot_check(const compile::Compiled& compiled) {
  const kube::Evaluator evaluator(*compiled.state);
  std::mt19937 random(7);
  const auto any_address = [&] {
    return IpAddress::v4(0x0A000000 +
                         static_cast<uint32_t>(random() % compiled.state->pods.size()));
  };
  size_t allowed = 0, isolated = 0;
  for (int i = 0; i < 4000; ++i) {
    const IpAddress from = any_address(), to = any_address();
    const L4Port port = i % 3 == 0 ? 80 : i % 3 == 1 ? 8080 : 53;
    const auto plain = evaluator.evaluate(from, to, 6, port);
    const Verdict verdict = support::ask(*compiled.rules, from, to, 6, port);
    ASSERT_EQ(verdict.outcome == Outcome::kAllow, plain.allowed)
        << from.text() << " -> " << to.text() << " " << port << ": " << plain.why;
    allowed += plain.allowed;
    isolated += plain.egress.isolated || plain.ingress.isolated;
  }
  EXPECT_GT(allowed, 0U);
  EXPECT_GT(isolated, 100U);
}

TEST_P(RuleCount, StaysBelowFourTimesTheEntries) {
  auto state = std::make_shared<const kube::ClusterState>(make_cluster(GetParam().shape));
  const auto compiled = compile::compile(state, 1, nullptr);
  ASSERT_TRUE(compiled) << compiled.error().text();
  size_t entries = 0;  // counted apart from the compiler
  for (const auto& [key, policy] : state->policies) {
    for (const auto* side : {&policy->ingress, &policy->egress}) {
      for (const kube::PolicyRule& rule : *side) {
        entries += std::max<size_t>(rule.peers.size(), 1) * std::max<size_t>(rule.ports.size(), 1);
      }
    }
  }
  EXPECT_GT(entries, GetParam().shape.policies);
  EXPECT_EQ((*compiled)->policy_entries, entries);
  EXPECT_GT((*compiled)->acl_rules, entries / 2);
  EXPECT_LT((*compiled)->acl_rules, 4 * entries);
  spot_check(**compiled);
}

INSTANTIATE_TEST_SUITE_P(
    Shapes, RuleCount,
    ::testing::Values(
        Named{"FiveThousandPodsUnderTwoHundredPolicies", {}},
        Named{"OneUniqueLabelAPod", {.unique_labels = true}},
        Named{"PeersByUniqueLabel", {.select_by_unique_label = true}},
        Named{"OneNodeAPod", {.node_each = true}},
        Named{"AllOfIt", {.unique_labels = true, .node_each = true}},
        Named{"TenPods", {.pods = 10, .policies = 12, .namespaces = 2}},
        Named{"LabelsThatCrossEachOther", {.crossing_labels = true}},
        Named{"LabelsThatCrossInTenNamespaces", {.namespaces = 10, .crossing_labels = true}},
        Named{"LabelsThatCrossInOneNamespace", {.namespaces = 1, .crossing_labels = true}},
        Named{"PeersDrawnByLot", {.random_sets = true}},
        Named{"SubjectsDrawnByLot", {.namespaces = 5, .random_subjects = true}},
        Named{"AllDrawnByLot", {.namespaces = 5, .random_sets = true, .random_subjects = true}}),
    [](const auto& param) { return param.param.name; });

}  // namespace
}  // namespace rampart
