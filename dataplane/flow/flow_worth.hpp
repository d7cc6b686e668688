// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "dataplane/flow/flow_entry.hpp"

namespace rampart {

/// What a flow in this state is worth when room is short.
constexpr FlowWorth worth_of(FlowState state) {
  switch (state) {
    case FlowState::kTcpEstablished:
    case FlowState::kTcpFinOpener:
    case FlowState::kTcpFinReplier:
    case FlowState::kUdpReplied:
    case FlowState::kSctpEstablished:
      return FlowWorth::kAssured;
    case FlowState::kTcpClosing:
    case FlowState::kTcpReset:
    case FlowState::kSctpClosing:
      return FlowWorth::kDead;
    default:
      return FlowWorth::kWeak;
  }
}

/// Whether flows of this protocol can be in this state.
constexpr bool is_state_of(FlowState state, IpProtocol protocol) {
  switch (protocol) {
    case IpProtocol::kTcp:
      return state <= FlowState::kTcpReset;
    case IpProtocol::kUdp:
      return state == FlowState::kUdpOpening || state == FlowState::kUdpReplied;
    case IpProtocol::kSctp:
      return state >= FlowState::kSctpOpening && state <= FlowState::kSctpClosing;
    case IpProtocol::kIcmp:
    case IpProtocol::kIcmpV6:
      return state == FlowState::kIcmpEcho;
    default:
      return state == FlowState::kOther;
  }
}

}  // namespace rampart
