// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <gtest/gtest.h>

#include <cstring>
#include <string>
#include <vector>

#include "dataplane/flow/tcp_first.hpp"
#include "dataplane/flow/tcp_tracker.hpp"
#include "tests/support/tcp_packet.hpp"
#include "tests/support/tcp_short_way.hpp"
#include "tests/support/where.hpp"
#include "tests/unit/flow/printers.hpp"

namespace rampart {

namespace test {

inline constexpr uint8_t kF = tcp_flag::kFin, kS = tcp_flag::kSyn, kR = tcp_flag::kRst,
                         kA = tcp_flag::kAck, kP = tcp_flag::kPsh;
inline constexpr Side O = Side::kOpener, R = Side::kReplier;

/// A segment that reads aloud: from(O, kA).seq(1).ack(1).data(100). Numbers are relative to the
/// initial sequence number of who counts: 0 is the SYN, 1 the first byte.
struct Segment {
  Side side;
  uint8_t flags;
  uint32_t sequence = 0, acknowledgement = 0;
  uint16_t bytes = 0, announced = 10000;
  uint8_t shift = TcpFields::kNoScale;
  bool first_fragment = false;

  Segment& seq(uint32_t n) { return sequence = n, *this; }
  Segment& ack(uint32_t n) { return acknowledgement = n, *this; }
  Segment& data(uint16_t n) { return bytes = n, *this; }
  Segment& window(uint16_t n) { return announced = n, *this; }
  Segment& scale(uint8_t n) { return shift = n, *this; }
  Segment& fragment() { return first_fragment = true, *this; }
};
inline Segment from(Side side, uint8_t flags) {
  Segment s{};
  s.side = side;
  s.flags = flags;
  return s;
}

/// Initial sequence numbers, by Side.
struct Numbers {
  uint32_t opener, replier;
};

inline ParsedPacket parsed(const Segment& s, const Numbers& isn) {
  ParsedPacket p = tcp_packet(s.flags);
  p.fragment = s.first_fragment;
  const bool opener = s.side == O;
  p.tcp.sequence = s.sequence + (opener ? isn.opener : isn.replier);
  p.tcp.acknowledgement =
      (s.flags & kA) != 0 ? s.acknowledgement + (opener ? isn.replier : isn.opener) : 0;
  p.tcp.window = s.announced;
  p.tcp.payload = s.bytes;
  p.tcp.window_scale = s.shift;
  return p;
}

/// A connection as the tracker sees it. Each call offers one segment and checks what becomes of it.
class Conversation {
 public:
  explicit Conversation(const Numbers& isn) : isn_(isn) {}

  /// With the SYN that opens the flow.
  void opens(const Segment& syn) {
    tcp_open(track, parsed(syn, isn_));
    state = FlowState::kTcpOpening;
  }
  void picks_up(const Segment& s) {
    track = {};
    EXPECT_TRUE(tcp_pick_up(track, s.side, parsed(s, isn_)));
    state = FlowState::kTcpPickedUp;
  }
  /// A handshake: each side's window and scale as in its SYN.
  void establishes(uint16_t opener_window = 10000, uint8_t opener_scale = TcpFields::kNoScale,
                   uint16_t replier_window = 10000, uint8_t replier_scale = TcpFields::kNoScale) {
    opens(from(O, kS).window(opener_window).scale(opener_scale));
    accepts(from(R, kS | kA).ack(1).window(replier_window).scale(replier_scale),
            FlowState::kTcpSynReceived);
    const bool scaled = opener_scale != TcpFields::kNoScale && replier_scale != TcpFields::kNoScale;
    accepts(from(O, kA).seq(1).ack(1).window(
                static_cast<uint16_t>(opener_window >> (scaled ? opener_scale : 0))),
            FlowState::kTcpEstablished);
  }

  void accepts(const Segment& s, FlowState next, const Where& where = Where::current()) {
    const Tracked t = judged(s);
    expect(is_accepted(t.action) && t.next == next, t, where);
    // What changes the state has to be verified.
    expect(t.next == state || t.verify, t, where);
    take(s, t);
  }
  /// Accepts it, and the state stays.
  void accepts(const Segment& s, const Where& where = Where::current()) {
    accepts(s, state, where);
  }
  void passes(const Segment& s, const Where& where = Where::current()) {
    const Tracked t = judged(s);
    expect(t.action == TrackAction::kPassUnchanged, t, where);
  }
  void drops(const Segment& s, DropReason reason, const Where& where = Where::current()) {
    const Tracked t = judged(s);
    expect(t.action == TrackAction::kDrop && t.reason == reason, t, where);
  }
  void out_of_window(const Segment& s, const Where& where = Where::current()) {
    drops(s, DropReason::kTcpWindow, where);
  }
  void wrong_state(const Segment& s, const Where& where = Where::current()) {
    drops(s, DropReason::kTcpState, where);
  }
  void reopens(const Segment& s, const Where& where = Where::current()) {
    const Tracked t = judged(s);
    expect(t.action == TrackAction::kReopen && t.verify, t, where);
  }
  /// Whether it takes the short way of most segments.
  bool goes_on(const Segment& s) const {
    return short_way_agrees(track, state, s.side, parsed(s, isn_));
  }
  Tracked judged(const Segment& s) const {
    goes_on(s);
    TcpTrack next;
    const Tracked t = tcp_judge(track, state, s.side, parsed(s, isn_), next);
    if (!is_accepted(t.action)) {
      EXPECT_EQ(std::memcmp(&next, &track, sizeof track), 0);
    }
    return t;
  }
  void take(const Segment& s, const Tracked& t) {
    if (!is_accepted(t.action)) return;
    TcpTrack next;
    tcp_judge(track, state, s.side, parsed(s, isn_), next);
    track = next;
    state = t.next;
  }
  bool quotes(Side sender, uint32_t sequence) const {
    return tcp_quote_fits(track, sender, sequence + (sender == O ? isn_.opener : isn_.replier));
  }

  TcpTrack track{};
  FlowState state = FlowState::kTcpVerified;

 private:
  static void expect(bool held, const Tracked& t, const Where& where) {
    if (held) return;
    ADD_FAILURE_AT(where.file_name(), where.line())
        << t.action << ", " << t.next << ", " << t.reason << (t.verify ? ", verified" : "");
  }
  Numbers isn_;
};

/// Each test runs where numbers wrap, too.
class TcpTracker : public testing::TestWithParam<Numbers> {
 protected:
  Conversation c{GetParam()};
};
inline std::string numbers_name(const testing::TestParamInfo<Numbers>& info) {
  return std::to_string(info.param.opener) + "_" + std::to_string(info.param.replier);
}
inline auto all_numbers() {
  return testing::Values(Numbers{1000, 5000}, Numbers{0, 0}, Numbers{0xffffffff, 0xfffffff0},
                         Numbers{0x7fffff00, 0x80000000}, Numbers{0xfffffe00, 0x7fffffff});
}

}  // namespace test
}  // namespace rampart
