// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cstdint>

namespace rampart::perf {

/// How often something took how long: buckets of a 32nd of their size.
class Latencies {
 public:
  void add(uint64_t ns) noexcept {
    ++counts_[bucket_of(ns)];
    ++total_;
    longest_ = std::max(longest_, ns);
  }
  uint64_t total() const { return total_; }
  uint64_t longest() const { return longest_; }
  /// What a share of them did not exceed, up to a 32nd.
  uint64_t quantile(double share) const {
    const auto wanted = static_cast<uint64_t>(share * static_cast<double>(total_));
    uint64_t seen = 0;
    for (unsigned b = 0; b < kBuckets; ++b) {
      if ((seen += counts_[b]) > wanted) return std::min(longest_, last_of(b));
    }
    return longest_;
  }

 private:
  static constexpr unsigned kSub = 32, kBuckets = 60 * kSub;
  static unsigned bucket_of(uint64_t ns) {
    if (ns < kSub) return static_cast<unsigned>(ns);
    const auto shift = static_cast<unsigned>(std::bit_width(ns)) - 6;
    return shift * kSub + static_cast<unsigned>(ns >> shift);
  }
  static uint64_t last_of(unsigned bucket) {
    if (bucket < 2 * kSub) return bucket;
    const unsigned shift = bucket / kSub - 1;
    return ((bucket - uint64_t{shift} * kSub + 1) << shift) - 1;
  }

  std::array<uint64_t, kBuckets> counts_{};
  uint64_t total_ = 0, longest_ = 0;
};

}  // namespace rampart::perf
