// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <rte_malloc.h>
#include <rte_memory.h>

#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <string>
#include <type_traits>

#include "dataplane/base/cacheline.hpp"
#include "dataplane/base/result.hpp"
#include "dataplane/dpdk/handle.hpp"

namespace rampart {

/// Bytes of a page of ordinary memory, and of the smallest huge ones.
inline constexpr uint64_t kOrdinaryPage = 4096, kHugePage = uint64_t{2} << 20;

/// A fixed array in DPDK's heap (huge pages if the EAL has them), zeroed when it is born, aligned
/// to a cache line. For plain data only: no constructor and no destructor runs.
/// Made and freed on a control thread while the EAL is up; used by whoever it is given to.
template <typename T>
class HugeArray {
  static_assert(std::is_trivially_copyable_v<T> && std::is_trivially_destructible_v<T>,
                "elements are born as zero bytes and die unnoticed");

 public:
  /// An empty array.
  HugeArray() = default;
  /// `count` elements on `socket` (SOCKET_ID_ANY: any). `name` says in an error what the memory
  /// was for. Errors: kNoMemory, with the MiB that were asked for.
  static Result<HugeArray> create(size_t count, const std::string& name,
                                  int socket = SOCKET_ID_ANY) {
    constexpr size_t kAlign = alignof(T) > kCacheLine ? alignof(T) : kCacheLine;
    if (count == 0) return HugeArray();
    void* memory = count > std::numeric_limits<size_t>::max() / sizeof(T)
                       ? nullptr
                       : rte_zmalloc_socket(nullptr, count * sizeof(T), kAlign, socket);
    if (memory == nullptr) {
      const auto mib = static_cast<uint64_t>(
          static_cast<long double>(count) * static_cast<long double>(sizeof(T)) / (1U << 20) + 1);
      return Error{ErrorCode::kNoMemory,
                   "no room for " + std::to_string(mib) + " MiB in DPDK's heap", name};
    }
    return HugeArray(static_cast<T*>(memory), count);
  }

  T* data() noexcept { return data_.get(); }
  const T* data() const noexcept { return data_.get(); }
  size_t size() const noexcept { return size_; }
  T& operator[](size_t i) noexcept { return data_.get()[i]; }
  const T& operator[](size_t i) const noexcept { return data_.get()[i]; }
  std::span<T> span() noexcept { return {data(), size_}; }
  std::span<const T> span() const noexcept { return {data(), size_}; }

 private:
  HugeArray(T* data, size_t size) : data_(data), size_(size) {}

  Handle<T, &rte_free> data_;
  size_t size_ = 0;
};

}  // namespace rampart
