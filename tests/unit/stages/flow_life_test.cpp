// SPDX-License-Identifier: Apache-2.0
// How flows come, live and go under one revision.
#include <gtest/gtest.h>
#include <rte_mbuf.h>

#include <algorithm>
#include <iterator>
#include <random>

#include "dataplane/packet/checksum.hpp"
#include "dataplane/packet/parse.hpp"
#include "tests/support/chance.hpp"
#include "tests/support/stage_bench.hpp"

namespace rampart::test {
namespace {

constexpr auto kForwarded = StageBench::kForwarded;
constexpr auto dropped = StageBench::dropped;
using enum DropReason;

/// A segment of the opener, whose SYN has number 1000; what it has sent and seen is behind these.
PacketBuilder tcp(uint8_t flags, uint32_t sent = 0, uint32_t seen = 0) {
  const bool first = (flags & kSyn) != 0;
  return packet()
      .ipv4("10.0.0.1", "10.0.0.2")
      .tcp(40000, 80, flags)
      .tcp_sequence((first ? 1000 : 1001) + sent, (flags & kAck) != 0 ? 5001 + seen : 0);
}
/// The same of the replier, whose SYN has number 5000.
PacketBuilder tcp_back(uint8_t flags, uint32_t sent = 0, uint32_t seen = 0) {
  const bool first = (flags & kSyn) != 0 || (flags & kRst) != 0;
  return packet()
      .ipv4("10.0.0.2", "10.0.0.1")
      .tcp(80, 40000, flags)
      .tcp_sequence((first ? 5000 : 5001) + sent, (flags & kAck) != 0 ? 1001 + seen : 0);
}
PacketBuilder udp(uint16_t port = 40000) {
  return packet().ipv4("10.0.0.1", "10.0.0.2").udp(port, 80);
}

class FlowLife : public testing::Test {
 protected:
  void SetUp() override {
    bench.set_rules({{"10.0.0.1", "10.0.0.2", 80}, {"fd00::1", "fd00::2", 80}}, 1);
  }
  void TearDown() override {
    for (const PortWork& work : bench.w.counters.ports) {
      uint64_t drops = 0;
      for (const uint64_t n : work.drops) drops += n;
      EXPECT_EQ(work.received + work.originated + work.taken, work.forwarded + work.given + drops);
    }
    EXPECT_EQ(bench.buffers_out(), 0U);
    EXPECT_EQ(bench.drops(kInternal), 0U);
  }
  uint32_t slot_of(const PacketBuilder& p) {
    const Bytes bytes = p.bytes();
    ParsedPacket parsed;
    parse_frame(bytes.data(), static_cast<uint32_t>(bytes.size()),
                static_cast<uint32_t>(bytes.size()), parsed);
    FlowKeyV4 key;
    make_key(parsed, 0, key);
    const auto slot = bench.w.flows_v4.find(key, hash_of(key, bench.w.seed));
    EXPECT_NE(slot, bench.w.flows_v4.kNone);
    return slot;
  }
  const FlowFacts& facts(const PacketBuilder& p) { return bench.w.flows_v4[slot_of(p)].facts; }
  const FlowTally& tally(const PacketBuilder& p) { return bench.w.flows_v4.tally(slot_of(p)); }
  StageBench bench;
};

TEST_F(FlowLife, AnAllowedConnectionRunsBothWaysThroughItsStates) {
  EXPECT_EQ(bench.run(tcp(kSyn)), kForwarded);
  EXPECT_EQ(facts(tcp(kSyn)).state, FlowState::kTcpOpening);
  EXPECT_EQ(bench.run(tcp_back(kSyn | kAck), 1), kForwarded);
  EXPECT_EQ(facts(tcp(kSyn)).state, FlowState::kTcpSynReceived);
  EXPECT_EQ(bench.run(tcp(kAck)), kForwarded);
  EXPECT_EQ(facts(tcp(kSyn)).state, FlowState::kTcpEstablished);
  EXPECT_EQ(bench.run(tcp_back(kAck).payload(100), 1), kForwarded);
  EXPECT_EQ(bench.run(tcp(kFin | kAck, 0, 100)), kForwarded);
  EXPECT_EQ(bench.run(tcp_back(kFin | kAck, 100, 1), 1), kForwarded);
  EXPECT_EQ(facts(tcp(kSyn)).state, FlowState::kTcpClosing);
  EXPECT_EQ(tally(tcp(kSyn)).packets(Side::kOpener), 3U);
  EXPECT_EQ(tally(tcp(kSyn)).packets(Side::kReplier), 3U);
  EXPECT_EQ(tally(tcp(kSyn)).bytes(Side::kReplier), 54U * 3 + 100);
  EXPECT_EQ(tally(tcp(kSyn)).ingress_rule, 1U);
  EXPECT_EQ(bench.w.counters.flows_created, 1U);
  EXPECT_EQ(bench.w.counters.flow_hits, 5U);
  EXPECT_EQ(bench.w.counters.flow_misses, 1U);
}

TEST_F(FlowLife, ADeniedPacketLeavesNothingBehind) {
  EXPECT_EQ(bench.run(packet().ipv4("10.0.0.3", "10.0.0.2").tcp(1, 80, kSyn)),
            dropped(kDeniedIngress));
  EXPECT_EQ(bench.run(packet().ipv4("10.0.0.1", "10.0.0.2").tcp(1, 81, kSyn)),
            dropped(kDeniedIngress));
  EXPECT_EQ(bench.run(tcp_back(kSyn)), dropped(kDeniedIngress));
  EXPECT_EQ(bench.w.flows(), 0U);
}

TEST_F(FlowLife, WhoMayNotSendMayStillAnswer) {
  bench.set_rules({{"10.0.0.1", "10.0.0.2", 80}}, 2, /*at_egress=*/true);
  EXPECT_EQ(bench.run(packet().ipv4("10.0.0.2", "10.0.0.1").udp(80, 40000), 1),
            dropped(kDeniedEgress));
  EXPECT_EQ(bench.run(udp()), kForwarded);
  EXPECT_EQ(bench.run(packet().ipv4("10.0.0.2", "10.0.0.1").udp(80, 40000), 1), kForwarded);
  EXPECT_EQ(facts(udp()).state, FlowState::kUdpReplied);
}

TEST_F(FlowLife, WhatCannotOpenAFlowIsDroppedWithoutOne) {
  EXPECT_EQ(bench.run(tcp(kAck)), dropped(kNoFlow));
  EXPECT_EQ(bench.run(tcp(kSyn | kAck)), dropped(kNoFlow));
  EXPECT_EQ(bench.run(tcp(kRst)), dropped(kNoFlow));
  EXPECT_EQ(bench.run(packet().ipv4("10.0.0.1", "10.0.0.2").echo_reply(7)),
            dropped(kIcmpUnrelated));
  EXPECT_EQ(bench.run(packet().ipv4("10.0.0.2", "10.0.0.1").icmp(3, 1).quote(udp()), 1),
            dropped(kIcmpUnrelated));
  EXPECT_EQ(bench.w.flows(), 0U);
}

TEST_F(FlowLife, PacketsOfOneNewFlowInOneBurstMakeOneFlow) {
  const Bytes out = udp().bytes(),
              back = packet().ipv4("10.0.0.2", "10.0.0.1").udp(80, 40000).bytes();
  EXPECT_EQ(bench.run({{out, 0}, {out, 0}, {out, 0}}), (std::vector(3, kForwarded)));
  EXPECT_EQ(bench.w.counters.flows_created, 1U);
  EXPECT_EQ(tally(udp()).packets(Side::kOpener), 3U);
  EXPECT_EQ(bench.run({{back, 1}}), (std::vector{kForwarded}));
  EXPECT_EQ(tally(udp()).packets(Side::kReplier), 1U);
}

TEST_F(FlowLife, AFlowWhoseTimeIsOverEndsOnceForAllPacketsOfABurst) {
  EXPECT_EQ(bench.run(udp()), kForwarded);
  bench.pass_seconds(1e6);
  const std::vector<StageBench::Frame> frames(3, {udp().bytes(), 0});
  EXPECT_EQ(bench.run(frames), std::vector(3, kForwarded));
  EXPECT_EQ(bench.w.flows(), 1U);
  EXPECT_EQ(bench.w.counters.flows_expired, 1U);
  EXPECT_EQ(bench.w.counters.flows_created, 2U);
}

TEST_F(FlowLife, AFullBurstOfBothFamiliesGetsItsOwnVerdicts) {
  std::vector<StageBench::Frame> frames;
  std::vector<StageBench::End> expected;
  for (uint16_t n = 0; n < 16; ++n) {
    frames.push_back({udp(static_cast<uint16_t>(1000 + n)).bytes()});
    expected.push_back(kForwarded);
    frames.push_back({packet().ipv6("fd00::2", "fd00::1").udp(n, 80).bytes()});
    expected.push_back(dropped(kDeniedIngress));
    frames.push_back({packet().ipv6("fd00::1", "fd00::2").udp(n, 80).bytes()});
    expected.push_back(kForwarded);
    frames.push_back({packet().ipv4("10.0.0.3", "10.0.0.2").udp(n, 80).bytes()});
    expected.push_back(dropped(kDeniedIngress));
  }
  EXPECT_EQ(bench.run(frames), expected);
  EXPECT_EQ(bench.w.flows_v4.size(), 16U);
  EXPECT_EQ(bench.w.flows_v6.size(), 16U);
}

TEST_F(FlowLife, VlansAreZones) {
  EXPECT_EQ(bench.run(packet().vlan(10).ipv4("10.0.0.1", "10.0.0.2").tcp(1, 80, kSyn)), kForwarded);
  const auto answer = [](uint16_t vid) {
    return packet().vlan(vid).ipv4("10.0.0.2", "10.0.0.1").tcp(80, 1, kSyn | kAck);
  };
  EXPECT_EQ(bench.run(answer(11), 1), dropped(kNoFlow));
  EXPECT_EQ(bench.run(answer(10), 1), kForwarded);
}

TEST_F(FlowLife, AnEchoPassesByARuleForItAndItsReplyByState) {
  const auto request = packet().ipv4("10.0.0.1", "10.0.0.2").echo_request(9);
  EXPECT_EQ(bench.run(request), dropped(kDeniedIngress));
  bench.set_rules({{"10.0.0.1", "10.0.0.2", 0}}, 2);
  EXPECT_EQ(bench.run(request), kForwarded);
  EXPECT_EQ(bench.run(packet().ipv4("10.0.0.2", "10.0.0.1").echo_reply(9), 1), kForwarded);
  EXPECT_EQ(bench.run(packet().ipv4("10.0.0.2", "10.0.0.1").echo_reply(8), 1),
            dropped(kIcmpUnrelated));
  // A request the other way is not an answer.
  EXPECT_EQ(bench.run(packet().ipv4("10.0.0.2", "10.0.0.1").echo_request(9), 1),
            dropped(kDeniedIngress));
}

TEST_F(FlowLife, AnIcmpErrorPassesIfItsQuoteBelongsToAFlowAndMovesNothing) {
  EXPECT_EQ(bench.run(tcp(kSyn)), kForwarded);
  const auto error = packet().ipv4("10.0.0.2", "10.0.0.1").icmp(3, 1).quote(tcp(kSyn));
  EXPECT_EQ(bench.run(error, 1), kForwarded);
  EXPECT_EQ(facts(tcp(kSyn)).state, FlowState::kTcpOpening);
  EXPECT_EQ(tally(tcp(kSyn)).packets(Side::kOpener), 1U);
  EXPECT_EQ(tally(tcp(kSyn)).packets(Side::kReplier), 0U);
}

TEST_F(FlowLife, AnIcmpErrorPassesOnlyFromWhereItsQuoteWasGoing) {
  EXPECT_EQ(bench.run(tcp(kSyn)), kForwarded);
  EXPECT_EQ(bench.run(tcp_back(kSyn | kAck), 1), kForwarded);
  const auto about_opener = packet().ipv4("10.0.0.9", "10.0.0.1").icmp(3, 4, 1400).quote(tcp(kSyn));
  const auto about_replier =
      packet().ipv4("10.0.0.9", "10.0.0.2").icmp(11, 0).quote(tcp_back(kSyn | kAck));
  EXPECT_EQ(bench.run(about_opener, 1), kForwarded);
  EXPECT_EQ(bench.run(about_opener, 0), dropped(kIcmpUnrelated));
  EXPECT_EQ(bench.run(about_replier, 0), kForwarded);
  EXPECT_EQ(bench.run(about_replier, 1), dropped(kIcmpUnrelated));
}

TEST_F(FlowLife, AnIcmpErrorMustQuoteWhatMayBeOnItsWay) {
  EXPECT_EQ(bench.run(tcp(kSyn)), kForwarded);
  EXPECT_EQ(bench.run(tcp_back(kSyn | kAck), 1), kForwarded);
  EXPECT_EQ(bench.run(tcp(kAck).payload(1000)), kForwarded);
  const auto about = [](uint32_t sent) {
    return packet().ipv4("10.0.0.9", "10.0.0.1").icmp(3, 4, 1400).quote(tcp(kAck, sent));
  };
  EXPECT_EQ(bench.run(about(0), 1), kForwarded);
  EXPECT_EQ(bench.run(about(999), 1), kForwarded);
  EXPECT_EQ(bench.run(about(200000), 1), dropped(kIcmpUnrelated));
  EXPECT_EQ(bench.run(about(0x80000000), 1), dropped(kIcmpUnrelated));
}

TEST_F(FlowLife, AResetOfAStrangerChangesNothing) {
  EXPECT_EQ(bench.run(tcp(kSyn)), kForwarded);
  EXPECT_EQ(bench.run(tcp_back(kSyn | kAck), 1), kForwarded);
  EXPECT_EQ(bench.run(tcp(kAck)), kForwarded);
  EXPECT_EQ(bench.run(tcp_back(kRst, 0x40000000), 1), dropped(kTcpWindow));
  EXPECT_EQ(facts(tcp(kSyn)).state, FlowState::kTcpEstablished);
  EXPECT_EQ(bench.run(tcp_back(kRst, 1), 1), kForwarded);
  EXPECT_EQ(facts(tcp(kSyn)).state, FlowState::kTcpReset);
}

class PickUp : public FlowLife {
 protected:
  void SetUp() override {
    FlowLife::SetUp();
    bench.w.pick_up_until = ~Tsc{0};
  }
};

TEST_F(PickUp, AConnectionIsAssuredWhenBothEndsHaveSaidWhatFits) {
  EXPECT_EQ(bench.run(tcp(kAck).payload(10)), kForwarded);
  EXPECT_EQ(facts(tcp(kSyn)).state, FlowState::kTcpPickedUp);
  EXPECT_EQ(bench.w.flows_v4.weak(), 1U);
  EXPECT_EQ(bench.w.counters.flows_picked_up, 1U);
  EXPECT_EQ(bench.w.counters.flows_created, 0U);
  EXPECT_EQ(bench.run(tcp_back(kAck, 0, 10).payload(10), 1), kForwarded);
  EXPECT_EQ(bench.run(tcp(kAck, 10, 10)), kForwarded);
  EXPECT_EQ(facts(tcp(kSyn)).state, FlowState::kTcpEstablished);
  EXPECT_EQ(bench.w.flows_v4.weak(), 0U);
  EXPECT_EQ(bench.w.counters.flows_picked_up, 1U);
}

TEST_F(PickUp, AReplyThatComesFirstOpensTheFlowTheOtherWayRound) {
  EXPECT_EQ(bench.run(tcp_back(kAck).payload(10), 1), kForwarded);
  EXPECT_EQ(facts(tcp(kSyn)).side(0), Side::kOpener);  // 10.0.0.1 is the lower end
  EXPECT_EQ(facts(tcp(kSyn)).opener_port, 0U);
  EXPECT_EQ(tally(tcp(kSyn)).packets(Side::kReplier), 1U);
  EXPECT_EQ(tally(tcp(kSyn)).ingress_rule, 1U);
  EXPECT_EQ(bench.run(tcp(kAck, 0, 10)), kForwarded);
  // The policy is still that of the opener's direction.
  bench.set_rules({}, 2);
  EXPECT_EQ(bench.run(tcp_back(kAck, 10, 0).payload(10), 1), dropped(kDeniedIngress));
}

TEST_F(PickUp, NothingThatPolicyForbidsAndNoSynOrReset) {
  const auto to = [](uint16_t port, uint8_t flags) {
    return packet().ipv4("10.0.0.1", "10.0.0.2").tcp(40000, port, flags).tcp_sequence(9, 9);
  };
  EXPECT_EQ(bench.run(to(81, kAck)), dropped(kDeniedIngress));
  EXPECT_EQ(bench.run(to(80, kSyn | kAck)), dropped(kNoFlow));
  EXPECT_EQ(bench.run(to(80, kRst)), dropped(kNoFlow));
  EXPECT_EQ(bench.run(to(80, kRst | kAck)), dropped(kNoFlow));
  EXPECT_EQ(bench.run(to(80, kAck).wrong_l4_checksum()), dropped(kL4Checksum));
  EXPECT_EQ(bench.w.flows(), 0U);
  EXPECT_EQ(bench.run(to(80, kFin | kAck)), kForwarded);
  bench.pass_seconds(1);
  bench.w.pick_up_until = 1;
  EXPECT_EQ(bench.run(packet().ipv4("10.0.0.1", "10.0.0.2").tcp(7, 80, kAck).tcp_sequence(9, 9)),
            dropped(kNoFlow));
}

TEST_F(FlowLife, NoStateIsChangedByAWrongChecksum) {
  EXPECT_EQ(bench.run(tcp(kSyn).wrong_l4_checksum()), dropped(kL4Checksum));
  EXPECT_EQ(bench.w.flows(), 0U);
  EXPECT_EQ(bench.run(tcp(kSyn)), kForwarded);
  EXPECT_EQ(bench.run(tcp_back(kRst | kAck).wrong_l4_checksum(), 1), dropped(kL4Checksum));
  EXPECT_EQ(facts(tcp(kSyn)).state, FlowState::kTcpOpening);
  bench.w.checksum = ChecksumMode::kOff;
  EXPECT_EQ(bench.run(tcp_back(kRst | kAck).wrong_l4_checksum(), 1), kForwarded);
  EXPECT_EQ(facts(tcp(kSyn)).state, FlowState::kTcpReset);
}

// First packets of a burst are verified together; it is each one's own checksum that counts.
TEST_F(FlowLife, OfABurstEachFirstPacketsOwnChecksumCounts) {
  std::mt19937_64 random(support::seed());
  uint64_t wrong = 0;
  for (uint64_t round = 0; round < support::rounds(200); ++round) {
    std::vector<rte_mbuf*> buffers;
    std::vector<StageBench::End> expected;
    for (uint16_t n = 0; n < Burst::kSize; ++n) {
      const bool v6 = random() % 2 != 0, is_udp = random() % 3 == 0;
      const auto port = static_cast<uint16_t>(1 + random() % 65535);
      PacketBuilder p = packet();
      if (random() % 4 == 0) p.vlan(7);
      p.ip(v6 ? "fd00::1" : "10.0.0.1", v6 ? "fd00::2" : "10.0.0.2");
      is_udp ? p.udp(port, 80) : p.tcp(port, 80, kSyn);
      Bytes frame = p.payload(random() % 30).bytes();
      ParsedPacket parsed;
      const auto size = static_cast<uint32_t>(frame.size());
      parse_frame(frame.data(), size, size, parsed);
      if (random() % 2 == 0) frame[parsed.l4_offset + 4 + random() % 2] ^= is_udp ? 0 : 0x10;
      if (is_udp && random() % 3 == 0) frame[parsed.l4_offset + 6] ^= 0x10;
      if (is_udp && random() % 6 == 0)
        frame[parsed.l4_offset + 6] = frame[parsed.l4_offset + 7] = 0;
      constexpr uint64_t kSeen[] = {RTE_MBUF_F_RX_L4_CKSUM_UNKNOWN, RTE_MBUF_F_RX_L4_CKSUM_UNKNOWN,
                                    RTE_MBUF_F_RX_L4_CKSUM_UNKNOWN, RTE_MBUF_F_RX_L4_CKSUM_UNKNOWN,
                                    RTE_MBUF_F_RX_L4_CKSUM_BAD,     RTE_MBUF_F_RX_L4_CKSUM_GOOD,
                                    RTE_MBUF_F_RX_L4_CKSUM_NONE};
      const uint64_t seen = round % 2 == 0 ? kSeen[0] : kSeen[random() % std::size(kSeen)];
      const bool right =
          seen == RTE_MBUF_F_RX_L4_CKSUM_GOOD ||
          (seen != RTE_MBUF_F_RX_L4_CKSUM_BAD && l4_checksum_ok(frame.data(), parsed));
      buffers.push_back(round % 4 == 1 && random() % 8 == 0 ? bench.chain(frame, 80)
                                                            : bench.buffer(frame));
      buffers.back()->ol_flags = seen;
      expected.push_back(right ? kForwarded : dropped(kL4Checksum));
      wrong += !right;
    }
    // No flow of the burst before is left.
    bench.pass_seconds(1e6);
    bench.sweep();
    ASSERT_EQ(bench.run(buffers, std::vector<uint8_t>(buffers.size(), 0)), expected) << round;
  }
  EXPECT_GT(wrong, 1000U);
}

TEST_F(FlowLife, TheNicsWordIsTakenForTheChecksum) {
  EXPECT_EQ(bench.run(tcp(kSyn), 0, RTE_MBUF_F_RX_L4_CKSUM_BAD), dropped(kL4Checksum));
  EXPECT_EQ(bench.run(tcp(kSyn).wrong_l4_checksum(), 0, RTE_MBUF_F_RX_L4_CKSUM_GOOD), kForwarded);
  // "Not in the packet, but the data are good": the receiver would find it wrong.
  EXPECT_EQ(bench.run(udp().wrong_l4_checksum(), 0, RTE_MBUF_F_RX_L4_CKSUM_NONE),
            dropped(kL4Checksum));
}

TEST_F(FlowLife, ASynOnAnEndedFlowIsANewConnectionInItsOwnDirection) {
  EXPECT_EQ(bench.run(tcp(kSyn)), kForwarded);
  EXPECT_EQ(bench.run(tcp_back(kRst | kAck), 1), kForwarded);
  EXPECT_EQ(bench.run(tcp(kSyn).wrong_l4_checksum()), dropped(kL4Checksum));
  EXPECT_EQ(bench.w.flows(), 1U);
  EXPECT_EQ(bench.run(tcp(kSyn)), kForwarded);
  EXPECT_EQ(bench.w.counters.flows_created, 2U);
  EXPECT_EQ(facts(tcp(kSyn)).state, FlowState::kTcpOpening);
  EXPECT_EQ(bench.run(tcp_back(kRst | kAck), 1), kForwarded);
  // From the other end nothing allows it.
  EXPECT_EQ(bench.run(tcp_back(kSyn), 1), dropped(kDeniedIngress));
  EXPECT_EQ(bench.w.flows(), 0U);
}

TEST_F(FlowLife, AnIdleFlowIsOverEvenBeforeTheSweepMeetsIt) {
  bench.w.timeouts[static_cast<unsigned>(FlowState::kTcpOpening)] = 60;  // a second
  EXPECT_EQ(bench.run(tcp(kSyn)), kForwarded);
  bench.pass_seconds(0.5);
  EXPECT_EQ(bench.run(tcp(kSyn)), kForwarded);
  bench.pass_seconds(0.9);
  bench.sweep();
  EXPECT_EQ(bench.w.flows(), 1U);
  EXPECT_EQ(bench.run(tcp_back(kSyn | kAck), 1), kForwarded);
  EXPECT_EQ(bench.run(tcp_back(kRst | kAck, 1), 1), kForwarded);
  bench.w.timeouts[static_cast<unsigned>(FlowState::kTcpReset)] = 60;
  bench.pass_seconds(1.1);
  EXPECT_EQ(bench.run(tcp_back(kAck), 1), dropped(kNoFlow));
  EXPECT_EQ(bench.w.counters.flows_expired, 1U);
  EXPECT_EQ(bench.w.flows(), 0U);
}

TEST_F(FlowLife, TheSweepEndsWhatIsIdleAndNothingElse) {
  bench.w.timeouts[static_cast<unsigned>(FlowState::kUdpOpening)] = 60;
  for (uint16_t port = 0; port < 200; ++port) {
    EXPECT_EQ(bench.run(udp(port)), kForwarded);
    EXPECT_EQ(bench.run(packet().ipv6("fd00::1", "fd00::2").udp(port, 80)), kForwarded);
  }
  EXPECT_EQ(bench.run(tcp(kSyn)), kForwarded);
  bench.pass_seconds(1.1);
  EXPECT_EQ(bench.run(packet().ipv6("fd00::1", "fd00::2").udp(500, 80)), kForwarded);
  bench.sweep();
  EXPECT_EQ(bench.w.flows_v4.size(), 1U);
  EXPECT_EQ(bench.w.flows_v6.size(), 1U);
  EXPECT_EQ(bench.w.counters.flows_expired, 400U);
}

TEST(Startup, BeforeTheFirstSnapshotItDropsOrPasses) {
  StageBench bench;
  bench.set_mode(RuleSet::Mode::kDropAll);
  EXPECT_EQ(bench.run(tcp(kSyn)), dropped(kNoPolicyYet));
  EXPECT_EQ(bench.run(tcp(kAck)), dropped(kNoPolicyYet));
  bench.set_mode(RuleSet::Mode::kPassAll);
  EXPECT_EQ(bench.run(tcp(kAck)), kForwarded);  // older than we are
  EXPECT_EQ(bench.w.flows(), 0U);
  EXPECT_EQ(bench.run(tcp(kSyn)), kForwarded);
  EXPECT_EQ(bench.w.flows(), 1U);
}

}  // namespace
}  // namespace rampart::test
