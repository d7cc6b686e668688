// SPDX-License-Identifier: Apache-2.0
#include "dataplane/flow/first_seen.hpp"

#include <gtest/gtest.h>

#include <cstdlib>
#include <cstring>
#include <memory>

#include "dataplane/packet/flow_key.hpp"

namespace rampart::test {
namespace {

constexpr Tick kSecond = 60;  // at 2 GHz

struct Memory {
  Memory() : bytes(std::aligned_alloc(kCacheLine, FirstSeen::kBytes), &std::free) {
    std::memset(bytes.get(), 0, FirstSeen::kBytes);
  }
  std::unique_ptr<void, decltype(&std::free)> bytes;
  FirstSeen seen{bytes.get()};
};

uint64_t hash(uint64_t n) {
  return hash_of(FlowKeyV4{.address = {be32{static_cast<uint32_t>(n)}, {}},
                           .port = {},
                           .zone = 0,
                           .protocol = 6,
                           .reserved = {}},
                 HashSeed{});
}
/// Of one line, with tags of their own.
uint64_t in_line_0(uint32_t n) {
  return n;  // the tag's bits are the low seven and 24 to 28
}

TEST(FirstSeen, KnowsWhatComesAgainAfterASecond) {
  Memory m;
  Tick now = 1000;
  for (uint64_t n = 0; n < 100000; ++n) m.seen.met_before(hash(n), now);
  now += kSecond;
  for (uint64_t n = 0; n < 100000; ++n) EXPECT_TRUE(m.seen.met_before(hash(n), now)) << n;
}

TEST(FirstSeen, WhatComesAgainAtOnceIsNoRetransmissionAndDoesNotMakeOneWaitLonger) {
  Memory m;
  const Tick noted = 1008;  // where a unit of time begins
  EXPECT_FALSE(m.seen.met_before(7, noted));
  for (Tick later = 0; later < 32; ++later) {
    EXPECT_FALSE(m.seen.met_before(7, noted + later)) << later;
  }
  EXPECT_TRUE(m.seen.met_before(7, noted + 32));
  EXPECT_TRUE(m.seen.met_before(7, noted + kSecond));
  EXPECT_TRUE(m.seen.met_before(7, noted + 3 * kSecond));
}

TEST(FirstSeen, ALineRemembersItsLast31) {
  Memory m;
  const Tick now = 1000;
  for (uint32_t n = 1; n <= 32; ++n) EXPECT_FALSE(m.seen.met_before(in_line_0(n), now));
  for (uint32_t n = 2; n <= 32; ++n) {
    EXPECT_TRUE(m.seen.met_before(in_line_0(n), now + kSecond)) << n;
  }
  EXPECT_FALSE(m.seen.met_before(in_line_0(1), now + kSecond));
  // That it was noted again cost the oldest its place.
  EXPECT_FALSE(m.seen.met_before(in_line_0(2), now + kSecond));
  EXPECT_TRUE(m.seen.met_before(in_line_0(4), now + kSecond));
}

TEST(FirstSeen, StrangersAreSeldomTakenForKnown) {
  Memory m;
  constexpr uint64_t kMany = 4'000'000;
  for (uint64_t n = 0; n < kMany; ++n) m.seen.met_before(hash(n), 1000);
  uint64_t taken = 0;
  for (uint64_t n = 0; n < 100000; ++n) {
    taken += m.seen.met_before(hash(kMany + n), 1000 + kSecond);
  }
  EXPECT_LT(taken, 1000U);  // some 16 entries a line, of 4,095 kinds: four in a thousand
}

TEST(FirstSeen, TheClockMayWrap) {
  Memory m;
  EXPECT_FALSE(m.seen.met_before(7, UINT32_MAX - 5));
  EXPECT_FALSE(m.seen.met_before(7, 5));
  EXPECT_TRUE(m.seen.met_before(7, kSecond));
}

TEST(FirstSeen, AnEmptyPlaceIsNobodys) {
  Memory m;
  EXPECT_FALSE(m.seen.met_before(0, 0));
  EXPECT_FALSE(m.seen.met_before(uint64_t{1} << 32, kSecond));
  EXPECT_TRUE(m.seen.met_before(0, kSecond));
}

}  // namespace
}  // namespace rampart::test
