// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>

namespace rampart {

/// The unit that the memory system moves. Hot structures are laid out and counted in it.
inline constexpr std::size_t kCacheLine = 64;
/// Distance that keeps two writers apart: prefetchers fetch lines in pairs.
inline constexpr std::size_t kFalseSharing = 128;

}  // namespace rampart
