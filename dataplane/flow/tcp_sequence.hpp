// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

/// Arithmetic on TCP sequence numbers, which wrap at 2^32 (RFC 9293 §3.4). Two numbers compare as
/// long as they are less than 2^31 apart; no window is larger than 2^30 (RFC 7323 §2.3).
namespace rampart::tcp_sequence {

constexpr bool before(uint32_t a, uint32_t b) {
  return static_cast<int32_t>(a - b) < 0;
}
constexpr bool after(uint32_t a, uint32_t b) {
  return before(b, a);
}
/// first <= n <= last, where first is not after last.
constexpr bool within(uint32_t n, uint32_t first, uint32_t last) {
  return n - first <= last - first;
}
constexpr uint32_t later(uint32_t a, uint32_t b) {
  return before(a, b) ? b : a;
}
/// |a - b|
constexpr uint32_t distance(uint32_t a, uint32_t b) {
  return before(a, b) ? b - a : a - b;
}

}  // namespace rampart::tcp_sequence
