// SPDX-License-Identifier: Apache-2.0
#include "dataplane/flow/flow_state.hpp"

#include <gtest/gtest.h>

#include <set>
#include <vector>

namespace rampart {
namespace {

using enum FlowState;
constexpr uint8_t kF = tcp_flag::kFin, kS = tcp_flag::kSyn, kR = tcp_flag::kRst,
                  kA = tcp_flag::kAck;

ParsedPacket tcp(uint8_t flags) {
  ParsedPacket p;
  p.kind = PacketKind::kFlow;
  p.protocol = static_cast<uint8_t>(IpProtocol::kTcp);
  p.tcp_flags = flags;
  p.opens_flow = flags == kS;
  return p;
}

ParsedPacket of(IpProtocol protocol, uint8_t sctp_chunk = 0) {
  ParsedPacket p;
  p.kind = PacketKind::kFlow;
  p.protocol = static_cast<uint8_t>(protocol);
  p.sctp_chunk = sctp_chunk;
  return p;
}

struct Segment {
  Side side;
  uint8_t flags;
  FlowState then;
};

void play(const std::vector<Segment>& segments) {
  FlowState state = first_state(tcp(kS));
  EXPECT_EQ(state, kTcpOpening);
  for (size_t i = 0; i < segments.size(); ++i) {
    state = next_state(state, segments[i].side, tcp(segments[i].flags));
    EXPECT_EQ(state, segments[i].then) << "segment " << i << ": " << to_string(state)
                                       << " instead of " << to_string(segments[i].then);
  }
}

constexpr Side O = Side::kOpener, R = Side::kReplier;

TEST(TcpState, HandshakeDataAndAnOrderlyEnd) {
  play({{R, kS | kA, kTcpSynReceived},
        {O, kA, kTcpEstablished},
        {R, kA, kTcpEstablished},
        {O, kF | kA, kTcpFinOpener},
        {R, kA, kTcpFinOpener},
        {R, kF | kA, kTcpClosing},
        {O, kA, kTcpClosing}});
}

TEST(TcpState, TheReplierMayEndFirst) {
  play({{R, kS | kA, kTcpSynReceived},
        {O, kA, kTcpEstablished},
        {R, kF | kA, kTcpFinReplier},
        {O, kF | kA, kTcpClosing}});
}

TEST(TcpState, ARetransmittedSynChangesNothing) {
  play({{O, kS, kTcpOpening}, {R, kS | kA, kTcpSynReceived}, {R, kS | kA, kTcpSynReceived}});
}

TEST(TcpState, TheOpenerAloneNeverEstablishes) {
  play({{O, kA, kTcpOpening}, {O, kF | kA, kTcpOpening}, {O, kS | kA, kTcpOpening}});
}

TEST(TcpState, SimultaneousOpen) {
  play({{R, kS, kTcpSynReceived}, {O, kS | kA, kTcpEstablished}});
}

TEST(TcpState, AResetEndsEveryState) {
  for (unsigned s = 0; s <= static_cast<unsigned>(kTcpReset); ++s) {
    for (const Side side : {O, R}) {
      EXPECT_EQ(next_state(static_cast<FlowState>(s), side, tcp(kR)), kTcpReset);
      EXPECT_EQ(next_state(static_cast<FlowState>(s), side, tcp(kR | kA)), kTcpReset);
    }
  }
}

TEST(TcpState, NothingBringsAResetConnectionBack) {
  play({{R, kS | kA, kTcpSynReceived},
        {O, kR, kTcpReset},
        {O, kA, kTcpReset},
        {R, kS | kA, kTcpReset},
        {O, kF, kTcpReset}});
}

TEST(TcpState, OnlyACleanSynReopensAndOnlyWhatHasEnded) {
  for (const FlowState ended : {kTcpClosing, kTcpTimeWait, kTcpReset}) {
    EXPECT_TRUE(may_reopen(ended, tcp(kS)));
    EXPECT_FALSE(may_reopen(ended, tcp(kS | kA)));
    EXPECT_FALSE(may_reopen(ended, tcp(kA)));
  }
  for (const FlowState live :
       {kTcpOpening, kTcpSynReceived, kTcpEstablished, kTcpFinOpener, kTcpFinReplier}) {
    EXPECT_FALSE(may_reopen(live, tcp(kS)));
  }
}

TEST(UdpState, IsRepliedOnceTheOtherEndSpeaks) {
  const ParsedPacket p = of(IpProtocol::kUdp);
  EXPECT_EQ(first_state(p), kUdpOpening);
  EXPECT_EQ(next_state(kUdpOpening, O, p), kUdpOpening);
  EXPECT_EQ(next_state(kUdpOpening, R, p), kUdpReplied);
  EXPECT_EQ(next_state(kUdpReplied, O, p), kUdpReplied);
}

TEST(SctpState, HandshakeAndShutdown) {
  EXPECT_EQ(first_state(of(IpProtocol::kSctp, 1)), kSctpOpening);
  const auto step = [](FlowState s, Side side, uint8_t chunk) {
    return next_state(s, side, of(IpProtocol::kSctp, chunk));
  };
  EXPECT_EQ(step(kSctpOpening, R, sctp_type::kInitAck), kSctpOpening);
  EXPECT_EQ(step(kSctpOpening, O, sctp_type::kCookieEcho), kSctpOpening);
  EXPECT_EQ(step(kSctpOpening, O, sctp_type::kCookieAck), kSctpOpening);
  EXPECT_EQ(step(kSctpOpening, R, sctp_type::kCookieAck), kSctpEstablished);
  EXPECT_EQ(step(kSctpEstablished, O, 0), kSctpEstablished);
  EXPECT_EQ(step(kSctpEstablished, O, sctp_type::kShutdown), kSctpEstablished);
  EXPECT_EQ(step(kSctpEstablished, R, sctp_type::kShutdownAck), kSctpClosing);
  EXPECT_EQ(step(kSctpEstablished, O, sctp_type::kAbort), kSctpClosing);
  ParsedPacket init = of(IpProtocol::kSctp, sctp_type::kInit);
  init.opens_flow = true;
  EXPECT_TRUE(may_reopen(kSctpClosing, init));
  EXPECT_FALSE(may_reopen(kSctpEstablished, init));
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
