// SPDX-License-Identifier: Apache-2.0
#pragma once

namespace rampart {

/// Asks for the cache line at `p`, and does not wait for it. Always inlined: g++ 12 takes a
/// function that does nothing but prefetch for a pure one, and leaves out the calls of it.
[[gnu::always_inline]] inline void prefetch_line(const void* p) noexcept {
  __builtin_prefetch(p);
  asm volatile("");  // an effect, so that whoever calls us is not taken for pure either
}

}  // namespace rampart
