// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "dataplane/flow/flow_entry.hpp"
#include "dataplane/flow/sctp_tracker.hpp"
#include "dataplane/flow/tcp_first.hpp"
#include "dataplane/flow/tcp_tracker.hpp"

/// The tracker of a flow, whichever protocol's it is. By state and not by protocol: a flow's state
/// is in the line that is looked at anyway.
namespace rampart {

constexpr bool is_tcp(FlowState state) {
  return state <= FlowState::kTcpReset;
}
constexpr bool is_sctp(FlowState state) {
  return state >= FlowState::kSctpOpening && state <= FlowState::kSctpClosing;
}

/// Whether flows of this protocol can be in this state.
constexpr bool is_state_of(FlowState state, IpProtocol protocol) {
  switch (protocol) {
    case IpProtocol::kTcp:
      return is_tcp(state);
    case IpProtocol::kUdp:
      return state >= FlowState::kUdpOpening && state <= FlowState::kUdpDns;
    case IpProtocol::kSctp:
      return is_sctp(state);
    case IpProtocol::kIcmp:
    case IpProtocol::kIcmpV6:
      return state == FlowState::kIcmpEcho || state == FlowState::kIcmpReplied;
    default:
      return state == FlowState::kOther || state == FlowState::kOtherReplied;
  }
}

/// What becomes of a packet of a flow. `then`: as tcp_judge's `next`, where that judges.
inline Tracked judge_track(const FlowFacts& f, Side side, const ParsedPacket& p,
                           TcpTrack& then) noexcept {
  if (is_tcp(f.state)) return tcp_judge(f.track.tcp, f.state, side, p, then);
  if (is_sctp(f.state)) return sctp_judge(f.track.sctp, f.state, side, p);
  const FlowState next = next_state(f.state, side, p);
  return {TrackAction::kAccept, next, DropReason::kNone, next != f.state};
}

/// Takes in a packet that was accepted, before the flow's state moves. `then`: of judge_track.
inline void update_track(FlowFacts& f, Side side, const ParsedPacket& p,
                         const TcpTrack& then) noexcept {
  if (is_tcp(f.state)) {
    f.track.tcp = then;
  } else if (is_sctp(f.state)) {
    sctp_update(f.track.sctp, f.state, side, p);
  }
}

/// Starts the track of a flow with its first packet. `state`: first_state of that.
inline void open_track(FlowFacts& f, FlowState state, const ParsedPacket& p) noexcept {
  if (is_tcp(state)) tcp_open(f.track.tcp, p);
  if (is_sctp(state)) sctp_open(f.track.sctp, p);
}

/// Whether an ICMP error may quote this packet of `sender`.
inline bool quote_fits(const FlowFacts& f, Side sender, const ParsedPacket& error) noexcept {
  if (is_tcp(f.state)) return tcp_quote_fits(f.track.tcp, sender, error.tcp.sequence);
  if (is_sctp(f.state)) return sctp_quote_fits(f.track.sctp, sender, error.sctp.tag);
  return true;
}

}  // namespace rampart
