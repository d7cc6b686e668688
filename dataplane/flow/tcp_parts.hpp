// SPDX-License-Identifier: Apache-2.0
// What the parts of the TCP tracker hand to each other. Nobody else uses this.
#pragma once

#include <algorithm>
#include <cstdint>

#include "dataplane/flow/tcp_sequence.hpp"
#include "dataplane/flow/tcp_tracker.hpp"

namespace rampart::detail::tcp {

/// Of TcpSide::flags, once both SYNs are known.
inline constexpr uint8_t kKnown = 0x01,  ///< `end`, `edge` and `ack` are what they say
    kAnswered = 0x02,                    ///< has acknowledged the other's SYN
    kFin = 0x04,                         ///< has sent FIN beyond doubt; `end` is final
    kFinPending = 0x08,     ///< has sent FIN up to `end`, if its receiver acknowledges that
    kFinInFragment = 0x10,  ///< has sent FIN, up to where its receiver will acknowledge it
    kLoose = 0x20,          ///< may have sent more than was seen here, up to `edge`
    kMayBeGone = 0x40;      ///< has sent a RST that its receiver may have taken, or not
/// The same while opening: which side's SYN this half holds (see TcpTrack).
inline constexpr uint8_t kSynOfOpener = 0x02, kSynOfReplier = 0x04;
/// The same while picked up: `end`, `ack` and `window` are those of this side's last segments.
inline constexpr uint8_t kSeen = 0x80;

/// No duplicate is refused for its age before it is that far behind, bytes.
inline constexpr uint32_t kLeastSlack = 65535;
/// The largest window there is (RFC 7323 §2.3), bytes.
inline constexpr uint32_t kMostWindow = 65535U << TcpFields::kMaxScale;

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

inline TcpSide& of(TcpTrack& t, Side side) {
  return t.side[static_cast<unsigned>(side)];
}
inline const TcpSide& of(const TcpTrack& t, Side side) {
  return t.side[static_cast<unsigned>(side)];
}

/// A SYN that a flow opened with, or that stands beside the first (see TcpTrack).
struct Syn {
  uint32_t next;    ///< the number after it
  uint32_t end;     ///< the number after its data
  uint16_t window;  ///< bytes: in a SYN it is not scaled
  uint8_t offer;    ///< as in the high half of TcpSide::scale
};

inline Syn syn_of(const ParsedPacket& p) {
  // What is not in the first of several fragments counts as large as it may be.
  const uint32_t data = p.fragment ? kLeastSlack : p.tcp.payload;
  return {p.tcp.sequence + 1, p.tcp.sequence + 1 + data, p.tcp.window,
          offer_of(p.tcp.window_scale)};
}
inline Syn first_syn(const TcpTrack& t) {
  return {t.side[1].ack, t.side[0].end, t.side[0].window, t.side[0].scale};
}
inline Syn other_syn(const TcpTrack& t) {
  const TcpSide& r = t.side[1];
  return {r.edge, r.end, r.window, r.scale};
}
inline bool is_known(const TcpTrack& t) {
  return (t.side[0].flags & t.side[1].flags & kKnown) != 0;
}

/// The state that both sides' flags amount to.
inline FlowState state_of(const TcpTrack& t) {
  using enum FlowState;
  const TcpSide &o = t.side[0], &r = t.side[1];
  if ((o.flags & r.flags & kAnswered) == 0) return kTcpSynReceived;
  if ((o.flags & kFin) == 0) return (r.flags & kFin) == 0 ? kTcpEstablished : kTcpFinReplier;
  if ((r.flags & kFin) == 0) return kTcpFinOpener;
  return o.ack == r.end && r.ack == o.end ? kTcpTimeWait : kTcpClosing;
}

/// Both SYNs are known: what each side has sent and may send. `ack`: how much of the opener's the
/// replier has taken, which is what its window is counted from.
void synchronise(TcpTrack& t, const Syn& opener, const Syn& replier, uint32_t ack) noexcept;

/// Takes in a segment without SYN or RST that fits.
void take(TcpTrack& t, Side side, const ParsedPacket& p) noexcept;

/// tcp_judge in kTcpOpening and kTcpPickedUp; `next` comes as `t`.
Tracked judge_opening(const TcpTrack& t, Side side, const ParsedPacket& p, TcpTrack& next) noexcept;
Tracked judge_picked_up(const TcpTrack& t, Side side, const ParsedPacket& p,
                        TcpTrack& next) noexcept;

}  // namespace rampart::detail::tcp
