// SPDX-License-Identifier: Apache-2.0
#include "dataplane/state/verdict_cache.hpp"

#include <gtest/gtest.h>

#include <memory>
#include <random>
#include <vector>

#include "dataplane/state/rule_set.hpp"

namespace rampart {
namespace {

Identity of_class(uint32_t class_id, uint32_t node = 0, uint16_t flags = 0) {
  Identity id;
  id.class_id = class_id;
  id.node = node;
  id.flags = flags;
  return id;
}

TEST(VerdictCache, KnowsWhatItWasToldAndNothingElse) {
  const Identity one = of_class(1), two = of_class(2), one_more = of_class(1, 7);
  const Verdict verdict{Outcome::kDenyIngress, 5, 6};
  const auto known = std::make_unique<VerdictCache>();
  const Question question{&one, &two, 6, 80};
  EXPECT_EQ(known->find({question, 3}), nullptr);
  known->keep({question, 3}, verdict);
  for (const Question& same : {question, Question{&one_more, &two, 6, 80}}) {
    const Verdict* found = known->find({same, 3});
    ASSERT_NE(found, nullptr);
    EXPECT_EQ(found->outcome, verdict.outcome);
    EXPECT_EQ(found->egress_rule, 5U);
    EXPECT_EQ(found->ingress_rule, 6U);
  }
  EXPECT_EQ(known->find({question, 4}), nullptr);
  EXPECT_EQ(known->find({question, 3 + (Revision{1} << 32)}), nullptr);
  for (const Question& other :
       {Question{&two, &one, 6, 80}, Question{&one, &one, 6, 80}, Question{&two, &two, 6, 80},
        Question{&one, &two, 17, 80}, Question{&one, &two, 6, 81}}) {
    EXPECT_EQ(known->find({other, 3}), nullptr);
  }
}

TEST(VerdictCache, KeepsTheLaterOfThoseThatShareALine) {
  // So many that each line has met more than two.
  constexpr uint32_t kQuestions = 64 * 1024;
  std::vector<Identity> ids;
  for (uint32_t n = 0; n < kQuestions; ++n) ids.push_back(of_class(n));
  const Identity server = of_class(kQuestions);
  const auto known = std::make_unique<VerdictCache>();
  unsigned left = 0, left_late = 0;
  for (uint32_t n = 0; n < kQuestions; ++n) {
    known->keep({{&ids[n], &server, 6, 80}, 1}, {Outcome::kAllow, n, 0});
  }
  for (uint32_t n = 0; n < kQuestions; ++n) {
    // Some of these have the line of the one that is known.
    EXPECT_EQ(known->find({{&ids[n], &server, 17, 80}, 1}), nullptr);
    EXPECT_EQ(known->find({{&ids[n], &server, 6, 81}, 1}), nullptr);
    const Verdict* found = known->find({{&ids[n], &server, 6, 80}, 1});
    if (found == nullptr) continue;
    EXPECT_EQ(found->egress_rule, n);
    ++left;
    left_late += n >= kQuestions - 1024;
  }
  EXPECT_EQ(left, 4096U);
  EXPECT_GT(left_late, 960U);
}

/// Tables in which much hangs on little: few classes, some isolated, rules at random.
class Judging : public testing::Test {
 protected:
  static constexpr uint32_t kClasses = 8;
  static constexpr L4Port kPorts[] = {80, 443, 8080};

  void put_in_force(Revision revision) {
    std::vector<Subjects> subjects(kClasses);
    for (uint32_t c = 0; c < kClasses; ++c) {
      if (random_() % 4 != 0) subjects[c].ingress.number = static_cast<uint16_t>(1 + c);
      if (random_() % 4 == 0) subjects[c].egress.number = static_cast<uint16_t>(1 + kClasses + c);
    }
    std::vector<AclRule> acl;
    for (uint32_t n = 0; n < 60; ++n) {
      AclRule rule;
      rule.protocol = random_() % 2 == 0 ? 6 : 17;
      rule.subject_first = rule.subject_last =
          static_cast<uint16_t>(1 + random_() % (2 * kClasses));
      rule.peer_first = rule.peer_last = random_() % kClasses;
      rule.port_first = rule.port_last = kPorts[random_() % std::size(kPorts)];
      rule.rule = n + 1;
      acl.push_back(rule);
    }
    auto made = AclTable::build(acl);
    ASSERT_TRUE(made);
    rules_.mode = RuleSet::Mode::kByTables;
    rules_.revision = revision;
    rules_.subjects = std::make_shared<const std::vector<Subjects>>(std::move(subjects));
    rules_.parts = {{*std::move(made), nullptr, nullptr}};
    rules_.shared_addresses = {{of_class(1), of_class(2)}, {of_class(3), of_class(4)}};
  }

  std::mt19937 random_{23};
  RuleSet rules_;
};

// What is known must be what would be said, under each revision; also of pairs whose classes are
// those of others, but who are a pod and its own node, or several pods.
TEST_F(Judging, SaysTheSameWithACache) {
  std::vector<Identity> ids;
  for (uint32_t c = 0; c < kClasses; ++c) {
    ids.push_back(of_class(c));
    ids.push_back(of_class(c, 1 + c % 2));
    ids.push_back(of_class(c, 1 + c % 2, Identity::kIsNode));
  }
  for (uint32_t n = 0; n < 2; ++n) {
    Identity shared = of_class(n, 0, Identity::kShared);
    shared.endpoint = n;
    ids.push_back(shared);
  }
  const auto known = std::make_unique<VerdictCache>();
  unsigned allowed = 0, found = 0;
  for (Revision revision = 1; revision <= 20; ++revision) {
    ASSERT_NO_FATAL_FAILURE(put_in_force(revision));
    for (int burst = 0; burst < 20; ++burst) {
      Question questions[100];
      Verdict plain[100], cached[100];
      const unsigned count = 1 + random_() % 100;
      for (unsigned i = 0; i < count; ++i) {
        questions[i] = {&ids[random_() % ids.size()], &ids[random_() % ids.size()],
                        static_cast<uint8_t>(random_() % 2 == 0 ? 6 : 17),
                        kPorts[random_() % std::size(kPorts)]};
        found += known->find({questions[i], revision}) != nullptr;
      }
      judge(rules_, questions, count, plain);
      judge(rules_, questions, count, cached, known.get());
      for (unsigned i = 0; i < count; ++i) {
        ASSERT_EQ(cached[i].outcome, plain[i].outcome);
        ASSERT_EQ(cached[i].egress_rule, plain[i].egress_rule);
        ASSERT_EQ(cached[i].ingress_rule, plain[i].ingress_rule);
        allowed += plain[i].outcome == Outcome::kAllow;
      }
    }
  }
  EXPECT_GT(allowed, 2000U);
  EXPECT_GT(found, 2000U);
}

}  // namespace
}  // namespace rampart
