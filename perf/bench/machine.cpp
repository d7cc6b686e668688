// SPDX-License-Identifier: Apache-2.0
// What the machine itself takes, whatever runs on it: a look at the clock, a prefetch by how many
// pages there are, and how many prefetches a core keeps in mind. (Between two cores:
// gen/core_to_core.)
#include <sys/mman.h>
#include <x86intrin.h>

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <numeric>
#include <random>
#include <vector>

#include "dataplane/base/prefetch.hpp"
#include "perf/bench/tsc.hpp"

namespace rampart {
namespace {

constexpr size_t kLine = 64, kPage = 4096;

void look_at_the_clock(benchmark::State& state) {
  bench::CyclesPerItem cycles(state);
  for (auto _ : state) benchmark::DoNotOptimize(__rdtsc());
}

/// Memory in whole pages that has been written to.
struct Pages {
  explicit Pages(size_t count)
      : bytes(count * kPage), memory(std::aligned_alloc(size_t{2} << 20, rounded(bytes))) {
    madvise(memory.get(), rounded(bytes), MADV_HUGEPAGE);  // if the kernel has them
    std::memset(memory.get(), 1, bytes);
  }
  static size_t rounded(size_t bytes) {
    constexpr size_t kHuge = size_t{2} << 20;
    return (bytes + kHuge - 1) / kHuge * kHuge;
  }
  uint8_t* at(size_t page, size_t line) const {
    return static_cast<uint8_t*>(memory.get()) + page * kPage + line * kLine;
  }
  struct Free {
    void operator()(void* p) const { std::free(p); }
  };
  size_t bytes;
  std::unique_ptr<void, Free> memory;
};

/// Of a line a page, in an order that is none, all of them in other sets of the caches: up to some
/// thousands there is room for in the second one, so that what grows with the pages is finding
/// where they are.
void prefetch_a_line_a_page(benchmark::State& state) {
  const auto count = static_cast<size_t>(state.range(0));
  const Pages pages(count);
  std::vector<uint32_t> order(count);
  std::iota(order.begin(), order.end(), 0);
  std::mt19937_64 random(1);
  std::shuffle(order.begin(), order.end(), random);
  size_t at = 0;
  bench::CyclesPerItem cycles(state);
  for (auto _ : state) {
    const size_t page = order[at];
    prefetch_line(pages.at(page, page >> 4 & (kPage / kLine - 1)));
    at = at + 1 == count ? 0 : at + 1;
  }
}

uint64_t time_to_load(const uint8_t* line) {
  _mm_lfence();
  const uint64_t began = __rdtsc();
  _mm_lfence();
  benchmark::DoNotOptimize(*reinterpret_cast<const volatile uint8_t*>(line));
  _mm_lfence();
  return __rdtsc() - began;
}
uint64_t median(std::vector<uint64_t> of) {
  std::nth_element(of.begin(), of.begin() + static_cast<ptrdiff_t>(of.size() / 2), of.end());
  return of[of.size() / 2];
}

/// `kept`: how many of so many prefetches in a row, of lines that are in no cache, have fetched
/// something in the end.
void prefetches_kept(benchmark::State& state) {
  const auto count = static_cast<size_t>(state.range(0));
  const Pages pages(256);
  std::vector<const uint8_t*> line(count);
  std::mt19937_64 random(1);
  // Drawn anew each time: lines that are met twice in the same order are fetched unasked.
  const auto draw = [&] {
    for (auto& one : line) one = pages.at(random() % 256, random() % (kPage / kLine));
  };
  std::vector<uint64_t> near, far;
  for (unsigned n = 0; n < 500; ++n) {
    draw();
    _mm_clflush(line[0]);
    _mm_mfence();
    far.push_back(time_to_load(line[0]));
    near.push_back(time_to_load(line[0]));
  }
  const uint64_t limit = (median(near) + median(far)) / 2;
  double kept = 0;
  for (auto _ : state) {
    draw();
    for (const uint8_t* one : line) _mm_clflush(one);
    _mm_mfence();
    for (const uint8_t* one : line) prefetch_line(one);
    for (const uint64_t until = __rdtsc() + 20000; __rdtsc() < until;) _mm_pause();
    for (const uint8_t* one : line) kept += time_to_load(one) < limit ? 1 : 0;
  }
  state.counters["kept"] = kept / static_cast<double>(state.iterations());
}

BENCHMARK(look_at_the_clock);
BENCHMARK(prefetch_a_line_a_page)->ArgName("pages")->Arg(256)->Arg(1024)->Arg(2048)->Arg(4096);
BENCHMARK(prefetches_kept)->ArgName("asked")->Arg(8)->Arg(16)->Arg(24)->Arg(32)->Arg(64);

}  // namespace
}  // namespace rampart

BENCHMARK_MAIN();
