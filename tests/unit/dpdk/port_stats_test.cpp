// SPDX-License-Identifier: Apache-2.0
#include "dataplane/dpdk/port_stats.hpp"

#include <gtest/gtest.h>

#include <cstdint>

namespace rampart {
namespace {

PortStats packets(uint64_t in, uint64_t out) {
  PortStats s;
  s.ipackets = in;
  s.opackets = out;
  return s;
}

TEST(PortStatsTest, LostInDriverIsWhatWasAcceptedAndNotSent) {
  struct Case {
    uint64_t accepted, sent, oerrors, lost;
  };
  for (const Case& c : {Case{100, 100, 0, 0},   // all well
                        Case{100, 90, 10, 10},  // the driver lost ten
                        Case{100, 100, 50, 0},  // it counts what it did not accept
                        Case{100, 95, 50, 5},   // both
                        Case{100, 90, 0, 0},    // ten are under way
                        Case{100, 120, 5, 0}}) {
    PortStats s;
    s.opackets = c.sent;
    s.oerrors = c.oerrors;
    EXPECT_EQ(s.lost_in_driver(c.accepted), c.lost);
  }
}

TEST(ContinuousStatsTest, CountsFromTheStartOfThePort) {
  ContinuousStats counters;
  const PortStats since_power_on = packets(1000, 2000);
  counters.restart(since_power_on, since_power_on);
  EXPECT_EQ(counters.total(since_power_on), PortStats());
  EXPECT_EQ(counters.total(packets(1010, 2005)), packets(10, 5));
}

TEST(ContinuousStatsTest, GoesOnWhereADriverStartsAtZero) {
  ContinuousStats counters;
  counters.restart({}, {});
  counters.settle(packets(100, 50));
  counters.restart({}, {});
  EXPECT_EQ(counters.total({}), packets(100, 50));
  EXPECT_EQ(counters.total(packets(7, 3)), packets(107, 53));
  counters.settle(packets(200, 60));
  counters.restart(packets(0, 0), packets(0, 0));
  EXPECT_EQ(counters.total(packets(1, 1)), packets(301, 111));
}

TEST(ContinuousStatsTest, GoesOnWhereADriverGoesOn) {
  ContinuousStats counters;
  counters.restart({}, {});
  counters.settle(packets(100, 50));
  counters.restart(packets(100, 50), packets(100, 50));
  EXPECT_EQ(counters.total(packets(107, 53)), packets(107, 53));
}

TEST(ContinuousStatsTest, GoesOnWhereAStartSetsToZero) {
  ContinuousStats counters;
  counters.restart({}, {});
  counters.settle(packets(100, 50));
  counters.restart(packets(100, 50), packets(2, 0));  // two frames came in at once
  EXPECT_EQ(counters.total(packets(2, 0)), packets(102, 50));
  EXPECT_EQ(counters.total(packets(500, 500)), packets(600, 550));
}

TEST(ContinuousStatsTest, CoversEveryCounter) {
  const PortStats one = {.ipackets = 1,
                         .ibytes = 1,
                         .opackets = 1,
                         .obytes = 1,
                         .imissed = 1,
                         .ierrors = 1,
                         .oerrors = 1,
                         .rx_nombuf = 1};
  const PortStats two = {.ipackets = 2,
                         .ibytes = 2,
                         .opackets = 2,
                         .obytes = 2,
                         .imissed = 2,
                         .ierrors = 2,
                         .oerrors = 2,
                         .rx_nombuf = 2};
  ContinuousStats counters;
  counters.restart({}, {});
  counters.settle(one);
  counters.restart({}, {});
  EXPECT_EQ(counters.total(one), two);
}

}  // namespace
}  // namespace rampart
