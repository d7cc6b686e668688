// SPDX-License-Identifier: Apache-2.0
// What somebody tries who wants more than policy allows, or others to have less, from packet to
// verdict: each attempt is denied or harmless, under its name.
#include <gtest/gtest.h>

#include "tests/support/stage_bench.hpp"

namespace rampart::test {
namespace {

constexpr auto kForwarded = StageBench::kForwarded;
constexpr auto dropped = StageBench::dropped;
using enum DropReason;

struct Hosts {
  std::string_view client, server, other;
};
constexpr Hosts kV4{"10.0.0.1", "10.0.0.2", "10.0.0.3"}, kV6{"fd00::1", "fd00::2", "fd00::3"};

class Evasion : public testing::TestWithParam<Hosts> {
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
  bool v6() const { return GetParam().client == kV6.client; }
  PacketBuilder there() const { return packet().ip(GetParam().client, GetParam().server); }
  PacketBuilder back() const { return packet().ip(GetParam().server, GetParam().client); }
  PacketBuilder from_client(uint8_t flags, uint32_t sequence, uint32_t ack = 0) const {
    return there().tcp(9, 80, flags).tcp_sequence(sequence, ack);
  }
  PacketBuilder from_server(uint8_t flags, uint32_t sequence, uint32_t ack) const {
    return back().tcp(80, 9, flags).tcp_sequence(sequence, ack);
  }
  /// The client has sent up to 1021, the server up to 5031.
  void establish() {
    EXPECT_EQ(bench.run(from_client(kSyn, 1000)), kForwarded);
    EXPECT_EQ(bench.run(from_server(kSyn | kAck, 5000, 1001), 1), kForwarded);
    EXPECT_EQ(bench.run(from_client(kAck, 1001, 5001).payload(20)), kForwarded);
    EXPECT_EQ(bench.run(from_server(kAck, 5001, 1021).payload(30), 1), kForwarded);
    EXPECT_EQ(bench.run(from_client(kAck, 1021, 5031)), kForwarded);
  }
  /// "Packet too big" of a router, to whom the quoted packet came from.
  PacketBuilder too_big(const PacketBuilder& about, bool to_client, size_t limit = 512) const {
    const auto& [client, server, other] = GetParam();
    return packet()
        .ip(other, to_client ? client : server)
        .icmp(v6() ? 2 : 3, v6() ? 0 : 4, 1280)
        .quote(about, limit);
  }
  FlowState state() {
    FlowState found = FlowState::kCount;
    const auto look = [&](auto& table) {
      for (uint32_t c = 0; c < table.chunks(); ++c)
        table.for_each_in_chunk(c, [&](uint32_t slot) { found = table[slot].facts.state; });
    };
    look(bench.w.flows_v4);
    look(bench.w.flows_v6);
    return found;
  }
  StageBench bench;
};

TEST_P(Evasion, TooBigReachesTheSenderOfEitherDirectionAndOnlyFromAhead) {
  establish();
  const auto sent = from_client(kAck, 1001, 5001).payload(20);
  const auto received = from_server(kAck, 5001, 1021).payload(30);
  EXPECT_EQ(bench.run(too_big(sent, true), 1), kForwarded);
  EXPECT_EQ(bench.run(too_big(received, false), 0), kForwarded);
  // As little as a router has to quote.
  EXPECT_EQ(bench.run(too_big(sent, true, v6() ? 48 : 28), 1), kForwarded);
  EXPECT_EQ(bench.run(too_big(sent, true, v6() ? 47 : 27), 1), dropped(kL4Truncated));
  // From behind the sender.
  EXPECT_EQ(bench.run(too_big(sent, true), 0), dropped(kIcmpUnrelated));
  EXPECT_EQ(bench.run(too_big(received, false), 1), dropped(kIcmpUnrelated));
  // To the other end.
  EXPECT_EQ(bench.run(too_big(sent, false), 0), dropped(kIcmpUnrelated));
  EXPECT_EQ(bench.run(too_big(received, true), 1), dropped(kIcmpUnrelated));
  // In another VLAN.
  EXPECT_EQ(bench.run(too_big(sent, true).vlan(5), 1), dropped(kIcmpUnrelated));
}

TEST_P(Evasion, TooBigMayQuoteAFirstFragmentAndNoOther) {
  establish();
  const auto pieces = from_client(kAck, 1021, 5031).payload(2000).fragments(1000);
  for (const Bytes& one : pieces) EXPECT_EQ(bench.run({{one}}).front(), kForwarded);
  const auto first = from_client(kAck, 1021, 5031).fragment(0, true).payload(976);
  EXPECT_EQ(bench.run(too_big(first, true), 1), kForwarded);
  // Its data look like the connection's header.
  const Bytes like_a_header{0, 9, 0, 80, 0, 0, 3, 0xfd, 0, 0, 0, 0};
  const auto later = there().protocol(6).fragment(1000, false).payload(like_a_header);
  EXPECT_EQ(bench.run(too_big(later, true), 1), dropped(kIcmpUnrelated));
  const auto never_sent = from_client(kAck, 99000, 5031).fragment(0, true).payload(976);
  EXPECT_EQ(bench.run(too_big(never_sent, true), 1), dropped(kIcmpUnrelated));
  // An error that comes in pieces itself.
  const auto error = too_big(first, true).payload(Bytes(600, 7));
  for (const Bytes& one : error.fragments(304)) {
    EXPECT_NE(bench.run({{one, 1}}).front(), kForwarded);
  }
  drop_held_fragments(bench.w);
  EXPECT_EQ(bench.drops(kIcmpUnrelated), 3U);
}

TEST_P(Evasion, AnErrorKeepsNoFlowAlive) {
  establish();
  bench.w.timeouts[static_cast<unsigned>(FlowState::kTcpEstablished)] = 60;
  const auto sent = from_client(kAck, 1001, 5001).payload(20);
  for (unsigned n = 0; n < 3; ++n) {
    bench.pass_seconds(0.3);
    EXPECT_EQ(bench.run(too_big(sent, true), 1), kForwarded);
  }
  bench.pass_seconds(0.3);
  EXPECT_EQ(bench.run(too_big(sent, true), 1), dropped(kIcmpUnrelated));
  EXPECT_EQ(bench.w.flows(), 0U);
}

TEST_P(Evasion, ResetsOfStrangersInBothDirections) {
  establish();
  // Windows are 65,535 each way: the client may send up to 1021 + 65535, the server to 5031 +
  // 65535.
  for (const uint32_t off : {uint32_t{0} - 1, 65537U, 0x40000000U, 0x80000000U, 0xc0000000U}) {
    EXPECT_EQ(bench.run(from_client(kRst, 1021 + off)), dropped(kTcpWindow)) << off;
    EXPECT_EQ(bench.run(from_server(kRst | kAck, 5031 + off, 1021), 1), dropped(kTcpWindow)) << off;
  }
  for (const uint32_t off : {1U, 1000U, 65535U}) {
    EXPECT_EQ(bench.run(from_client(kRst, 1021 + off)), kForwarded) << off;
    EXPECT_EQ(bench.run(from_server(kRst, 5031 + off, 0), 1), kForwarded) << off;
    EXPECT_EQ(state(), FlowState::kTcpEstablished);
  }
  // The very number, but nobody would take it: its checksum is wrong.
  EXPECT_EQ(bench.run(from_client(kRst, 1021).wrong_l4_checksum()), dropped(kL4Checksum));
  EXPECT_EQ(state(), FlowState::kTcpEstablished);
  EXPECT_EQ(bench.run(from_client(kRst, 1021)), kForwarded);
  EXPECT_EQ(state(), FlowState::kTcpReset);
}

TEST_P(Evasion, PortsAreNotUsedAgainByAnOldNumber) {
  establish();
  EXPECT_EQ(bench.run(from_client(kFin | kAck, 1021, 5031)), kForwarded);
  EXPECT_EQ(bench.run(from_server(kFin | kAck, 5031, 1022), 1), kForwarded);
  EXPECT_EQ(bench.run(from_client(kAck, 1022, 5032)), kForwarded);
  ASSERT_EQ(state(), FlowState::kTcpTimeWait);
  for (const uint32_t old : {1000U, 1021U, 1022U + 0x80000001U}) {
    EXPECT_EQ(bench.run(from_client(kSyn, old)), dropped(kTcpState)) << old;
    EXPECT_EQ(state(), FlowState::kTcpTimeWait);
  }
  EXPECT_EQ(bench.run(from_client(kSyn, 1023).wrong_l4_checksum()), dropped(kL4Checksum));
  EXPECT_EQ(state(), FlowState::kTcpTimeWait);
  EXPECT_EQ(bench.run(from_client(kSyn, 1023)), kForwarded);
  EXPECT_EQ(state(), FlowState::kTcpOpening);
  EXPECT_EQ(bench.w.flows(), 1U);
}

TEST_P(Evasion, TheServerMayNotOpenByTheClientsOldPorts) {
  establish();
  EXPECT_EQ(bench.run(from_client(kFin | kAck, 1021, 5031)), kForwarded);
  EXPECT_EQ(bench.run(from_server(kFin | kAck, 5031, 1022), 1), kForwarded);
  EXPECT_EQ(bench.run(from_client(kAck, 1022, 5032)), kForwarded);
  EXPECT_EQ(bench.run(from_server(kSyn, 9000, 0), 1), dropped(kDeniedIngress));
  EXPECT_EQ(bench.w.flows(), 0U);
}

TEST_P(Evasion, WhoMayNotOpenDoesNotKeepAFlowAlive) {
  bench.w.timeouts.fill(60 * 60);  // ticks: a minute
  EXPECT_EQ(bench.run(from_client(kSyn, 1000)), kForwarded);
  // It may be a simultaneous open; but nobody has answered either of them.
  bench.pass_seconds(40);
  EXPECT_EQ(bench.run(from_server(kSyn, 5000, 0), 1), kForwarded);
  bench.pass_seconds(40);
  EXPECT_EQ(bench.run(from_server(kSyn, 5000, 0), 1), dropped(kDeniedIngress));
  EXPECT_EQ(bench.w.flows(), 0U);
}

TEST_P(Evasion, AnInitDoesNotKeepAnAssociationAlive) {
  using namespace sctp_type;
  bench.w.timeouts.fill(60 * 60);  // ticks: a minute
  const auto from_a = [this](uint32_t tag) { return there().sctp(1000, 80, tag); };
  const auto from_b = [this](uint32_t tag) { return back().sctp(80, 1000, tag); };
  EXPECT_EQ(bench.run(from_a(0).init_chunk(kInit, 0xa1)), kForwarded);
  EXPECT_EQ(bench.run(from_b(0xa1).init_chunk(kInitAck, 0xb1), 1), kForwarded);
  EXPECT_EQ(bench.run(from_a(0xb1).chunk(kCookieEcho, 8)), kForwarded);
  EXPECT_EQ(bench.run(from_b(0xa1).chunk(kCookieAck, 0), 1), kForwarded);
  bench.pass_seconds(40);
  EXPECT_EQ(bench.run(from_b(0).init_chunk(kInit, 0xb2), 1), kForwarded);  // it may have restarted
  bench.pass_seconds(40);
  EXPECT_EQ(bench.run(from_b(0).init_chunk(kInit, 0xb2), 1), dropped(kDeniedIngress));
  EXPECT_EQ(bench.w.flows(), 0U);
}

TEST_P(Evasion, AConnectionOverTwoVlansIsNone) {
  EXPECT_EQ(bench.run(from_client(kSyn, 1000).vlan(5)), kForwarded);
  EXPECT_EQ(bench.run(from_server(kSyn | kAck, 5000, 1001).vlan(6), 1), dropped(kNoFlow));
  EXPECT_EQ(bench.run(from_server(kSyn | kAck, 5000, 1001), 1), dropped(kNoFlow));
  // The priority tag is no VLAN (IEEE 802.1Q §6.9).
  EXPECT_EQ(bench.run(from_client(kSyn, 1000)), kForwarded);
  EXPECT_EQ(bench.run(from_server(kSyn | kAck, 5000, 1001).vlan(0), 1), kForwarded);
}

TEST_P(Evasion, OneGoOfTheBroomIsBoundedHoweverMuchIsOver) {
  StageBench large(64000);
  large.set_rules({{"10.0.0.1", "10.0.0.2", 80}, {"fd00::1", "fd00::2", 80}}, 1);
  for (uint16_t port = 1; port <= 60000; ++port) {
    ASSERT_EQ(large.run(there().udp(port, 80)), kForwarded);
  }
  large.pass_seconds(3600);
  uint64_t gone = 0;
  for (unsigned goes = 0; goes < 1000; ++goes) {
    expire(large.w, *large.rules, large.w.burst.now + 3600 * large.w.tsc_hz);
    const uint64_t now_gone = large.w.counters.flows_expired;
    ASSERT_LE(now_gone - gone, 8U * 14U);
    gone = now_gone;
  }
  EXPECT_GT(gone, 1000U);
}

INSTANTIATE_TEST_SUITE_P(Families, Evasion, testing::Values(kV4, kV6),
                         [](const auto& p) { return p.param.client[0] == 'f' ? "Ipv6" : "Ipv4"; });

}  // namespace
}  // namespace rampart::test
