// SPDX-License-Identifier: Apache-2.0
#include "dataplane/worker/heap_meter.hpp"

#include <cstddef>

// Weak: the daemon links jemalloc, tests with sanitizers do not.
extern "C" int mallctl(const char* name, void* old_value, size_t* old_bytes, void* new_value,
                       size_t new_bytes) __attribute__((weak));

namespace rampart {

const uint64_t* heap_bytes_of_this_thread() noexcept {
  if (mallctl == nullptr) return nullptr;
  const uint64_t* counter = nullptr;
  size_t bytes = sizeof counter;
  if (mallctl("thread.allocatedp", &counter, &bytes, nullptr, 0) != 0) return nullptr;
  return counter;
}

}  // namespace rampart
