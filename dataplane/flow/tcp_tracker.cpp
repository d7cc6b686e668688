// SPDX-License-Identifier: Apache-2.0
#include "dataplane/flow/tcp_tracker.hpp"

#include <algorithm>

#include "dataplane/flow/tcp_sequence.hpp"

namespace rampart {
namespace {

using detail::accept;
using detail::pass_unchanged;
using detail::refuse;
using detail::reopen;
using tcp_sequence::after;
using tcp_sequence::before;
using tcp_sequence::distance;
using tcp_sequence::earlier;
using tcp_sequence::later;
using tcp_sequence::within;
using enum FlowState;

/// Of TcpSide::flags.
constexpr uint8_t kKnown = 0x01,  ///< `end`, `edge` and `ack` are what they say
    kAnswered = 0x02,             ///< has acknowledged the other's SYN
    kFin = 0x04,                  ///< has sent FIN beyond doubt; `end` is final
    kFinPending = 0x08,    ///< has sent FIN, if its receiver acknowledges it; `end` is after it
    kResetInDoubt = 0x10,  ///< has sent a RST that its receiver may not have taken
    kSynOfOpener = 0x20,   ///< while opening: this half holds a SYN of the opener's (see TcpTrack)
    kSynOfReplier = 0x40,  ///< while opening: it holds one of the replier's
    kSeen = 0x80;          ///< while picked up: `end`, `ack` and `window` are of its last segment

/// No duplicate is refused for its age before it is that far behind, bytes.
constexpr uint32_t kLeastSlack = 65535;
/// The largest window there is (RFC 7323 §2.3), bytes.
constexpr uint32_t kMostWindow = 65535U << TcpFields::kMaxScale;

constexpr bool has(const ParsedPacket& p, uint8_t flags) {
  return (p.tcp_flags & flags) == flags;
}

constexpr uint8_t offer_of(uint8_t window_scale) {
  return window_scale == TcpFields::kNoScale ? uint8_t{0}
                                             : static_cast<uint8_t>((window_scale + 1U) << 4);
}
constexpr unsigned shift_of(const TcpSide& s) {
  return s.scale & 0xfU;
}
constexpr uint32_t window_of(const TcpSide& s) {
  return uint32_t{s.window} << shift_of(s);
}
constexpr uint32_t slack_of(const TcpSide& s) {
  return std::max(window_of(s), kLeastSlack);
}

/// The number after a segment's data, and after its FIN.
constexpr uint32_t data_end(const ParsedPacket& p) {
  return p.tcp.sequence + (has(p, tcp_flag::kSyn) ? 1U : 0U) + p.tcp.payload;
}
constexpr uint32_t segment_end(const ParsedPacket& p) {
  return data_end(p) + (has(p, tcp_flag::kFin) ? 1U : 0U);
}

/// A SYN that a flow opened with, or that stands beside the first (see TcpTrack).
struct Syn {
  uint32_t next;    ///< the number after it
  uint32_t end;     ///< the number after its data
  uint16_t window;  ///< bytes: in a SYN it is not scaled
  uint8_t offer;    ///< as in the high half of TcpSide::scale
};

Syn syn_of(const ParsedPacket& p) {
  // What is not in the first of several fragments counts as large as it may be.
  const uint32_t data = p.fragment ? kLeastSlack : p.tcp.payload;
  return {p.tcp.sequence + 1, p.tcp.sequence + 1 + data, p.tcp.window,
          offer_of(p.tcp.window_scale)};
}
Syn first_syn(const TcpTrack& t) {
  return {t.side[1].ack, t.side[0].end, t.side[0].window, t.side[0].scale};
}
Syn other_syn(const TcpTrack& t) {
  const TcpSide& r = t.side[1];
  return {r.edge, r.end, r.window, r.scale};
}
void keep_first(TcpTrack& t, const Syn& syn) {
  t.side[1].ack = syn.next;
  t.side[0].end = syn.end;
  t.side[0].window = syn.window;
  t.side[0].scale = syn.offer;
  t.side[0].flags = kSynOfOpener;
}
void keep_other(TcpTrack& t, const Syn& syn, uint8_t whose) {
  TcpSide& r = t.side[1];
  r.edge = syn.next;
  r.end = syn.end;
  r.window = syn.window;
  r.scale = syn.offer;
  r.flags = whose;
}
bool acknowledges(const ParsedPacket& p, const Syn& syn) {
  return within(p.tcp.acknowledgement, syn.next, syn.end);
}

/// Sets the shifts that two SYNs agree on and brings a window into their units.
void settle_scale(TcpSide& s, uint32_t window, uint8_t offer, bool both) {
  const unsigned shift = both ? (offer >> 4) - 1U : 0U;
  s.scale = static_cast<uint8_t>(offer | shift);
  s.window = static_cast<uint16_t>((window + (1U << shift) - 1) >> shift);
}

/// Both SYNs are known: what each side has sent and may send.
void synchronise(TcpTrack& t, const Syn& opener, const Syn& replier) {
  TcpSide &o = t.side[0], &r = t.side[1];
  const bool both = opener.offer != 0 && replier.offer != 0;
  settle_scale(o, opener.window, opener.offer, both);
  settle_scale(r, replier.window, replier.offer, both);
  o.end = opener.end;
  o.edge = later(opener.next + replier.window, opener.end);
  o.ack = replier.next;
  o.flags = kKnown;
  r.end = replier.end;
  r.edge = later(replier.next + opener.window, replier.end);
  r.ack = opener.next;
  r.flags = kKnown;
}

/// The state that both sides' flags amount to.
FlowState state_of(const TcpTrack& t) {
  const TcpSide &o = t.side[0], &r = t.side[1];
  if ((o.flags & r.flags & kAnswered) == 0) return kTcpSynReceived;
  if ((o.flags & kFin) == 0) return (r.flags & kFin) == 0 ? kTcpEstablished : kTcpFinReplier;
  if ((r.flags & kFin) == 0) return kTcpFinOpener;
  return o.ack == r.end && r.ack == o.end ? kTcpTimeWait : kTcpClosing;
}

/// The tests at the top of tcp_tracker.hpp. kNone, or why the segment of `s` is refused.
DropReason check_window(const TcpSide& s, const TcpSide& r, const ParsedPacket& p) {
  const uint32_t seq = p.tcp.sequence, ack = p.tcp.acknowledgement;
  if (after(data_end(p), s.edge + 1) || before(seq, r.ack - slack_of(r) - 1) || after(ack, r.end) ||
      before(ack, s.ack - slack_of(s))) {
    return DropReason::kTcpWindow;
  }
  if ((s.flags & kFin) != 0 && after(segment_end(p), s.end)) return DropReason::kTcpState;
  return DropReason::kNone;
}

/// Whether a segment that passed check_window carries current numbers: it is neither a duplicate
/// nor a stranger's that was lucky within a window.
bool is_current(const TcpSide& s, const TcpSide& r, const ParsedPacket& p) {
  return !before(p.tcp.sequence, r.ack) && !before(p.tcp.acknowledgement, s.ack);
}

void take_fin(TcpSide& s, const TcpSide& r, const ParsedPacket& p, bool current) {
  if ((s.flags & kFin) != 0) return;
  const uint32_t end = segment_end(p);
  if (p.fragment) {
    // Where it ends nobody knows; `end` is as far as may be by now.
    if (current) s.flags |= kFin;
  } else if (current || end == r.ack) {
    s.end = end;
    s.flags = static_cast<uint8_t>((s.flags & ~kFinPending) | kFin);
  } else if (s.end == end) {
    s.flags |= kFinPending;
  }
}

/// Takes in a segment without SYN or RST that passed check_window.
void take(TcpTrack& t, Side side, const ParsedPacket& p) {
  TcpSide& s = t.side[static_cast<unsigned>(side)];
  TcpSide& r = t.side[static_cast<unsigned>(other(side))];
  const bool current = is_current(s, r, p);
  const uint32_t ack = p.tcp.acknowledgement;
  const uint32_t end = p.fragment
                           ? later(segment_end(p), earlier(s.edge, p.tcp.sequence + kLeastSlack))
                           : segment_end(p);
  if ((s.flags & kFin) == 0 && after(end, s.end)) {
    s.end = end;
    s.flags &= static_cast<uint8_t>(~kFinPending);
  }
  if (has(p, tcp_flag::kFin)) take_fin(s, r, p, current);
  s.ack = later(s.ack, ack);
  s.window = std::max(s.window, p.tcp.window);
  s.flags |= kAnswered;
  r.edge = later(r.edge, ack + (uint32_t{p.tcp.window} << shift_of(s)));
  if ((r.flags & kFinPending) != 0 && ack == r.end) {
    r.flags = static_cast<uint8_t>((r.flags & ~kFinPending) | kFin);
  }
  r.flags &= static_cast<uint8_t>(~kResetInDoubt);
}

// --- kTcpOpening ---------------------------------------------------------------------------------

Tracked judge_opener_opening(const TcpTrack& t, const ParsedPacket& p) {
  if (has(p, tcp_flag::kRst)) {
    // Its answer to an answer that was not for its SYN: the replier knows another connection.
    return pass_unchanged(kTcpOpening);
  }
  if (!has(p, tcp_flag::kSyn)) return refuse(kTcpOpening, DropReason::kTcpState);
  const Syn first = first_syn(t);
  if (!has(p, tcp_flag::kAck)) {
    const Syn syn = syn_of(p);
    const bool same = syn.next == first.next && !after(syn.end, first.end) &&
                      (syn.offer == first.offer || syn.offer == 0);
    return accept(kTcpOpening, !same);
  }
  // Simultaneous open: the opener has got the replier's SYN, so that one was no stranger's.
  if ((t.side[1].flags & kSynOfReplier) != 0 && p.tcp.sequence + 1 == first.next &&
      acknowledges(p, other_syn(t))) {
    return accept(kTcpSynReceived, true);
  }
  return refuse(kTcpOpening, DropReason::kTcpState);
}

Tracked judge_replier_opening(const TcpTrack& t, const ParsedPacket& p) {
  constexpr FlowState state = kTcpOpening;
  const bool syn = has(p, tcp_flag::kSyn), ack = has(p, tcp_flag::kAck);
  if (syn && !ack) return accept(state, true);
  const bool answers =
      ack && (acknowledges(p, first_syn(t)) ||
              ((t.side[1].flags & kSynOfOpener) != 0 && acknowledges(p, other_syn(t))));
  if (has(p, tcp_flag::kRst)) {
    return answers ? accept(kTcpReset, true) : refuse(state, DropReason::kTcpWindow);
  }
  if (syn && answers) return accept(kTcpSynReceived, true);
  // It may know another connection, older than our flow: then it answers a SYN with an ACK for
  // that, and gets a RST from the opener (RFC 9293 §3.5.1).
  if (answers || (p.tcp.payload == 0 && !has(p, tcp_flag::kFin))) return pass_unchanged(state);
  return refuse(state, DropReason::kTcpState);
}

void update_opening(TcpTrack& t, Side side, const ParsedPacket& p) {
  if (has(p, tcp_flag::kRst)) return;
  Syn syn = syn_of(p);
  Syn first = first_syn(t);
  const bool ack = has(p, tcp_flag::kAck);
  if (side == Side::kOpener) {
    if (ack) {
      synchronise(t, first, other_syn(t));
      t.side[0].flags |= kAnswered;
    } else if (syn.next == first.next) {
      // Sent again, perhaps with or without data or options: either may be answered.
      if (syn.offer == 0) syn.offer = first.offer;
      syn.end = later(syn.end, first.end);
      keep_first(t, syn);
    } else {
      keep_other(t, syn, kSynOfOpener);
    }
    return;
  }
  if (!ack) return keep_other(t, syn, kSynOfReplier);
  if (!acknowledges(p, first)) first = other_syn(t);
  synchronise(t, first, syn);
  t.side[1].ack = p.tcp.acknowledgement;
  t.side[1].flags |= kAnswered;
}

// --- kTcpPickedUp --------------------------------------------------------------------------------

/// Whether a segment speaks of the numbers of the other side's last one, give or take a window.
bool fits_together(const TcpSide& r, const ParsedPacket& p) {
  const uint32_t window = uint32_t{p.tcp.window} << TcpFields::kMaxScale;
  return (r.flags & kSeen) != 0 && distance(p.tcp.sequence, r.ack) <= slack_of(r) &&
         distance(p.tcp.acknowledgement, r.end) <= std::max(window, kLeastSlack);
}

/// The connection as two segments that fit together tell it. More may have been sent than was seen
/// here, up to what is permitted.
void join(TcpTrack& t, Side side, const ParsedPacket& p) {
  TcpSide& s = t.side[static_cast<unsigned>(side)];
  TcpSide& r = t.side[static_cast<unsigned>(other(side))];
  const bool fin = (r.flags & kFinPending) != 0 && p.tcp.acknowledgement == r.end;
  s = {};
  s.ack = p.tcp.acknowledgement;
  s.window = p.tcp.window;
  s.scale = TcpFields::kMaxScale;
  s.edge = later(r.ack + window_of(r), segment_end(p));
  s.end = s.edge;
  s.flags = kKnown | kAnswered;
  r.edge = later(s.ack + window_of(s), r.end);
  if (!fin) r.end = r.edge;
  r.flags = static_cast<uint8_t>(kKnown | kAnswered | (fin ? kFin : 0));
  if (has(p, tcp_flag::kFin)) take_fin(s, r, p, !before(segment_end(p), r.ack));
}

void update_picked_up(TcpTrack& t, Side side, const ParsedPacket& p) {
  if (fits_together(t.side[static_cast<unsigned>(other(side))], p)) {
    join(t, side, p);
  } else {
    tcp_pick_up(t, side, p);
  }
}

Tracked judge_picked_up(const TcpTrack& t, Side side, const ParsedPacket& p) {
  const TcpSide& r = t.side[static_cast<unsigned>(other(side))];
  if (has(p, tcp_flag::kRst)) {
    const bool exact = (r.flags & kSeen) != 0 && p.tcp.sequence == r.ack;
    return exact ? accept(kTcpReset, true) : pass_unchanged(kTcpPickedUp);
  }
  if (has(p, tcp_flag::kSyn)) return pass_unchanged(kTcpPickedUp);
  TcpTrack then = t;
  update_picked_up(then, side, p);
  const bool known = (then.side[0].flags & then.side[1].flags & kKnown) != 0;
  return accept(known ? state_of(then) : kTcpPickedUp, true);
}

// --- both ends known -----------------------------------------------------------------------------

Tracked judge_syn(const TcpSide& s, FlowState state, const ParsedPacket& p) {
  // RFC 5961 §4: whatever its numbers, a live end answers it with an ACK, and who has lost the
  // connection answers that with a RST that we can believe.
  if (state != kTcpTimeWait && state != kTcpReset) return pass_unchanged(state);
  // RFC 9293 §3.6.1: out of TIME-WAIT only beyond what the old connection used.
  if (p.opens_flow && (state == kTcpReset || !before(p.tcp.sequence, s.end))) return reopen(state);
  return refuse(state, DropReason::kTcpState);
}

Tracked judge_syn_ack(const TcpTrack& t, FlowState state, Side side, const ParsedPacket& p) {
  if (state != kTcpSynReceived) return pass_unchanged(state);
  const TcpSide& s = t.side[static_cast<unsigned>(side)];
  const TcpSide& r = t.side[static_cast<unsigned>(other(side))];
  const bool answers = within(p.tcp.acknowledgement, s.ack, r.end);
  if (p.tcp.sequence + 1 == r.ack) {  // sent again, or the second half of a simultaneous open
    if (!answers) return pass_unchanged(state);
    TcpTrack then = t;
    tcp_update(then, state, side, p);
    const FlowState next = state_of(then);
    return accept(next, next != state);
  }
  // A replier without memory (SYN cookies, another server behind a balancer) answers the SYN sent
  // again with another number. It knows the opener's, so it is no stranger.
  if (side == Side::kReplier && answers) return accept(state, true);
  return refuse(state, answers ? DropReason::kTcpState : DropReason::kTcpWindow);
}

Tracked judge_rst(const TcpSide& s, const TcpSide& r, FlowState state, const ParsedPacket& p) {
  // RFC 5961 §3. What the receiver waits for is between r.ack and s.end. If they differ, a RST at
  // either is likely, and in doubt until the receiver says otherwise; others within the window
  // make a live end answer with an ACK, and the sender of a RST repeat it with that number.
  const uint32_t seq = p.tcp.sequence;
  if (!within(seq, r.ack, later(s.edge, s.end))) return refuse(state, DropReason::kTcpWindow);
  if (seq != r.ack && seq != s.end) return pass_unchanged(state);
  return accept(kTcpReset, true);
}

void update_rst(TcpTrack& t, FlowState state, Side side) {
  TcpSide& s = t.side[static_cast<unsigned>(side)];
  TcpSide& r = t.side[static_cast<unsigned>(other(side))];
  if (s.end == r.ack) {
    s.flags &= static_cast<uint8_t>(~kResetInDoubt);
    r.flags &= static_cast<uint8_t>(~kResetInDoubt);
  } else if (state != kTcpReset) {
    s.flags |= kResetInDoubt;
  }
}

Tracked judge_known(const TcpTrack& t, FlowState state, Side side, const ParsedPacket& p) {
  const TcpSide& s = t.side[static_cast<unsigned>(side)];
  const TcpSide& r = t.side[static_cast<unsigned>(other(side))];
  if (has(p, tcp_flag::kRst)) return judge_rst(s, r, state, p);
  if (has(p, tcp_flag::kSyn)) {
    return has(p, tcp_flag::kAck) ? judge_syn_ack(t, state, side, p) : judge_syn(s, state, p);
  }
  const DropReason wrong = check_window(s, r, p);
  if (wrong != DropReason::kNone) return refuse(state, wrong);
  // Most segments end here.
  const bool plain = !has(p, tcp_flag::kFin) && ((s.flags | r.flags) & kFinPending) == 0;
  if (state == kTcpEstablished && plain) return accept(state, false);
  if (state == kTcpReset && (r.flags & kResetInDoubt) == 0) return pass_unchanged(state);
  // In a handshake only the very number proves that the other's SYN was received.
  if (state == kTcpSynReceived && !is_current(s, r, p)) {
    return refuse(state, DropReason::kTcpWindow);
  }
  TcpTrack then = t;
  take(then, side, p);
  const FlowState next = state_of(then);
  return accept(next, next != state || has(p, tcp_flag::kFin));
}

bool is_known(const TcpTrack& t) {
  return (t.side[0].flags & t.side[1].flags & kKnown) != 0;
}

}  // namespace

void tcp_open(TcpTrack& track, const ParsedPacket& syn) noexcept {
  track = {};
  keep_first(track, syn_of(syn));
}

bool tcp_pick_up(TcpTrack& track, Side side, const ParsedPacket& p) noexcept {
  if (!has(p, tcp_flag::kAck) || has(p, tcp_flag::kSyn) || has(p, tcp_flag::kRst)) return false;
  TcpSide& s = track.side[static_cast<unsigned>(side)];
  s = {};
  s.end = segment_end(p);
  s.ack = p.tcp.acknowledgement;
  s.window = p.tcp.window;
  s.scale = TcpFields::kMaxScale;
  s.flags = has(p, tcp_flag::kFin) ? kSeen | kFinPending : kSeen;
  return true;
}

Tracked tcp_judge(const TcpTrack& track, FlowState state, Side side,
                  const ParsedPacket& p) noexcept {
  if (is_known(track)) [[likely]] {
    return judge_known(track, state, side, p);
  }
  switch (state) {
    case kTcpVerified:
      return side == Side::kOpener && p.opens_flow ? accept(kTcpOpening, true)
                                                   : refuse(state, DropReason::kTcpState);
    case kTcpPickedUp:
      return judge_picked_up(track, side, p);
    case kTcpReset:  // in answer to the SYN, or of a connection that was picked up
      if (p.opens_flow) return reopen(state);
      return has(p, tcp_flag::kSyn) || p.tcp.payload != 0 ? refuse(state, DropReason::kTcpState)
                                                          : pass_unchanged(state);
    default:
      return side == Side::kOpener ? judge_opener_opening(track, p)
                                   : judge_replier_opening(track, p);
  }
}

void tcp_update(TcpTrack& track, FlowState state, Side side, const ParsedPacket& p) noexcept {
  if (!is_known(track)) [[unlikely]] {
    if (state == kTcpVerified) return tcp_open(track, p);
    if (state == kTcpOpening) return update_opening(track, side, p);
    if (state == kTcpPickedUp && !has(p, tcp_flag::kRst)) update_picked_up(track, side, p);
    return;
  }
  if (has(p, tcp_flag::kRst)) return update_rst(track, state, side);
  if (has(p, tcp_flag::kSyn)) {
    TcpSide& s = track.side[static_cast<unsigned>(side)];
    TcpSide& r = track.side[static_cast<unsigned>(other(side))];
    if (p.tcp.sequence + 1 != r.ack) {
      const Syn opener{s.ack, r.end, static_cast<uint16_t>(std::min(window_of(r), kLeastSlack)),
                       static_cast<uint8_t>(r.scale & 0xf0)};
      synchronise(track, opener, syn_of(p));
    }
    s.ack = p.tcp.acknowledgement;
    s.flags |= kAnswered;
    return;
  }
  take(track, side, p);
}

bool tcp_quote_fits(const TcpTrack& track, Side sender, uint32_t sequence) noexcept {
  const TcpSide& s = track.side[static_cast<unsigned>(sender)];
  const TcpSide& r = track.side[static_cast<unsigned>(other(sender))];
  if (is_known(track)) return within(sequence, r.ack - slack_of(r) - 1, s.end);
  if ((s.flags & kSeen) != 0) return distance(sequence, s.end) <= kMostWindow;
  if ((r.flags & kSeen) != 0) return distance(sequence, r.ack) <= kMostWindow;
  const uint8_t whose = sender == Side::kOpener ? kSynOfOpener : kSynOfReplier;
  return ((track.side[0].flags & whose) != 0 && sequence + 1 == first_syn(track).next) ||
         ((track.side[1].flags & whose) != 0 && sequence + 1 == other_syn(track).next);
}

}  // namespace rampart
