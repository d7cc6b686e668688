// SPDX-License-Identifier: Apache-2.0
// How TCP connections begin, as the tracker sees it.
#include "tests/unit/flow/tcp_conversation.hpp"

namespace rampart::test {
namespace {

using enum FlowState;

class TcpOpening : public TcpTracker {};
INSTANTIATE_TEST_SUITE_P(Numbers, TcpOpening, all_numbers(), numbers_name);

TEST_P(TcpOpening, AHandshake) {
  c.opens(from(O, kS));
  c.accepts(from(R, kS | kA).ack(1), kTcpSynReceived);
  c.accepts(from(O, kA).seq(1).ack(1), kTcpEstablished);
}

TEST_P(TcpOpening, TheLastOfThreeMayCarryDataOrFin) {
  c.opens(from(O, kS));
  c.accepts(from(R, kS | kA).ack(1), kTcpSynReceived);
  Conversation fin = c;
  c.accepts(from(O, kA).seq(1).ack(1).data(100), kTcpEstablished);
  fin.accepts(from(O, kA | kF).seq(1).ack(1).data(100), kTcpFinOpener);
}

TEST_P(TcpOpening, OnlyTheRightAcknowledgementEndsTheHandshake) {
  c.opens(from(O, kS));
  for (const uint32_t wrong : {0U, 2U, 77777U, 0x80000001U}) {
    c.passes(from(R, kS | kA).ack(wrong));  // the opener answers it with a RST
    c.wrong_state(from(R, kS | kA).ack(wrong).data(5));
  }
  c.accepts(from(R, kS | kA).ack(1), kTcpSynReceived);
  for (const uint32_t wrong : {0U, 2U, 77777U, 0x80000001U}) {
    c.out_of_window(from(O, kA).seq(1).ack(wrong));
    c.out_of_window(from(O, kA | kF).seq(1).ack(wrong));
  }
  c.out_of_window(from(O, kA).seq(0U - 1).ack(1));
  c.out_of_window(from(O, kA).seq(20000).ack(1));
  Conversation keep_alive = c;  // what came before it was lost on its way here
  keep_alive.accepts(from(O, kA).seq(0).ack(1), kTcpEstablished);
  c.accepts(from(O, kA).seq(1).ack(1), kTcpEstablished);
}

TEST_P(TcpOpening, BeforeTheAnswerOnlySynsComeFromTheOpener) {
  c.opens(from(O, kS));
  c.wrong_state(from(O, kA).seq(1).ack(1));
  c.wrong_state(from(O, kA).seq(1).ack(1).data(10));
  c.wrong_state(from(O, kA | kF).seq(1).ack(1));
  c.wrong_state(from(O, kS | kA).ack(1));
}

TEST_P(TcpOpening, BeforeTheAnswerTheReplierSendsNoData) {
  c.opens(from(O, kS));
  c.wrong_state(from(R, kA).seq(1).ack(7).data(10));
  c.wrong_state(from(R, kA | kF).seq(1).ack(7));
}

TEST_P(TcpOpening, ASynSentAgain) {
  c.opens(from(O, kS).scale(7));
  EXPECT_FALSE(c.judged(from(O, kS).scale(7)).verify);
  c.accepts(from(O, kS).scale(7));
  c.accepts(from(O, kS));  // some leave the options out in the end
  c.accepts(from(R, kS | kA).ack(1).scale(2).window(100), kTcpSynReceived);
  c.passes(from(O, kS).scale(7));
  c.accepts(from(O, kA).seq(1).ack(1).window(500), kTcpEstablished);
  c.passes(from(O, kS).scale(7));
  // The scale of the first is in force: 500 << 7.
  c.accepts(from(R, kA).seq(1).ack(1).data(1000).window(100));
  c.accepts(from(R, kA).seq(1 + 64000 - 100).ack(1).data(100));
  c.out_of_window(from(R, kA).seq(1 + 64000).ack(1).data(2));
}

TEST_P(TcpOpening, ASynWithAnotherNumberBeforeTheAnswer) {
  // Either may be answered, with its own options.
  c.opens(from(O, kS).window(1000));
  c.accepts(from(O, kS).seq(500000).window(65535).scale(3));
  Conversation second = c, reset = c;
  c.accepts(from(R, kS | kA).ack(1).scale(1), kTcpSynReceived);
  c.accepts(from(O, kA).seq(1).ack(1).window(1000), kTcpEstablished);
  c.accepts(from(R, kA).seq(1).ack(1).data(1000));
  c.out_of_window(from(R, kA).seq(1001).ack(1).data(2));

  second.accepts(from(R, kS | kA).ack(500001).scale(1), kTcpSynReceived);
  second.out_of_window(from(O, kA).seq(1).ack(1));
  second.accepts(from(O, kA).seq(500001).ack(1).window(8192), kTcpEstablished);
  second.accepts(from(R, kA).seq(1 + 65436).ack(500001).data(100));
  second.out_of_window(from(R, kA).seq(1 + 65536).ack(500001).data(2));

  reset.accepts(from(R, kR | kA).ack(500001), kTcpReset);
}

TEST_P(TcpOpening, SynsOfStrangersDoNotDisturbTheFirst) {
  c.opens(from(O, kS));
  for (uint32_t n = 1; n < 50; ++n) {
    c.accepts(from(O, kS).seq(n * 0x1234567));
    c.accepts(from(R, kS).seq(n * 0x7654321));
  }
  c.accepts(from(R, kS | kA).ack(1), kTcpSynReceived);
  c.accepts(from(O, kA).seq(1).ack(1), kTcpEstablished);
}

TEST_P(TcpOpening, ASynWithData) {
  // RFC 9293 §3.4, RFC 7413: the answer may take the data or only the SYN.
  c.opens(from(O, kS).data(500));
  Conversation refused = c;
  c.accepts(from(R, kS | kA).ack(501), kTcpSynReceived);
  c.accepts(from(R, kA).seq(1).ack(501).data(1000));  // data before the handshake's end
  c.accepts(from(O, kA).seq(501).ack(1001), kTcpEstablished);
  refused.accepts(from(R, kS | kA).ack(1), kTcpSynReceived);
  refused.accepts(from(O, kA).seq(1).ack(1).data(500), kTcpEstablished);

  Conversation part(GetParam());
  part.opens(from(O, kS).data(500));
  part.passes(from(R, kS | kA).ack(502));
  part.accepts(from(R, kS | kA).ack(200).data(20), kTcpSynReceived);
  part.accepts(from(O, kA).seq(200).ack(21).data(300), kTcpEstablished);
}

TEST_P(TcpOpening, ASynAgainWithoutItsData) {
  c.opens(from(O, kS).data(500));
  c.accepts(from(O, kS));
  Conversation data = c;
  c.accepts(from(R, kS | kA).ack(1), kTcpSynReceived);
  data.accepts(from(R, kS | kA).ack(501), kTcpSynReceived);

  Conversation later(GetParam());
  later.opens(from(O, kS));
  EXPECT_TRUE(later.judged(from(O, kS).data(500)).verify);
  later.accepts(from(O, kS).data(500));
  later.accepts(from(R, kS | kA).ack(501), kTcpSynReceived);
}

TEST_P(TcpOpening, CongestionFlagsOnASyn) {
  constexpr uint8_t kEcn = tcp_flag::kEce | tcp_flag::kCwr;
  c.opens(from(O, kS | kEcn));
  c.accepts(from(O, kS | kEcn));
  c.accepts(from(R, kS | kA | tcp_flag::kEce).ack(1), kTcpSynReceived);
  c.accepts(from(O, kA).seq(1).ack(1), kTcpEstablished);
  c.accepts(from(O, kA | tcp_flag::kCwr).seq(1).ack(1).data(10));
  c.accepts(from(R, kA | tcp_flag::kEce).seq(1).ack(11));
}

TEST_P(TcpOpening, AnAnswerSentAgain) {
  c.opens(from(O, kS));
  c.accepts(from(R, kS | kA).ack(1), kTcpSynReceived);
  c.accepts(from(R, kS | kA).ack(1));
  c.accepts(from(O, kA).seq(1).ack(1), kTcpEstablished);
  c.passes(from(R, kS | kA).ack(1));  // the ACK was lost behind us
  c.accepts(from(O, kA).seq(1).ack(1));
}

TEST_P(TcpOpening, AnAnswerWithAnotherNumber) {
  // From a server without memory, to a SYN that was sent again.
  c.opens(from(O, kS).window(20000).scale(4));
  c.accepts(from(R, kS | kA).ack(1).scale(2), kTcpSynReceived);
  c.out_of_window(from(R, kS | kA).seq(700000).ack(2));
  c.accepts(from(R, kS | kA).seq(700000).ack(1).scale(2).window(5000));
  c.out_of_window(from(O, kA).seq(1).ack(1));
  c.accepts(from(O, kA).seq(1).ack(700001).window(1250), kTcpEstablished);
  c.accepts(from(R, kA).seq(700001).ack(1).data(1000).window(1250));
  c.accepts(from(O, kA).seq(1).ack(701001).data(5000));
  c.out_of_window(from(O, kA).seq(5001).ack(701001).data(2));
}

TEST_P(TcpOpening, SimultaneousOpen) {
  // RFC 9293 §3.5, figure 7; in any order in which the answers may pass here.
  const Segment o = from(O, kS | kA).ack(1), r = from(R, kS | kA).ack(1);
  c.opens(from(O, kS).window(2000).scale(1));
  c.accepts(from(R, kS).window(3000).scale(2));
  Conversation one = c, two = c, three = c, four = c;

  one.accepts(r, kTcpSynReceived);
  one.accepts(o, kTcpEstablished);

  two.accepts(o, kTcpSynReceived);
  two.accepts(r, kTcpEstablished);

  // The replier's answer is lost before it gets here, but it has ours.
  three.accepts(o, kTcpSynReceived);
  three.accepts(from(R, kA).seq(1).ack(1).data(10), kTcpEstablished);
  three.accepts(from(O, kA).seq(1).ack(11));

  four.accepts(r, kTcpSynReceived);
  four.accepts(from(O, kA).seq(1).ack(1), kTcpEstablished);

  // Windows of SYNs are not scaled, those after them are.
  two.accepts(from(R, kA).seq(1).ack(1).data(2000).window(1000));
  two.accepts(from(O, kA).seq(1).ack(2001).data(4000).window(1000));
  two.accepts(from(R, kA).seq(2001).ack(4001).data(2000));
  two.out_of_window(from(R, kA).seq(4001).ack(4001).data(2));
}

TEST_P(TcpOpening, AnAnswerFromTheOpenerNeedsASynThatWasThere) {
  c.opens(from(O, kS));
  c.wrong_state(from(O, kS | kA).ack(1));
  c.accepts(from(R, kS));
  c.wrong_state(from(O, kS | kA).ack(2));
  c.wrong_state(from(O, kS | kA).seq(1).ack(1));
  c.accepts(from(O, kS | kA).ack(1), kTcpSynReceived);
}

TEST_P(TcpOpening, WindowScaleOnlyIfBothSayIt) {
  struct Case {
    uint8_t opener, replier;
    unsigned shift_o, shift_r;
  };
  constexpr uint8_t kNo = TcpFields::kNoScale;
  for (const Case& k :
       {Case{kNo, kNo, 0, 0}, Case{7, kNo, 0, 0}, Case{kNo, 7, 0, 0}, Case{0, 0, 0, 0},
        Case{3, 9, 3, 9}, Case{14, 0, 14, 0}, Case{0, 14, 0, 14}}) {
    Conversation v(GetParam());
    v.opens(from(O, kS).window(1000).scale(k.opener));
    v.accepts(from(R, kS | kA).ack(1).window(1000).scale(k.replier), kTcpSynReceived);
    // The windows of both SYNs are as they stand there.
    v.accepts(from(O, kA).seq(1).ack(1).data(1000).window(0), kTcpEstablished);
    v.out_of_window(from(O, kA).seq(1001).ack(1).data(2).window(0));
    v.accepts(from(R, kA).seq(1).ack(1001).data(1000).window(0));
    v.out_of_window(from(R, kA).seq(1001).ack(1001).data(2).window(0));
    // Those that follow are scaled.
    v.accepts(from(O, kA).seq(1001).ack(1001).window(2));
    v.accepts(from(R, kA).seq(1001).ack(1001).window(2));
    v.out_of_window(from(O, kA).seq(1001 + (2U << k.shift_r)).ack(1001).data(2).window(2));
    v.accepts(from(O, kA).seq(1000 + (2U << k.shift_r)).ack(1001).data(1).window(2));
    v.out_of_window(from(R, kA).seq(1001 + (2U << k.shift_o)).ack(1001).data(2).window(2));
    v.accepts(from(R, kA).seq(1000 + (2U << k.shift_o)).ack(1001).data(1).window(2));
  }
}

TEST_P(TcpOpening, ARefusedConnection) {
  c.opens(from(O, kS));
  c.out_of_window(from(R, kR | kA).ack(0));
  c.out_of_window(from(R, kR | kA).ack(2));
  c.out_of_window(from(R, kR | kA).ack(0x80000000));
  c.out_of_window(from(R, kR).seq(1));
  c.accepts(from(R, kR | kA).ack(1), kTcpReset);
  c.wrong_state(from(O, kA).seq(1).ack(1).data(5));
  c.wrong_state(from(R, kS | kA).ack(1));
  c.passes(from(R, kR | kA).ack(1));
  c.reopens(from(O, kS));
  c.reopens(from(O, kS).seq(0x80000000));
  c.reopens(from(R, kS).seq(3));

  Conversation data(GetParam());
  data.opens(from(O, kS).data(100));
  data.out_of_window(from(R, kR | kA).ack(102));
  data.accepts(from(R, kR | kA).ack(101), kTcpReset);
}

TEST_P(TcpOpening, TheReplierKnowsAnOlderConnection) {
  // RFC 9293 §3.5.1, figure 9: it answers the SYN for that, gets a RST, and the SYN again.
  c.opens(from(O, kS));
  c.passes(from(R, kA).seq(300).ack(100));
  c.passes(from(O, kR).seq(100));
  EXPECT_EQ(c.state, kTcpOpening);
  c.accepts(from(O, kS));
  c.accepts(from(R, kS | kA).ack(1), kTcpSynReceived);
}

TEST_P(TcpOpening, AVerifiedClientMayOnlyOpen) {
  c.state = kTcpVerified;
  for (const uint8_t flags : {kA, uint8_t(kS | kA), kR, uint8_t(kF | kA)}) {
    c.wrong_state(from(O, flags).seq(1).ack(1));
    c.wrong_state(from(R, flags).seq(1).ack(1));
  }
  c.wrong_state(from(R, kS));
  c.accepts(from(O, kS).scale(2), kTcpOpening);
  c.accepts(from(R, kS | kA).ack(1).scale(2), kTcpSynReceived);
  c.accepts(from(O, kA).seq(1).ack(1), kTcpEstablished);
}

TEST_P(TcpOpening, WhatMayBeQuotedOfAHandshake) {
  EXPECT_FALSE(c.quotes(O, 0 - GetParam().opener - 1));  // nothing is known
  EXPECT_FALSE(c.quotes(O, 0));
  c.opens(from(O, kS));
  EXPECT_TRUE(c.quotes(O, 0));
  EXPECT_FALSE(c.quotes(O, 1) || c.quotes(O, 0xffffffff) || c.quotes(R, 0));
  c.accepts(from(O, kS).seq(5000));
  EXPECT_TRUE(c.quotes(O, 0) && c.quotes(O, 5000));
  EXPECT_FALSE(c.quotes(R, 0) || c.quotes(R, 5000));
  c.accepts(from(R, kS).seq(70));
  EXPECT_TRUE(c.quotes(R, 70));
  EXPECT_FALSE(c.quotes(O, 70) || c.quotes(O, 5000));
  c.accepts(from(R, kS | kA).ack(1), kTcpSynReceived);
  EXPECT_TRUE(c.quotes(O, 0) && c.quotes(R, 0));
  EXPECT_FALSE(c.quotes(O, 2) || c.quotes(R, 2));
}

}  // namespace
}  // namespace rampart::test
