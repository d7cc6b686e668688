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
      EXPECT_GT(uint64_t{s->memory_mib} << 20, flows + uint64_t{s->mbufs} * s->data_room);
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

TEST(Sizing, WhatIsGivenStands) {
  DataplaneParams p = params(1, 2);
  p.memory_mib = 1024;
  p.mbufs = 5000;
  const auto s = size_up(p, 1500);
  ASSERT_TRUE(s);
  EXPECT_EQ(s->memory_mib, 1024U);
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
