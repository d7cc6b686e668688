// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

namespace rampart {

/// Where jemalloc counts the bytes that the calling thread has taken from the heap ever; null if
/// this program does not use jemalloc. The address is good for the thread's life.
const uint64_t* heap_bytes_of_this_thread() noexcept;

}  // namespace rampart
