// SPDX-License-Identifier: Apache-2.0
#include "dataplane/worker/report.hpp"

#include <gtest/gtest.h>

#include "tests/support/stage_bench.hpp"

namespace rampart::test {
namespace {

PacketBuilder udp(std::string_view from, uint16_t port) {
  return packet().ip(from, from.find(':') == from.npos ? "10.0.0.2" : "fd00::2").udp(port, 53);
}

TEST(Report, IsMadeOnceForEachRequest) {
  StageBench bench;
  Mailbox& box = *bench.w.mailbox;
  bench.run(udp("10.0.0.1", 1));
  serve_mailbox(bench.w, 0);
  EXPECT_EQ(box.report_made.load(), 0U);
  box.report_asked = 1;
  serve_mailbox(bench.w, 0);
  EXPECT_EQ(box.report_made.load(), 1U);
  EXPECT_EQ(box.report.ports[0].received, 1U);
  EXPECT_EQ(box.report.flows, 1U);
  bench.run(udp("10.0.0.1", 2));
  serve_mailbox(bench.w, 0);
  EXPECT_EQ(box.report.ports[0].received, 1U);
  // One that was made ahead of the request, because a packet told of it, is not made again.
  make_report(bench.w, 2);
  bench.run(udp("10.0.0.1", 3));
  box.report_asked = 2;
  serve_mailbox(bench.w, 0);
  EXPECT_EQ(box.report.ports[0].received, 2U);
}

/// Asks until it is answered, in slices of one chunk; says how many slices that took.
unsigned ask(StageBench& bench, FlowQuery& q) {
  q.v4.reserve(q.limit + 1);
  q.v6.reserve(q.limit + 1);
  bench.w.mailbox->query_answered = false;
  bench.w.mailbox->query = &q;
  unsigned slices = 0;
  while (bench.w.mailbox->query.load() != nullptr) {
    answer_flow_query(bench.w, bench.w.burst.now, 1);
    ++slices;
  }
  EXPECT_TRUE(bench.w.mailbox->query_answered.load());
  return slices;
}

TEST(FlowQueries, FindAllOrWhatMatches) {
  StageBench bench;
  for (uint16_t port = 1; port <= 40; ++port) {
    bench.run(udp("10.0.0.1", port));
    bench.run(udp("fd00::1", port));
  }
  bench.run(packet().ipv4("10.0.0.3", "10.0.0.2").tcp(7, 80, kSyn));
  FlowQuery all;
  all.limit = 1000;
  EXPECT_GT(ask(bench, all), 2U);
  EXPECT_EQ(all.v4.size(), 41U);
  EXPECT_EQ(all.v6.size(), 40U);

  FlowQuery by_port;
  by_port.limit = 1000;
  by_port.any_port = false;
  by_port.port = be16(7);
  ask(bench, by_port);
  EXPECT_EQ(by_port.v4.size(), 2U);
  EXPECT_EQ(by_port.v6.size(), 1U);

  FlowQuery by_address;
  by_address.limit = 1000;
  by_address.any_address = false;
  by_address.address = *IpAddress::parse("10.0.0.3");
  ask(bench, by_address);
  EXPECT_EQ(by_address.v4.size(), 1U);
  EXPECT_TRUE(by_address.v6.empty());

  FlowQuery by_state;
  by_state.limit = 1000;
  by_state.any_state = false;
  by_state.states = 1U << static_cast<unsigned>(FlowState::kTcpOpening);
  ask(bench, by_state);
  EXPECT_EQ(by_state.v4.size(), 1U);

  FlowQuery by_protocol;
  by_protocol.limit = 1000;
  by_protocol.any_protocol = false;
  by_protocol.protocol = 17;
  ask(bench, by_protocol);
  EXPECT_EQ(by_protocol.v4.size() + by_protocol.v6.size(), 80U);
}

TEST(FlowQueries, StopOneBeyondTheLimitAndNeverGrow) {
  StageBench bench;
  for (uint16_t port = 1; port <= 40; ++port) {
    bench.run(udp("10.0.0.1", port));
    bench.run(udp("fd00::1", port));
  }
  for (const size_t limit : {size_t{1}, size_t{39}, size_t{40}, size_t{60}}) {
    FlowQuery q;
    q.limit = limit;
    ask(bench, q);
    EXPECT_EQ(q.v4.size() + q.v6.size(), limit + 1);
    EXPECT_LE(q.v4.size(), q.v4.capacity());
  }
}

TEST(FlowQueries, PassOverWhatHasExpired) {
  StageBench bench;
  bench.w.timeouts.fill(60);
  bench.run(udp("10.0.0.1", 1));
  bench.pass_seconds(2);
  bench.run(udp("10.0.0.1", 2));
  FlowQuery q;
  q.limit = 10;
  ask(bench, q);
  EXPECT_EQ(q.v4.size(), 1U);
}

}  // namespace
}  // namespace rampart::test
