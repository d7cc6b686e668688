// SPDX-License-Identifier: Apache-2.0
// Flows listed and ended by request: the worker's side.
#include <gtest/gtest.h>

#include <string_view>
#include <vector>

#include "dataplane/worker/report.hpp"
#include "tests/support/stage_bench.hpp"

namespace rampart::test {
namespace {

PacketBuilder udp(std::string_view from, uint16_t port) {
  return packet().ip(from, from.find(':') == from.npos ? "10.0.0.2" : "fd00::2").udp(port, 53);
}
PacketBuilder tcp(std::string_view from, uint16_t port, uint8_t flags) {
  return packet()
      .ip(from, from.find(':') == from.npos ? "10.0.0.2" : "fd00::2")
      .tcp(port, 80, flags);
}

/// Asks until it is answered, in slices of one chunk; says how many slices that took.
unsigned ask(StageBench& bench, FlowQuery& q) {
  q.found.reserve(q.filter.limit + 1);
  Mailbox& box = *bench.w.mailbox;
  box.query = &q;
  const uint64_t before = box.query_slices;
  unsigned slices = 0;
  while (box.query.load() != nullptr) {
    answer_flow_query(bench.w, bench.w.burst.now, 1);
    ++slices;
  }
  EXPECT_EQ(box.query_slices, before + slices) << "who waits sees that it goes on";
  return slices;
}

std::vector<FlowRecord> list(StageBench& bench, const FlowFilter& filter) {
  FlowQuery q;
  q.filter = filter;
  ask(bench, q);
  return q.found;
}

uint64_t cut(StageBench& bench, const FlowFilter& filter) {
  FlowQuery q;
  q.purpose = FlowQuery::Purpose::kCut;
  q.filter = filter;
  ask(bench, q);
  EXPECT_TRUE(q.found.empty());
  return q.cut;
}

/// Forty UDP flows of each family.
void open_eighty(StageBench& bench) {
  for (uint16_t port = 1; port <= 40; ++port) {
    bench.run(udp("10.0.0.1", port));
    bench.run(udp("fd00::1", port));
  }
}

TEST(FlowQueries, FindAllOrWhatMatches) {
  StageBench bench;
  open_eighty(bench);
  bench.run(packet().ipv4("10.0.0.3", "10.0.0.2").tcp(7, 80, kSyn));
  FlowQuery all;
  EXPECT_GT(ask(bench, all), 2U);
  EXPECT_EQ(all.found.size(), 81U);
  FlowFilter filter;
  filter.port = 7;
  EXPECT_EQ(list(bench, filter).size(), 3U);
  filter = {};
  filter.address = *IpAddress::parse("10.0.0.3");
  EXPECT_EQ(list(bench, filter).size(), 1U);
  filter = {};
  filter.addresses = {*IpAddress::parse("10.0.0.9"), *IpAddress::parse("10.0.0.1"),
                      *IpAddress::parse("fd00::1")};
  EXPECT_EQ(list(bench, filter).size(), 80U);
  filter.address = *IpAddress::parse("10.0.0.2");
  EXPECT_EQ(list(bench, filter).size(), 40U) << "both must be ends";
  filter = {};
  filter.states = flow_states_named("syn_sent");
  EXPECT_EQ(list(bench, filter).size(), 1U);
  filter = {};
  filter.protocol = 17;
  EXPECT_EQ(list(bench, filter).size(), 80U);
  EXPECT_EQ(bench.w.counters.flows_cut, 0U);
  EXPECT_EQ(bench.w.flows(), 81U);
}

TEST(FlowQueries, TellAFlowAsItWasOpened) {
  StageBench bench;
  bench.w.ports[1].end = 1;
  bench.w.ports[0].wire = bench.w.ports[1].wire = 3;
  bench.set_rules({{"10.0.0.2", "10.0.0.1", 80}}, 7);
  bench.w.counters.revision = 8;  // the flow's is older, and known by its low half only
  const PacketBuilder syn =
      packet().vlan(100).vlan(7).ipv4("10.0.0.2", "10.0.0.1").tcp(40000, 80, kSyn);
  ASSERT_EQ(bench.run(syn, 1), StageBench::kForwarded);
  const PacketBuilder answer = packet()
                                   .vlan(100)
                                   .vlan(7)
                                   .ipv4("10.0.0.1", "10.0.0.2")
                                   .tcp(80, 40000, kSyn | kAck)
                                   .tcp_sequence(5000, 1001);
  ASSERT_EQ(bench.run(answer, 0), StageBench::kForwarded);
  bench.w.id = 5;
  bench.w.burst.now += 2 * bench.w.tsc_hz;
  const auto found = list(bench, {});
  ASSERT_EQ(found.size(), 1U);
  const FlowRecord& r = found[0];
  EXPECT_EQ(r.source.text() + " " + r.destination.text(), "10.0.0.2 10.0.0.1");
  EXPECT_EQ(r.source_port, 40000);
  EXPECT_EQ(r.destination_port, 80);
  EXPECT_EQ(r.protocol, 6);
  EXPECT_EQ(r.wire, 3);
  EXPECT_EQ(r.wire_end, 1) << "it came in on the second port";
  EXPECT_EQ(r.outer_vlan, 100);
  EXPECT_EQ(r.inner_vlan, 7);
  EXPECT_STREQ(r.state, "syn_received");
  EXPECT_EQ(r.worker, 5);
  EXPECT_EQ(r.revision, 7U);
  EXPECT_EQ(r.egress_rule, 0U);
  EXPECT_EQ(r.ingress_rule, 1U);
  EXPECT_EQ(r.packets[0], 1U);
  EXPECT_EQ(r.packets[1], 1U);
  EXPECT_EQ(r.bytes[0], syn.bytes().size());
  EXPECT_EQ(r.bytes[1], answer.bytes().size());
  EXPECT_NEAR(r.idle_ms, 2000, 20) << "a tick is 17 ms";
  EXPECT_NEAR(r.expires_in_ms, 58'000, 20) << "of sixty seconds";
}

TEST(FlowQueries, FindTheFlowsOfARule) {
  StageBench bench;
  bench.set_rules({{"10.0.0.1", "10.0.0.2", 80}, {"10.0.0.3", "10.0.0.2", 80}}, 5);
  bench.run(packet().ipv4("10.0.0.1", "10.0.0.2").tcp(1, 80, kSyn));
  bench.run(packet().ipv4("10.0.0.3", "10.0.0.2").tcp(1, 80, kSyn));
  FlowFilter filter;
  filter.rules = RuleFilter{2};
  const auto found = list(bench, filter);
  ASSERT_EQ(found.size(), 1U);
  EXPECT_EQ(found[0].source.text(), "10.0.0.3");
  filter.rules = RuleFilter{1, 2, 3};
  EXPECT_EQ(list(bench, filter).size(), 2U);
  filter.rules = RuleFilter{3, 4};
  EXPECT_TRUE(list(bench, filter).empty());
  filter.rules = RuleFilter{};
  EXPECT_TRUE(list(bench, filter).empty()) << "a policy without rules admits nothing";
}

TEST(FlowQueries, TheCondemnedHaveNoRuleAnyMore) {
  StageBench bench;
  bench.w.reset_on_cut = true;
  bench.set_rules({{"10.0.0.1", "10.0.0.2", 80}}, 5);
  bench.run(packet().ipv4("10.0.0.1", "10.0.0.2").tcp(1, 80, kSyn));
  EXPECT_EQ(list(bench, {})[0].ingress_rule, 1U);
  bench.set_rules({{"10.0.0.3", "10.0.0.2", 80}}, 6);
  bench.sweep();
  const auto found = list(bench, {});
  ASSERT_EQ(found.size(), 1U);
  EXPECT_STREQ(found[0].state, "cut");
  EXPECT_EQ(found[0].ingress_rule, 0U);
  FlowFilter filter;
  filter.rules = RuleFilter{1};
  EXPECT_TRUE(list(bench, filter).empty());
  filter = {};
  filter.states = flow_states_named("syn_sent");
  EXPECT_TRUE(list(bench, filter).empty());
  EXPECT_EQ(cut(bench, {}), 1U);
}

TEST(FlowQueries, StopOneBeyondTheLimitAndNeverGrow) {
  StageBench bench;
  open_eighty(bench);
  for (const size_t limit : {size_t{1}, size_t{39}, size_t{40}, size_t{60}}) {
    FlowQuery q;
    q.filter.limit = limit;
    ask(bench, q);
    EXPECT_EQ(q.found.size(), limit + 1);
  }
  FlowQuery no_room;
  bench.w.mailbox->query = &no_room;
  while (bench.w.mailbox->query.load() != nullptr) answer_flow_query(bench.w, bench.w.burst.now, 9);
  EXPECT_EQ(no_room.found.capacity(), 0U);
}

TEST(FlowQueries, PassOverWhatHasExpired) {
  StageBench bench;
  bench.w.timeouts.fill(60);
  bench.run(udp("10.0.0.1", 1));
  bench.pass_seconds(2);
  bench.run(udp("10.0.0.1", 2));
  EXPECT_EQ(list(bench, {}).size(), 1U);
  EXPECT_EQ(cut(bench, {}), 1U) << "the other one is the sweep's";
  bench.sweep();
  EXPECT_EQ(bench.w.counters.flows_cut, 1U);
  EXPECT_EQ(bench.w.counters.flows_expired, 1U);
  EXPECT_EQ(bench.w.flows(), 0U);
}

TEST(FlowCuts, EndWhatMatchesAndNothingElse) {
  for (const char* client : {"10.0.0.1", "fd00::1"}) {
    StageBench bench;
    const bool v6 = std::string_view(client).find(':') != std::string_view::npos;
    bench.set_rules({{client, v6 ? "fd00::2" : "10.0.0.2", 80}}, 1);
    for (const uint16_t port : {uint16_t{1000}, uint16_t{2000}}) {
      ASSERT_EQ(bench.run(tcp(client, port, kSyn)), StageBench::kForwarded);
    }
    FlowFilter filter;
    filter.port = 1000;
    EXPECT_EQ(cut(bench, filter), 1U);
    EXPECT_EQ(bench.w.counters.flows_cut, 1U);
    EXPECT_EQ(bench.w.counters.flows_expired, 0U);
    EXPECT_EQ(bench.w.flows(), 1U);
    EXPECT_EQ(bench.w.half_open, 1U);
    EXPECT_EQ(bench.run(tcp(client, 1000, kAck)), StageBench::dropped(DropReason::kNoFlow));
    EXPECT_EQ(bench.run(tcp(client, 2000, kSyn)), StageBench::kForwarded) << "sent again";
    EXPECT_EQ(cut(bench, filter), 0U);
    EXPECT_EQ(bench.run(tcp(client, 1000, kSyn)), StageBench::kForwarded) << "it may open again";
  }
}

TEST(FlowCuts, KnowNoLimitAndComeInSlices) {
  StageBench bench;
  open_eighty(bench);
  FlowQuery q;
  q.purpose = FlowQuery::Purpose::kCut;
  q.filter.limit = 1;
  EXPECT_GT(ask(bench, q), 4U);
  EXPECT_EQ(q.cut, 80U);
  EXPECT_EQ(bench.w.counters.flows_cut, 80U);
  EXPECT_EQ(bench.w.flows_v4.size(), 0U);
  EXPECT_EQ(bench.w.flows_v6.size(), 0U);
}

TEST(FlowCuts, GoOnBesideTraffic) {
  StageBench bench;
  open_eighty(bench);
  FlowQuery q;
  q.purpose = FlowQuery::Purpose::kCut;
  Mailbox& box = *bench.w.mailbox;
  box.query = &q;
  uint16_t port = 100;
  while (box.query.load() != nullptr) {
    answer_flow_query(bench.w, bench.w.burst.now, 1);
    EXPECT_EQ(bench.run(udp("10.0.0.1", port)), StageBench::kForwarded);
    EXPECT_EQ(bench.run(udp("fd00::1", port++)), StageBench::kForwarded);
  }
  EXPECT_GE(q.cut, 80U) << "all that were there";
  EXPECT_EQ(bench.w.counters.flows_created, q.cut + bench.w.flows());
}

}  // namespace
}  // namespace rampart::test
