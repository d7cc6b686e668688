// SPDX-License-Identifier: Apache-2.0
// The main function of test programs that need DPDK's environment layer.
#include <gtest/gtest.h>

#include "tests/support/eal.hpp"

int main(int argc, char** argv) {
  testing::InitGoogleTest(&argc, argv);
  if (testing::GTEST_FLAG(list_tests)) return RUN_ALL_TESTS();
  if (!rampart::test::start_eal()) return 1;
  const int result = RUN_ALL_TESTS();
  rampart::test::stop_eal();
  return result;
}
