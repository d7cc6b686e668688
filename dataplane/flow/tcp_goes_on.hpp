// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "dataplane/flow/tcp_parts.hpp"

namespace rampart {

/// The way of most segments: within the windows of a connection in kTcpEstablished of which nothing
/// is in doubt, and without SYN, FIN and RST. Takes it in, as tcp_judge (which would accept it and
/// leave the state as it is) and tcp_update do. False: it is none of these, nothing is done, and
/// they have to be asked. Threads as there.
inline bool tcp_goes_on(TcpTrack& track, Side side, const ParsedPacket& p) noexcept {
  using namespace detail::tcp;
  using tcp_sequence::after;
  using tcp_sequence::before;
  using tcp_sequence::later;
  TcpSide &s = of(track, side), &r = of(track, other(side));
  constexpr uint8_t kDoubt = kFin | kFinPending | kFinInFragment | kLoose | kMayBeGone | kSeen;
  constexpr uint8_t kFlags = tcp_flag::kSyn | tcp_flag::kFin | tcp_flag::kRst | tcp_flag::kAck;
  if ((p.tcp_flags & kFlags) != tcp_flag::kAck || p.fragment || (s.flags & r.flags & kKnown) == 0 ||
      ((s.flags | r.flags) & kDoubt) != 0) {
    return false;
  }
  const uint32_t seq = p.tcp.sequence, ack = p.tcp.acknowledgement, end = seq + p.tcp.payload;
  if (static_cast<unsigned>(after(end, s.edge + 1)) |
      static_cast<unsigned>(before(seq, r.ack - slack_of(r) - 1)) |
      static_cast<unsigned>(after(ack, r.end)) |
      static_cast<unsigned>(before(ack, s.ack - slack_of(s)))) {
    return false;
  }
  s.end = later(s.end, end);
  r.edge = later(r.edge, ack + (uint32_t{p.tcp.window} << shift_of(s)));
  s.ack = later(s.ack, ack);
  s.window = std::max(s.window, p.tcp.window);
  s.flags |= kAnswered;
  return true;
}

}  // namespace rampart
