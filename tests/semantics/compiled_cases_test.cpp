// SPDX-License-Identifier: Apache-2.0
//
// Every cell of every truth table, asked of the compiled rule set. Steps are compiled as the daemon
// does it: from watch events, with the revision before.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cctype>
#include <memory>
#include <string>
#include <vector>

#include "control/compile/compile.hpp"
#include "tests/support/ask.hpp"
#include "tests/support/cases.hpp"

namespace rampart {
namespace {

using ::testing::ElementsAre;

std::vector<support::Case> all_cases() {
  auto cases = support::load_cases(RAMPART_CASES_DIR);
  EXPECT_TRUE(cases) << cases.error().text();
  return cases ? std::move(*cases) : std::vector<support::Case>();
}

/// Cases whose verdict hangs on a policy kind that is not enforced yet.
bool is_enforced(const support::Case& c) {
  return c.name != "spec-43-baseline-pass";
}

std::shared_ptr<const compile::Compiled> compile_state(kube::ClusterState state, Revision revision,
                                                       const compile::Compiled* previous) {
  auto made = compile::compile(std::make_shared<const kube::ClusterState>(std::move(state)),
                               revision, previous);
  EXPECT_TRUE(made) << made.error().text();
  return made ? *made : nullptr;
}

/// Asks all probes of a step. Returns how many there were.
size_t ask_all(const compile::Compiled& compiled, const support::CaseStep& step) {
  size_t cells = 0;
  for (const auto& probe : step.probes) {
    const auto from = support::resolve(*compiled.state, probe.source);
    const auto to = support::resolve(*compiled.state, probe.destination);
    EXPECT_TRUE(from) << from.error().text();
    EXPECT_TRUE(to) << to.error().text();
    if (!from || !to || *from == *to) continue;  // loopback: never reaches a gateway
    const Verdict verdict = support::ask(*compiled.rules, *from, *to,
                                         probe.protocol_number(from->family()), probe.port);
    EXPECT_EQ(verdict.outcome == Outcome::kAllow, probe.allow) << probe.text();
    ++cells;
  }
  return cells;
}

class CompiledCase : public ::testing::TestWithParam<support::Case> {};

TEST_P(CompiledCase, EveryCellStepByStep) {
  std::shared_ptr<const compile::Compiled> compiled;
  Revision revision = 0;
  for (const auto& step : GetParam().steps) {
    SCOPED_TRACE("step " + std::to_string(revision));
    auto state = support::after(compiled ? *compiled->state : kube::ClusterState(), step);
    ASSERT_TRUE(state) << state.error().text();
    compiled = compile_state(std::move(*state), ++revision, compiled.get());
    ASSERT_NE(compiled, nullptr);
    EXPECT_EQ(compiled->rules->revision, revision);
    if (!is_enforced(GetParam())) {
      EXPECT_FALSE(compiled->warnings.empty());
      continue;
    }
    EXPECT_GT(ask_all(*compiled, step), 0U);
    // The same from nothing: what came before must not matter.
    const auto afresh = compile_state(*compiled->state, revision, nullptr);
    ASSERT_NE(afresh, nullptr);
    ask_all(*afresh, step);
  }
}

INSTANTIATE_TEST_SUITE_P(Cases, CompiledCase, ::testing::ValuesIn(all_cases()), [](const auto& c) {
  std::string name = c.param.name;
  for (char& letter : name) {
    if (std::isalnum(static_cast<unsigned char>(letter)) == 0) letter = '_';
  }
  return name;
});

TEST(CompiledCases, UnsupportedKindsAreNamed) {
  std::vector<std::string> named;
  for (const auto& c : all_cases()) {
    auto state = support::after({}, c.steps.front());
    ASSERT_TRUE(state) << state.error().text();
    const auto compiled = compile_state(std::move(*state), 1, nullptr);
    ASSERT_NE(compiled, nullptr);
    for (const compile::Warning& warning : compiled->warnings) {
      if (warning.code == "unsupported-policy") named.push_back(c.name + ": " + warning.object);
    }
  }
  EXPECT_THAT(named, ElementsAre("spec-43-baseline-pass: ClusterNetworkPolicy deny",
                                 "spec-43-baseline-pass: ClusterNetworkPolicy pass"));
}

}  // namespace
}  // namespace rampart
