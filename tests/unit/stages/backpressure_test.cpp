// SPDX-License-Identifier: Apache-2.0
// When a port's queue waits for a worker who comes behind.
#include <gtest/gtest.h>

#include "tests/support/stage_bench.hpp"

namespace rampart::test {
namespace {

constexpr Tsc kBegin = 1'000'000;

auto long_ones(uint32_t workers) {
  return [workers](unsigned n) { return (workers >> n & 1) != 0; };
}

TEST(Backpressure, APortWaitsUntilOneOfTheRingsIsShort) {
  Backpressure port;
  EXPECT_FALSE(port.holds(kBegin, long_ones(0xffffffff)));
  port.targets = 1U << 3 | 1U << 31;
  EXPECT_TRUE(port.holds(kBegin, long_ones(1U << 3 | 1U << 31)));
  EXPECT_TRUE(port.holds(kBegin + 100, long_ones(0xffffffff)));
  EXPECT_FALSE(port.holds(kBegin + 200, long_ones(~(1U << 31))));
  EXPECT_FALSE(port.holds(kBegin + 300, long_ones(0xffffffff))) << "until more has been received";
}

TEST(Backpressure, ItDoesNotLast) {
  Backpressure port;
  for (const Tsc begin : {kBegin, 3 * kBegin}) {
    port.targets = 1;
    EXPECT_TRUE(port.holds(begin, long_ones(1)));
    EXPECT_TRUE(port.holds(begin + Backpressure::kLongest - 1, long_ones(1)));
    EXPECT_FALSE(port.holds(begin + Backpressure::kLongest, long_ones(1)));
  }
}

/// Bursts of the first of two or three workers, whose flows belong to whom the test wants.
class Steering : public testing::Test {
 protected:
  /// Runs a burst of so many packets for each worker, and says whose rings were long.
  uint32_t run(StageBench& bench, const std::vector<unsigned>& packets_of) {
    std::vector<StageBench::Frame> frames;
    for (unsigned worker = 0; worker < packets_of.size(); ++worker) {
      for (unsigned n = 0; n < packets_of[worker];) {
        FlowKeyV4 key;
        const uint8_t addresses[] = {10, 0, 0, 1, 10, 0, 0, 2};
        const uint32_t ports = be16(++port_).raw() | uint32_t{be16(53).raw()} << 16;
        const Aim at = aim_v4(addresses, ports, 0, 17, bench.w.seed, key);
        if (bench.w.owner_of(key, at.hash) != worker) continue;
        frames.push_back({packet().ipv4("10.0.0.1", "10.0.0.2").udp(port_, 53).bytes()});
        ++n;
      }
    }
    bench.run(frames);
    return bench.w.burst.crowded;
  }
  uint16_t port_ = 1000;
};

TEST_F(Steering, SaysIfNearlyAllOfABurstWentIntoLongRings) {
  StageBench bench(1000, 0, 2, 1000);
  EXPECT_EQ(run(bench, {0, 64}), 0U);
  EXPECT_EQ(run(bench, {0, 64}), 0U) << "two bursts are not long";
  EXPECT_EQ(run(bench, {0, 1}), 2U);
  EXPECT_EQ(run(bench, {4, 60}), 2U);
  EXPECT_EQ(run(bench, {5, 59}), 0U);
  EXPECT_EQ(run(bench, {64, 0}), 0U);
  rte_mbuf* m = nullptr;
  while (bench.w.to[1]->dequeue(&m, 1) == 1) rte_pktmbuf_free(m);
  EXPECT_EQ(run(bench, {0, 64}), 0U) << "it has been emptied";
}

TEST_F(Steering, LongRingsCountTogether) {
  StageBench bench(1000, 0, 3, 160);
  for (unsigned n = 0; n < 2; ++n) EXPECT_EQ(run(bench, {0, 64, 0}), 0U);
  for (unsigned n = 0; n < 2; ++n) EXPECT_EQ(run(bench, {0, 0, 64}), 0U);
  EXPECT_EQ(run(bench, {2, 20, 20}), 6U);
  EXPECT_EQ(run(bench, {3, 20, 20}), 0U);
  EXPECT_EQ(bench.drops(DropReason::kHandoffFull), 16U) << "128 + 20 + 20 in each, of 160";
  EXPECT_EQ(run(bench, {0, 30, 0}), 2U) << "what found no room went there, too";
}

}  // namespace
}  // namespace rampart::test
