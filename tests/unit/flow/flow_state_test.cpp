// SPDX-License-Identifier: Apache-2.0
#include "dataplane/flow/flow_state.hpp"

#include <gtest/gtest.h>

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
  for (const FlowState ended : {kTcpClosing, kTcpReset}) {
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
  EXPECT_EQ(step(kSctpOpening, R, detail::kSctpInitAck), kSctpOpening);
  EXPECT_EQ(step(kSctpOpening, O, detail::kSctpCookieEcho), kSctpOpening);
  EXPECT_EQ(step(kSctpOpening, O, detail::kSctpCookieAck), kSctpOpening);
  EXPECT_EQ(step(kSctpOpening, R, detail::kSctpCookieAck), kSctpEstablished);
  EXPECT_EQ(step(kSctpEstablished, O, 0), kSctpEstablished);
  EXPECT_EQ(step(kSctpEstablished, O, detail::kSctpShutdown), kSctpEstablished);
  EXPECT_EQ(step(kSctpEstablished, R, detail::kSctpShutdownAck), kSctpClosing);
  EXPECT_EQ(step(kSctpEstablished, O, detail::kSctpAbort), kSctpClosing);
  ParsedPacket init = of(IpProtocol::kSctp, detail::kSctpInit);
  init.opens_flow = true;
  EXPECT_TRUE(may_reopen(kSctpClosing, init));
  EXPECT_FALSE(may_reopen(kSctpEstablished, init));
}

TEST(FlowState, OthersHaveOneState) {
  EXPECT_EQ(first_state(of(IpProtocol::kIcmp)), kIcmpEcho);
  EXPECT_EQ(first_state(of(IpProtocol::kIcmpV6)), kIcmpEcho);
  EXPECT_EQ(first_state(of(static_cast<IpProtocol>(47))), kOther);
  EXPECT_EQ(next_state(kIcmpEcho, R, of(IpProtocol::kIcmp)), kIcmpEcho);
  EXPECT_EQ(next_state(kOther, R, of(static_cast<IpProtocol>(47))), kOther);
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
