// SPDX-License-Identifier: Apache-2.0
// How a new revision reaches flows that live already.
#include <gtest/gtest.h>

#include "tests/support/stage_bench.hpp"

namespace rampart::test {
namespace {

constexpr auto kForwarded = StageBench::kForwarded;
constexpr auto dropped = StageBench::dropped;
using enum DropReason;

PacketBuilder out(uint16_t port = 40000) {
  return packet().ipv4("10.0.0.1", "10.0.0.2").udp(port, 80);
}
PacketBuilder back(uint16_t port = 40000) {
  return packet().ipv4("10.0.0.2", "10.0.0.1").udp(80, port);
}

const std::vector<StageBench::Allow> kPermission = {{"10.0.0.1", "10.0.0.2", 80}};

class Revisions : public testing::Test {
 protected:
  void SetUp() override {
    bench.set_rules(kPermission, 1);
    ASSERT_EQ(bench.run(out()), kForwarded);
  }
  StageBench bench;
};

TEST_F(Revisions, ARemovedPermissionCutsTheFlow) {
  bench.set_rules({}, 2);
  EXPECT_EQ(bench.run(out()), dropped(kDeniedIngress));
  EXPECT_EQ(bench.w.flows(), 0U);
  EXPECT_EQ(bench.w.counters.flows_cut, 1U);
  EXPECT_EQ(bench.run(back(), 1), dropped(kDeniedIngress));  // a new flow, the other way
}

TEST_F(Revisions, AReplyIsJudgedInTheDirectionOfTheOpening) {
  // 10.0.0.1's ingress allows nobody, so judged in its own direction the reply would be denied.
  bench.set_rules(kPermission, 2);
  EXPECT_EQ(bench.run(back(), 1), kForwarded);
  EXPECT_EQ(bench.w.counters.flows_rejudged, 1U);
  bench.set_rules({{"10.0.0.2", "10.0.0.1", 40000}}, 3);
  EXPECT_EQ(bench.run(back(), 1), dropped(kDeniedIngress));
  EXPECT_EQ(bench.w.counters.flows_cut, 1U);
}

TEST_F(Revisions, AKeptFlowIsJudgedOnceARevision) {
  bench.set_rules({{"10.0.0.3", "10.0.0.2", 80}, {"10.0.0.1", "10.0.0.2", 80}}, 2);
  for (unsigned n = 0; n < 3; ++n) EXPECT_EQ(bench.run(out()), kForwarded);
  EXPECT_EQ(bench.w.counters.flows_rejudged, 1U);
  EXPECT_EQ(bench.w.counters.flows_created, 1U);
}

TEST_F(Revisions, PacketsOfACutFlowInOneBurstFallTogether) {
  bench.set_rules({{"10.0.0.3", "10.0.0.2", 80}}, 2);
  const Bytes fresh = packet().ipv4("10.0.0.3", "10.0.0.2").udp(1, 80).bytes();
  const auto ends =
      bench.run({{out().bytes(), 0}, {fresh, 0}, {back().bytes(), 1}, {out().bytes(), 0}});
  EXPECT_EQ(ends, (std::vector{dropped(kDeniedIngress), kForwarded, dropped(kDeniedIngress),
                               dropped(kDeniedIngress)}));
  EXPECT_EQ(bench.w.counters.flows_cut, 1U);
  EXPECT_EQ(bench.w.flows(), 1U);
}

TEST_F(Revisions, AChangeElsewhereCostsAFlowNothing) {
  // Another pod came: the policy stands since revision 1, and neither end's address changed.
  std::vector<StageBench::Allow> more = kPermission;
  for (Revision r = 2; r < 10; ++r) {
    const std::string pod = "10.1.0." + std::to_string(r);
    more.push_back({pod, "10.0.0.2", 81});
    bench.set_rules(more, r, false, /*policy_changed_in=*/1);
    EXPECT_EQ(bench.run(out()), kForwarded);
    EXPECT_EQ(bench.run(back(), 1), kForwarded);
  }
  EXPECT_EQ(bench.w.counters.flows_rejudged, 0U);
}

TEST_F(Revisions, OneChangedAddressIsEnoughToJudgeAgain) {
  // The policy stands, but the pod behind one of the two addresses is another one now.
  for (const char* changed : {"10.0.0.1", "10.0.0.2"}) {
    StageBench one;
    one.set_rules(kPermission, 1);
    ASSERT_EQ(one.run(out()), kForwarded);
    std::vector<AddressMap::Entry> entries;
    for (uint16_t n = 1; n <= 2; ++n) {
      Identity id;
      id.class_id = n;
      id.endpoint = n;
      entries.push_back({IpAddress::v4(0x0a000000U + n), id});
      if (entries.back().address.text() != changed) continue;
      entries.back().identity.class_id = 3;  // one that nothing is allowed to, or from
    }
    const auto next = std::make_shared<RuleSet>(*one.rules);
    next->revision = 2;
    next->addresses = *AddressMap::build(entries, {}, {}, 2, one.rules->addresses.get());
    one.rules = next;
    EXPECT_EQ(one.run(out()), dropped(kDeniedIngress)) << changed;
    EXPECT_EQ(one.w.counters.flows_cut, 1U) << changed;
  }
}

TEST_F(Revisions, AnErrorAboutAFlowOfAnOlderRevisionIsJudgedWithIt) {
  const auto error = packet().ipv4("10.0.0.2", "10.0.0.1").icmp(3, 3).quote(out());
  bench.set_rules(kPermission, 2);
  EXPECT_EQ(bench.run(error, 1), kForwarded);
  bench.set_rules({}, 3);
  EXPECT_EQ(bench.run(error, 1), dropped(kDeniedIngress));
  EXPECT_EQ(bench.w.flows(), 0U);
}

TEST_F(Revisions, FlowsOfTheTimeBeforeTheFirstSnapshotAreJudgedByIt) {
  StageBench before;
  before.set_mode(RuleSet::Mode::kPassAll);
  EXPECT_EQ(before.run(out(1)), kForwarded);
  EXPECT_EQ(before.run(packet().ipv4("10.0.0.3", "10.0.0.2").udp(1, 80)), kForwarded);
  before.set_rules(kPermission, 1);
  EXPECT_EQ(before.run(out(1)), kForwarded);
  EXPECT_EQ(before.run(packet().ipv4("10.0.0.3", "10.0.0.2").udp(1, 80)), dropped(kDeniedIngress));
  EXPECT_EQ(before.w.counters.flows_cut, 1U);
}

// The sweep does to idle flows what their next packet would have done.
TEST_F(Revisions, TheSweepCutsIdleFlowsWhosePermissionIsGone) {
  const auto other = packet().ipv6("fd00::1", "fd00::2").udp(1, 80);
  bench.set_rules({{"10.0.0.1", "10.0.0.2", 80}, {"fd00::1", "fd00::2", 80}}, 2);
  EXPECT_EQ(bench.run(other), kForwarded);
  for (uint16_t port = 1000; port < 1300; ++port) EXPECT_EQ(bench.run(out(port)), kForwarded);
  const uint64_t live = bench.w.flows();
  bench.sweep();
  EXPECT_EQ(bench.w.flows(), live);
  const uint64_t judged = bench.w.counters.flows_rejudged;
  bench.sweep();  // all are of this revision by now
  EXPECT_EQ(bench.w.counters.flows_rejudged, judged);
  bench.set_rules({{"fd00::1", "fd00::2", 80}}, 3);
  bench.sweep();
  EXPECT_EQ(bench.w.flows_v4.size(), 0U);
  EXPECT_EQ(bench.w.flows_v6.size(), 1U);
  EXPECT_EQ(bench.w.counters.flows_cut, live - 1);
  EXPECT_EQ(bench.w.counters.flows_expired, 0U);
}

}  // namespace
}  // namespace rampart::test
