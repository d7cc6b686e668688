// SPDX-License-Identifier: Apache-2.0
#include "dataplane/flow/flow_state.hpp"

#include <gtest/gtest.h>

#include <set>

namespace rampart {
namespace {

using enum FlowState;

ParsedPacket of(IpProtocol protocol) {
  ParsedPacket p;
  p.kind = PacketKind::kFlow;
  p.protocol = static_cast<uint8_t>(protocol);
  return p;
}

constexpr Side O = Side::kOpener, R = Side::kReplier;

TEST(UdpState, IsRepliedOnceTheOtherEndSpeaks) {
  const ParsedPacket p = of(IpProtocol::kUdp);
  EXPECT_EQ(first_state(p), kUdpOpening);
  EXPECT_EQ(next_state(kUdpOpening, O, p), kUdpOpening);
  EXPECT_EQ(next_state(kUdpOpening, R, p), kUdpReplied);
  EXPECT_EQ(next_state(kUdpReplied, O, p), kUdpReplied);
}

TEST(UdpState, ADnsExchangeIsOverWithItsAnswerUntilTheNextQuestion) {
  ParsedPacket question = of(IpProtocol::kUdp), answer = question;
  question.destination_port = answer.source_port = be16{53};
  EXPECT_EQ(next_state(kUdpOpening, O, question), kUdpOpening);
  EXPECT_EQ(next_state(kUdpOpening, R, answer), kUdpDns);
  EXPECT_EQ(next_state(kUdpDns, R, answer), kUdpDns);
  EXPECT_EQ(next_state(kUdpDns, O, question), kUdpOpening);
  // From port 53 to another port is no question.
  EXPECT_EQ(next_state(kUdpOpening, R, question), kUdpReplied);
}

TEST(FlowState, TheFirstOfTcpAndSctp) {
  EXPECT_EQ(first_state(of(IpProtocol::kTcp)), kTcpOpening);
  EXPECT_EQ(first_state(of(IpProtocol::kSctp)), kSctpOpening);
}

TEST(FlowState, OthersAreRepliedOnceTheOtherEndSpeaks) {
  struct Case {
    IpProtocol protocol;
    FlowState first, replied;
  };
  for (const Case& c : {Case{IpProtocol::kIcmp, kIcmpEcho, kIcmpReplied},
                        Case{IpProtocol::kIcmpV6, kIcmpEcho, kIcmpReplied},
                        Case{static_cast<IpProtocol>(47), kOther, kOtherReplied}}) {
    EXPECT_EQ(first_state(of(c.protocol)), c.first);
    EXPECT_EQ(next_state(c.first, O, of(c.protocol)), c.first);
    EXPECT_EQ(next_state(c.first, R, of(c.protocol)), c.replied);
    EXPECT_EQ(next_state(c.replied, O, of(c.protocol)), c.replied);
    EXPECT_EQ(next_state(c.replied, R, of(c.protocol)), c.replied);
  }
}

TEST(FlowState, WhatIsAssuredAndWhatIsDead) {
  const std::set<FlowState> assured{kTcpEstablished,  kTcpFinOpener, kTcpFinReplier, kUdpReplied,
                                    kSctpEstablished, kSctpShutdown, kOtherReplied};
  const std::set<FlowState> dead{kTcpClosing, kTcpTimeWait, kTcpReset, kSctpClosing};
  for (unsigned s = 0; s < kFlowStates; ++s) {
    const auto state = static_cast<FlowState>(s);
    EXPECT_EQ(is_assured(state), assured.contains(state)) << to_string(state) << " " << s;
    EXPECT_EQ(is_dead(state), dead.contains(state)) << to_string(state) << " " << s;
  }
}

TEST(FlowClock, ExpiresAfterTheTimeoutOfItsStateAndAcrossTheWrap) {
  FlowTimeouts t{};
  t.fill(1000);
  t[static_cast<unsigned>(kUdpOpening)] = 10;
  EXPECT_FALSE(is_expired(100, 110, kUdpOpening, t));
  EXPECT_TRUE(is_expired(100, 111, kUdpOpening, t));
  EXPECT_FALSE(is_expired(100, 111, kUdpReplied, t));
  EXPECT_FALSE(is_expired(0xfffffffb, 5, kUdpOpening, t));
  EXPECT_TRUE(is_expired(0xfffffffb, 6, kUdpOpening, t));
  // A clock that lies behind.
  EXPECT_FALSE(is_expired(100, 90, kUdpOpening, t));
}

}  // namespace
}  // namespace rampart
