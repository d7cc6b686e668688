// SPDX-License-Identifier: Apache-2.0
#include "dataplane/acl/acl_table.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <string>

#include "dataplane/dpdk/acl_algorithm.hpp"
#include "tests/support/eal.hpp"
#include "tests/support/vectors.hpp"

namespace rampart {
namespace {

std::shared_ptr<const AclTable> build(std::vector<AclRule> rules) {
  auto table = AclTable::build(std::move(rules));
  EXPECT_TRUE(table) << table.error().text();
  return table ? *table : nullptr;
}

uint32_t ask(const AclTable& table, const AclQuery& query) {
  uint32_t rule = 99;
  table.classify(&query, 1, &rule);
  return rule;
}

bool matches(const AclRule& r, const AclQuery& q) {
  return (r.any_protocol || r.protocol == q.protocol) && r.subject_first <= q.subject &&
         q.subject <= r.subject_last && r.peer_first <= q.peer && q.peer <= r.peer_last &&
         r.port_first <= q.port && q.port <= r.port_last;
}

uint32_t linear_scan(const std::vector<AclRule>& rules, const AclQuery& q) {
  uint32_t best = 0;
  for (const AclRule& r : rules) {
    if (matches(r, q) && (best == 0 || r.rule < best)) best = r.rule;
  }
  return best;
}

TEST(AclTable, WithoutRulesNothingMatches) {
  const auto table = build({});
  EXPECT_EQ(ask(*table, {6, 1, 1, 80}), 0U);
}

TEST(AclTable, EveryFieldHasBothBoundsInclusive) {
  const auto table = build({{.protocol = 6,
                             .subject_first = 256,
                             .subject_last = 511,
                             .peer_first = 0x10000,
                             .peer_last = 0x200FF,
                             .port_first = 80,
                             .port_last = 90,
                             .rule = 5}});
  const AclQuery inside{6, 300, 0x18000, 85};
  EXPECT_EQ(ask(*table, inside), 5U);
  for (const auto& [low, high] : std::vector<std::pair<AclQuery, AclQuery>>{
           {{6, 256, 0x18000, 85}, {6, 255, 0x18000, 85}},
           {{6, 511, 0x18000, 85}, {6, 512, 0x18000, 85}},
           {{6, 300, 0x10000, 85}, {6, 300, 0xFFFF, 85}},
           {{6, 300, 0x200FF, 85}, {6, 300, 0x20100, 85}},
           {{6, 300, 0x18000, 80}, {6, 300, 0x18000, 79}},
           {{6, 300, 0x18000, 90}, {6, 300, 0x18000, 91}},
           {{6, 300, 0x18000, 85}, {17, 300, 0x18000, 85}}}) {
    EXPECT_EQ(ask(*table, low), 5U);
    EXPECT_EQ(ask(*table, high), 0U);
  }
}

TEST(AclTable, AnyProtocolMeansUnknownOnesToo) {
  const auto table = build({{.any_protocol = true,
                             .subject_first = 1,
                             .subject_last = 1,
                             .peer_first = 0,
                             .peer_last = 0xFFFFFFFF,
                             .rule = 1}});
  for (const unsigned protocol : {0U, 1U, 6U, 17U, 58U, 132U, 255U}) {
    EXPECT_EQ(ask(*table, {static_cast<uint8_t>(protocol), 1, 0xFFFFFFFF, 65535}), 1U) << protocol;
    EXPECT_EQ(ask(*table, {static_cast<uint8_t>(protocol), 2, 0, 0}), 0U) << protocol;
  }
}

TEST(AclTable, TheLowestRuleNumberIsReported) {
  AclRule wide{.any_protocol = true, .subject_first = 1, .subject_last = 9, .peer_last = 99};
  std::vector<AclRule> rules;
  for (const uint32_t number : {7U, 3U, 5U}) {
    rules.push_back(wide);
    rules.back().rule = number;
  }
  EXPECT_EQ(ask(*build(rules), {6, 4, 4, 4}), 3U);
}

/// Contexts are made for vectors of at most so many bits.
class AclTableOfWidth : public testing::TestWithParam<uint16_t> {
 protected:
  AclTableOfWidth() { test::limit_vectors(GetParam()); }
  ~AclTableOfWidth() override { test::limit_vectors(256); }  // DPDK's own default
};

INSTANTIATE_TEST_SUITE_P(Bits, AclTableOfWidth, testing::Values(64, 128, 256, 512),
                         testing::PrintToStringParamName());

TEST_P(AclTableOfWidth, EqualsALinearScan) {
  ASSERT_STREQ(probed_acl_algorithm(), test::acl_algorithm_within(GetParam()));
  std::mt19937 random(4711);
  const auto number = [&](uint32_t below) { return static_cast<uint32_t>(random() % below); };
  for (int round = 0; round < 24; ++round) {
    // Every other time of few services and peers, for which keys are narrow.
    const bool narrow = round % 2 == 0;
    const uint32_t subjects = round % 4 < 2 ? 12 : 3000;
    const uint32_t peers = round % 3 == 0 ? 20 : narrow ? 40000 : 70000;
    std::vector<AclRule> rules;
    for (uint32_t i = 0; i < 10 + 20U * static_cast<uint32_t>(round); ++i) {
      AclRule r;
      r.any_protocol = number(4) == 0;
      r.protocol = number(2) == 0 ? 6 : 17;
      r.subject_first = static_cast<uint16_t>(1 + number(subjects));
      r.subject_last =
          static_cast<uint16_t>(r.subject_first + (number(9) == 0 ? number(900) : number(3)));
      r.peer_first = number(peers);
      r.peer_last = number(5) == 0 ? 0xFFFFFFFF : r.peer_first + number(peers / 4);
      r.port_first = static_cast<L4Port>(number(65536));
      r.port_last = static_cast<L4Port>(r.port_first + number(65536U - r.port_first));
      if (narrow) {
        r.port_first = static_cast<L4Port>(number(40) * 1638);
        r.port_last = static_cast<L4Port>(number(2) == 0 ? r.port_first : r.port_first + 1638);
      }
      if (number(3) == 0 || (narrow && r.any_protocol)) r.port_first = 0, r.port_last = 65535;
      r.rule = i + 1;
      rules.push_back(r);
    }
    std::shuffle(rules.begin(), rules.end(), random);
    const auto table = build(rules);
    std::vector<AclQuery> queries;
    for (int i = 0; i < 2000; ++i) {
      AclQuery q{static_cast<uint8_t>(number(3) == 0   ? number(256)
                                      : number(2) == 0 ? 6
                                                       : 17),
                 static_cast<uint16_t>(1 + number(subjects + 3)), number(peers + peers / 4),
                 static_cast<L4Port>(number(65536))};
      if (i % 2 == 0) {  // on or beside a bound of some rule
        const AclRule& r = rules[number(static_cast<uint32_t>(rules.size()))];
        q.subject = static_cast<uint16_t>(r.subject_last + number(2));
        q.peer = r.peer_first - number(2);
        q.port = static_cast<L4Port>(number(2) == 0 ? r.port_last + number(2)
                                                    : r.port_first - number(2));
        q.protocol = r.protocol;
      }
      queries.push_back(q);
    }
    std::vector<uint32_t> found(queries.size());
    table->classify(queries.data(), static_cast<unsigned>(queries.size()), found.data());
    size_t hits = 0;
    for (size_t i = 0; i < queries.size(); ++i) {
      ASSERT_EQ(found[i], linear_scan(rules, queries[i])) << "round " << round << " query " << i;
      hits += found[i] != 0;
    }
    EXPECT_GT(hits, 20U);
  }
}

TEST(AclTable, RowsOfSubjectsAreCutWhereTheirUpperByteChanges) {
  const auto table = build({{.protocol = 6,
                             .subject_first = 200,
                             .subject_last = 900,
                             .peer_first = 3,
                             .peer_last = 0xFFFE,
                             .port_first = 80,
                             .port_last = 80,
                             .rule = 1},
                            {.any_protocol = true,
                             .subject_first = 700,
                             .subject_last = 700,
                             .peer_last = 0xFFFFFFFF,
                             .rule = 2}});
  for (const unsigned subject : {200U, 255U, 256U, 511U, 512U, 767U, 768U, 900U}) {
    EXPECT_EQ(ask(*table, {6, static_cast<uint16_t>(subject), 3, 80}), 1U) << subject;
    EXPECT_EQ(ask(*table, {6, static_cast<uint16_t>(subject), 2, 80}), 0U) << subject;
    EXPECT_EQ(ask(*table, {6, static_cast<uint16_t>(subject), 0x10003, 80}), 0U) << subject;
  }
  EXPECT_EQ(ask(*table, {6, 199, 3, 80}), 0U);
  EXPECT_EQ(ask(*table, {6, 901, 3, 80}), 0U);
  EXPECT_EQ(ask(*table, {6, 700, 0xFFFE, 80}), 1U);
  EXPECT_EQ(ask(*table, {6, 700, 0xFFFF, 80}), 2U);
  EXPECT_EQ(ask(*table, {6, 700, 0x10003, 80}), 2U);
  EXPECT_EQ(ask(*table, {47, 700, 3, 0}), 2U);
}

TEST(ServiceMap, TellsPortsApartAsRulesDo) {
  const auto rule = [](uint8_t protocol, L4Port first, L4Port last) {
    return AclRule{.protocol = protocol, .port_first = first, .port_last = last, .rule = 1};
  };
  const std::vector<AclRule> rules{rule(6, 80, 80), rule(6, 0, 65535), rule(17, 53, 53),
                                   rule(6, 81, 90)};
  const auto map = ServiceMap::make(rules);
  ASSERT_TRUE(map);
  EXPECT_EQ(map->find(1, 0), map->find(47, 99)) << "nobody names them";
  EXPECT_EQ(map->find(6, 81), map->find(6, 90));
  EXPECT_NE(map->find(6, 80), map->find(6, 81));
  EXPECT_NE(map->find(6, 91), map->find(6, 79)) << "no run of ports";
  EXPECT_NE(map->find(6, 53), map->find(17, 53));
  for (const AclRule& r : rules) {
    const auto [first, last] = map->range(r);
    for (unsigned port = 0; port < 65536; port += port % 97 == 96 ? 500 : 1) {
      const uint8_t found = map->find(r.protocol, static_cast<L4Port>(port));
      ASSERT_EQ(first <= found && found <= last, r.port_first <= port && port <= r.port_last)
          << port;
    }
  }
  EXPECT_EQ(map->range({.any_protocol = true}).first, 0U);
  EXPECT_EQ(map->range({.any_protocol = true}).second, map->find(17, 65535));
  // Too many, or ports of whatever protocol.
  std::vector<AclRule> many;
  for (L4Port port = 1; port <= 127; ++port) many.push_back(rule(6, port * 2, port * 2));
  EXPECT_TRUE(ServiceMap::make(many));
  many.push_back(rule(17, 5, 5));
  EXPECT_FALSE(ServiceMap::make(many));
  EXPECT_FALSE(ServiceMap::make({{.any_protocol = true, .port_first = 1, .rule = 1}}));
}

TEST(AclTable, APlanTranslatesClasses) {
  AclPlan plan;
  plan.first = {0, 0, 1, 3};  // class 0: never asked about; 1: one ask; 2: two
  plan.asks = {{40, 1}, {50, 0}, {60, 1}};
  plan.views = {{7, 8, 9}, {9, 8, 7}};
  const auto rule = [](uint16_t subject, uint32_t peer, uint32_t number) {
    return AclRule{.any_protocol = true,
                   .subject_first = subject,
                   .subject_last = subject,
                   .peer_first = peer,
                   .peer_last = peer,
                   .rule = number};
  };
  auto table = AclTable::build({rule(40, 9, 5), rule(50, 7, 9), rule(60, 9, 4)}, plan);
  ASSERT_TRUE(table) << table.error().text();
  EXPECT_EQ(ask(**table, {6, 0, 0, 80}), 0U);
  EXPECT_EQ(ask(**table, {6, 1, 0, 80}), 5U);  // 40 with view 1: peer 0 is 9
  EXPECT_EQ(ask(**table, {6, 1, 2, 80}), 0U);
  EXPECT_EQ(ask(**table, {6, 2, 0, 80}), 4U);  // both asks match: the lowest
  EXPECT_EQ(ask(**table, {6, 2, 1, 80}), 0U);
  EXPECT_EQ(ask(**table, {6, 3, 0, 80}), 0U);  // no such class
  EXPECT_EQ(ask(**table, {6, 2, 3, 80}), 0U);  // no such peer
  EXPECT_EQ(ask(**table, {6, 40, 9, 80}), 0U);
}

TEST(AclTable, APlanHoldsForMoreThanABurst) {
  AclPlan plan;
  plan.first = {0};
  std::vector<AclRule> rules;
  for (uint16_t s = 0; s < 20; ++s) {
    for (uint16_t a = 0, last = s % (kMaxAsks + 1); a < last; ++a) {
      const auto number = static_cast<uint16_t>(plan.asks.size() + 1);
      plan.asks.push_back({number, a});
      rules.push_back({.any_protocol = true,
                       .subject_first = number,
                       .subject_last = number,
                       .peer_first = 100U + s,
                       .peer_last = 100U + s,
                       .rule = 1000U - number});
    }
    plan.first.push_back(static_cast<uint32_t>(plan.asks.size()));
  }
  for (uint32_t v = 0; v < kMaxAsks; ++v) {
    plan.views.emplace_back();
    for (uint32_t p = 0; p < 20; ++p) plan.views.back().push_back(100 + (p + v) % 20);
  }
  auto table = AclTable::build(rules, plan);
  ASSERT_TRUE(table) << table.error().text();
  std::vector<AclQuery> queries;
  for (uint32_t i = 0; i < 20 * 20; ++i) {
    queries.push_back({17, static_cast<uint16_t>(i / 20), i % 20, 53});
  }
  std::vector<uint32_t> found(queries.size(), 99);
  (*table)->classify(queries.data(), static_cast<unsigned>(queries.size()), found.data());
  for (size_t i = 0; i < queries.size(); ++i) {
    uint32_t expected = 0;
    for (uint32_t a = plan.first[queries[i].subject]; a < plan.first[queries[i].subject + 1U];
         ++a) {
      const AclPlan::Ask& one = plan.asks[a];
      const uint32_t hit =
          linear_scan(rules, {17, one.subject, plan.views[one.view][queries[i].peer], 53});
      if (hit != 0 && (expected == 0 || hit < expected)) expected = hit;
    }
    ASSERT_EQ(found[i], expected) << i;
  }
}

TEST(AclTable, RefusesAPlanThatLeadsNowhere) {
  const AclRule good{.any_protocol = true, .subject_first = 1, .subject_last = 1, .rule = 1};
  const auto refused = [&](AclPlan plan) -> std::string {
    auto table = AclTable::build({good}, std::move(plan));
    return table ? "accepted" : table.error().text();
  };
  EXPECT_EQ(refused({{0, 1}, {{1, 0}}, {{1}}}), "accepted");
  EXPECT_EQ(refused({{}, {{1, 0}}, {{1}}}), "ACL plan: asks without classes");
  EXPECT_EQ(refused({{0, 1}, {{1, 1}}, {{1}}}), "ACL plan: an ask without its view");
  EXPECT_EQ(refused({{0, 1}, {{1, 0}, {2, 0}}, {{1}}}), "ACL plan: asks that belong to no class");
  EXPECT_EQ(refused({{0, 2, 1}, {{1, 0}}, {{1}}}), "ACL plan: asks out of order");
  EXPECT_EQ(refused({{0, 9}, std::vector<AclPlan::Ask>(9), {{1}}}),
            "ACL plan: too many asks for a class");
}

TEST(AclTable, TablesLiveSideBySide) {
  const AclRule r{.any_protocol = true, .subject_first = 1, .subject_last = 1, .rule = 1};
  auto other = r;
  other.subject_first = other.subject_last = 2;
  const auto a = build({r}), b = build({other});
  EXPECT_EQ(ask(*a, {6, 1, 0, 0}), 1U);
  EXPECT_EQ(ask(*a, {6, 2, 0, 0}), 0U);
  EXPECT_EQ(ask(*b, {6, 2, 0, 0}), 1U);
}

TEST(AclTable, RefusesRulesThatMeanNothing) {
  const AclRule good{.any_protocol = true, .subject_first = 1, .subject_last = 1, .rule = 1};
  const auto refused = [&](auto&& spoil) -> std::string {
    AclRule bad = good;
    spoil(bad);
    auto table = AclTable::build({good, bad});
    return table ? "accepted" : table.error().text();
  };
  EXPECT_EQ(refused([](AclRule& r) { r.rule = 0; }), "ACL rule 1: its number is 0");
  EXPECT_EQ(refused([](AclRule& r) { r.subject_first = 2; }),
            "ACL rule 1: its subjects are crossed");
  EXPECT_EQ(refused([](AclRule& r) { r.peer_first = 1; }), "ACL rule 1: its peers are crossed");
  EXPECT_EQ(refused([](AclRule& r) { r.port_first = 9, r.port_last = 8; }),
            "ACL rule 1: its ports are crossed");
}

TEST(AclTable, ShortMemoryIsAnErrorAndNothingElse) {
  // Rules alone of this number are larger than the 512 MiB that the tests' EAL has.
  std::vector<AclRule> many(8U << 20, AclRule{.any_protocol = true, .rule = 1});
  auto table = AclTable::build(std::move(many));
  ASSERT_FALSE(table);
  EXPECT_EQ(table.error().code, ErrorCode::kNoMemory);
  EXPECT_NE(build({{.any_protocol = true, .rule = 1}}), nullptr);
}

TEST(AclContext, RefusesANameInUse) {
  auto first = AclContext::create("twice", 64, 1);
  ASSERT_TRUE(first);
  auto second = AclContext::create("twice", 64, 1);
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code, ErrorCode::kConflict);
  auto longer = AclContext::create(std::string(32, 'x'), 64, 1);
  ASSERT_FALSE(longer);
  EXPECT_EQ(longer.error().code, ErrorCode::kTooLarge);
}

}  // namespace
}  // namespace rampart
