// SPDX-License-Identifier: Apache-2.0
#include "dataplane/flow/tcp_sequence.hpp"

#include <gtest/gtest.h>

namespace rampart::tcp_sequence {
namespace {

TEST(TcpSequence, ComparesAcrossTheWrap) {
  for (const uint32_t n : {0U, 1U, 0x7fffffffU, 0x80000000U, 0xfffffffeU, 0xffffffffU}) {
    EXPECT_FALSE(before(n, n) || after(n, n));
    for (const uint32_t d : {1U, 2U, 1U << 30, 0x7fffffffU}) {
      EXPECT_TRUE(before(n, n + d) && after(n + d, n)) << n << " " << d;
      EXPECT_FALSE(before(n + d, n) || after(n, n + d)) << n << " " << d;
      EXPECT_EQ(later(n, n + d), n + d);
      EXPECT_EQ(later(n + d, n), n + d);
      EXPECT_EQ(distance(n, n + d), d);
      EXPECT_EQ(distance(n + d, n), d);
      EXPECT_TRUE(within(n, n, n + d) && within(n + d, n, n + d) && within(n + d / 2, n, n + d));
      EXPECT_FALSE(within(n - 1, n, n + d) || within(n + d + 1, n, n + d));
    }
    EXPECT_TRUE(within(n, n, n));
    EXPECT_FALSE(within(n + 1, n, n));
  }
}

}  // namespace
}  // namespace rampart::tcp_sequence
