// SPDX-License-Identifier: Apache-2.0
#include "control/kube/value_scanner.hpp"

#include <emmintrin.h>

#include <bit>
#include <cstring>

namespace rampart::kube {
namespace {

constexpr size_t kBlock = 64;

/// Where the bytes that matter stand in a block, the first byte in the lowest bit.
struct Marks {
  uint64_t quotes = 0, backslashes = 0, opening = 0, closing = 0;
};

Marks marks_of(const char* block) {
  Marks marks;
  for (unsigned part = 0; part < kBlock / 16; ++part) {
    const __m128i bytes =
        _mm_loadu_si128(reinterpret_cast<const __m128i*>(block + size_t{16} * part));
    const auto where = [part](__m128i equal) {
      return uint64_t{static_cast<uint32_t>(_mm_movemask_epi8(equal))} << (16 * part);
    };
    const auto equal_to = [](__m128i all, char c) { return _mm_cmpeq_epi8(all, _mm_set1_epi8(c)); };
    // '[' and '{', and ']' and '}', differ in one bit.
    const __m128i folded = _mm_or_si128(bytes, _mm_set1_epi8(0x20));
    marks.quotes |= where(equal_to(bytes, '"'));
    marks.backslashes |= where(equal_to(bytes, '\\'));
    marks.opening |= where(equal_to(folded, '{'));
    marks.closing |= where(equal_to(folded, '}'));
  }
  return marks;
}

/// The bytes whose meaning a backslash before them takes away. `pending` goes over to the next
/// block.
uint64_t escaped_by(uint64_t backslashes, bool& pending) {
  uint64_t escaped = pending ? 1 : 0;
  pending = false;
  backslashes &= ~escaped;
  while (backslashes != 0) {
    const uint64_t next = (backslashes & -backslashes) << 1;
    if (next == 0) {
      pending = true;
      break;
    }
    escaped |= next;
    backslashes &= backslashes - 1;
    backslashes &= ~next;
  }
  return escaped;
}

/// Each bit: whether an odd number of bits stands at and below it.
uint64_t odd_up_to(uint64_t bits) {
  for (unsigned by = 1; by < 64; by *= 2) bits ^= bits << by;
  return bits;
}

}  // namespace

size_t ValueScanner::find_end_in_block(const char* block) {
  Marks marks = marks_of(block);
  if (marks.backslashes != 0 || backslash_) {
    marks.quotes &= ~escaped_by(marks.backslashes, backslash_);
  }
  const uint64_t strings = odd_up_to(marks.quotes) ^ in_string_;
  in_string_ = (strings >> 63) != 0 ? ~uint64_t{0} : 0;
  marks.opening &= ~strings;
  marks.closing &= ~strings;
  const auto closing = static_cast<uint64_t>(std::popcount(marks.closing));
  if (depth_ > closing) {  // it cannot end here
    depth_ += static_cast<uint64_t>(std::popcount(marks.opening)) - closing;
    return kNotYet;
  }
  for (uint64_t both = marks.opening | marks.closing; both != 0; both &= both - 1) {
    if ((marks.opening & both & -both) != 0) {
      ++depth_;
    } else if (--depth_ == 0) {
      return static_cast<size_t>(std::countr_zero(both)) + 1;
    }
  }
  return kNotYet;
}

size_t ValueScanner::find_end(std::string_view piece) {
  size_t at = 0;
  for (; at + kBlock <= piece.size(); at += kBlock) {
    if (const size_t end = find_end_in_block(piece.data() + at); end != kNotYet) return at + end;
  }
  if (at == piece.size()) return kNotYet;
  // The rest, filled up with what has no meaning; only a backslash could not tell it from a byte.
  char rest[kBlock];
  std::memset(rest, ' ', sizeof rest);
  std::memcpy(rest, piece.data() + at, piece.size() - at);
  const bool last = piece.back() == '\\';
  const bool before = backslash_;
  const size_t end = find_end_in_block(rest);
  if (end != kNotYet) return at + end;
  if (!last) return kNotYet;
  // An odd number of backslashes at the end takes the meaning of the byte to come.
  size_t count = 0;
  while (count < piece.size() - at && piece[piece.size() - 1 - count] == '\\') ++count;
  const bool all = count == piece.size() - at;
  backslash_ = (count + (all && before ? 1 : 0)) % 2 == 1;
  return kNotYet;
}

}  // namespace rampart::kube
