// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <emmintrin.h>

#include <cstddef>
#include <cstdint>

#include "dataplane/base/cacheline.hpp"
#include "dataplane/base/prefetch.hpp"
#include "dataplane/flow/flow_state.hpp"

namespace rampart {

/// What was met for the first time lately: a set of hashes that forgets the oldest when it is full,
/// and each after a few seconds. It tells a retransmission from one packet of a flood that never
/// comes again, for one cache line a question.
///
/// A line is a bucket of 31 entries, twelve bits of the hash and four of the time, written in turn.
/// Of what was noted nothing is lost until a line's worth of others came; one in some hundreds that
/// was never noted is taken for known.
///
/// Over memory of the caller's. One thread.
class FirstSeen {
 public:
  static constexpr size_t kLines = size_t{1} << 18;
  /// 16 MiB: eight million entries, four seconds of two million packets a second.
  static constexpr size_t kBytes = kLines * kCacheLine;

  /// Knows nothing and notes nothing.
  FirstSeen() = default;
  /// `memory`: kBytes bytes, zeroed, aligned to a cache line; outlives this.
  explicit FirstSeen(void* memory) : lines_(static_cast<Line*>(memory)) {}

  bool is_on() const { return lines_ != nullptr; }
  void prefetch(uint64_t hash) const noexcept { prefetch_line(&line_of(hash)); }

  /// Whether this was noted before, and not just now: senders wait before they send again (RFC 6298
  /// §2.1: a second at first), so what comes back within a quarter of one is no retransmission. It
  /// is noted if it was not. `hash`: 64 bits that nobody can choose.
  bool met_before(uint64_t hash, Tick now) noexcept {
    Line& line = line_of(hash);
    const auto tag = static_cast<uint16_t>(tag_of(hash) << kTimeBits);
    const uint32_t time = now >> kTimeShift;
    const uint32_t matches = match(line, tag);
    if (matches == 0) {
      line.last = static_cast<uint16_t>(line.last % kEntries + 1);
      line.all()[line.last] = static_cast<uint16_t>(tag | (time & kTimeMask));
      return false;
    }
    for (uint32_t m = matches; m != 0; m &= m - 1) {
      const uint32_t noted = line.all()[__builtin_ctz(m)] & kTimeMask;
      if (((time - noted) & kTimeMask) >= kLeastAge) return true;
    }
    return false;
  }

 private:
  static constexpr unsigned kEntries = 31;
  static constexpr unsigned kTimeBits = 4;
  static constexpr uint32_t kTimeMask = (1U << kTimeBits) - 1;
  /// Units of the noted time: a quarter of a second at 2 GHz. Two of them are one at least.
  static constexpr unsigned kTimeShift = 4;
  static constexpr uint32_t kLeastAge = 2;

  struct alignas(kCacheLine) Line {
    uint16_t last;  ///< entry that was written last
    uint16_t entry[kEntries];
    uint16_t* all() { return &last; }
  };
  static_assert(sizeof(Line) == kCacheLine);

  Line& line_of(uint64_t hash) const { return lines_[hash >> 32 & (kLines - 1)]; }
  /// Bits that choose neither the line nor the worker, as far as there are any; never 0, which is
  /// an empty entry's.
  static uint32_t tag_of(uint64_t hash) {
    const auto low = static_cast<uint32_t>(hash);
    return (low & 0x7f) | (low >> 17 & 0xf80) | static_cast<uint32_t>((low & 0x1f00007f) == 0);
  }
  /// A bit for each place of the line with this tag, but for the first.
  static uint32_t match(const Line& line, uint16_t tag) {
    const auto* words = reinterpret_cast<const __m128i*>(&line);
    const __m128i wanted = _mm_set1_epi16(static_cast<short>(tag));
    const __m128i mask = _mm_set1_epi16(static_cast<short>(~kTimeMask));
    const auto equal = [&](unsigned i) {
      return _mm_cmpeq_epi16(_mm_and_si128(_mm_load_si128(words + i), mask), wanted);
    };
    const auto low = static_cast<uint32_t>(_mm_movemask_epi8(_mm_packs_epi16(equal(0), equal(1))));
    const auto high = static_cast<uint32_t>(_mm_movemask_epi8(_mm_packs_epi16(equal(2), equal(3))));
    return (low | high << 16) & ~1U;
  }

  Line* lines_ = nullptr;
};

}  // namespace rampart
