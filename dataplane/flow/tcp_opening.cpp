// SPDX-License-Identifier: Apache-2.0
// How a connection becomes known: by its handshake, or in the middle.
#include "dataplane/flow/tcp_first.hpp"

namespace rampart {
namespace detail::tcp {
namespace {

using tcp_sequence::after;
using tcp_sequence::distance;
using tcp_sequence::later;
using tcp_sequence::within;
using enum FlowState;

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

Tracked judge_opener(const TcpTrack& t, const ParsedPacket& p) {
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

Tracked judge_replier(const TcpTrack& t, const ParsedPacket& p) {
  constexpr FlowState state = kTcpOpening;
  const bool syn = has(p, tcp_flag::kSyn), ack = has(p, tcp_flag::kAck);
  if (syn && !ack) return accept_unproven(state, true);
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

/// Whether a segment speaks of the numbers of the other side's last one, give or take a window.
bool fits_together(const TcpSide& r, const ParsedPacket& p) {
  const uint32_t window = uint32_t{p.tcp.window} << TcpFields::kMaxScale;
  return (r.flags & kSeen) != 0 && distance(p.tcp.sequence, r.ack) <= slack_of(r) &&
         distance(p.tcp.acknowledgement, r.end) <= std::max(window, kLeastSlack);
}

/// The connection as two segments that fit together tell it. They say what each side permits now;
/// what it has permitted before may be more (this one comes late, or a window has shrunk since),
/// and counts as the largest window there is.
void join(TcpTrack& t, Side side, const ParsedPacket& p) {
  TcpSide& s = of(t, side);
  TcpSide& r = of(t, other(side));
  s = {};
  s.end = r.ack;
  s.edge = r.ack + kMostWindow;
  s.ack = p.tcp.acknowledgement;
  s.scale = TcpFields::kMaxScale;
  s.flags = kKnown | kLoose;
  r.edge = s.ack + kMostWindow;
  r.flags = static_cast<uint8_t>((r.flags & kFinPending) | kKnown | kAnswered | kLoose);
  take(t, side, p);
}

}  // namespace

void synchronise(TcpTrack& t, const Syn& opener, const Syn& replier, uint32_t ack) noexcept {
  TcpSide &o = t.side[0], &r = t.side[1];
  const bool both = opener.offer != 0 && replier.offer != 0;
  settle_scale(o, opener.window, opener.offer, both);
  settle_scale(r, replier.window, replier.offer, both);
  o.end = opener.end;
  o.edge = later(ack + replier.window, opener.end);
  o.ack = replier.next;
  o.flags = kKnown;
  r.end = replier.end;
  r.edge = later(replier.next + opener.window, replier.end);
  r.ack = ack;
  r.flags = kKnown;
}

namespace {

/// Takes in a SYN or SYN+ACK.
void take_syn(TcpTrack& t, Side side, const ParsedPacket& p) {
  Syn syn = syn_of(p);
  Syn first = first_syn(t);
  const bool ack = has(p, tcp_flag::kAck);
  if (side == Side::kOpener) {
    if (ack) {
      synchronise(t, first, other_syn(t), first.next);
      t.side[0].flags |= kAnswered;
    } else if (syn.next == first.next) {
      // Sent again, perhaps with or without data or options: either may be answered.
      if (syn.offer == 0) syn.offer = first.offer;
      syn.window = std::max(syn.window, first.window);
      syn.end = later(syn.end, first.end);
      keep_first(t, syn);
    } else {
      keep_other(t, syn, kSynOfOpener);
    }
    return;
  }
  if (!ack) return keep_other(t, syn, kSynOfReplier);
  if (!acknowledges(p, first)) first = other_syn(t);
  synchronise(t, first, syn, p.tcp.acknowledgement);
  t.side[1].flags |= kAnswered;
}

}  // namespace

Tracked judge_opening(const TcpTrack& t, Side side, const ParsedPacket& p,
                      TcpTrack& next) noexcept {
  const Tracked said = side == Side::kOpener ? judge_opener(t, p) : judge_replier(t, p);
  if (is_accepted(said.action) && !has(p, tcp_flag::kRst)) take_syn(next, side, p);
  return said;
}

Tracked judge_picked_up(const TcpTrack& t, Side side, const ParsedPacket& p,
                        TcpTrack& next) noexcept {
  const TcpSide& r = of(t, other(side));
  if (has(p, tcp_flag::kRst)) {
    const bool exact = (r.flags & kSeen) != 0 && p.tcp.sequence == r.ack;
    return exact ? accept(kTcpReset, true) : pass_unchanged(kTcpPickedUp);
  }
  if (has(p, tcp_flag::kSyn)) return pass_unchanged(kTcpPickedUp);
  if (fits_together(r, p)) {
    join(next, side, p);
  } else {
    tcp_pick_up(next, side, p);
  }
  return accept(is_known(next) ? state_of(next) : kTcpPickedUp, true);
}

}  // namespace detail::tcp

using namespace detail::tcp;
using enum FlowState;

bool tcp_pick_up(TcpTrack& track, Side side, const ParsedPacket& p) noexcept {
  if (!has(p, tcp_flag::kAck) || has(p, tcp_flag::kSyn) || has(p, tcp_flag::kRst)) return false;
  TcpSide& s = of(track, side);
  const TcpSide last = s;
  s = {};
  s.end = segment_end(p);
  s.ack = p.tcp.acknowledgement;
  s.window = p.tcp.window;
  s.scale = TcpFields::kMaxScale;
  s.flags = has(p, tcp_flag::kFin) ? kSeen | kFinPending : kSeen;
  // It goes on from the one before it, or comes late. How far a stranger's would be off nobody
  // knows, but its acknowledgement is not the very same.
  const uint32_t furthest = s.ack == last.ack ? kMostWindow : kLeastSlack;
  if ((last.flags & kSeen) == 0 || distance(s.end, last.end) > furthest ||
      distance(s.ack, last.ack) > kLeastSlack) {
    return true;
  }
  if (!after(s.end, last.end)) {
    s.flags = s.end == last.end ? s.flags | last.flags : last.flags;
    s.end = last.end;
  }
  s.ack = later(s.ack, last.ack);
  s.window = std::max(s.window, last.window);
  return true;
}

}  // namespace rampart
