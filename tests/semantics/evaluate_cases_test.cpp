// SPDX-License-Identifier: Apache-2.0
//
// Every cell of every truth table, against the plain evaluator.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cctype>
#include <string>
#include <vector>

#include "control/kube/evaluate.hpp"
#include "tests/support/cases.hpp"

namespace rampart {
namespace {

using ::testing::ElementsAre;

/// Cases whose verdict hangs on a policy kind that is not enforced yet. They are not judged, but
/// each must say by name what it holds.
const std::vector<std::string>& unsupported_cases() {
  static const std::vector<std::string> kNames{"spec-43-baseline-pass"};
  return kNames;
}

std::vector<support::Case> all_cases() {
  auto cases = support::load_cases(RAMPART_CASES_DIR);
  EXPECT_TRUE(cases) << cases.error().text();
  return cases ? std::move(*cases) : std::vector<support::Case>();
}

class EvaluateCase : public ::testing::TestWithParam<support::Case> {};

TEST_P(EvaluateCase, EveryCell) {
  kube::ClusterState state;
  size_t cells = 0, step_number = 0;
  for (const auto& step : GetParam().steps) {
    auto next = support::after(state, step);
    ASSERT_TRUE(next) << next.error().text();
    state = std::move(*next);
    if (std::count(unsupported_cases().begin(), unsupported_cases().end(), GetParam().name) != 0) {
      ASSERT_FALSE(state.unsupported.empty());
      continue;
    }
    ASSERT_TRUE(state.unsupported.empty()) << "holds a policy kind that is not enforced";
    const kube::Evaluator evaluator(state);
    for (const auto& probe : step.probes) {
      const auto from = support::resolve(state, probe.source);
      const auto to = support::resolve(state, probe.destination);
      ASSERT_TRUE(from) << from.error().text();
      ASSERT_TRUE(to) << to.error().text();
      if (*from == *to) continue;  // loopback: never reaches a gateway
      const auto seen =
          evaluator.evaluate(*from, *to, probe.protocol_number(from->family()), probe.port);
      EXPECT_EQ(seen.allowed, probe.allow)
          << "step " << step_number << ": " << probe.text() << ": " << seen.why;
      EXPECT_FALSE(seen.why.empty() || seen.egress.why.empty() || seen.ingress.why.empty());
      ++cells;
    }
    ++step_number;
  }
  if (state.unsupported.empty()) {
    EXPECT_GT(cells, 0U);
  }
}

INSTANTIATE_TEST_SUITE_P(Cases, EvaluateCase, ::testing::ValuesIn(all_cases()), [](const auto& c) {
  std::string name = c.param.name;
  for (char& letter : name) {
    if (std::isalnum(static_cast<unsigned char>(letter)) == 0) letter = '_';
  }
  return name;
});

TEST(UnsupportedCases, SayWhatTheyHold) {
  std::vector<std::string> held;
  for (const auto& c : all_cases()) {
    if (c.name != "spec-43-baseline-pass") continue;
    const auto state = support::after({}, c.steps.front());
    ASSERT_TRUE(state) << state.error().text();
    for (const auto& [key, policy] : state->unsupported) {
      held.push_back(key.text() + " " + policy->api_version);
    }
  }
  EXPECT_THAT(held, ElementsAre("ClusterNetworkPolicy.policy.networking.k8s.io/deny "
                                "policy.networking.k8s.io/v1alpha2",
                                "ClusterNetworkPolicy.policy.networking.k8s.io/pass "
                                "policy.networking.k8s.io/v1alpha2"));
}

}  // namespace
}  // namespace rampart
