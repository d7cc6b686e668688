// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>

namespace rampart {

/// Deleter that calls a C function: `std::unique_ptr<rte_ring, FreeWith<&rte_ring_free>>`.
template <auto Free>
struct FreeWith {
  template <typename T>
  void operator()(T* handle) const noexcept {
    Free(handle);
  }
};

/// The one owner of a C handle.
template <typename T, auto Free>
using Handle = std::unique_ptr<T, FreeWith<Free>>;

}  // namespace rampart
