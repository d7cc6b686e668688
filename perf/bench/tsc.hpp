// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <benchmark/benchmark.h>
#include <x86intrin.h>

#include <cstdint>

namespace rampart::bench {

/// TSC cycles an item, beside the benchmark's own nanoseconds: the unit of the budgets.
class CyclesPerItem {
 public:
  explicit CyclesPerItem(benchmark::State& state) : state_(state), begin_(__rdtsc()) {}
  ~CyclesPerItem() {
    const auto cycles = static_cast<double>(__rdtsc() - begin_);
    const double items = static_cast<double>(state_.iterations()) * per_iteration_;
    state_.counters["cycles"] = items > 0 ? cycles / items : 0;
    state_.SetItemsProcessed(static_cast<int64_t>(items));
  }
  CyclesPerItem(const CyclesPerItem&) = delete;
  CyclesPerItem& operator=(const CyclesPerItem&) = delete;
  void items_per_iteration(unsigned n) { per_iteration_ = n; }

 private:
  benchmark::State& state_;
  uint64_t begin_;
  double per_iteration_ = 1;
};

}  // namespace rampart::bench
