// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <filesystem>
#include <string>

#include "config/load.hpp"

namespace rampart::config {
namespace {

TEST(Examples, EveryShippedConfigurationLoads) {
  int seen = 0;
  for (const auto& entry :
       std::filesystem::directory_iterator(std::string(RAMPART_SOURCE_DIR) + "/config/examples")) {
    if (entry.path().extension() != ".conf") continue;
    ++seen;
    const auto loaded = load({"--config", entry.path()});
    EXPECT_TRUE(loaded) << entry.path() << ": " << loaded.error().text();
  }
  EXPECT_GT(seen, 0);
}

}  // namespace
}  // namespace rampart::config
