// SPDX-License-Identifier: Apache-2.0
// How TCP connections end, or do not end, as the tracker sees it.
#include "tests/unit/flow/tcp_conversation.hpp"

namespace rampart::test {
namespace {

using enum FlowState;

class TcpEnding : public TcpTracker {};
INSTANTIATE_TEST_SUITE_P(Numbers, TcpEnding, all_numbers(), numbers_name);

TEST_P(TcpEnding, OneSideAfterTheOther) {
  c.establishes();
  c.accepts(from(O, kA | kF).seq(1).ack(1).data(10), kTcpFinOpener);
  c.accepts(from(R, kA).seq(1).ack(12));
  c.accepts(from(R, kA).seq(1).ack(12).data(5000));  // half-closed: it goes on
  c.accepts(from(O, kA).seq(12).ack(5001));
  c.accepts(from(R, kA | kF).seq(5001).ack(12), kTcpClosing);
  c.accepts(from(O, kA).seq(12).ack(5002), kTcpTimeWait);
}

TEST_P(TcpEnding, TheReplierFirst) {
  c.establishes();
  c.accepts(from(R, kA | kF).seq(1).ack(1), kTcpFinReplier);
  c.accepts(from(O, kA).seq(1).ack(2).data(5000));
  c.accepts(from(O, kA | kF).seq(5001).ack(2), kTcpClosing);
  c.accepts(from(R, kA).seq(2).ack(5002), kTcpTimeWait);
}

TEST_P(TcpEnding, BothAtOnce) {
  c.establishes();
  c.accepts(from(O, kA | kF).seq(1).ack(1), kTcpFinOpener);
  c.accepts(from(R, kA | kF).seq(1).ack(1), kTcpClosing);
  c.accepts(from(R, kA).seq(2).ack(2));
  EXPECT_EQ(c.state, kTcpClosing);
  c.accepts(from(O, kA).seq(2).ack(2), kTcpTimeWait);
}

TEST_P(TcpEnding, AFinThatAnswersAFin) {
  c.establishes();
  c.accepts(from(O, kA | kF).seq(1).ack(1), kTcpFinOpener);
  c.accepts(from(R, kA | kF).seq(1).ack(2), kTcpClosing);
  c.accepts(from(O, kA).seq(2).ack(2), kTcpTimeWait);
}

TEST_P(TcpEnding, AFinSentAgain) {
  c.establishes();
  c.accepts(from(O, kA | kF).seq(1).ack(1).data(10), kTcpFinOpener);
  c.accepts(from(O, kA | kF).seq(1).ack(1).data(10));
  c.accepts(from(R, kA).seq(1).ack(12));
  c.accepts(from(O, kA | kF).seq(11).ack(1));  // without the data
  c.accepts(from(R, kA | kF).seq(1).ack(12), kTcpClosing);
  c.accepts(from(R, kA | kF).seq(1).ack(12));
  c.accepts(from(O, kA).seq(12).ack(2), kTcpTimeWait);
  c.accepts(from(R, kA | kF).seq(1).ack(12));  // that was lost
  c.accepts(from(O, kA).seq(12).ack(2));
}

TEST_P(TcpEnding, NothingNewAfterAFin) {
  c.establishes();
  c.accepts(from(O, kA | kF).seq(1).ack(1).data(10), kTcpFinOpener);
  c.wrong_state(from(O, kA).seq(12).ack(1).data(1));
  c.wrong_state(from(O, kA).seq(5).ack(1).data(100));
  c.wrong_state(from(O, kA | kF).seq(12).ack(1));
  c.accepts(from(O, kA).seq(5).ack(1).data(6));  // before it, sent again
  c.accepts(from(O, kA).seq(12).ack(1));
  c.out_of_window(from(R, kA).seq(1).ack(13));
}

TEST_P(TcpEnding, AFinThatComesBeforeTheData) {
  c.establishes();
  c.accepts(from(O, kA | kF).seq(3001).ack(1).data(10));
  c.accepts(from(O, kA).seq(1).ack(1).data(3000));
  c.accepts(from(R, kA).seq(1).ack(3011));
  EXPECT_EQ(c.state, kTcpEstablished);  // it could have been a stranger's
  Conversation again = c;
  c.accepts(from(R, kA).seq(1).ack(3012), kTcpFinOpener);
  again.accepts(from(O, kA | kF).seq(3011).ack(1), kTcpFinOpener);
}

TEST_P(TcpEnding, AFinWithOldNumbersCountsOnceItIsAcknowledged) {
  // An ACK that was sent later has overtaken it.
  c.establishes();
  c.accepts(from(R, kA).seq(1).ack(1).data(1000));
  c.accepts(from(O, kA).seq(11).ack(1001));
  c.accepts(from(O, kA | kF).seq(1).ack(1).data(9));
  EXPECT_EQ(c.state, kTcpEstablished);
  c.accepts(from(R, kA).seq(1001).ack(11), kTcpFinOpener);
  c.wrong_state(from(O, kA).seq(11).ack(1001).data(1));
  c.accepts(from(R, kA | kF).seq(1001).ack(11), kTcpClosing);
  c.accepts(from(O, kA).seq(11).ack(1002), kTcpTimeWait);
}

TEST_P(TcpEnding, AFinThatIsNotAcknowledgedIsForgottenWithTheNextData) {
  c.establishes();
  c.accepts(from(R, kA).seq(1).ack(1).data(1000));
  c.accepts(from(O, kA).seq(1).ack(1001));
  c.accepts(from(O, kA | kF).seq(1).ack(1).data(9));
  c.accepts(from(O, kA).seq(1).ack(1001).data(100));
  c.accepts(from(R, kA).seq(1001).ack(11));
  EXPECT_EQ(c.state, kTcpEstablished);
  c.accepts(from(R, kA).seq(1001).ack(101));
  EXPECT_EQ(c.state, kTcpEstablished);
}

TEST_P(TcpEnding, AFinBehindDataOfWhichPartWasAcknowledged) {
  c.establishes();
  c.accepts(from(O, kA).seq(1).ack(1).data(1000));
  c.accepts(from(R, kA).seq(1).ack(1001));
  c.accepts(from(O, kA | kF).seq(501).ack(1).data(1000), kTcpFinOpener);
  c.wrong_state(from(O, kA).seq(1502).ack(1).data(1));
}

TEST_P(TcpEnding, AFinThatNobodyWaitsFor) {
  c.establishes();
  c.out_of_window(from(O, kA | kF).seq(20000).ack(1));
  c.out_of_window(from(O, kA | kF).seq(1).ack(2));
  c.out_of_window(from(R, kA | kF).seq(0x80000000).ack(1));
  // In the window, but behind what was acknowledged.
  c.accepts(from(O, kA).seq(1).ack(1).data(1000));
  c.accepts(from(R, kA).seq(1).ack(1001));
  c.accepts(from(O, kA | kF).seq(500).ack(1));
  EXPECT_EQ(c.state, kTcpEstablished);
  c.accepts(from(O, kA).seq(1001).ack(1).data(1000));
}

TEST_P(TcpEnding, AFinInAFirstFragment) {
  c.establishes();
  c.accepts(from(O, kA | kF).seq(1).ack(1).data(100).fragment());
  EXPECT_EQ(c.state, kTcpEstablished);  // where it ends shows with its acknowledgement
  c.accepts(from(R, kA).seq(1).ack(1402), kTcpFinOpener);
  c.wrong_state(from(O, kA).seq(1402).ack(1).data(1));
  c.accepts(from(R, kA | kF).seq(1).ack(1402), kTcpClosing);
  c.accepts(from(O, kA).seq(1402).ack(2), kTcpTimeWait);

  Conversation again(GetParam());
  again.establishes();
  again.accepts(from(O, kA | kF).seq(1).ack(1).data(100).fragment());
  again.accepts(from(R, kA | kF).seq(1).ack(1), kTcpFinReplier);
  again.accepts(from(O, kA).seq(1402).ack(2));
  again.accepts(from(O, kA | kF).seq(1).ack(2).data(1400), kTcpClosing);
  again.wrong_state(from(O, kA).seq(1402).ack(2).data(1));
  again.accepts(from(R, kA).seq(2).ack(1402), kTcpTimeWait);
}

// Data whose end nobody saw, and then the same with a FIN: the acknowledgement of the data looks
// like that of the FIN.
TEST_P(TcpEnding, AFinInAFirstFragmentBehindDataThatCameBefore) {
  c.establishes();
  c.accepts(from(O, kA).seq(1).ack(1).data(100).fragment());
  c.accepts(from(O, kA | kF).seq(1).ack(1).data(100).fragment());
  c.accepts(from(R, kA).seq(1).ack(1401), kTcpFinOpener);  // of 1,400 bytes, and no FIN
  c.wrong_state(from(O, kA).seq(1401).ack(1).data(1));
  c.wrong_state(from(O, kA | kF).seq(1401).ack(1).data(1));
  Conversation seen = c;
  c.accepts(from(O, kA | kF).seq(1).ack(1).data(1400), kTcpFinOpener);
  c.accepts(from(R, kA).seq(1).ack(1402), kTcpFinOpener);
  c.wrong_state(from(O, kA | kF).seq(1402).ack(1));
  // Its acknowledgement may come first, too.
  seen.out_of_window(from(R, kA).seq(1).ack(1403));
  seen.accepts(from(R, kA).seq(1).ack(1402), kTcpFinOpener);
  seen.accepts(from(O, kA | kF).seq(1).ack(1).data(1400), kTcpFinOpener);
  seen.out_of_window(from(R, kA).seq(1).ack(1403));
}

TEST_P(TcpEnding, TheReplierMayEndBeforeTheHandshakeHas) {
  c.opens(from(O, kS));
  c.accepts(from(R, kS | kA).ack(1), kTcpSynReceived);
  c.accepts(from(R, kA | kF).seq(1).ack(1));
  EXPECT_EQ(c.state, kTcpSynReceived);  // the opener has proved nothing yet
  c.accepts(from(O, kA).seq(1).ack(2), kTcpFinReplier);
}

// --- RST: RFC 5961 §3 -------------------------------------------------------------------------

TEST_P(TcpEnding, AResetWithTheVeryNumber) {
  c.establishes();
  c.accepts(from(O, kA).seq(1).ack(1).data(1000));
  c.accepts(from(R, kA).seq(1).ack(1001));
  Conversation replier = c;
  c.accepts(from(O, kR).seq(1001), kTcpReset);
  // What was under way: the sender of the RST has to see it, to answer with another.
  c.accepts(from(R, kA).seq(1).ack(1001).data(100), kTcpReset);
  c.accepts(from(R, kA).seq(101).ack(1001).data(9900), kTcpReset);
  c.accepts(from(O, kR).seq(1001), kTcpReset);
  c.out_of_window(from(O, kA).seq(0x70000000).ack(1));
  replier.accepts(from(R, kR | kA).seq(1).ack(1001), kTcpReset);
  replier.accepts(from(O, kA).seq(1001).ack(1), kTcpReset);
  replier.reopens(from(O, kS).seq(0x12345678));
  replier.reopens(from(R, kS).seq(0x12345678));
  replier.reopens(from(O, kS).seq(5));
}

TEST_P(TcpEnding, AResetElsewhereInTheWindowIsTheReceiversBusiness) {
  c.establishes();
  c.accepts(from(O, kA).seq(1).ack(1).data(1000));
  c.accepts(from(R, kA).seq(1).ack(1001));
  for (const uint32_t seq : {1002U, 2000U, 11000U, 11001U}) {
    c.passes(from(O, kR).seq(seq));
    EXPECT_EQ(c.state, kTcpEstablished);
  }
  // A live receiver asks, and a sender that is really gone answers with the number.
  c.passes(from(O, kR).seq(1100));
  c.accepts(from(R, kA).seq(1).ack(1001));
  c.accepts(from(O, kR).seq(1001), kTcpReset);
}

TEST_P(TcpEnding, AResetOutsideTheWindowChangesNothing) {
  c.establishes();
  c.accepts(from(O, kA).seq(1).ack(1).data(1000));
  c.accepts(from(R, kA).seq(1).ack(1001));
  const TcpTrack before = c.track;
  for (const uint32_t seq : {1000U, 1U, 0U, 11002U, 0x40000000U, 0x80000000U, 0xffffffffU}) {
    c.out_of_window(from(O, kR).seq(seq));
    c.out_of_window(from(O, kR | kA).seq(seq).ack(1));
  }
  for (const uint32_t seq : {0U, 10002U, 0x40000000U, 0x80000000U, 0xffffffffU}) {
    c.out_of_window(from(R, kR).seq(seq));
  }
  EXPECT_EQ(std::memcmp(&before, &c.track, sizeof before), 0);
  c.accepts(from(O, kA).seq(1001).ack(1).data(1000));
}

TEST_P(TcpEnding, AResetWhileDataAreUnderWayIsInDoubt) {
  c.establishes();
  c.accepts(from(O, kA).seq(1).ack(1).data(3000));
  c.accepts(from(R, kA).seq(1).ack(1001));
  Conversation at_ack = c, between = c;
  // Behind all that was sent; but some of it was lost, and the receiver goes on waiting.
  c.accepts(from(O, kR).seq(3001), kTcpReset);
  c.accepts(from(R, kA).seq(1).ack(1001), kTcpEstablished);
  c.accepts(from(O, kR).seq(1001), kTcpReset);
  c.accepts(from(R, kA).seq(1).ack(2001), kTcpEstablished);
  c.accepts(from(R, kA).seq(1).ack(3001), kTcpEstablished);
  c.accepts(from(O, kR).seq(3001), kTcpReset);
  c.accepts(from(R, kA).seq(1).ack(3001), kTcpReset);  // no more doubt

  at_ack.accepts(from(O, kR).seq(1001), kTcpReset);
  at_ack.accepts(from(O, kA).seq(3001).ack(1), kTcpReset);  // its sender's word does not count
  at_ack.out_of_window(from(R, kA).seq(1).ack(5000));
  at_ack.passes(from(R, kS | kA).seq(0).ack(1));
  at_ack.accepts(from(R, kA).seq(1).ack(3001).data(10), kTcpEstablished);

  between.passes(from(O, kR).seq(2001));
  EXPECT_EQ(between.state, kTcpEstablished);
}

TEST_P(TcpEnding, AResetThatOvertakesAcknowledgementsFreesThePorts) {
  c.establishes();
  c.accepts(from(R, kA).seq(1).ack(1).data(3000));
  c.accepts(from(R, kR | kA).seq(3001).ack(1), kTcpReset);
  // Sent before the RST was there: its receiver is gone and answers each with another RST.
  c.accepts(from(O, kA).seq(1).ack(1001), kTcpEstablished);
  c.accepts(from(O, kA).seq(1).ack(3001), kTcpEstablished);
  Conversation alive = c;
  c.reopens(from(O, kS).seq(70000));

  alive.accepts(from(R, kA).seq(3001).ack(1), kTcpEstablished);  // so the RST was a stranger's
  alive.passes(from(O, kS).seq(70000));
  EXPECT_EQ(alive.state, kTcpEstablished);
}

TEST_P(TcpEnding, WhoIsGoneAfterAllMayOpenAnew) {
  // The receiver's data cross the RST, and what the sender answers to them is lost.
  c.establishes();
  c.accepts(from(O, kA).seq(1).ack(1).data(3000));
  c.accepts(from(O, kR).seq(3001), kTcpReset);
  c.accepts(from(R, kA).seq(1).ack(1001).data(100), kTcpEstablished);
  c.reopens(from(O, kS).seq(70000));
  c.reopens(from(R, kS).seq(70000));
  // But it speaks: the RST was another's.
  c.accepts(from(O, kA).seq(3001).ack(101).data(10));
  c.passes(from(O, kS).seq(70000));
  c.passes(from(R, kS).seq(70000));
}

TEST_P(TcpEnding, AResetInDoubtReturnsToWhereItWas) {
  c.establishes();
  c.accepts(from(O, kA | kF).seq(1).ack(1), kTcpFinOpener);
  c.accepts(from(O, kR).seq(2), kTcpReset);
  c.accepts(from(R, kA).seq(1).ack(1), kTcpFinOpener);
  c.accepts(from(O, kR).seq(2), kTcpReset);
  c.accepts(from(R, kA | kF).seq(1).ack(2), kTcpClosing);
  c.accepts(from(R, kR).seq(2), kTcpReset);
  c.accepts(from(O, kA).seq(2).ack(2), kTcpTimeWait);
  c.accepts(from(O, kR).seq(2), kTcpReset);
}

TEST_P(TcpEnding, AResetInAHandshake) {
  c.opens(from(O, kS));
  c.accepts(from(R, kS | kA).ack(1), kTcpSynReceived);
  c.out_of_window(from(O, kR).seq(0));
  c.passes(from(O, kR).seq(2));
  c.out_of_window(from(R, kR).seq(0));
  Conversation replier = c;
  c.accepts(from(O, kR).seq(1), kTcpReset);
  c.passes(from(R, kS | kA).ack(1));  // not yet known to it
  c.accepts(from(O, kR).seq(1));
  replier.accepts(from(R, kR).seq(1), kTcpReset);
  replier.reopens(from(O, kS));
}

TEST_P(TcpEnding, AResetThatAnswersALateDoubleOfTheSyn) {
  c.opens(from(O, kS).data(1));
  c.accepts(from(R, kS | kA).ack(2), kTcpSynReceived);
  c.accepts(from(O, kR).seq(2), kTcpReset);
  // Sent again without the data, it meets a replier that listens once more.
  c.passes(from(R, kS | kA).ack(1));
  c.passes(from(O, kR).seq(1));
  c.out_of_window(from(O, kR).seq(0U - 70000));
}

// --- SYN within a connection: RFC 5961 §4 -----------------------------------------------------

TEST_P(TcpEnding, ASynWithinAConnectionChangesNothing) {
  c.establishes();
  c.accepts(from(O, kA).seq(1).ack(1).data(1000));
  const TcpTrack before = c.track;
  for (const Side side : {O, R}) {
    for (const uint32_t seq : {0U, 1U, 500U, 1001U, 1002U, 11000U, 0x80000000U}) {
      c.passes(from(side, kS).seq(seq));
      c.passes(from(side, kS | kA).seq(seq).ack(1));
      c.passes(from(side, kS | kA).seq(seq).ack(0x70000000));
    }
  }
  EXPECT_EQ(c.state, kTcpEstablished);
  EXPECT_EQ(std::memcmp(&before, &c.track, sizeof before), 0);
  c.accepts(from(O, kA | kF).seq(1001).ack(1), kTcpFinOpener);
  c.passes(from(O, kS).seq(50000));
  c.accepts(from(R, kA | kF).seq(1).ack(1002), kTcpClosing);
  c.passes(from(O, kS).seq(50000));
  EXPECT_EQ(c.state, kTcpClosing);
}

TEST_P(TcpEnding, AnOpenerThatHasLostTheConnectionOpensAnother) {
  // RFC 9293 §3.5.1 with RFC 5961's challenge.
  c.establishes();
  c.accepts(from(O, kA).seq(1).ack(1).data(1000));
  c.accepts(from(R, kA).seq(1).ack(1001));
  const Segment syn = from(O, kS).seq(0x44444444);
  c.passes(syn);
  c.accepts(from(R, kA).seq(1).ack(1001));
  c.accepts(from(O, kR).seq(1001), kTcpReset);
  c.reopens(syn);
  c.opens(syn);
  c.accepts(from(R, kS | kA).seq(70).ack(0x44444445), kTcpSynReceived);
}

TEST_P(TcpEnding, PortsAreUsedAgainOutOfTimeWait) {
  c.establishes();
  c.accepts(from(O, kA | kF).seq(1).ack(1).data(100), kTcpFinOpener);
  c.accepts(from(R, kA | kF).seq(1).ack(102).data(200), kTcpClosing);
  c.passes(from(O, kS).seq(5000));  // the replier would not take it yet
  c.accepts(from(O, kA).seq(102).ack(202), kTcpTimeWait);
  // RFC 9293 §3.6.1: only beyond what the old connection has used, from either end.
  for (const uint32_t old : {0U, 1U, 101U, 0xffff0000U}) c.wrong_state(from(O, kS).seq(old));
  for (const uint32_t old : {0U, 201U, 0xffff0000U}) c.wrong_state(from(R, kS).seq(old));
  c.passes(from(O, kS | kA).seq(5000).ack(5));
  c.reopens(from(O, kS).seq(102));
  c.reopens(from(O, kS).seq(66000));
  c.reopens(from(O, kS).seq(0x7fffffff));
  c.reopens(from(R, kS).seq(202));
  c.reopens(from(R, kS).seq(0x7fffffff));
  EXPECT_EQ(c.state, kTcpTimeWait);
  c.accepts(from(R, kA | kF).seq(1).ack(102).data(200));
}

// --- everything else -----------------------------------------------------------------------------

TEST_P(TcpEnding, EverySegmentInEveryStateIsAnsweredInForm) {
  std::vector<Conversation> at;
  const auto keep = [&at](const Conversation& v) { at.push_back(v); };
  keep(c);  // verified
  c.opens(from(O, kS).data(3));
  keep(c);
  c.accepts(from(O, kS).seq(99));
  keep(c);
  c.accepts(from(R, kR | kA).ack(1), kTcpReset);
  keep(c);
  c.establishes();
  keep(c);
  c.accepts(from(O, kR).seq(1), kTcpReset);
  keep(c);
  c.establishes();
  c.accepts(from(O, kF | kA).seq(1).ack(1), kTcpFinOpener);
  keep(c);
  c.accepts(from(R, kF | kA).seq(1).ack(1), kTcpClosing);
  keep(c);
  c.accepts(from(R, kA).seq(2).ack(2));
  c.accepts(from(O, kA).seq(2).ack(2), kTcpTimeWait);
  keep(c);
  c.picks_up(from(O, kA).seq(1).ack(1));
  keep(c);
  c.accepts(from(R, kR).seq(1), kTcpReset);
  keep(c);
  for (const Conversation& v : at) {
    // Those that the parser lets through; PSH is beside the point.
    for (const int flags : {kS + 0, kS | kA, kR + 0, kR | kA, kA + 0, kF | kA}) {
      for (const Side side : {O, R}) {
        for (const uint32_t seq : {0U, 1U, 2U, 5000U, 0x80000000U}) {
          for (const uint32_t ack : {0U, 1U, 2U, 5000U, 0x80000000U}) {
            for (const uint16_t data : {0, 10}) {
              const Segment s =
                  from(side, static_cast<uint8_t>(flags)).seq(seq).ack(ack).data(data);
              const Tracked t = v.judged(s);
              EXPECT_EQ(t.action == TrackAction::kDrop, t.reason != DropReason::kNone);
              EXPECT_LE(t.next, kTcpReset);
              if (is_accepted(t.action)) {
                EXPECT_TRUE(t.next == v.state || t.verify);
                Conversation w = v;
                w.take(s, t);
              } else {
                EXPECT_EQ(t.next, v.state);
              }
              EXPECT_TRUE(t.action != TrackAction::kReopen || flags == kS);
            }
          }
        }
      }
    }
  }
}

}  // namespace
}  // namespace rampart::test
