// SPDX-License-Identifier: Apache-2.0
// What the appliance says by itself: challenges under a SYN flood, resets for what a policy cuts.
#include <gtest/gtest.h>

#include "dataplane/packet/checksum.hpp"
#include "dataplane/packet/parse.hpp"
#include "tests/support/stage_bench.hpp"

namespace rampart::test {
namespace {

constexpr auto kForwarded = StageBench::kForwarded;
constexpr auto dropped = StageBench::dropped;
constexpr auto answered = StageBench::answered;
using enum DropReason;

/// Either family, so that each test is of both.
struct Ends {
  std::string_view client, server;
};
constexpr Ends kV4{"10.0.0.1", "10.0.0.2"}, kV6{"fd00::1", "fd00::2"};

ParsedPacket parsed(const Bytes& frame) {
  ParsedPacket p;
  const auto bytes = static_cast<uint32_t>(frame.size());
  parse_frame(frame.data(), bytes, bytes, p);
  return p;
}

class Flood : public testing::TestWithParam<Ends> {
 protected:
  void SetUp() override {
    bench.set_rules({{"10.0.0.1", "10.0.0.2", 80}, {"fd00::1", "fd00::2", 80}}, 1);
    bench.w.challenge.key = {1, 2};
    bench.w.challenge.enter_at = 4;
  }
  void TearDown() override {
    for (const PortWork& work : bench.w.counters.ports) {
      uint64_t drops = 0;
      for (const uint64_t n : work.drops) drops += n;
      EXPECT_EQ(work.received + work.originated + work.taken, work.forwarded + work.given + drops);
    }
    EXPECT_EQ(bench.buffers_out(), 0U);
  }
  PacketBuilder from_client(uint16_t port, uint8_t flags, uint32_t sequence, uint32_t ack = 0) {
    return packet()
        .ip(GetParam().client, GetParam().server)
        .tcp(port, 80, flags)
        .tcp_sequence(sequence, ack);
  }
  PacketBuilder from_server(uint16_t port, uint8_t flags, uint32_t sequence, uint32_t ack) {
    return packet()
        .ip(GetParam().server, GetParam().client)
        .tcp(80, port, flags)
        .tcp_sequence(sequence, ack);
  }
  /// Half-open connections until new ones are challenged.
  void fill() {
    for (uint16_t port = 1; port <= 4; ++port) {
      EXPECT_EQ(bench.run(from_client(port, kSyn, 7)), kForwarded);
    }
    EXPECT_EQ(bench.w.half_open, 4U);
  }
  /// Sends a SYN that is challenged; returns the number that the challenge acknowledges.
  uint32_t challenge(uint16_t port, uint32_t sequence) {
    EXPECT_EQ(bench.run(from_client(port, kSyn, sequence)), answered(kSynChallenged));
    const auto said = bench.originated();
    EXPECT_EQ(said.size(), 1U);
    EXPECT_EQ(said[0].port, 0U);
    const ParsedPacket p = parsed(said[0].bytes);
    EXPECT_EQ(p.tcp_flags, kSyn | kAck);
    EXPECT_TRUE(l4_checksum_ok(said[0].bytes.data(), p));
    EXPECT_EQ(p.source_address().text(), GetParam().server);
    EXPECT_EQ(p.destination_port.host(), port);
    return p.tcp.acknowledgement;
  }
  StageBench bench;
};

TEST_P(Flood, AClientThatIsThereGetsInAndItsConnectionIsItsOwn) {
  fill();
  const uint32_t cookie = challenge(9, 1000);
  EXPECT_NE(cookie, 1001U);
  EXPECT_EQ(bench.w.flows(), 4U);
  // RFC 9293 3.10.7.3: an unacceptable ACK in SYN-SENT is answered with its number.
  EXPECT_EQ(bench.run(from_client(9, kRst, cookie)), dropped(kSynChallenged));
  EXPECT_EQ(bench.w.flows(), 5U);
  EXPECT_EQ(bench.w.counters.verified, 1U);
  EXPECT_EQ(bench.run(from_client(9, kSyn, 1000)), kForwarded);
  EXPECT_EQ(bench.run(from_server(9, kSyn | kAck, 5000, 1001), 1), kForwarded);
  EXPECT_EQ(bench.run(from_client(9, kAck, 1001, 5001)), kForwarded);
  EXPECT_EQ(bench.run(from_server(9, kAck, 5001, 1001).payload(10), 1), kForwarded);
  EXPECT_EQ(bench.w.half_open, 4U);
  EXPECT_TRUE(bench.originated().empty());
}

TEST_P(Flood, ItsCookieIsGoodForThatConnectionAndAWhileOnly) {
  fill();
  const uint32_t cookie = challenge(9, 1000);
  EXPECT_EQ(bench.run(from_client(10, kRst, cookie)), dropped(kNoFlow));
  EXPECT_EQ(bench.run(from_client(9, kRst, cookie + 1)), dropped(kNoFlow));
  EXPECT_EQ(bench.run(from_server(9, kRst, cookie, 0), 1), dropped(kNoFlow));
  EXPECT_EQ(bench.run(from_client(9, kRst | kAck, cookie)), dropped(kNoFlow));
  EXPECT_EQ(bench.run(from_client(9, kRst, cookie).wrong_l4_checksum()), dropped(kL4Checksum));
  EXPECT_EQ(bench.w.flows(), 4U);
  bench.pass_seconds(1024.0 / 60);  // one epoch later it is still good
  EXPECT_EQ(bench.run(from_client(9, kRst, cookie)), dropped(kSynChallenged));
  EXPECT_EQ(bench.w.flows(), 5U);
  const uint32_t next = challenge(11, 1000);
  bench.pass_seconds(2048.0 / 60);
  challenge(12, 1000);  // somebody is still being listened to
  EXPECT_EQ(bench.run(from_client(11, kRst, next)), dropped(kNoFlow));
}

TEST_P(Flood, NobodyIsChallengedForWhatPolicyForbidsAnyway) {
  fill();
  const auto other_port =
      packet().ip(GetParam().client, GetParam().server).tcp(9, 81, kSyn).tcp_sequence(1);
  EXPECT_EQ(bench.run(other_port), dropped(kDeniedIngress));
  EXPECT_EQ(bench.run(from_client(9, kSyn, 1).wrong_l4_checksum()), dropped(kL4Checksum));
  EXPECT_TRUE(bench.originated().empty());
  // UDP has its own remedies.
  EXPECT_EQ(bench.run(packet().ip(GetParam().client, GetParam().server).udp(9, 80)), kForwarded);
}

TEST_P(Flood, ConnectionsThatWereThereGoOnAndNewOnesAreLetInAfterIt) {
  EXPECT_EQ(bench.run(from_client(100, kSyn, 1000)), kForwarded);
  EXPECT_EQ(bench.run(from_server(100, kSyn | kAck, 5000, 1001), 1), kForwarded);
  EXPECT_EQ(bench.run(from_client(100, kAck, 1001, 5001)), kForwarded);
  EXPECT_EQ(bench.w.half_open, 0U);
  fill();
  for (uint16_t port = 1000; port < 1200; ++port) challenge(port, 1);
  EXPECT_TRUE(bench.w.mailbox->challenging);
  EXPECT_EQ(bench.run(from_client(100, kAck, 1001, 5001).payload(9)), kForwarded);
  // A handshake that was under way may end.
  EXPECT_EQ(bench.run(from_server(1, kSyn | kAck, 5000, 8), 1), kForwarded);
  EXPECT_EQ(bench.run(from_client(1, kAck, 8, 5001)), kForwarded);
  EXPECT_EQ(bench.w.half_open, 3U);
  bench.w.timeouts[static_cast<unsigned>(FlowState::kTcpOpening)] = 60;
  bench.pass_seconds(1.5);
  bench.sweep();  // the half-open ones are gone, but in that second many more were asked
  EXPECT_EQ(bench.w.half_open, 0U);
  EXPECT_TRUE(bench.w.challenge.active);
  challenge(9, 1);
  bench.pass_seconds(1.5);
  bench.sweep();
  EXPECT_FALSE(bench.w.challenge.active);
  EXPECT_FALSE(bench.w.mailbox->challenging);
  EXPECT_EQ(bench.run(from_client(10, kSyn, 1)), kForwarded);
}

TEST_P(Flood, WithZeroItNeverAsks) {
  bench.w.challenge.enter_at = 0;
  for (uint16_t port = 1; port <= 500; ++port) {
    EXPECT_EQ(bench.run(from_client(port, kSyn, 7)), kForwarded);
  }
}

TEST_P(Flood, ItBeginsInTheMidstOfABurst) {
  for (const uint32_t enter_at : {1U, 30U, 63U, 64U, 65U}) {
    StageBench one;
    one.set_rules({{"10.0.0.1", "10.0.0.2", 80}, {"fd00::1", "fd00::2", 80}}, 1);
    one.w.challenge.enter_at = enter_at;
    std::vector<StageBench::Frame> frames;
    for (uint16_t port = 1; port <= Burst::kSize; ++port) {
      frames.push_back({from_client(port, kSyn, 7).bytes()});
    }
    const auto ends = one.run(frames);
    const auto challenged = std::count(ends.begin(), ends.end(), answered(kSynChallenged));
    EXPECT_EQ(challenged, Burst::kSize - std::min(enter_at, Burst::kSize)) << enter_at;
    EXPECT_EQ(one.w.half_open, std::min(enter_at, Burst::kSize)) << enter_at;
    one.originated();
  }
}

INSTANTIATE_TEST_SUITE_P(Families, Flood, testing::Values(kV4, kV6));

TEST(Challenge, NeverAcknowledgesWhatTheClientMayHaveSent) {
  EXPECT_EQ(Challenge::acknowledgement(5000, 1001), 5000U ^ 0x80000000U);
  EXPECT_EQ(Challenge::acknowledgement(1001, 1001), 1001U ^ 0x80000000U);
  EXPECT_EQ(Challenge::acknowledgement(1000, 1001), 1000U);
  EXPECT_EQ(Challenge::acknowledgement(1001 + 0x10000, 1001), 1001U + 0x10000U);
}

TEST(Challenge, ACookieDependsOnEverythingItIsMadeOf) {
  const Challenge one{.key = {1, 2}}, two{.key = {1, 3}};
  FlowKeyV4 a{}, b{};
  b.port[1] = be16(1);
  const uint32_t cookie = one.cookie(a, 0, 5);
  EXPECT_EQ(one.cookie(a, 0, 5), cookie);
  EXPECT_NE(one.cookie(b, 0, 5), cookie);
  EXPECT_NE(one.cookie(a, 1, 5), cookie);
  EXPECT_NE(one.cookie(a, 0, 6), cookie);
  EXPECT_NE(two.cookie(a, 0, 5), cookie);
}

class OnCut : public Flood {
 protected:
  void SetUp() override {
    Flood::SetUp();
    bench.w.reset_on_cut = true;
    EXPECT_EQ(bench.run(from_client(9, kSyn, 1000)), kForwarded);
    EXPECT_EQ(bench.run(from_server(9, kSyn | kAck, 5000, 1001), 1), kForwarded);
    EXPECT_EQ(bench.run(from_client(9, kAck, 1001, 5001).payload(20)), kForwarded);
    EXPECT_EQ(bench.run(from_server(9, kAck, 5001, 1021).payload(30), 1), kForwarded);
  }
  /// What each end was told: the number in the reset through port 0, and through port 1.
  std::pair<uint32_t, uint32_t> resets() {
    uint32_t sequence[2] = {};
    const auto said = bench.originated();
    EXPECT_EQ(said.size(), 2U);
    for (const auto& frame : said) {
      const ParsedPacket p = parsed(frame.bytes);
      EXPECT_EQ(p.tcp_flags, kRst);
      EXPECT_TRUE(l4_checksum_ok(frame.bytes.data(), p));
      EXPECT_EQ(p.destination_address().text(),
                frame.port == 0 ? GetParam().client : GetParam().server);
      sequence[frame.port] = p.tcp.sequence;
    }
    return {sequence[0], sequence[1]};
  }
};

TEST_P(OnCut, BothEndsAreToldWithTheNumberThatEachWaitsFor) {
  bench.set_rules({}, 2);
  EXPECT_EQ(bench.run(from_client(9, kAck, 1021, 5031).payload(5)), answered(kDeniedIngress));
  EXPECT_EQ(resets(), std::pair(5031U, 1021U));
  EXPECT_EQ(bench.w.flows(), 0U);
  EXPECT_EQ(bench.w.counters.flows_cut, 1U);
  // Once.
  EXPECT_EQ(bench.run(from_client(9, kAck, 1021, 5031).payload(5)), dropped(kNoFlow));
  EXPECT_TRUE(bench.originated().empty());
}

TEST_P(OnCut, AnIdleConnectionIsToldWithItsNextPacketFromEitherEnd) {
  bench.set_rules({}, 2);
  bench.sweep();
  bench.sweep();
  EXPECT_EQ(bench.w.counters.flows_rejudged, 1U);
  EXPECT_EQ(bench.w.flows(), 1U);
  EXPECT_EQ(bench.w.flows_v4.dead() + bench.w.flows_v6.dead(), 1U);
  EXPECT_EQ(bench.run(from_server(9, kAck, 5031, 1021).payload(5), 1), answered(kDeniedIngress));
  EXPECT_EQ(resets(), std::pair(5031U, 1021U));
  EXPECT_EQ(bench.w.flows(), 0U);
}

TEST_P(OnCut, WhatDoesNotSayWhereAnEndIsDoesNotTakeTheResetAway) {
  const auto& [client, server] = GetParam();
  bench.set_rules({}, 2);
  const auto quote = packet().ip(server, client).tcp(80, 9, kAck).tcp_sequence(5001, 1021);
  const auto too_big = packet().ip(client, server);
  const bool v6 = client == kV6.client;
  const std::vector<PacketBuilder> strays{
      from_client(9, kAck, 0x70000000, 0x70000000).payload(5),
      from_client(9, kRst, 0x70000000),
      from_client(9, kSyn, 0x70000000),
      PacketBuilder(too_big).icmp(v6 ? 2 : 3, v6 ? 0 : 4).quote(quote),
  };
  for (const PacketBuilder& stray : strays) {
    EXPECT_EQ(bench.run(stray), dropped(kDeniedIngress));
    EXPECT_TRUE(bench.originated().empty());
  }
  EXPECT_EQ(bench.w.flows_v4.dead() + bench.w.flows_v6.dead(), 1U);
  EXPECT_EQ(bench.run(from_client(9, kAck, 1021, 5031).payload(5)), answered(kDeniedIngress));
  EXPECT_EQ(resets(), std::pair(5031U, 1021U));
  EXPECT_EQ(bench.w.flows(), 0U);
}

TEST_P(OnCut, AConnectionThatIsAllowedAgainLives) {
  bench.set_rules({}, 2);
  bench.sweep();
  bench.set_rules({{"10.0.0.1", "10.0.0.2", 80}, {"fd00::1", "fd00::2", 80}}, 3);
  EXPECT_EQ(bench.run(from_server(9, kAck, 5031, 1021).payload(5), 1), kForwarded);
  EXPECT_EQ(bench.w.flows_v4.dead() + bench.w.flows_v6.dead(), 0U);
  EXPECT_EQ(bench.w.flows_v4.weak() + bench.w.flows_v6.weak(), 0U);
}

TEST_P(OnCut, OfAnEndThatResetsItselfOnlyTheOtherIsToldAndNobodyIfNotAskedFor) {
  bench.set_rules({}, 2);
  EXPECT_EQ(bench.run(from_client(9, kRst, 1021)), dropped(kDeniedIngress));
  const auto said = bench.originated();
  ASSERT_EQ(said.size(), 1U);
  const ParsedPacket p = parsed(said[0].bytes);
  EXPECT_EQ(p.tcp_flags, kRst);
  EXPECT_EQ(p.tcp.sequence, 1021U);
  EXPECT_EQ(p.destination_address().text(), GetParam().server);
  EXPECT_EQ(bench.w.flows(), 0U);
  SetUp();
  bench.w.reset_on_cut = false;
  bench.set_rules({}, 2);
  EXPECT_EQ(bench.run(from_client(9, kAck, 1021, 5031)), dropped(kDeniedIngress));
  EXPECT_TRUE(bench.originated().empty());
}

INSTANTIATE_TEST_SUITE_P(Families, OnCut, testing::Values(kV4, kV6));

}  // namespace
}  // namespace rampart::test
