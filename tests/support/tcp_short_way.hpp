// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <gtest/gtest.h>

#include <cstring>

#include "dataplane/flow/tcp_goes_on.hpp"

namespace rampart::test {

/// Expects that tcp_goes_on does nothing with this segment, or what the tracker does. Says whether
/// it went on.
inline bool short_way_agrees(const TcpTrack& track, FlowState state, Side side,
                             const ParsedPacket& p) {
  TcpTrack after = track;
  const bool goes_on =
      state == FlowState::kTcpEstablished && may_go_on(p) && tcp_goes_on(after, side, p.tcp);
  if (goes_on) {
    TcpTrack expected;
    const Tracked judged = tcp_judge(track, state, side, p, expected);
    EXPECT_EQ(judged.action, TrackAction::kAccept);
    EXPECT_EQ(judged.next, state);
    EXPECT_FALSE(judged.verify);
    EXPECT_EQ(std::memcmp(&after, &expected, sizeof after), 0);
  } else {
    EXPECT_EQ(std::memcmp(&after, &track, sizeof after), 0);
  }
  return goes_on;
}

}  // namespace rampart::test
