// SPDX-License-Identifier: Apache-2.0
// How many flows one address may have.
#include <gtest/gtest.h>

#include "dataplane/flow/address_load.hpp"
#include "dataplane/packet/parse.hpp"
#include "tests/support/stage_bench.hpp"

namespace rampart::test {
namespace {

constexpr auto kForwarded = StageBench::kForwarded;
constexpr auto dropped = StageBench::dropped;
using enum DropReason;

struct Hosts {
  std::string_view a, b, c;
};

uint32_t acknowledgement(const Bytes& frame) {
  ParsedPacket p;
  const auto bytes = static_cast<uint32_t>(frame.size());
  parse_frame(frame.data(), bytes, bytes, p);
  return p.tcp.acknowledgement;
}

class QuotaOf : public testing::TestWithParam<Hosts> {
 protected:
  void TearDown() override {
    // Whatever happened: when all flows are gone, nobody has any.
    bench.set_mode(RuleSet::Mode::kDropAll, 99);
    bench.w.timeouts.fill(1);
    bench.pass_seconds(10);
    bench.sweep();
    EXPECT_EQ(bench.w.flows(), 0U);
    EXPECT_EQ(bench.w.half_open, 0U);
    for (uint64_t cell = 0; cell < 1024; ++cell) {
      for (const AddressLoad* load : {&bench.w.sources, &bench.w.targets}) {
        const auto count = load->of(cell << 32 | cell);
        ASSERT_EQ(count.weak + count.assured, 0U);
      }
    }
    EXPECT_EQ(bench.buffers_out(), 0U);
  }
  StageBench::End ask(std::string_view from, std::string_view to, uint16_t port) {
    return bench.run(packet().ip(from, to).udp(port, 4000));
  }
  StageBench::End reply(std::string_view from, std::string_view to, uint16_t port) {
    return bench.run(packet().ip(from, to).udp(4000, port), 1);
  }
  const Hosts& f = GetParam();
  StageBench bench;
};

TEST_P(QuotaOf, UnansweredFlowsOfASource) {
  bench.set_quotas({.source_half_open = 3});
  for (uint16_t port = 1; port <= 3; ++port) EXPECT_EQ(ask(f.a, f.b, port), kForwarded);
  EXPECT_EQ(ask(f.a, f.b, 4), dropped(kQuota));
  EXPECT_EQ(ask(f.a, f.c, 4), dropped(kQuota));
  EXPECT_EQ(ask(f.c, f.b, 4), kForwarded);
  EXPECT_EQ(ask(f.a, f.b, 3), kForwarded);  // no new flow
  EXPECT_EQ(reply(f.b, f.a, 1), kForwarded);
  EXPECT_EQ(ask(f.a, f.b, 4), kForwarded);
  EXPECT_EQ(ask(f.a, f.b, 5), dropped(kQuota));
}

TEST_P(QuotaOf, AnsweredFlowsOfASource) {
  bench.set_quotas({.source_flows = 2});
  for (uint16_t port = 1; port <= 5; ++port) EXPECT_EQ(ask(f.a, f.b, port), kForwarded);
  EXPECT_EQ(reply(f.b, f.a, 1), kForwarded);
  EXPECT_EQ(reply(f.b, f.a, 2), kForwarded);
  EXPECT_EQ(ask(f.a, f.b, 6), dropped(kQuota));
  EXPECT_EQ(ask(f.c, f.b, 6), kForwarded);
  // What was let in before the quota was reached may go on.
  EXPECT_EQ(reply(f.b, f.a, 3), kForwarded);
  EXPECT_EQ(ask(f.a, f.b, 3), kForwarded);
}

TEST_P(QuotaOf, FlowsToAnEndpoint) {
  bench.set_quotas({.target_flows = 1, .target_half_open = 2});
  EXPECT_EQ(ask(f.a, f.b, 1), kForwarded);
  EXPECT_EQ(ask(f.c, f.b, 1), kForwarded);
  EXPECT_EQ(ask(f.c, f.b, 2), dropped(kQuota));
  EXPECT_EQ(ask(f.b, f.c, 2), kForwarded);
  EXPECT_EQ(reply(f.b, f.a, 1), kForwarded);
  EXPECT_EQ(ask(f.c, f.b, 2), dropped(kQuota));
  EXPECT_EQ(ask(f.b, f.a, 3), kForwarded);
}

TEST_P(QuotaOf, ATcpClientWithoutHalfOpenFlowsLeftIsChallengedAndMayProveItself) {
  bench.set_quotas({.source_half_open = 2});
  bench.w.challenge.enter_at = 1000;
  const auto tcp = [&](uint16_t port, uint8_t flags, uint32_t sequence) {
    return packet().ip(f.a, f.b).tcp(port, 80, flags).tcp_sequence(sequence);
  };
  EXPECT_EQ(bench.run(tcp(1, kSyn, 7)), kForwarded);
  EXPECT_EQ(bench.run(tcp(2, kSyn, 7)), kForwarded);
  for (uint16_t port = 3; port <= 4; ++port) {
    EXPECT_EQ(bench.run(tcp(port, kSyn, 7)), StageBench::answered(kSynChallenged));
    const auto said = bench.originated();
    ASSERT_EQ(said.size(), 1U);
    const uint32_t cookie = acknowledgement(said[0].bytes);
    EXPECT_EQ(bench.run(tcp(port, kRst, cookie)), dropped(kSynChallenged));
    EXPECT_EQ(bench.run(tcp(port, kSyn, 7)), kForwarded);
  }
  // Proof or no proof, twice the quota is the end.
  EXPECT_EQ(bench.run(tcp(5, kSyn, 7)), StageBench::answered(kSynChallenged));
  const auto said = bench.originated();
  const uint32_t cookie = acknowledgement(said[0].bytes);
  EXPECT_EQ(bench.run(tcp(5, kRst, cookie)), dropped(kQuota));
  // Others are not asked.
  EXPECT_EQ(bench.run(packet().ip(f.c, f.b).tcp(9, 80, kSyn)), kForwarded);
  EXPECT_FALSE(bench.w.challenge.active);
  bench.w.challenge.enter_at = 0;
  EXPECT_EQ(bench.run(tcp(6, kSyn, 7)), dropped(kQuota));
}

INSTANTIATE_TEST_SUITE_P(Families, QuotaOf,
                         testing::Values(Hosts{"10.0.0.1", "10.0.0.2", "10.0.0.3"},
                                         Hosts{"fd00::1", "fd00::2", "fd00::3"}));

}  // namespace
}  // namespace rampart::test
