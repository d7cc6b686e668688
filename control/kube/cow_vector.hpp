// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <memory>
#include <vector>

namespace rampart::kube {

/// A vector whose copies share what they have in common, in chunks of kChunk elements. Threads as
/// with CowMap.
template <typename T>
class CowVector {
 public:
  size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }
  const T& operator[](size_t i) const { return (*chunks_[i / kChunk])[i % kChunk]; }
  void set(size_t i, T value) { own(i / kChunk)[i % kChunk] = std::move(value); }
  void push_back(T value) {
    if (size_ % kChunk == 0) chunks_.push_back(std::make_shared<Chunk>());
    set(size_++, std::move(value));
  }
  void pop_back() {
    set(size_ - 1, T{});
    if (--size_ % kChunk == 0) chunks_.pop_back();
  }
  const T& back() const { return (*this)[size_ - 1]; }

 private:
  static constexpr size_t kChunk = 256;
  using Chunk = std::array<T, kChunk>;
  Chunk& own(size_t chunk) {
    auto& pointer = chunks_[chunk];
    if (pointer.use_count() != 1) {
      pointer = std::make_shared<Chunk>(*pointer);
    } else {
      std::atomic_thread_fence(std::memory_order_acquire);  // as in CowMap
    }
    return *pointer;
  }
  std::vector<std::shared_ptr<Chunk>> chunks_;
  size_t size_ = 0;
};

}  // namespace rampart::kube
