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

}  // namespace rampart
