// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "dataplane/flow/tcp_parts.hpp"

namespace rampart {

namespace detail::tcp {
inline void keep_first(TcpTrack& t, const Syn& syn) {
  t.side[1].ack = syn.next;
  t.side[0].end = syn.end;
  t.side[0].window = syn.window;
  t.side[0].scale = syn.offer;
  t.side[0].flags = kSynOfOpener;
}
}  // namespace detail::tcp

/// Starts a track with the SYN that opens a flow (state kTcpOpening). Threads as tcp_judge.
inline void tcp_open(TcpTrack& track, const ParsedPacket& syn) noexcept {
  track = {};
  detail::tcp::keep_first(track, detail::tcp::syn_of(syn));
}

}  // namespace rampart
