// SPDX-License-Identifier: Apache-2.0
// What becomes of first packets when a flood leaves the worker no time.
#include <gtest/gtest.h>

#include "dataplane/packet/parse.hpp"
#include "tests/support/stage_bench.hpp"

namespace rampart::test {
namespace {

constexpr auto kForwarded = StageBench::kForwarded;
constexpr auto dropped = StageBench::dropped;
constexpr auto answered = StageBench::answered;
using enum DropReason;

struct Hosts {
  std::string_view a, b, c;
};

class Deferred : public testing::TestWithParam<Hosts> {
 protected:
  void SetUp() override {
    const auto& [a, b, c] = GetParam();
    bench.set_rules({{a, b, 80}, {c, b, 80}}, 1);
    bench.w.challenge.key = {1, 2};
    bench.w.challenge.enter_at = 2;
    bench.set_overload();
  }
  void TearDown() override { EXPECT_EQ(bench.buffers_out(), 0U); }

  PacketBuilder syn(uint16_t port, L4Port to = 80) {
    return packet().ip(GetParam().a, GetParam().b).tcp(port, to, kSyn);
  }
  PacketBuilder udp(std::string_view from, uint16_t port, L4Port to = 80) {
    return packet().ip(from, GetParam().b).udp(port, to);
  }
  void challenge() {
    EXPECT_EQ(bench.run(syn(1)), kForwarded);
    EXPECT_EQ(bench.run(syn(2)), kForwarded);
    EXPECT_EQ(bench.run(syn(3)), answered(kSynChallenged));
    EXPECT_EQ(bench.originated().size(), 1U);
  }
  StageBench bench{8};
};

TEST_P(Deferred, ASynIsChallengedWhenItIsSentAgain) {
  challenge();
  EXPECT_EQ(bench.run(syn(9)), dropped(kFloodDeferred));
  EXPECT_EQ(bench.run(syn(9)), dropped(kFloodDeferred));  // at once: no retransmission
  bench.pass_seconds(1);
  EXPECT_EQ(bench.run(syn(10)), dropped(kFloodDeferred));
  EXPECT_EQ(bench.run(syn(9)), answered(kSynChallenged));
  EXPECT_EQ(bench.originated().size(), 1U);
  EXPECT_EQ(bench.drops(kFloodDeferred), 3U);
}

TEST_P(Deferred, PolicyIsNotAskedBefore) {
  challenge();
  EXPECT_EQ(bench.run(syn(9, 81)), dropped(kFloodDeferred));
  bench.pass_seconds(1);
  EXPECT_EQ(bench.run(syn(9, 81)), dropped(kDeniedIngress));
}

TEST_P(Deferred, ConnectionsAndAnswersToChallengesGoOn) {
  bench.w.overload.active = false;
  EXPECT_EQ(bench.run(syn(1)), kForwarded);
  EXPECT_EQ(bench.run(syn(2)), kForwarded);
  EXPECT_EQ(bench.run(packet().ip(GetParam().a, GetParam().b).tcp(9, 80, kSyn).tcp_sequence(7)),
            answered(kSynChallenged));
  const auto said = bench.originated();
  ASSERT_EQ(said.size(), 1U);
  bench.w.overload.active = true;
  const auto back = packet().ip(GetParam().b, GetParam().a);
  EXPECT_EQ(bench.run(PacketBuilder(back).tcp(80, 1, kSyn | kAck).tcp_sequence(5, 1), 1),
            kForwarded);
  ParsedPacket p;
  const auto bytes = static_cast<uint32_t>(said[0].bytes.size());
  parse_frame(said[0].bytes.data(), bytes, bytes, p);
  const uint32_t cookie = p.tcp.acknowledgement;
  EXPECT_EQ(
      bench.run(packet().ip(GetParam().a, GetParam().b).tcp(9, 80, kRst).tcp_sequence(cookie)),
      dropped(kSynChallenged));
  EXPECT_EQ(bench.w.counters.verified, 1U);
  EXPECT_EQ(bench.run(packet().ip(GetParam().a, GetParam().b).tcp(9, 80, kSyn).tcp_sequence(7)),
            kForwarded);
}

TEST_P(Deferred, NothingIsBeforeThereIsAFlood) {
  EXPECT_EQ(bench.run(syn(1)), kForwarded);
  for (uint16_t port = 1; port <= 7; ++port) {
    EXPECT_EQ(bench.run(udp(GetParam().a, port)), kForwarded);
  }
  EXPECT_EQ(bench.w.flows(), 8U);
  EXPECT_EQ(bench.run(udp(GetParam().a, 8)), dropped(kFloodDeferred));  // the table is full
  EXPECT_EQ(bench.run(syn(2)), kForwarded);                             // challenges are for TCP
  EXPECT_EQ(bench.w.flows(), 8U);
}

TEST_P(Deferred, AResolverMayAskAgainFromAnotherPort) {
  for (uint16_t port = 1; port <= 8; ++port) {
    EXPECT_EQ(bench.run(udp(GetParam().a, port)), kForwarded);
  }
  EXPECT_EQ(bench.run(udp(GetParam().c, 20)), dropped(kFloodDeferred));
  bench.pass_seconds(1);
  EXPECT_EQ(bench.run(udp(GetParam().c, 20, 81)), dropped(kFloodDeferred));  // another service
  EXPECT_EQ(bench.run(udp(GetParam().c, 21)), kForwarded);
  EXPECT_EQ(bench.w.counters.flows_recycled, 1U);
}

TEST_P(Deferred, EachOfABurstHasItsOwnFate) {
  challenge();
  EXPECT_EQ(bench.run(syn(9)), dropped(kFloodDeferred));
  bench.pass_seconds(1);
  const auto ends = bench.run(std::vector<StageBench::Frame>{
      {syn(10).bytes()}, {syn(1).bytes()}, {syn(9).bytes()}, {syn(11).bytes()}});
  EXPECT_EQ(ends, (std::vector{dropped(kFloodDeferred), kForwarded, answered(kSynChallenged),
                               dropped(kFloodDeferred)}));
  EXPECT_EQ(bench.originated().size(), 1U);
}

INSTANTIATE_TEST_SUITE_P(Families, Deferred,
                         testing::Values(Hosts{"10.0.0.1", "10.0.0.2", "10.0.0.3"},
                                         Hosts{"fd00::1", "fd00::2", "fd00::3"}));

TEST(Overload, IsWholeBurstsInAFlood) {
  Overload o;
  Tick now = 100;
  const auto window = [&](unsigned whole, unsigned others, bool flooded) {
    for (unsigned n = 0; n < whole + others; ++n) {
      o.backlog = n < whole;
      o.look(now, flooded);
    }
    o.look(++now, flooded);  // ends it
    return o.active;
  };
  EXPECT_FALSE(window(100, 0, false));  // busy, but with no flood
  EXPECT_FALSE(window(70, 30, true));   // a flood for which there is time
  EXPECT_TRUE(window(80, 20, true));
  // It is not over with the first quiet moment, and it lasts as long as there is too much.
  for (Tick n = 0; n < Overload::kLasts - 1; ++n) EXPECT_TRUE(window(0, 10, true));
  EXPECT_TRUE(window(10, 0, true));
  for (Tick n = 0; n < Overload::kLasts; ++n) EXPECT_TRUE(window(0, 10, false));
  EXPECT_FALSE(window(0, 10, false));
}

}  // namespace
}  // namespace rampart::test
