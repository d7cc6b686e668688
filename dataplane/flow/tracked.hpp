// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "dataplane/flow/flow_state.hpp"
#include "dataplane/packet/drop_reason.hpp"

namespace rampart {

/// What a tracker says of a packet of a flow.
enum class TrackAction : uint8_t {
  kAccept,  ///< forward it; the flow's clock, counters, state and track move
  /// The same but for the clock: anybody could have sent it, or an end that nobody answers, and a
  /// flow must not live by that.
  kAcceptUnproven,
  kPassUnchanged,  ///< forward it and count it; nothing else moves: the end will sort it out
  kDrop,           ///< under `reason`; nothing moves
  kReopen,         ///< a new connection in place of an ended one: policy has to be asked again
};

struct Tracked {
  TrackAction action;
  FlowState next;     ///< state after the packet, if it is accepted
  DropReason reason;  ///< with kDrop only
  /// Accepted and with kReopen: the packet changes what is known of the flow by more than a window,
  /// so its transport checksum has to be right before the update (or before the flow is erased).
  bool verify;
};

namespace detail {

constexpr Tracked accept(FlowState next, bool verify) {
  return {TrackAction::kAccept, next, DropReason::kNone, verify};
}
constexpr Tracked accept_unproven(FlowState next, bool verify) {
  return {TrackAction::kAcceptUnproven, next, DropReason::kNone, verify};
}
constexpr Tracked pass_unchanged(FlowState state) {
  return {TrackAction::kPassUnchanged, state, DropReason::kNone, false};
}
constexpr Tracked refuse(FlowState state, DropReason reason) {
  return {TrackAction::kDrop, state, reason, false};
}
constexpr Tracked reopen(FlowState state) {
  return {TrackAction::kReopen, state, DropReason::kNone, true};
}

}  // namespace detail

constexpr bool is_accepted(TrackAction action) {
  return action == TrackAction::kAccept || action == TrackAction::kAcceptUnproven;
}

constexpr Side other(Side side) {
  return side == Side::kOpener ? Side::kReplier : Side::kOpener;
}

}  // namespace rampart
