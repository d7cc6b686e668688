// SPDX-License-Identifier: Apache-2.0
#include "dataplane/state/stage_cycles.hpp"

#include <gtest/gtest.h>

#include <type_traits>

namespace rampart {
namespace {

TEST(StageCycles, WhatHasPassedIsTheStagesThatHasEnded) {
  StageCycles<true> stages;
  stages.start(1000);
  stages.lap(Stage::kRx, 1010);
  stages.lap(Stage::kParse, 1050);
  stages.lap(Stage::kTx, 1053);
  stages.start(2000);  // what was between two loops is nobody's
  stages.lap(Stage::kRx, 2001);
  stages.lap(Stage::kParse, 2021);
  stages.count(32);
  stages.count(1);
  EXPECT_EQ(stages.of(Stage::kRx), 11U);
  EXPECT_EQ(stages.of(Stage::kParse), 60U);
  EXPECT_EQ(stages.of(Stage::kTx), 3U);
  EXPECT_EQ(stages.of(Stage::kSteer), 0U);
  EXPECT_EQ(stages.packets(), 33U);
}

TEST(StageCycles, TheClockIsTheTimeStampCounter) {
  StageCycles<true> stages;
  const Tsc before = __rdtsc();
  stages.start(before);
  stages.lap(Stage::kTrack);
  const Tsc after = __rdtsc();
  EXPECT_GT(stages.of(Stage::kTrack), 0U);
  EXPECT_LE(stages.of(Stage::kTrack), after - before);
}

TEST(StageCycles, ThereIsNothingOfThemWhereTheyAreNotCounted) {
  EXPECT_TRUE(std::is_empty_v<StageCycles<false>>);
}

}  // namespace
}  // namespace rampart
