// SPDX-License-Identifier: Apache-2.0
#include "dataplane/flow/flow_entry.hpp"

#include <gtest/gtest.h>

namespace rampart {
namespace {

TEST(FlowTally, CountsBeyondThirtyTwoBits) {
  FlowTally f;
  f.packets_low[0] = 0xffffffff;
  f.bytes_low[0] = 0xffffff00;
  f.count(Side::kOpener, 0x200);
  EXPECT_EQ(f.packets(Side::kOpener), 0x100000000U);
  EXPECT_EQ(f.bytes(Side::kOpener), 0x100000100U);
  EXPECT_EQ(f.packets(Side::kReplier), 0U);
  EXPECT_EQ(f.bytes(Side::kReplier), 0U);
  f.count(Side::kReplier, 60);
  EXPECT_EQ(f.packets(Side::kReplier), 1U);
  EXPECT_EQ(f.bytes(Side::kReplier), 60U);
}

TEST(FlowFacts, TheSideFollowsFromWhoBegan) {
  FlowFacts f;
  f.opener_end = 1;
  EXPECT_EQ(f.side(1), Side::kOpener);
  EXPECT_EQ(f.side(0), Side::kReplier);
}

}  // namespace
}  // namespace rampart
