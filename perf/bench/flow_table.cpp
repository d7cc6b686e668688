// SPDX-License-Identifier: Apache-2.0
// The flow table beside std::unordered_map, over sizes that cross L1, L2 and memory: lookups of
// flows that are there and of flows that are not, in bursts, and a flow that goes for one that
// comes.
#include "dataplane/flow/flow_table.hpp"

#include <algorithm>
#include <cstdlib>
#include <memory>
#include <random>
#include <unordered_map>
#include <vector>

#include "perf/bench/tsc.hpp"

namespace rampart {
namespace {

constexpr unsigned kBurst = 32;
constexpr HashSeed kSeed;

struct Keys {
  std::vector<FlowKeyV4> key;
  std::vector<uint64_t> hash;
};

/// Keys of TCP flows between random addresses; `from` tells sets apart. A whole number of bursts.
Keys make_keys(size_t count, uint32_t from) {
  count = (count + kBurst - 1) / kBurst * kBurst;
  Keys keys;
  std::mt19937_64 random(from);
  for (size_t i = 0; i < count; ++i) {
    FlowKeyV4 key{};
    key.address[0] = be32(static_cast<uint32_t>(i));
    key.address[1] = be32(0x0a000000 + from);
    key.port[0] = be16(static_cast<uint16_t>(random()));
    key.port[1] = be16(443);
    key.protocol = 6;
    keys.key.push_back(key);
  }
  // Neighbours in a burst are not neighbours in the table.
  std::shuffle(keys.key.begin(), keys.key.end(), random);
  for (const FlowKeyV4& key : keys.key) keys.hash.push_back(hash_of(key, kSeed));
  return keys;
}

/// A table with its memory, and flows in it.
class Filled {
 public:
  explicit Filled(const Keys& keys) {
    const auto capacity = static_cast<uint32_t>(keys.key.size());
    const size_t bytes =
        (FlowTable<FlowKeyV4>::bytes_for(capacity) + kCacheLine - 1) / kCacheLine * kCacheLine;
    memory_.reset(std::aligned_alloc(kCacheLine, bytes));
    std::memset(memory_.get(), 0, bytes);
    table = FlowTable<FlowKeyV4>(memory_.get(), capacity);
    for (size_t i = 0; i < keys.key.size(); ++i) table.insert(keys.key[i], keys.hash[i]);
  }
  FlowTable<FlowKeyV4> table;

 private:
  struct Free {
    void operator()(void* p) const { std::free(p); }
  };
  std::unique_ptr<void, Free> memory_;
};

/// arguments: flows in the table, and whether the flows looked up are among them
void find_burst(benchmark::State& state) {
  const Keys in_table = make_keys(static_cast<size_t>(state.range(0)), 1);
  const Keys strangers = state.range(1) != 0 ? Keys{} : make_keys(in_table.key.size(), 2);
  const Keys& asked = state.range(1) != 0 ? in_table : strangers;
  const Filled filled(in_table);
  uint32_t slots[kBurst];
  size_t at = 0;
  bench::CyclesPerItem cycles(state);
  cycles.items_per_iteration(kBurst);
  for (auto _ : state) {
    filled.table.find(&asked.key[at], &asked.hash[at], kBurst, slots);
    benchmark::DoNotOptimize(slots);
    at = at + kBurst == asked.key.size() ? 0 : at + kBurst;
  }
}

void replace_one(benchmark::State& state) {
  const Keys keys = make_keys(static_cast<size_t>(state.range(0)), 1);
  Filled filled(keys);
  size_t at = 0;
  bench::CyclesPerItem cycles(state);
  for (auto _ : state) {
    const uint32_t slot = filled.table.find(keys.key[at], keys.hash[at]);
    filled.table.erase(slot, keys.hash[at]);
    benchmark::DoNotOptimize(filled.table.insert(keys.key[at], keys.hash[at]));
    at = at + 1 == keys.key.size() ? 0 : at + 1;
  }
}

struct Hash {
  size_t operator()(const FlowKeyV4& key) const { return hash_of(key, kSeed); }
};

void find_in_unordered_map(benchmark::State& state) {
  const Keys in_table = make_keys(static_cast<size_t>(state.range(0)), 1);
  const Keys strangers = state.range(1) != 0 ? Keys{} : make_keys(in_table.key.size(), 2);
  const Keys& asked = state.range(1) != 0 ? in_table : strangers;
  std::unordered_map<FlowKeyV4, FlowFacts, Hash> map;
  map.reserve(in_table.key.size());
  for (const FlowKeyV4& key : in_table.key) map.emplace(key, FlowFacts{});
  size_t at = 0;
  bench::CyclesPerItem cycles(state);
  for (auto _ : state) {
    benchmark::DoNotOptimize(map.find(asked.key[at]));
    at = at + 1 == asked.key.size() ? 0 : at + 1;
  }
}

void sizes(benchmark::internal::Benchmark* b) {
  b->ArgNames({"flows", "hit"});
  for (const int64_t hit : {1, 0}) {
    for (const int64_t flows : {256, 16 << 10, 256 << 10, 4 << 20}) b->Args({flows, hit});
  }
}

BENCHMARK(find_burst)->Apply(sizes);
BENCHMARK(find_in_unordered_map)->Apply(sizes);
BENCHMARK(replace_one)->ArgName("flows")->Arg(256)->Arg(16 << 10)->Arg(256 << 10)->Arg(4 << 20);

}  // namespace
}  // namespace rampart

BENCHMARK_MAIN();
