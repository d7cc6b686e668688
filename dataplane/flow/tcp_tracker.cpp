// SPDX-License-Identifier: Apache-2.0
#include "dataplane/flow/tcp_tracker.hpp"

#include "dataplane/flow/tcp_first.hpp"

namespace rampart {
namespace detail::tcp {
namespace {

using tcp_sequence::after;
using tcp_sequence::before;
using tcp_sequence::later;
using tcp_sequence::within;
using enum FlowState;

/// Whether the end of `s` was taken from an acknowledgement, because its FIN was seen only in first
/// fragments: that may have been of the data before it, sent without a FIN at first.
bool may_end_later(const TcpSide& s) {
  constexpr uint8_t kBoth = kFin | kFinInFragment;
  return (s.flags & kBoth) == kBoth;
}

/// After the last number that a side may have sent.
uint32_t last_of(const TcpSide& s) {
  if (may_end_later(s)) return s.end + 1;
  return (s.flags & kLoose) != 0 ? later(s.end, s.edge + 1) : s.end;
}

/// The tests at the top of tcp_tracker.hpp. kNone, or why the segment of `s` is refused.
DropReason check_window(const TcpSide& s, const TcpSide& r, const ParsedPacket& p) {
  const uint32_t seq = p.tcp.sequence, ack = p.tcp.acknowledgement;
  if (after(data_end(p), s.edge + 1) || before(seq, r.ack - slack_of(r) - 1) ||
      after(ack, last_of(r)) || before(ack, s.ack - slack_of(s))) {
    return DropReason::kTcpWindow;
  }
  const uint32_t end = s.end + (may_end_later(s) && has(p, tcp_flag::kFin) ? 1 : 0);
  if ((s.flags & kFin) != 0 && after(segment_end(p), end)) return DropReason::kTcpState;
  return DropReason::kNone;
}

/// The FIN of `s` is beyond doubt.
void settle_fin(TcpSide& s) {
  s.flags = static_cast<uint8_t>((s.flags & ~(kFinPending | kFinInFragment | kLoose)) | kFin);
}

/// Takes in the FIN of a segment that passed check_window. `sent`: `end` as it was before it.
void take_fin(TcpSide& s, const TcpSide& r, const ParsedPacket& p, uint32_t sent) {
  const uint32_t end = segment_end(p);
  // It follows on what was sent, and nothing has been acknowledged since. A stranger would have to
  // guess both; where a FIN is early or late, its acknowledgement shows that it was one.
  const bool is_current = !after(p.tcp.sequence, sent) && !before(data_end(p), r.ack) &&
                          !before(p.tcp.acknowledgement, s.ack);
  if (p.fragment) {
    s.flags |= kFinInFragment;
  } else if (is_current || end == r.ack) {
    s.end = end;
    settle_fin(s);
  } else if (s.end == end) {
    s.flags |= kFinPending;
  }
}

/// Takes in an acknowledgement of what `r` has sent.
void take_ack(TcpSide& r, uint32_t ack) {
  if (after(ack, r.end)) {
    // More than was seen here has arrived there; if a FIN was in it, that was the last of it.
    r.end = ack;
    if (may_end_later(r)) {
      settle_fin(r);
    } else if ((r.flags & kFinInFragment) != 0) {
      settle_fin(r);
      r.flags |= kFinInFragment;
    }
  } else if (ack == r.end && (r.flags & kFinPending) != 0) {
    settle_fin(r);
  }
}

}  // namespace

void take(TcpTrack& t, Side side, const ParsedPacket& p) noexcept {
  TcpSide& s = of(t, side);
  TcpSide& r = of(t, other(side));
  if ((s.flags & kFin) == 0) {
    const uint32_t sent = s.end;
    const uint32_t end = p.fragment ? data_end(p) : segment_end(p);
    if (after(end, s.end)) {
      s.end = end;
      s.flags &= static_cast<uint8_t>(~kFinPending);
    }
    if (p.fragment) s.flags |= kLoose;
    if (has(p, tcp_flag::kFin)) take_fin(s, r, p, sent);
  } else if (may_end_later(s) && has(p, tcp_flag::kFin) && !p.fragment &&
             segment_end(p) == s.end + 1) {
    ++s.end;
    settle_fin(s);
  }
  const uint32_t ack = p.tcp.acknowledgement;
  take_ack(r, ack);
  r.edge = later(r.edge, ack + (uint32_t{p.tcp.window} << shift_of(s)));
  s.ack = later(s.ack, ack);
  s.window = std::max(s.window, p.tcp.window);
  s.flags = static_cast<uint8_t>((s.flags & ~kMayBeGone) | kAnswered);
}

namespace {

Tracked judge_syn(const TcpSide& s, const TcpSide& r, FlowState state, const ParsedPacket& p) {
  // Who has sent a RST and nothing since is gone, even if the other went on talking for a while.
  if (state == kTcpReset || ((s.flags | r.flags) & kMayBeGone) != 0) return reopen(state);
  // RFC 5961 §4: whatever its numbers, a live end answers it with an ACK, and who has lost the
  // connection answers that with a RST that we can believe.
  if (state != kTcpTimeWait) return pass_unchanged(state);
  // RFC 9293 §3.6.1: out of TIME-WAIT only beyond what the old connection used.
  return before(p.tcp.sequence, s.end) ? refuse(state, DropReason::kTcpState) : reopen(state);
}

void take_syn_ack(TcpTrack& t, Side side, const ParsedPacket& p) {
  TcpSide &s = of(t, side), &r = of(t, other(side));
  const uint32_t ack = p.tcp.acknowledgement;
  if (p.tcp.sequence + 1 != r.ack) {
    const auto window = static_cast<uint16_t>(std::min<uint32_t>(window_of(r), 65535));
    const auto offer = static_cast<uint8_t>(r.scale & 0xf0);
    synchronise(t, {s.ack, r.end, window, offer}, syn_of(p), ack);
  }
  s.ack = later(s.ack, ack);
  s.flags |= kAnswered;
  r.edge = later(r.edge, ack + p.tcp.window);
}

Tracked judge_syn_ack(const TcpTrack& t, FlowState state, Side side, const ParsedPacket& p,
                      TcpTrack& then) {
  if (state != kTcpSynReceived) return pass_unchanged(state);
  const TcpSide& s = of(t, side);
  const TcpSide& r = of(t, other(side));
  const bool answers = within(p.tcp.acknowledgement, s.ack, r.end);
  if (p.tcp.sequence + 1 == r.ack) {  // sent again, or the second half of a simultaneous open
    if (!answers) return pass_unchanged(state);
    take_syn_ack(then, side, p);
    const FlowState next = state_of(then);
    return accept(next, next != state);
  }
  // A replier without memory (SYN cookies, another server behind a balancer) answers the SYN sent
  // again with another number. It knows the opener's, so it is no stranger.
  if (side == Side::kReplier && answers) {
    take_syn_ack(then, side, p);
    return accept(state, true);
  }
  return refuse(state, answers ? DropReason::kTcpState : DropReason::kTcpWindow);
}

void take_rst(TcpTrack& t, FlowState state, Side side) {
  TcpSide& s = of(t, side);
  TcpSide& r = of(t, other(side));
  if (s.end == r.ack) {
    // There is only one number that its receiver can be waiting for: no doubt is left.
    s.flags &= static_cast<uint8_t>(~kMayBeGone);
    r.flags &= static_cast<uint8_t>(~kMayBeGone);
  } else if (state != kTcpReset) {
    s.flags |= kMayBeGone;
  }
}

Tracked judge_rst(const TcpTrack& t, FlowState state, Side side, const ParsedPacket& p,
                  TcpTrack& then) {
  const TcpSide& s = of(t, side);
  const TcpSide& r = of(t, other(side));
  // RFC 5961 §3. What the receiver waits for is between r.ack and s.end. If they differ, a RST at
  // either is likely, and in doubt until the receiver says otherwise; others within the window
  // make a live end answer with an ACK, and the sender of a RST repeat it with that number.
  // Once reset, an end that listens may have taken a late double of the SYN: what answers it then
  // is below r.ack, if data came with the first.
  const uint32_t seq = p.tcp.sequence;
  const uint32_t least = state == kTcpReset ? r.ack - slack_of(r) : r.ack;
  if (!within(seq, least, later(s.edge, s.end))) return refuse(state, DropReason::kTcpWindow);
  if (seq != r.ack && seq != s.end) return pass_unchanged(state);
  take_rst(then, state, side);
  return accept(kTcpReset, true);
}

Tracked judge_known(const TcpTrack& t, FlowState state, Side side, const ParsedPacket& p,
                    TcpTrack& then) {
  const TcpSide& s = of(t, side);
  const TcpSide& r = of(t, other(side));
  if (has(p, tcp_flag::kRst)) return judge_rst(t, state, side, p, then);
  if (has(p, tcp_flag::kSyn)) {
    return has(p, tcp_flag::kAck) ? judge_syn_ack(t, state, side, p, then)
                                  : judge_syn(s, r, state, p);
  }
  const DropReason wrong = check_window(s, r, p);
  if (wrong != DropReason::kNone) return refuse(state, wrong);
  // In a handshake only the very numbers prove that the other's SYN was received. (The first to
  // get here may be a keep-alive, one below.)
  if (state == kTcpSynReceived &&
      (before(p.tcp.sequence, r.ack - 1) || before(p.tcp.acknowledgement, s.ack))) {
    return refuse(state, DropReason::kTcpWindow);
  }
  take(then, side, p);
  // Most segments end here.
  constexpr uint8_t kFinToSettle = kFinPending | kFinInFragment;
  const bool plain = !has(p, tcp_flag::kFin) && ((s.flags | r.flags) & kFinToSettle) == 0;
  if (state == kTcpEstablished && plain) return accept(state, false);
  if (state == kTcpReset) {
    of(then, side).flags |= s.flags & kMayBeGone;
    // Only the receiver of a RST can show that it did not take it. Others have not heard of it, and
    // are answered with another.
    if ((r.flags & kMayBeGone) == 0) return accept(state, false);
  }
  const FlowState next = state_of(then);
  return accept(next, next != state || has(p, tcp_flag::kFin));
}

}  // namespace
}  // namespace detail::tcp

using detail::accept;
using detail::pass_unchanged;
using detail::refuse;
using detail::reopen;
using namespace detail::tcp;
using enum FlowState;

Tracked tcp_judge(const TcpTrack& track, FlowState state, Side side, const ParsedPacket& p,
                  TcpTrack& next) noexcept {
  next = track;
  if (is_known(track)) [[likely]] {
    return judge_known(track, state, side, p, next);
  }
  switch (state) {
    case kTcpVerified:
      if (side != Side::kOpener || !p.opens_flow) return refuse(state, DropReason::kTcpState);
      tcp_open(next, p);
      return accept(kTcpOpening, true);
    case kTcpPickedUp:
      return judge_picked_up(track, side, p, next);
    case kTcpReset: {
      // The SYN was refused, or a connection reset that had been picked up, whose ends may not
      // know.
      if (p.opens_flow) return reopen(state);
      const bool refused = ((track.side[0].flags | track.side[1].flags) & kSeen) == 0;
      const bool late = !has(p, tcp_flag::kSyn) && (p.tcp.payload == 0 || !refused);
      return late ? pass_unchanged(state) : refuse(state, DropReason::kTcpState);
    }
    default:
      return judge_opening(track, side, p, next);
  }
}

bool tcp_quote_fits(const TcpTrack& track, Side sender, uint32_t sequence) noexcept {
  const TcpSide& s = of(track, sender);
  const TcpSide& r = of(track, other(sender));
  if (is_known(track)) return within(sequence, r.ack - slack_of(r) - 1, last_of(s));
  if ((s.flags & kSeen) != 0) return tcp_sequence::distance(sequence, s.end) <= kMostWindow;
  if ((r.flags & kSeen) != 0) return tcp_sequence::distance(sequence, r.ack) <= kMostWindow;
  const uint8_t whose = sender == Side::kOpener ? kSynOfOpener : kSynOfReplier;
  return ((track.side[0].flags & whose) != 0 && sequence + 1 == first_syn(track).next) ||
         ((track.side[1].flags & whose) != 0 && sequence + 1 == other_syn(track).next);
}

}  // namespace rampart
