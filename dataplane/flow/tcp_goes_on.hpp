// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "dataplane/flow/tcp_parts.hpp"

namespace rampart {

/// The way of most segments: within the windows (and none of the oldest duplicates that are still
/// let through) of a connection in kTcpEstablished of which nothing is in doubt. Takes it in, as
/// tcp_judge does, which would accept it and leave the state as it is. False: it is none of these,
/// nothing is done, and tcp_judge has to be asked. Threads as there. `segment`: of a
/// whole one with ACK and without SYN, FIN and RST (see may_go_on).
inline bool tcp_goes_on(TcpTrack& track, Side side, const TcpFields& segment) noexcept {
  using namespace detail::tcp;
  using tcp_sequence::later;
  const auto from = static_cast<unsigned>(side);
  TcpSide &s = track.side[from], &r = track.side[from ^ 1];
  constexpr uint8_t kDoubt = kFin | kFinPending | kFinInFragment | kLoose | kMayBeGone | kSeen;
  if ((s.flags & r.flags & kKnown) == 0 || ((s.flags | r.flags) & kDoubt) != 0) return false;
  const uint32_t seq = segment.sequence, ack = segment.acknowledgement, end = seq + segment.payload;
  // Each below 0 (RFC 9293 §3.4) if a bound is missed; those at the bottom are the tightest there
  // are, whatever the windows.
  const uint32_t room = s.edge + 1 - end, age = seq - (r.ack - kLeastSlack - 1),
                 unsent = r.end - ack, ack_age = ack - (s.ack - kLeastSlack);
  if (static_cast<int32_t>(room | age | unsent | ack_age) < 0) return false;
  s.end = later(s.end, end);
  r.edge = later(r.edge, ack + (uint32_t{segment.window} << shift_of(s)));
  s.ack = later(s.ack, ack);
  s.window = std::max(s.window, segment.window);
  s.flags |= kAnswered;
  return true;
}

/// Whether a packet, read wholly, is such a segment.
inline bool may_go_on(const ParsedPacket& p) noexcept {
  constexpr uint8_t kFlags = tcp_flag::kSyn | tcp_flag::kFin | tcp_flag::kRst | tcp_flag::kAck;
  return (p.tcp_flags & kFlags) == tcp_flag::kAck && !p.fragment;
}

}  // namespace rampart
