// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <rte_errno.h>
#include <rte_memory.h>
#include <rte_ring.h>

#include <cstdint>
#include <string>

#include "dataplane/base/prefetch.hpp"
#include "dataplane/base/result.hpp"
#include "dataplane/dpdk/handle.hpp"

namespace rampart {

/// A bounded queue of pointers from one thread to one other, in order. The ring does not own what
/// lies in it: empty it before it goes.
template <typename T>
class SpscRing {
 public:
  /// Room for exactly `capacity` pointers. `name`: new in this process, at most 28 characters.
  /// Control thread. Errors: kConflict for a name in use, kTooLarge, kInvalid (0), kNoMemory.
  static Result<SpscRing> create(const std::string& name, uint32_t capacity,
                                 int socket = SOCKET_ID_ANY) {
    if (name.size() >= RTE_RING_NAMESIZE) {
      return Error{ErrorCode::kTooLarge, "the name is longer than 28 characters", name};
    }
    if (capacity == 0) return Error{ErrorCode::kInvalid, "a ring needs room for something", name};
    if (capacity >= RTE_RING_SZ_MASK / 2) {
      return Error{ErrorCode::kTooLarge, "no ring has " + std::to_string(capacity) + " slots",
                   name};
    }
    rte_errno = 0;
    rte_ring* ring = rte_ring_create(name.c_str(), capacity, socket,
                                     RING_F_SP_ENQ | RING_F_SC_DEQ | RING_F_EXACT_SZ);
    if (ring == nullptr) {
      if (rte_errno == EEXIST) {
        return Error{ErrorCode::kConflict, "a ring of this name exists", name};
      }
      return Error{ErrorCode::kNoMemory,
                   "no room for " + std::to_string(capacity) + " slots in DPDK's heap", name};
    }
    return SpscRing(ring);
  }

  /// Takes as many of the first pointers as there is room for and says how many. `room`: for how
  /// many there is room behind them. Producer only.
  uint32_t enqueue(T* const* items, uint32_t count, uint32_t* room = nullptr) noexcept {
    return rte_ring_sp_enqueue_burst(ring_.get(), reinterpret_cast<void* const*>(items), count,
                                     room);
  }
  /// Hands out at most `count` pointers, oldest first, and says how many. `left`: how many lie
  /// behind them. Consumer only.
  uint32_t dequeue(T** items, uint32_t count, uint32_t* left = nullptr) noexcept {
    return rte_ring_sc_dequeue_burst(ring_.get(), reinterpret_cast<void**>(items), count, left);
  }
  /// Asks for what the next dequeue has to know of the producer. Consumer only.
  void prefetch_producer() const noexcept { prefetch_line(&ring_.get()->prod); }
  /// Asks for what the next enqueue has to know of the consumer. Producer only.
  void prefetch_consumer() const noexcept { prefetch_line(&ring_.get()->cons); }
  /// How many lie in it: exact for the two ends while the other rests, a look in passing for
  /// others.
  uint32_t size() const noexcept { return rte_ring_count(ring_.get()); }
  uint32_t capacity() const noexcept { return rte_ring_get_capacity(ring_.get()); }

 private:
  explicit SpscRing(rte_ring* ring) : ring_(ring) {}

  Handle<rte_ring, &rte_ring_free> ring_;
};

}  // namespace rampart
