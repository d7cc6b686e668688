// SPDX-License-Identifier: Apache-2.0
#include "dataplane/flow/sctp_tracker.hpp"

#include <gtest/gtest.h>

#include <cstring>
#include <vector>

#include "tests/support/where.hpp"
#include "tests/unit/flow/printers.hpp"

namespace rampart {
namespace {

using test::Where;

using enum FlowState;
constexpr Side O = Side::kOpener, R = Side::kReplier;
constexpr uint32_t kOurs = 0xaaaa0001, kTheirs = 0xbbbb0002, kStranger = 0xcccc0003;
constexpr uint8_t kData = 0, kSack = 3, kHeartbeat = 4, kError = 9;

ParsedPacket chunk(uint8_t type, uint32_t tag, uint32_t initiate_tag = 0, bool reflected = false) {
  ParsedPacket p;
  p.kind = PacketKind::kFlow;
  p.reason = DropReason::kNone;
  p.protocol = static_cast<uint8_t>(IpProtocol::kSctp);
  p.sctp_chunk = type;
  p.opens_flow = type == sctp_type::kInit && tag == 0;
  p.sctp = SctpFields{tag, initiate_tag, reflected};
  return p;
}
ParsedPacket init(uint32_t initiate_tag) {
  return chunk(sctp_type::kInit, 0, initiate_tag);
}
ParsedPacket init_ack(uint32_t tag, uint32_t initiate_tag) {
  return chunk(sctp_type::kInitAck, tag, initiate_tag);
}
ParsedPacket echo(uint32_t tag) {
  return chunk(sctp_type::kCookieEcho, tag);
}
ParsedPacket echo_ack(uint32_t tag) {
  return chunk(sctp_type::kCookieAck, tag);
}
ParsedPacket reflected(uint8_t type, uint32_t tag) {
  return chunk(type, tag, 0, true);
}

/// An association as the tracker sees it. Each call offers one packet and checks what becomes of
/// it.
class Sctp : public testing::Test {
 protected:
  void opens(uint32_t tag = kOurs) {
    sctp_open(track, init(tag));
    state = kSctpOpening;
  }
  void establishes() {
    opens();
    accepts(R, init_ack(kOurs, kTheirs));
    accepts(O, echo(kTheirs));
    accepts(R, echo_ack(kOurs), kSctpEstablished);
  }
  void accepts(Side side, const ParsedPacket& p, FlowState next,
               const Where& where = Where::current()) {
    const Tracked t = sctp_judge(track, state, side, p);
    expect(is_accepted(t.action) && t.next == next, t, where);
    expect(t.next == state || t.verify, t, where);
    if (!is_accepted(t.action)) return;
    sctp_update(track, state, side, p);
    state = t.next;
  }
  void accepts(Side side, const ParsedPacket& p, const Where& where = Where::current()) {
    accepts(side, p, state, where);
  }
  void passes(Side side, const ParsedPacket& p, const Where& where = Where::current()) {
    const Tracked t = sctp_judge(track, state, side, p);
    expect(t.action == TrackAction::kPassUnchanged, t, where);
  }
  void drops(Side side, const ParsedPacket& p, DropReason reason = DropReason::kSctpTag,
             const Where& where = Where::current()) {
    const Tracked t = sctp_judge(track, state, side, p);
    expect(t.action == TrackAction::kDrop && t.reason == reason, t, where);
  }
  void reopens(Side side, const ParsedPacket& p, const Where& where = Where::current()) {
    const Tracked t = sctp_judge(track, state, side, p);
    expect(t.action == TrackAction::kReopen && t.verify, t, where);
  }

  SctpTrack track{};
  FlowState state = kSctpOpening;

