// SPDX-License-Identifier: Apache-2.0
#include "dataplane/addr/exact_table.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cstring>
#include <string>
#include <vector>

namespace rampart {
namespace {

uint32_t v4(uint32_t host) {
  return __builtin_bswap32(host);
}
ExactKeyV6 v6(uint64_t network, uint64_t interface) {
  const uint64_t half[2] = {__builtin_bswap64(network), __builtin_bswap64(interface)};
  ExactKeyV6 key;
  std::memcpy(key.bytes, half, sizeof half);
  return key;
}

constexpr uint32_t kPods = 100000;

/// How evenly addresses lie in the shards, and how many slots a search looks at, one after another.
struct Spread {
  size_t largest_shard = 0;
  double slots_a_search = 0;

  template <typename Key>
  explicit Spread(const std::vector<Key>& keys) {
    std::vector<std::vector<uint64_t>> shards(kExactShards);
    for (const Key& key : keys) {
      const uint64_t hash = exact_hash(key);
      shards[exact_shard(hash)].push_back(hash);
    }
    double looked_at = 0;
    for (const auto& shard : shards) {
      largest_shard = std::max(largest_shard, shard.size());
      const auto mask = static_cast<uint32_t>(std::bit_ceil(shard.size() * 2) - 1);
      std::vector<bool> used(mask + 1);
      for (const uint64_t hash : shard) {
        uint64_t at = exact_slot(hash, mask);
        for (++looked_at; used[at]; ++looked_at) at = (at + 1) & mask;
        used[at] = true;
      }
    }
    slots_a_search = looked_at / static_cast<double>(keys.size());
  }
};

template <typename Key, typename KeyOf>
void expect_even(const std::string& plan, KeyOf key_of) {
  std::vector<Key> keys;
  for (uint32_t i = 0; i < kPods; ++i) keys.push_back(key_of(i));
  const Spread spread(keys);
  EXPECT_LT(spread.slots_a_search, 1.5) << plan;
  EXPECT_LT(spread.largest_shard, 3 * kPods / kExactShards) << plan;
}

TEST(ExactTable, SpreadsTheAddressesOfUsualPlans) {
  expect_even<uint32_t>("one after another", [](uint32_t i) { return v4(0x0A000000 + i); });
  expect_even<uint32_t>("100 in a /24 each",
                        [](uint32_t i) { return v4(0x0A000000 + i / 100 * 256 + i % 100); });
  expect_even<uint32_t>("the first of many /24s",
                        [](uint32_t i) { return v4(0x0A000001 + i * 256); });
  constexpr uint64_t kNetwork = 0xfd00000000000000;
  expect_even<ExactKeyV6>("one after another", [](uint64_t i) { return v6(kNetwork, i); });
  expect_even<ExactKeyV6>("100 in a /64 each",
                          [](uint64_t i) { return v6(kNetwork + i / 100, i % 100); });
  expect_even<ExactKeyV6>("100 in a /48 each",
                          [](uint64_t i) { return v6(kNetwork + i / 100 * 65536, i % 100); });
  expect_even<ExactKeyV6>("by node and number",
                          [](uint64_t i) { return v6(kNetwork, i / 100 << 16 | i % 100); });
}

}  // namespace
}  // namespace rampart
