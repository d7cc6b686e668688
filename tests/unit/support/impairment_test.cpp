// SPDX-License-Identifier: Apache-2.0
#include "tests/support/impairment.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

namespace rampart::test {
namespace {

Frame frame_of(uint32_t number) {
  Frame frame(60);
  for (size_t i = 0; i < 4; ++i) frame[i] = static_cast<std::byte>(number >> (8 * i));
  return frame;
}

uint32_t number_of(const Frame& frame) {
  uint32_t number = 0;
  for (size_t i = 0; i < 4; ++i) number |= static_cast<uint32_t>(frame[i]) << (8 * i);
  return number;
}

/// Puts in `count` frames, one every 10 µs, takes out what is due, and waits for the rest.
std::vector<uint32_t> through(Impairment& line, uint32_t count) {
  std::vector<uint32_t> out;
  const auto take_out = [&](uint64_t now) {
    while (auto frame = line.give(now)) out.push_back(number_of(*frame));
  };
  uint64_t now = 0;
  for (uint32_t i = 0; i < count; ++i, now += 10) {
    line.take(frame_of(i), now);
    take_out(now);
  }
  while (auto due = line.next_due_us()) {
    now = std::max(now, *due);
    take_out(now);
  }
  return out;
}

ImpairmentSpec spec_of(std::string_view text) {
  auto spec = parse_impairment(text);
  EXPECT_TRUE(spec) << text;
  return spec ? *spec : ImpairmentSpec{};
}

/// Every frame is accounted for.
void expect_law(const Impairment& line) {
  const ImpairmentTally& t = line.tally();
  EXPECT_EQ(t.received + t.duplicated, t.lost + t.overflowed + t.sent + line.on_their_way());
}

TEST(Impairment, AGoodLineChangesNothing) {
  Impairment line(ImpairmentSpec{}, 1);
  const auto out = through(line, 1000);
  ASSERT_EQ(out.size(), 1000);
  EXPECT_TRUE(std::is_sorted(out.begin(), out.end()));
  EXPECT_EQ(line.tally().delayed, 0);
  EXPECT_EQ(line.tally().reordered, 0);
}

TEST(Impairment, ProbabilitiesAreKept) {
  Impairment line(spec_of("loss=0.1,duplicate=0.2"), 7);
  const auto out = through(line, 10000);
  const ImpairmentTally& t = line.tally();
  EXPECT_NEAR(static_cast<double>(t.lost), 1000, 150);
  EXPECT_NEAR(static_cast<double>(t.duplicated), 1800, 200);
  EXPECT_EQ(out.size(), 10000 - t.lost + t.duplicated);
  EXPECT_TRUE(std::is_sorted(out.begin(), out.end()));
  expect_law(line);
}

TEST(Impairment, CertainLossAndCertainDuplicates) {
  Impairment none(spec_of("loss=1"), 1), twice(spec_of("duplicate=1"), 1);
  EXPECT_TRUE(through(none, 100).empty());
  EXPECT_EQ(none.tally().lost, 100);
  const auto out = through(twice, 100);
  ASSERT_EQ(out.size(), 200);
  for (uint32_t i = 0; i < 200; ++i) EXPECT_EQ(out[i], i / 2);
}

TEST(Impairment, DelayKeepsTheOrder) {
  Impairment line(spec_of("delay-us=100-900"), 3);
  line.take(frame_of(1), 0);
  EXPECT_FALSE(line.give(99));
  ASSERT_TRUE(line.next_due_us());
  EXPECT_GE(*line.next_due_us(), 100);
  EXPECT_LE(*line.next_due_us(), 900);
  EXPECT_TRUE(line.give(900));
  const auto out = through(line, 1000);
  ASSERT_EQ(out.size(), 1000);
  EXPECT_TRUE(std::is_sorted(out.begin(), out.end()));
  EXPECT_EQ(line.tally().delayed, 1001);
  EXPECT_EQ(line.tally().reordered, 0);
}

TEST(Impairment, SomeStayBehindAndAllArrive) {
  Impairment line(spec_of("reorder=0.1,reorder-us=200"), 5);
  auto out = through(line, 1000);
  ASSERT_EQ(out.size(), 1000);
  uint64_t behind = 0;
  uint32_t furthest = 0;
  for (const uint32_t number : out) {
    behind += number < furthest ? 1 : 0;
    furthest = std::max(furthest, number);
  }
  EXPECT_GT(behind, 50);
  EXPECT_EQ(line.tally().reordered, behind);
  std::sort(out.begin(), out.end());
  for (uint32_t i = 0; i < 1000; ++i) EXPECT_EQ(out[i], i);
}

TEST(Impairment, AFullLineLosesAndSaysSo) {
  Impairment line(spec_of("delay-us=1000-1000,queue=4"), 1);
  for (uint32_t i = 0; i < 10; ++i) line.take(frame_of(i), 0);
  EXPECT_EQ(line.on_their_way(), 4);
  EXPECT_EQ(line.tally().overflowed, 6);
  expect_law(line);
}

TEST(Impairment, TheSeedDecidesAndNothingElse) {
  const auto spec = spec_of("loss=0.1,duplicate=0.1,reorder=0.1,delay-us=0-500");
  Impairment one(spec, 42), same(spec, 42), other(spec, 43);
  const auto first = through(one, 500);
  EXPECT_EQ(first, through(same, 500));
  EXPECT_NE(first, through(other, 500));
}

TEST(Impairment, ASpecIsReadStrictly) {
  const auto spec = spec_of("loss=0.5,duplicate=1,reorder=0,delay-us=10-20,reorder-us=30,queue=40");
  EXPECT_EQ(spec.loss, 0.5);
  EXPECT_EQ(spec.duplicate, 1);
  EXPECT_EQ(spec.delay_min_us, 10);
  EXPECT_EQ(spec.delay_max_us, 20);
  EXPECT_EQ(spec.reorder_us, 30);
  EXPECT_EQ(spec.queue, 40);
  for (const char* bad :
       {"", "loss", "loss=", "loss=1.01", "loss=-0.1", "loss=nan", "loss=0.1x", "loss=0.1,",
        "loss=0.1,loss=0.2", "colour=red", "delay-us=5", "delay-us=9-5", "delay-us=1-2-3",
        "delay-us=0-99999999", "reorder-us=0", "queue=0", "queue=1e3", " loss=0.1"}) {
    EXPECT_FALSE(parse_impairment(bad)) << bad;
  }
}

}  // namespace
}  // namespace rampart::test
