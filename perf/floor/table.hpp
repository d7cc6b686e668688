// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <nmmintrin.h>

#include <bit>
#include <cstdint>
#include <span>

#include "dataplane/base/cacheline.hpp"
#include "dataplane/base/prefetch.hpp"

namespace rampart::perf {

/// Both ends of a flow, the smaller one (as a number) first, so that both directions have one key.
/// A word that holds an end's port also holds what makes it a used one.
struct KeyV4 {
  uint64_t low = 0, high = 0;  ///< address and port of an end; above it in `high`: protocol, 1

  bool operator==(const KeyV4&) const = default;
  bool used() const { return high != 0; }
  uint64_t hash() const { return _mm_crc32_u64(_mm_crc32_u64(0x9e3779b9, low), high); }
};

struct KeyV6 {
  uint64_t low[2] = {}, high[2] = {};  ///< addresses
  uint64_t rest = 0;                   ///< ports, protocol, 1

  bool operator==(const KeyV6&) const = default;
  bool used() const { return rest != 0; }
  uint64_t hash() const {
    const uint64_t one = _mm_crc32_u64(_mm_crc32_u64(0x9e3779b9, low[0]), low[1]);
    const uint64_t other = _mm_crc32_u64(_mm_crc32_u64(0x7f4a7c15, high[0]), high[1]);
    return _mm_crc32_u64(one, other << 32 ^ rest);
  }
};

/// All that is known of a flow, in one cache line.
template <typename Key>
struct alignas(kCacheLine) Line {
  Key key;
  uint64_t packets, bytes;
  uint32_t last_seen;  ///< the TSC divided by 2^20
};
static_assert(sizeof(Line<KeyV4>) == kCacheLine && sizeof(Line<KeyV6>) == kCacheLine);

/// The plainest table there is: a line a slot, linear probing, never more than half full, nothing
/// is ever taken out but by clear().
template <typename Key>
class Table {
 public:
  static uint64_t lines_for(uint64_t flows) { return std::bit_ceil(2 * flows); }

  /// `lines`: a power of two of them, zeroed; outlive the table.
  explicit Table(std::span<Line<Key>> lines) : lines_(lines), mask_(lines.size() - 1) {}

  void prefetch(uint64_t hash) const { prefetch_line(&lines_[hash & mask_]); }
  /// The flow's line, or the empty one where it belongs.
  Line<Key>& find(const Key& key, uint64_t hash) {
    for (uint64_t at = hash & mask_;; at = (at + 1) & mask_) {
      Line<Key>& line = lines_[at];
      if (line.key == key || !line.key.used()) return line;
    }
  }
  bool full() const { return 2 * size_ >= lines_.size(); }
  void took_one() { ++size_; }
  uint64_t size() const { return size_; }
  void clear() {
    for (Line<Key>& line : lines_) line = {};
    size_ = 0;
  }

 private:
  std::span<Line<Key>> lines_;
  uint64_t mask_;
  uint64_t size_ = 0;
};

}  // namespace rampart::perf
