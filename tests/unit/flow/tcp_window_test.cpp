// SPDX-License-Identifier: Apache-2.0
// What fits the windows of a TCP connection and what does not, as the tracker sees it.
#include <iterator>
#include <random>

#include "tests/unit/flow/tcp_conversation.hpp"

namespace rampart::test {
namespace {

using enum FlowState;

class TcpWindow : public TcpTracker {};
INSTANTIATE_TEST_SUITE_P(Numbers, TcpWindow, all_numbers(), numbers_name);

constexpr uint32_t kGib = 1U << 30;
constexpr uint32_t kLeastSlack = 65535;

TEST_P(TcpWindow, DataUpToTheEdgeBothWays) {
  c.establishes(2000, TcpFields::kNoScale, 3000);
  c.accepts(from(O, kA).seq(1).ack(1).data(3000).window(2000));
  c.out_of_window(from(O, kA).seq(3001).ack(1).data(2).window(2000));
  c.accepts(from(R, kA).seq(1).ack(1).data(2000).window(3000));
  c.out_of_window(from(R, kA).seq(2001).ack(1).data(2).window(3000));
  // An acknowledgement moves the edge, whatever carries it.
  c.accepts(from(R, kA).seq(2001).ack(3001).window(500));
  c.accepts(from(O, kA).seq(3001).ack(2001).data(500).window(100));
  c.out_of_window(from(O, kA).seq(3501).ack(2001).data(2).window(100));
  c.accepts(from(R, kA).seq(2001).ack(3501).data(100).window(0));
  c.out_of_window(from(R, kA).seq(2101).ack(3501).data(2).window(0));
}

TEST_P(TcpWindow, SegmentsInAnyOrder) {
  c.establishes();
  c.accepts(from(O, kA).seq(2001).ack(1).data(1000));
  c.accepts(from(O, kA).seq(1).ack(1).data(1000));
  c.accepts(from(O, kA).seq(1001).ack(1).data(1000));
  c.accepts(from(R, kA).seq(1).ack(3001));
  c.accepts(from(O, kA).seq(1).ack(1).data(1000));  // sent again: the acknowledgement was lost
  c.accepts(from(R, kA).seq(1).ack(1001));          // an old one
  c.accepts(from(O, kA).seq(3001).ack(1).data(10));
}

TEST_P(TcpWindow, OldDuplicatesWithinAWindowAndNoFurther) {
  struct Case {
    uint16_t window;
    uint8_t scale;
    uint32_t slack;
  };
  for (const Case& k : {Case{2000, 0, kLeastSlack}, Case{60000, 2, 60000 * 4}}) {
    Conversation v(GetParam());
    v.establishes(2000, k.scale, 2000, k.scale);
    const auto back = [&k] { return from(R, kA).seq(1).window(k.window); };
    const auto there = [&k] { return from(O, kA).ack(1).window(k.window); };
    for (uint32_t n = 0; n < 200; ++n) {
      v.accepts(there().seq(1 + n * 2000).data(2000));
      v.accepts(back().ack(1 + (n + 1) * 2000));
    }
    const uint32_t got = 1 + 200 * 2000;
    v.accepts(there().seq(got - k.slack - 1).data(10));
    v.out_of_window(there().seq(got - k.slack - 2).data(10));
    v.accepts(back().ack(got - k.slack));
    v.out_of_window(back().ack(got - k.slack - 1));
  }
}

TEST_P(TcpWindow, TheShortWayGoesUpToTheTightestBounds) {
  c.establishes();
  constexpr uint32_t kGot = 1 + 50 * 2000;
  for (uint32_t n = 1; n < kGot; n += 2000) {
    c.accepts(from(O, kA).seq(n).ack(1).data(2000));
    c.accepts(from(R, kA).seq(1).ack(n + 2000));
  }
  // Of what the other side permits, with the byte beyond that a probe of a closed window is.
  EXPECT_TRUE(c.goes_on(from(O, kA).seq(kGot).ack(1).data(10001)));
  EXPECT_FALSE(c.goes_on(from(O, kA).seq(kGot).ack(1).data(10002)));
  // Of its age.
  EXPECT_TRUE(c.goes_on(from(O, kA).seq(kGot - kLeastSlack - 1).ack(1).data(10)));
  EXPECT_FALSE(c.goes_on(from(O, kA).seq(kGot - kLeastSlack - 2).ack(1).data(10)));
  // Of what has been sent.
  EXPECT_TRUE(c.goes_on(from(R, kA).seq(1).ack(kGot)));
  EXPECT_FALSE(c.goes_on(from(R, kA).seq(1).ack(kGot + 1)));
  // Of an acknowledgement's age.
  EXPECT_TRUE(c.goes_on(from(R, kA).seq(1).ack(kGot - kLeastSlack)));
  EXPECT_FALSE(c.goes_on(from(R, kA).seq(1).ack(kGot - kLeastSlack - 1)));
}

TEST(TcpShortWay, DoesWhatTheTrackerDoesWhateverTheNumbers) {
  std::mt19937 random(1);
  constexpr uint32_t kFar[] = {0, 1, 2, 1000, 65534, 65535, 65536, 65537, 1U << 31, (1U << 31) - 1};
  unsigned short_ways = 0, half_way_round = 0;
  for (unsigned n = 0; n < 200'000; ++n) {
    const uint32_t base[2] = {static_cast<uint32_t>(random()), static_cast<uint32_t>(random())};
    const auto near = [&](uint32_t number) {
      const uint32_t far = kFar[random() % std::size(kFar)];
      return random() % 2 == 0 ? number + far : number - far;
    };
    TcpTrack track{};
    for (const unsigned i : {0U, 1U}) {
      track.side[i] = {.end = near(base[i]),
                       .edge = near(base[i]),
                       .ack = near(base[i ^ 1]),
                       .window = static_cast<uint16_t>(random()),
                       .scale = 0,
                       .flags = 0x03};  // known, and has answered
    }
    ParsedPacket p = tcp_packet(kA);
    const unsigned from = random() % 2;
    p.tcp.sequence = near(base[from]);
    p.tcp.acknowledgement = near(base[from ^ 1]);
    p.tcp.window = static_cast<uint16_t>(random());
    p.tcp.payload = static_cast<uint16_t>(random() % 3 == 0 ? random() : 0);
    const uint32_t end = p.tcp.sequence + p.tcp.payload;
    const bool goes_on = short_way_agrees(track, kTcpEstablished, static_cast<Side>(from), p);
    short_ways += goes_on;
    half_way_round += goes_on && end - track.side[from].end == 1U << 31;
    if (HasFailure()) return;
  }
  EXPECT_GT(short_ways, 1000U);
  EXPECT_GT(half_way_round, 10U);
}

TEST_P(TcpWindow, NothingUnsentIsAcknowledged) {
  c.establishes();
  c.out_of_window(from(R, kA).seq(1).ack(2));
  c.out_of_window(from(O, kA).seq(1).ack(2));
  c.accepts(from(O, kA).seq(1).ack(1).data(10));
  c.accepts(from(R, kA).seq(1).ack(11));
  c.out_of_window(from(R, kA).seq(1).ack(12));
  c.out_of_window(from(R, kA).seq(1).ack(12).data(100));
  c.out_of_window(from(R, kA | kF).seq(1).ack(12));
}

TEST_P(TcpWindow, AWindowThatShrinksTakesNothingBack) {
  c.establishes();
  c.accepts(from(R, kA).seq(1).ack(1).window(10));
  c.accepts(from(O, kA).seq(1).ack(1).data(10000));
  c.out_of_window(from(O, kA).seq(10001).ack(1).data(2));
  c.accepts(from(R, kA).seq(1).ack(1001).window(0));
  c.accepts(from(O, kA).seq(1001).ack(1).data(9000));
}

TEST_P(TcpWindow, AProbeOfAClosedWindow) {
  c.establishes();
  c.accepts(from(O, kA).seq(1).ack(1).data(10000));
  c.accepts(from(R, kA).seq(1).ack(10001).window(0));
  c.accepts(from(O, kA).seq(10000).ack(1));          // as Linux does it: an old number, no data
  c.accepts(from(O, kA).seq(10001).ack(1).data(1));  // RFC 9293 §3.8.6.1: a byte of new data
  c.accepts(from(R, kA).seq(1).ack(10001).window(0));
  c.out_of_window(from(O, kA).seq(10001).ack(1).data(2));
  c.accepts(from(R, kA).seq(1).ack(10002).window(0));  // it found room for that
  c.accepts(from(R, kA).seq(1).ack(10002).window(5000));
  c.accepts(from(O, kA).seq(10002).ack(1).data(5000));
}

TEST_P(TcpWindow, AFinBehindAFullWindow) {
  c.establishes();
  c.accepts(from(O, kA | kF).seq(1).ack(1).data(10000), kTcpFinOpener);
  c.accepts(from(R, kA).seq(1).ack(10002).window(0));
}

TEST_P(TcpWindow, KeepAlives) {
  // RFC 9293 §3.8.4: one below, with a byte of garbage or none.
  c.establishes();
  c.accepts(from(O, kA).seq(1).ack(1).data(100));
  c.accepts(from(R, kA).seq(1).ack(101).data(50));
  c.accepts(from(O, kA).seq(101).ack(51));
  for (int n = 0; n < 3; ++n) {
    c.accepts(from(O, kA).seq(100).ack(51));
    c.accepts(from(R, kA).seq(51).ack(101));
    c.accepts(from(R, kA).seq(50).ack(101).data(1));
    c.accepts(from(O, kA).seq(101).ack(51));
  }
  // On a connection that has carried nothing.
  Conversation idle(GetParam());
  idle.establishes();
  idle.accepts(from(O, kA).seq(0).ack(1));
  idle.accepts(from(R, kA).seq(0).ack(1));
}

TEST_P(TcpWindow, OfAGigabyte) {
  c.establishes(65535, 14, 65535, 14);
  c.accepts(from(R, kA).seq(1).ack(1).window(65535));
  const uint32_t window = 65535U << 14;
  c.accepts(from(O, kA).seq(1 + window - 100).ack(1).data(100).window(3));
  c.out_of_window(from(O, kA).seq(1 + window - 100).ack(1).data(102).window(3));
  c.accepts(from(O, kA).seq(1).ack(1).data(60000).window(3));
  c.accepts(from(R, kA).seq(1).ack(1 + window).window(65535));
  c.accepts(from(O, kA).seq(1 + 2 * window - 100).ack(1).data(100).window(3));
  c.accepts(from(O, kA).seq(1).ack(1).data(60000).window(3));
  c.out_of_window(from(O, kA).seq(0U - 1).ack(1).data(60000).window(3));
  c.out_of_window(from(O, kA).seq(1 + 2 * kGib).ack(1).data(1).window(3));
}

TEST_P(TcpWindow, GigabytesOneWay) {
  // The other side's numbers stand still while these go round twice.
  c.establishes(65535, 8, 65535, 8);
  uint32_t sent = 1;
  for (int n = 0; n < 150000; ++n) {
    c.accepts(from(O, kA).seq(sent).ack(1).data(60000).window(1000));
    sent += 60000;
    c.accepts(from(R, kA).seq(1).ack(sent).window(1000));
  }
  c.out_of_window(from(O, kA).seq(sent).ack(2).window(1000));
  c.accepts(from(R, kA).seq(1).ack(sent).data(1000).window(1000));
}

TEST_P(TcpWindow, AFirstFragmentMayBeAsLongAsThereIsRoom) {
  c.establishes(10000, 0, 10000, 0);
  c.out_of_window(from(O, kA).seq(9900).ack(1).data(500).fragment());
  c.accepts(from(O, kA).seq(1).ack(1).data(500).fragment());
  c.accepts(from(R, kA).seq(1).ack(1401));  // it was this long
  c.accepts(from(O, kA).seq(1401).ack(1).data(8600));
  c.out_of_window(from(R, kA).seq(1).ack(11403));  // one is for a FIN
  c.accepts(from(R, kA).seq(1).ack(11402));
}

TEST_P(TcpWindow, WhatMayBeQuoted) {
  c.establishes();
  EXPECT_TRUE(c.quotes(O, 1) && c.quotes(R, 1));
  EXPECT_FALSE(c.quotes(O, 2) || c.quotes(R, 2));
  c.accepts(from(O, kA).seq(1).ack(1).data(1000));
  EXPECT_TRUE(c.quotes(O, 1) && c.quotes(O, 501) && c.quotes(O, 1001));
  EXPECT_FALSE(c.quotes(O, 1002) || c.quotes(O, 0x80000000) || c.quotes(R, 1001));
  c.accepts(from(R, kA).seq(1).ack(1001));
  // The error may be slower than the acknowledgement.
  EXPECT_TRUE(c.quotes(O, 1));
  for (uint32_t n = 0; n < 100; ++n) {
    c.accepts(from(O, kA).seq(1001 + n * 10000).ack(1).data(10000));
    c.accepts(from(R, kA).seq(1).ack(11001 + n * 10000));
  }
  const uint32_t got = 1001001;
  EXPECT_TRUE(c.quotes(O, got - kLeastSlack - 1));
  EXPECT_FALSE(c.quotes(O, got - kLeastSlack - 2) || c.quotes(O, 1));
}

TEST_P(TcpWindow, OneLuckySegmentOfAStrangerMakesNoHonestOneDrop) {
  // Every segment that a stranger could get through by luck, once, in the middle of a transfer: the
  // honest ones before and after it go on.
  const auto start = [](Conversation& v) {
    v.establishes();
    v.accepts(from(O, kA).seq(1).ack(1).data(5000));
    v.accepts(from(R, kA).seq(1).ack(1).data(5000));
    v.accepts(from(R, kA).seq(5001).ack(2001));
  };
  const auto go_on = [](Conversation& v) {
    v.accepts(from(O, kA).seq(5001).ack(1).data(5000), kTcpEstablished);
    v.accepts(from(R, kA).seq(1).ack(2001).data(5000));  // the first was lost
    v.accepts(from(O, kA).seq(2001).ack(1).data(3000));
    v.accepts(from(O, kA).seq(10001).ack(5001));
    v.accepts(from(R, kA).seq(5001).ack(10001).data(100));
    v.accepts(from(O, kA).seq(10001).ack(5101).data(10000));
    v.accepts(from(R, kA).seq(5101).ack(20001));
    v.accepts(from(O, kA | kF).seq(20001).ack(5101), kTcpFinOpener);
    v.accepts(from(R, kA | kF).seq(5101).ack(20002), kTcpClosing);
    v.accepts(from(O, kA).seq(20002).ack(5102), kTcpTimeWait);
  };
  unsigned lucky = 0;
  for (const Side side : {O, R}) {
    for (const uint8_t flags : {kA, uint8_t(kA | kP)}) {
      for (uint32_t seq = 0U - 2000; seq + 2000 < 16000; seq += 250) {
        for (uint32_t ack = 0U - 2000; ack + 2000 < 16000; ack += 250) {
          for (const uint16_t data : {0, 1, 1000}) {
            for (const uint16_t window : {0, 65535}) {
              Conversation v(GetParam());
              start(v);
              const Segment s = from(side, flags).seq(seq).ack(ack).data(data).window(window);
              const Tracked t = v.judged(s);
              if (!is_accepted(t.action)) continue;
              ++lucky;
              ASSERT_EQ(t.next, kTcpEstablished);
              v.take(s, t);
              go_on(v);
              ASSERT_FALSE(testing::Test::HasFailure()) << seq << " " << ack << " " << data;
            }
          }
        }
      }
    }
  }
  EXPECT_GT(lucky, 1000U);
}

// --- connections older than we are -----------------------------------------------------------

TEST_P(TcpWindow, PickedUpFromTheFirstSegmentOfEachSide) {
  c.picks_up(from(O, kA).seq(7000).ack(3000).data(100).window(50));
  c.accepts(from(O, kA).seq(7100).ack(3000).data(100).window(50));
  EXPECT_EQ(c.state, kTcpPickedUp);
  c.accepts(from(R, kA).seq(3000).ack(7200).data(10).window(60), kTcpEstablished);
  c.accepts(from(O, kA).seq(7200).ack(3010).window(50));
  // What was permitted before is not known: a window as large as there is.
  c.out_of_window(from(O, kA).seq(7200 + (65535U << 14)).ack(3010).data(2).window(50));
  c.accepts(from(O, kA).seq(7200 + (65535U << 14) - 1000).ack(3010).data(1000).window(50));
}

// The opener knows of a larger window: this acknowledgement was overtaken by that, or the window
// has shrunk since.
TEST_P(TcpWindow, PickedUpFromAnAcknowledgementThatClosesTheWindow) {
  c.picks_up(from(R, kA).seq(3000).ack(7000).window(0));
  c.accepts(from(O, kA).seq(7000).ack(3000).window(0), kTcpEstablished);
  c.accepts(from(O, kA).seq(7000).ack(3000).data(1792));
  c.accepts(from(R, kA).seq(3000).ack(7000).data(1792));
  c.out_of_window(from(R, kA).seq(3000 + (65535U << 14)).ack(7000).data(2));
}

TEST_P(TcpWindow, PickedUpFromAReplyAndFromAnAcknowledgementAlone) {
  c.picks_up(from(R, kA).seq(3000).ack(7000).window(500));
  c.accepts(from(O, kA).seq(7000).ack(3000).window(500), kTcpEstablished);
}

TEST_P(TcpWindow, PickedUpWhileMuchIsUnderWay) {
  // Before we looked, the opener has sent up to 10000 of which only 4000 to 5000 is missing.
  c.picks_up(from(O, kA).seq(1).ack(1).data(1000));
  c.accepts(from(R, kA).seq(1).ack(4000), kTcpEstablished);
  c.accepts(from(O, kA).seq(4000).ack(1).data(1000));
  c.accepts(from(R, kA).seq(1).ack(10000));
  c.accepts(from(O, kA).seq(10000).ack(1).data(1000));
}

TEST_P(TcpWindow, OnlyAMiddleSegmentIsPickedUp) {
  for (const uint8_t flags : {kS, uint8_t(kS | kA), kR, uint8_t(kR | kA)}) {
    TcpTrack track{};
    EXPECT_FALSE(tcp_pick_up(track, O, parsed(from(O, flags).seq(5).ack(6), GetParam())));
    EXPECT_EQ(track.side[0].end, 0U);
  }
}

TEST_P(TcpWindow, AStrangersSegmentIsNoGroundToRefuseHonestOnes) {
  c.picks_up(from(O, kA).seq(0x40000000).ack(0x50000000).data(5));
  c.accepts(from(R, kA).seq(1).ack(1));  // does not fit, and is remembered
  EXPECT_EQ(c.state, kTcpPickedUp);
  c.accepts(from(R, kA).seq(0x70000000).ack(0x50000000));
  EXPECT_EQ(c.state, kTcpPickedUp);
  c.accepts(from(R, kA).seq(1).ack(1).data(10));
  EXPECT_EQ(c.state, kTcpPickedUp);
  c.accepts(from(O, kA).seq(1).ack(11), kTcpEstablished);
  c.accepts(from(R, kA).seq(11).ack(1).data(10));
}

TEST_P(TcpWindow, SynAndRstOnWhatWasPickedUp) {
  c.picks_up(from(O, kA).seq(7000).ack(3000));
  c.passes(from(O, kS).seq(1));
  c.passes(from(R, kS).seq(1));
  c.passes(from(R, kS | kA).seq(1).ack(2));
  c.passes(from(O, kR).seq(7000));  // nothing tells what the replier waits for
  c.passes(from(R, kR).seq(3001));
  c.accepts(from(R, kR).seq(3000), kTcpReset);
  c.passes(from(O, kA).seq(7000).ack(3000).data(10));  // it does not know yet
  c.wrong_state(from(R, kS | kA).seq(1).ack(2));
  c.reopens(from(O, kS).seq(1));
}

TEST_P(TcpWindow, AFinThatWasPickedUp) {
  c.picks_up(from(O, kA | kF).seq(7000).ack(3000).data(10));
  Conversation other = c;
  c.accepts(from(R, kA).seq(3000).ack(7011), kTcpFinOpener);
  c.wrong_state(from(O, kA).seq(7011).ack(3000).data(1));
  c.accepts(from(R, kA | kF).seq(3000).ack(7011), kTcpClosing);
  c.accepts(from(O, kA).seq(7011).ack(3001), kTcpTimeWait);
  // Not acknowledged yet.
  other.accepts(from(R, kA).seq(3000).ack(7000), kTcpEstablished);
  other.accepts(from(O, kA | kF).seq(7000).ack(3000).data(10), kTcpFinOpener);
  // The data before it come behind it.
  Conversation late(GetParam());
  late.picks_up(from(O, kA | kF).seq(7000).ack(3000).data(10));
  late.accepts(from(O, kA).seq(6000).ack(3000).data(1000), kTcpPickedUp);
  late.accepts(from(R, kA).seq(3000).ack(7011), kTcpFinOpener);
  // So do those of a large window.
  Conversation far(GetParam());
  far.picks_up(from(R, kA | kF).seq(200000).ack(7000));
  far.accepts(from(R, kA).seq(5000).ack(7000).data(9000), kTcpPickedUp);
  far.accepts(from(R, kA).seq(191000).ack(7000).data(9000), kTcpPickedUp);
  far.accepts(from(O, kA).seq(7000).ack(5000).window(65535), kTcpEstablished);
  far.accepts(from(O, kA).seq(7000).ack(200001), kTcpFinReplier);
  // The second of the two is a FIN.
  Conversation second(GetParam());
  second.picks_up(from(O, kA).seq(7000).ack(3000));
  second.accepts(from(R, kA | kF).seq(3000).ack(7000), kTcpFinReplier);
  second.wrong_state(from(R, kA).seq(3001).ack(7000).data(1));
}

TEST_P(TcpWindow, WhatMayBeQuotedOfWhatWasPickedUp) {
  c.picks_up(from(O, kA).seq(7000).ack(3000).data(100));
  EXPECT_TRUE(c.quotes(O, 7000) && c.quotes(O, 7100) && c.quotes(R, 3000));
  EXPECT_FALSE(c.quotes(O, 7000 + 2 * kGib) || c.quotes(R, 3000 + 2 * kGib));
}

}  // namespace
}  // namespace rampart::test
