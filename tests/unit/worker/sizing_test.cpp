// SPDX-License-Identifier: Apache-2.0
#include "dataplane/worker/sizing.hpp"

#include <gtest/gtest.h>

#include "dataplane/dpdk/ethdev.hpp"
#include "dataplane/flow/flow_table.hpp"

namespace rampart {
namespace {

DataplaneParams params(unsigned workers, unsigned ports) {
  DataplaneParams p;
  p.workers = workers;
  p.ports.resize(ports);
  return p;
}

TEST(Sizing, BuffersFillEveryQueueAndMemoryHoldsThemAll) {
  for (const unsigned workers : {1U, 2U, 8U}) {
    for (const unsigned ports : {2U, 8U}) {
      const auto s = size_up(params(workers, ports), 1500);
      ASSERT_TRUE(s);
      EXPECT_GT(s->mbufs, ports * workers * 2 * EthDev::kDescriptors);
      const uint64_t flows = (FlowTable<FlowKeyV4>::bytes_for(s->flows_per_worker) +
                              FlowTable<FlowKeyV6>::bytes_for(s->flows_per_worker)) *
                             workers;
      EXPECT_GT(uint64_t{s->huge_mib} << 20, flows + uint64_t{s->mbufs} * s->data_room);
      // On ordinary memory a buffer has a page to itself.
      EXPECT_GT(uint64_t{s->memory_mib} << 20, flows + uint64_t{s->mbufs} * 4096);
      EXPECT_LT(s->huge_mib, s->memory_mib);
    }
  }
}

TEST(Sizing, FlowsAreSharedOutRoundedUp) {
  DataplaneParams p = params(3, 2);
  p.max_flows = 100;
  const auto s = size_up(p, 1500);
  ASSERT_TRUE(s);
  EXPECT_EQ(s->flows_per_worker, 34U);
}

TEST(Sizing, JumboFramesFitOneBuffer) {
  const auto s = size_up(params(1, 2), 9000);
  ASSERT_TRUE(s);
  EXPECT_GE(s->data_room, 9000 + 14 + 8);
}

TEST(Sizing, FragmentsHaveRoomOfTheirOwn) {
  for (const unsigned workers : {1U, 3U}) {
    DataplaneParams p = params(workers, 2);
    const auto usual = size_up(p, 1500);
    ASSERT_TRUE(usual);
    EXPECT_EQ(usual->datagrams_per_worker, 4096U);
    EXPECT_EQ(usual->held_per_worker, 1024U);
    // All queues full and all that may be held in hand: buffers are left.
    EXPECT_GT(usual->mbufs, 2 * workers * 2 * EthDev::kDescriptors + workers * 1024);

    p.fragments = 100;
    p.fragments_held = 40000;
    const auto given = size_up(p, 1500);
    ASSERT_TRUE(given);
    EXPECT_EQ(given->datagrams_per_worker, (100 + workers - 1) / workers);
    EXPECT_EQ(given->held_per_worker, (40000 + workers - 1) / workers);
    EXPECT_GE(given->mbufs, usual->mbufs + 30000);
  }
  EXPECT_EQ(size_up(params(1, 2), 1500)->mbufs, 8191U);
}

TEST(Sizing, FewBuffersHoldFewFragments) {
  DataplaneParams p = params(2, 2);
  p.mbufs = 1600;
  EXPECT_EQ(size_up(p, 1500)->held_per_worker, 100U);
  p.fragments_held = 900;
  const auto s = size_up(p, 1500);
  ASSERT_FALSE(s);
  EXPECT_EQ(s.error().where, "--mbufs 1600");
}

TEST(Sizing, WhatIsGivenStands) {
  DataplaneParams p = params(1, 2);
  p.memory_mib = 1024;
  p.mbufs = 5000;
  const auto s = size_up(p, 1500);
  ASSERT_TRUE(s);
  EXPECT_EQ(s->memory_mib, 1024U);
  EXPECT_EQ(s->huge_mib, 1024U);
  EXPECT_EQ(s->mbufs, 5000U);
}

TEST(Sizing, WhatCannotWorkIsRefusedByName) {
  DataplaneParams p = params(1, 2);
  p.mbufs = 10;
  auto s = size_up(p, 1500);
  ASSERT_FALSE(s);
  EXPECT_EQ(s.error().where, "--mbufs 10");
  p = params(1, 2);
  p.memory_mib = 20;
  s = size_up(p, 1500);
  ASSERT_FALSE(s);
  EXPECT_EQ(s.error().where, "--memory 20");
  p = params(1, 2);
  p.max_flows = 0;
  s = size_up(p, 1500);
  ASSERT_FALSE(s);
  EXPECT_EQ(s.error().where, "--max-flows 0");
}

}  // namespace
}  // namespace rampart
