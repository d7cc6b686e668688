// SPDX-License-Identifier: Apache-2.0
// The address map beside std::unordered_map: bursts of addresses of which nine in ten are pods' and
// one is a stranger's, for clusters of different sizes; and building the next map after one change.
#include "dataplane/addr/address_map.hpp"

#include <cstdlib>
#include <random>
#include <unordered_map>
#include <vector>

#include "perf/bench/tsc.hpp"

namespace rampart {
namespace {

constexpr unsigned kBurst = 32;
constexpr size_t kAsked = 64 << 10;

/// Pods in 10.0.0.0/8, one after the other, as a cluster gives addresses out.
uint32_t pod(size_t i) {
  return 0x0a000000 + static_cast<uint32_t>(i) + 2;
}

std::vector<AddressMap::Entry> pods(size_t count) {
  std::vector<AddressMap::Entry> entries(count);
  for (size_t i = 0; i < count; ++i) {
    entries[i].address = IpAddress::v4(pod(i));
    entries[i].identity.class_id = static_cast<uint32_t>(i % 1000);
  }
  return entries;
}

/// Blocks that ipBlocks of policies may have cut outside the cluster.
std::vector<AddressMap::Interval> blocks() {
  std::vector<AddressMap::Interval> intervals;
  for (uint32_t i = 0; i < 256; ++i) {
    AddressMap::Interval interval;
    interval.first = IpAddress::v4(i << 24);
    interval.identity.class_id = 2000 + i % 7;
    intervals.push_back(interval);
  }
  return intervals;
}

std::shared_ptr<const AddressMap> make_map(const std::vector<AddressMap::Entry>& entries,
                                           Revision revision, const AddressMap* previous) {
  auto map = AddressMap::build(entries, blocks(), {}, revision, previous);
  if (!map) std::abort();
  return *map;
}

std::vector<be32> questions(size_t pods) {
  std::mt19937 random(1);
  std::vector<be32> asked;
  for (size_t i = 0; i < kAsked; ++i) {
    const auto any = static_cast<uint32_t>(random());
    asked.push_back(be32(any % 10 == 0 ? 0xc0000000 | any >> 4 : pod(random() % pods)));
  }
  return asked;
}

void find_burst(benchmark::State& state) {
  const auto count = static_cast<size_t>(state.range(0));
  const auto map = make_map(pods(count), 1, nullptr);
  const auto asked = questions(count);
  const Identity* found[kBurst];
  size_t at = 0;
  bench::CyclesPerItem cycles(state);
  cycles.items_per_iteration(kBurst);
  for (auto _ : state) {
    map->find_v4(&asked[at], kBurst, found);
    benchmark::DoNotOptimize(found);
    at = (at + kBurst) % kAsked;
  }
}

void find_in_unordered_map(benchmark::State& state) {
  const auto count = static_cast<size_t>(state.range(0));
  std::unordered_map<uint32_t, Identity> map;
  for (const auto& entry : pods(count)) {
    map.emplace(be32(pod(map.size())).raw(), entry.identity);
  }
  const auto asked = questions(count);
  size_t at = 0;
  bench::CyclesPerItem cycles(state);
  for (auto _ : state) {
    benchmark::DoNotOptimize(map.find(asked[at].raw()));
    at = (at + 1) % kAsked;
  }
}

void build_after_one_change(benchmark::State& state) {
  auto entries = pods(static_cast<size_t>(state.range(0)));
  auto map = make_map(entries, 1, nullptr);
  Revision revision = 1;
  for (auto _ : state) {
    entries[entries.size() / 2].identity.class_id = static_cast<uint32_t>(++revision);
    map = make_map(entries, revision, map.get());
  }
}

BENCHMARK(find_burst)->ArgName("pods")->Arg(100)->Arg(5000)->Arg(100000);
BENCHMARK(find_in_unordered_map)->ArgName("pods")->Arg(100)->Arg(5000)->Arg(100000);
BENCHMARK(build_after_one_change)
    ->ArgName("pods")
    ->Arg(5000)
    ->Arg(100000)
    ->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace rampart

BENCHMARK_MAIN();