 private:
  static void expect(bool held, const Tracked& t, const Where& where) {
    if (held) return;
    ADD_FAILURE_AT(where.file_name(), where.line())
        << t.action << ", " << t.next << ", " << t.reason << (t.verify ? ", verified" : "");
  }
};

TEST_F(Sctp, TheFourWayHandshakeAndData) {
  establishes();
  for (const uint8_t type : {kData, kSack, kHeartbeat, kError, uint8_t{0xc0}}) {
    accepts(O, chunk(type, kTheirs));
    accepts(R, chunk(type, kOurs));
    EXPECT_FALSE(sctp_judge(track, state, O, chunk(type, kTheirs)).verify);
  }
}

TEST_F(Sctp, AWrongTagIsRefusedFromTheFirstPacketOn) {
  opens();
  drops(R, init_ack(kStranger, kTheirs));
  drops(R, init_ack(0, kTheirs));
  drops(O, echo(kTheirs));  // it was not given one
  drops(O, chunk(kData, kOurs));
  drops(R, echo_ack(kStranger));
  accepts(R, init_ack(kOurs, kTheirs));
  drops(O, echo(kOurs));
  drops(O, echo(kStranger));
  accepts(O, echo(kTheirs));
  drops(R, echo_ack(kTheirs));
  accepts(R, echo_ack(kOurs), kSctpEstablished);
  const SctpTrack before = track;
  for (unsigned type = 0; type < 256; ++type) {
    if (type == sctp_type::kInit) continue;
    for (const uint32_t wrong : {0U, kOurs, kStranger, kTheirs ^ 1}) {
      drops(O, chunk(static_cast<uint8_t>(type), wrong, 7));
    }
    for (const uint32_t wrong : {0U, kTheirs, kStranger, kOurs ^ 1}) {
      drops(R, chunk(static_cast<uint8_t>(type), wrong, 7));
    }
  }
  EXPECT_EQ(std::memcmp(&before, &track, sizeof before), 0);
}

TEST_F(Sctp, TheOpenerAloneNeverEstablishes) {
  opens();
  drops(O, echo_ack(kOurs));
  accepts(R, init_ack(kOurs, kTheirs));
  drops(O, echo_ack(kTheirs), DropReason::kSctpState);
  drops(R, echo_ack(kOurs), DropReason::kSctpState);  // nothing was echoed
  accepts(O, echo(kTheirs));
  drops(O, echo_ack(kTheirs), DropReason::kSctpState);
  EXPECT_EQ(state, kSctpOpening);
}

TEST_F(Sctp, EachOfTheFourSentAgain) {
  opens();
  accepts(O, init(kOurs));
  accepts(R, init_ack(kOurs, kTheirs));
  accepts(R, init_ack(kOurs, kTheirs));
  accepts(O, echo(kTheirs));
  accepts(O, echo(kTheirs));
  accepts(R, chunk(kData, kOurs));  // ahead of the COOKIE ACK, or that was lost
  accepts(R, echo_ack(kOurs), kSctpEstablished);
  accepts(O, echo(kTheirs));
  accepts(R, echo_ack(kOurs));
  accepts(R, echo_ack(kOurs));
  accepts(O, chunk(kData, kTheirs));
}

TEST_F(Sctp, AnAnswerWithAnotherTagToAnInitSentAgain) {
  // The end that answers keeps nothing before the COOKIE ECHO; the other takes what comes first.
  for (const uint32_t taken : {kTheirs, kTheirs + 1}) {
    opens();
    accepts(R, init_ack(kOurs, kTheirs));
    accepts(R, init_ack(kOurs, kTheirs + 1));
    accepts(O, echo(taken));
    accepts(R, echo_ack(kOurs), kSctpEstablished);
    accepts(O, chunk(kData, taken));
    drops(O, chunk(kData, taken ^ kTheirs ^ (kTheirs + 1)));
  }
  opens();
  for (uint32_t n = 0; n < 3; ++n) accepts(R, init_ack(kOurs, kTheirs + n));
  drops(O, echo(kTheirs));  // the last two are remembered
  accepts(O, echo(kTheirs + 1));
}

TEST_F(Sctp, AnInitWithAnotherTagBeforeTheAnswer) {
  for (const uint32_t answered : {kOurs, kOurs + 1}) {
    opens();
    accepts(O, init(kOurs + 1));
    accepts(R, init_ack(answered, kTheirs));
    accepts(O, echo(kTheirs));
    accepts(R, echo_ack(answered), kSctpEstablished);
    accepts(R, chunk(kData, answered));
    drops(R, chunk(kData, answered ^ kOurs ^ (kOurs + 1)));
  }
}

TEST_F(Sctp, InitsThatCross) {
  // RFC 9260 §5.2.1: each answers with the tag of its own INIT; either may end the handshake.
  opens();
  accepts(R, init(kTheirs));
  accepts(R, init_ack(kOurs, kTheirs));
  accepts(O, init_ack(kTheirs, kOurs));
  accepts(R, echo(kOurs));
  accepts(O, echo_ack(kTheirs), kSctpEstablished);
  accepts(O, chunk(kData, kTheirs));
  accepts(R, chunk(kData, kOurs));
  drops(R, chunk(kData, kTheirs));
}

TEST_F(Sctp, AnInitInItsProperForm) {
  establishes();
  drops(O, chunk(sctp_type::kInit, kTheirs, kOurs));
  ParsedPacket bundled = init(kOurs);
  bundled.opens_flow = false;
  drops(O, bundled, DropReason::kSctpState);
}

TEST_F(Sctp, AnInitWithinAnAssociationChangesNothingInForce) {
  establishes();
  for (const Side side : {O, R}) accepts(side, init(kStranger));
  EXPECT_EQ(state, kSctpEstablished);
  drops(O, chunk(kData, kStranger - 1));
  // What the strangers' tag would allow is let through for the ends to judge, and counts for
  // nothing.
  passes(R, chunk(sctp_type::kAbort, kStranger));
  passes(O, chunk(sctp_type::kShutdownComplete, kStranger));
  passes(R, chunk(sctp_type::kShutdown, kStranger));
  passes(R, chunk(kData, kStranger));
  EXPECT_EQ(state, kSctpEstablished);
  accepts(O, chunk(kData, kTheirs));
  accepts(R, chunk(kData, kOurs));
  // The end has answered the INIT and waits for a cookie that never comes.
  accepts(R, init_ack(kStranger, kTheirs + 5));
  accepts(O, chunk(kData, kTheirs));
  accepts(R, chunk(kData, kOurs));
}

TEST_F(Sctp, ARestart) {
  // RFC 9260 §5.2.4.1: both tags are new once the COOKIE ACK is there, not before.
  establishes();
  accepts(O, init(kOurs + 7));
  accepts(R, init_ack(kOurs + 7, kTheirs + 7));
  accepts(R, chunk(kData, kOurs));
  accepts(O, echo(kTheirs + 7));
  accepts(R, chunk(kData, kOurs));
  accepts(R, echo_ack(kOurs + 7));
  EXPECT_EQ(state, kSctpEstablished);
  accepts(O, chunk(kData, kTheirs + 7));
  accepts(R, chunk(kData, kOurs + 7));
  drops(O, chunk(kData, kTheirs));
  drops(R, chunk(kData, kOurs));
  // The other end may restart, too.
  accepts(R, init(kTheirs + 9));
  accepts(O, init_ack(kTheirs + 9, kOurs + 9));
  accepts(R, echo(kOurs + 9));
  accepts(O, echo_ack(kTheirs + 9));
  accepts(R, chunk(kData, kOurs + 9));
  accepts(O, chunk(kData, kTheirs + 9));
}

TEST_F(Sctp, AnOrderlyEnd) {
  establishes();
  accepts(O, chunk(sctp_type::kShutdown, kTheirs), kSctpShutdown);
  accepts(R, chunk(kData, kOurs));  // it may have some left
  accepts(O, chunk(sctp_type::kShutdown, kTheirs));
  accepts(R, chunk(sctp_type::kShutdownAck, kOurs));
  accepts(O, init(kOurs + 3));  // too early
  EXPECT_EQ(state, kSctpShutdown);
  accepts(O, chunk(sctp_type::kShutdownComplete, kTheirs), kSctpClosing);
  // That was lost: the answer to the SHUTDOWN ACK comes from an end that knows nothing any more.
  passes(R, chunk(sctp_type::kShutdownAck, kOurs));
  accepts(O, reflected(sctp_type::kShutdownComplete, kOurs));
  drops(R, chunk(sctp_type::kShutdownAck, kStranger));
  reopens(O, init(kOurs + 3));
  reopens(R, init(kTheirs + 3));
}

TEST_F(Sctp, AShutdownBehindAnotherChunkShowsWithItsAnswer) {
  establishes();
  accepts(O, chunk(kSack, kTheirs));
  accepts(R, chunk(sctp_type::kShutdownAck, kOurs), kSctpShutdown);
  accepts(O, chunk(sctp_type::kShutdownComplete, kTheirs), kSctpClosing);
}

TEST_F(Sctp, AnAbortCarriesTheTagOfEitherEnd) {
  struct Case {
    Side side;
    uint32_t tag;
    bool reflected, ends;
  };
  for (const uint8_t type : {sctp_type::kAbort, sctp_type::kShutdownComplete}) {
    for (const Case& k :
         {Case{O, kTheirs, false, true}, Case{O, kOurs, false, false}, Case{O, kOurs, true, true},
          Case{O, kTheirs, true, false}, Case{R, kOurs, false, true},
          Case{R, kTheirs, false, false}, Case{R, kTheirs, true, true}, Case{R, kOurs, true, false},
          Case{O, 0, false, false}, Case{O, 0, true, false}}) {
      establishes();
      const ParsedPacket p = chunk(type, k.tag, 0, k.reflected);
      if (k.ends) {
        accepts(k.side, p, kSctpClosing);
      } else {
        drops(k.side, p);
      }
    }
  }
}

TEST_F(Sctp, AnInitThatIsRefused) {
  opens();
  drops(R, chunk(sctp_type::kAbort, kStranger));
  drops(R, reflected(sctp_type::kAbort, kStranger));
  accepts(R, chunk(sctp_type::kAbort, kOurs), kSctpClosing);
  reopens(O, init(kOurs + 1));
  opens();
  accepts(R, init_ack(kOurs, kTheirs));
  accepts(R, chunk(kError, kOurs));  // a stale cookie
  EXPECT_EQ(state, kSctpOpening);
}

TEST_F(Sctp, WhatMayBeQuoted) {
  EXPECT_FALSE(sctp_quote_fits(track, O, 0));
  opens();
  EXPECT_TRUE(sctp_quote_fits(track, O, 0));
  EXPECT_FALSE(sctp_quote_fits(track, R, 0));
  EXPECT_TRUE(sctp_quote_fits(track, R, kOurs));
  EXPECT_FALSE(sctp_quote_fits(track, O, kOurs) || sctp_quote_fits(track, O, kTheirs));
  accepts(R, init_ack(kOurs, kTheirs));
  EXPECT_TRUE(sctp_quote_fits(track, O, kTheirs));
  accepts(O, echo(kTheirs));
  accepts(R, echo_ack(kOurs), kSctpEstablished);
  EXPECT_TRUE(sctp_quote_fits(track, O, kTheirs) && sctp_quote_fits(track, R, kOurs));
  for (const uint32_t wrong : {0U, kStranger, kOurs}) {
    EXPECT_FALSE(sctp_quote_fits(track, O, wrong));
  }
  EXPECT_FALSE(sctp_quote_fits(track, R, kTheirs) || sctp_quote_fits(track, R, 0));
}

TEST_F(Sctp, AnInitKeepsAFlowAliveOnlyForWhoOpensIt) {
  const auto action = [this](Side side) {
    return sctp_judge(track, state, side, init(kStranger)).action;
  };
  opens();
  EXPECT_EQ(action(O), TrackAction::kAccept);
  EXPECT_EQ(action(R), TrackAction::kAcceptUnproven);
  establishes();
  EXPECT_EQ(action(O), TrackAction::kAcceptUnproven);
  EXPECT_EQ(action(R), TrackAction::kAcceptUnproven);
}

TEST_F(Sctp, EveryPacketInEveryStateIsAnsweredInForm) {
  establishes();
  accepts(O, init(kStranger));
  for (const FlowState at : {kSctpOpening, kSctpEstablished, kSctpShutdown, kSctpClosing}) {
    for (unsigned type = 0; type < 256; ++type) {
      for (const uint32_t tag : {0U, kOurs, kTheirs, kStranger, 5U}) {
        for (const bool t_bit : {false, true}) {
          for (const Side side : {O, R}) {
            const ParsedPacket p = chunk(static_cast<uint8_t>(type), tag, 9, t_bit);
            const Tracked t = sctp_judge(track, at, side, p);
            EXPECT_EQ(t.action == TrackAction::kDrop, t.reason != DropReason::kNone);
            if (is_accepted(t.action)) {
              EXPECT_TRUE(t.next == at || t.verify);
              EXPECT_TRUE(t.next >= kSctpOpening && t.next <= kSctpClosing);
            } else {
              EXPECT_EQ(t.next, at);
            }
            EXPECT_TRUE(t.action != TrackAction::kReopen || type == sctp_type::kInit);
          }
        }
      }
    }
  }
}

}  // namespace
}  // namespace rampart
