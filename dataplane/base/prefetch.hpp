// SPDX-License-Identifier: Apache-2.0
#pragma once

namespace rampart {

/// Asks for the cache line at `p`, and does not wait for it. Always inlined: g++ 12 takes a
/// function that does nothing but prefetch for a pure one, and leaves out the calls of it.
[[gnu::always_inline]] inline void prefetch_line(const void* p) noexcept {
  __builtin_prefetch(p);
  asm volatile("");  // an effect, so that whoever calls us is not taken for pure either
}

/// The same of a line that another core has written, and that is to be written here: so it comes
/// once, and not a second time for the first store. (By hand: g++ makes a plain prefetch of it
/// where it has not been told that the CPU has this one; the few that have not do nothing.)
[[gnu::always_inline]] inline void prefetch_line_to_write(const void* p) noexcept {
  asm volatile("prefetchw %0" : : "m"(*static_cast<const char*>(p)));
}

}  // namespace rampart
