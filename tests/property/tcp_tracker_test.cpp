// SPDX-License-Identifier: Apache-2.0
//
// Two honest TCP stacks talk through the tracker over a bad network, and strangers join in.
//
// No honest segment is dropped, whatever is lost, doubled, delayed and overtaken before us and
// behind us; who has ended is known to have ended; what lies beyond the window is refused; and no
// segment of a stranger moves the state, nor makes a later honest one drop.
//
// The short way of most segments (tcp_goes_on) agrees with the tracker on each of them.
//
// See tests/support/chance.hpp for other seeds and longer runs.
#include <gtest/gtest.h>

#include <iostream>
#include <string>

#include "tests/property/tcp_run.hpp"
#include "tests/support/chance.hpp"

namespace rampart::test {
namespace {

void play(const char* name, const Story& story) {
  constexpr uint64_t kRounds = 60;
  const uint64_t rounds = support::rounds(kRounds);
  Totals totals;
  for (uint64_t n = 0; n < rounds && !testing::Test::HasFailure(); ++n) {
    SCOPED_TRACE("round " + std::to_string(n));
    Run(support::seed() * 1000003 + n, story, totals).play();
  }
  std::cout << name << ": " << totals.segments << " segments, " << totals.finished << " finished, "
            << totals.resets << " reset, " << totals.reused << " reused, " << totals.picked_up
            << " picked up, " << totals.simultaneous << " simultaneous, " << totals.refused
            << " useless, " << totals.beyond << " beyond the window, " << totals.strangers
            << " of strangers, " << totals.short_ways << " by the short way\n";
  if (rounds < kRounds || testing::Test::HasFailure()) return;
  EXPECT_GT(totals.segments, rounds * 50);
  EXPECT_GT(totals.finished, rounds / 8);
  EXPECT_GT(totals.short_ways, totals.segments / 10);
}

TEST(TcpTrackerProperty, HonestSegmentsAreNeverDropped) {
  play("honest", {});
}

TEST(TcpTrackerProperty, NorWhenTheirFirstFragmentIsAllThatIsSeen) {
  play("fragments", {.fragments = true});
}

TEST(TcpTrackerProperty, NorWhenTheFlowIsForgottenAndPickedUp) {
  play("restarts", {.restarts = true});
}

TEST(TcpTrackerProperty, StrangersChangeNothing) {
  play("strangers", {.strangers = true});
}

}  // namespace
}  // namespace rampart::test
