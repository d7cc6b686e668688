// SPDX-License-Identifier: Apache-2.0
#include "dataplane/packet/burst.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <memory>

namespace rampart {
namespace {

TEST(Burst, KnowsWhetherAllItsPacketsGoOutOrComeFromOnePort) {
  const auto b = std::make_unique<Burst>();
  for (b->count = 0; b->count <= Burst::kSize; ++b->count) {
    // What stands behind the last packet does not matter.
    std::fill_n(b->fate, Burst::kSize, Fate::kDrop);
    std::fill_n(b->fate, b->count, Fate::kForward);
    std::fill_n(b->in_port, Burst::kSize, uint8_t{4});
    std::fill_n(b->in_port, b->count, uint8_t{3});
    EXPECT_TRUE(b->all_forward()) << b->count;
    EXPECT_TRUE(b->of_one_port()) << b->count;
    for (unsigned i = 0; i < b->count; ++i) {
      for (const Fate fate : {Fate::kPending, Fate::kDrop, Fate::kAnswered, Fate::kHandedOver}) {
        b->fate[i] = fate;
        EXPECT_FALSE(b->all_forward()) << b->count << ", " << i;
      }
      b->fate[i] = Fate::kForward;
      b->in_port[i] = 5;
      EXPECT_EQ(b->of_one_port(), b->count == 1) << b->count << ", " << i;
      b->in_port[i] = 3;
    }
  }
}

}  // namespace
}  // namespace rampart
