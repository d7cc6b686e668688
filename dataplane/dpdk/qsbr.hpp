// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <rte_malloc.h>
#include <rte_rcu_qsbr.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <string>
#include <thread>

#include "dataplane/base/result.hpp"
#include "dataplane/dpdk/handle.hpp"

namespace rampart {

/// Says when no reader can still hold what was replaced (quiescent-state based reclamation).
///
/// A reader (a worker) is registered once, is online while it works, and calls quiescent() between
/// two bursts, when it holds no pointer that it loaded. Before it sleeps or ends it goes offline:
/// an online reader that does not report holds up every grace period.
class Qsbr {
 public:
  using Clock = std::chrono::steady_clock;

  /// For reader ids 0 … max_readers-1. Control thread, EAL up. Errors: kInvalid (0), kNoMemory.
  static Result<Qsbr> create(uint32_t max_readers) {
    if (max_readers == 0) return Error{ErrorCode::kInvalid, "nobody to wait for", "qsbr"};
    const size_t bytes = rte_rcu_qsbr_get_memsize(max_readers);
    auto* variable = static_cast<rte_rcu_qsbr*>(rte_zmalloc(nullptr, bytes, RTE_CACHE_LINE_SIZE));
    if (variable == nullptr || rte_rcu_qsbr_init(variable, max_readers) != 0) {
      rte_free(variable);
      return Error{ErrorCode::kNoMemory,
                   "no room for " + std::to_string(max_readers) + " readers in DPDK's heap",
                   "qsbr"};
    }
    return Qsbr(variable);
  }

  /// Makes `reader` known; it starts offline. Any thread. Errors: kInvalid for an id out of range.
  Result<void> add_reader(uint32_t reader) {
    if (rte_rcu_qsbr_thread_register(variable_.get(), reader) != 0) {
      return Error{ErrorCode::kInvalid, "no such reader id",
                   "qsbr reader " + std::to_string(reader)};
    }
    return {};
  }

  /// The reader's own thread only, each of these three. Loads of shared pointers come after
  /// online() and before offline(); none survives quiescent().
  void online(uint32_t reader) noexcept { rte_rcu_qsbr_thread_online(variable_.get(), reader); }
  void offline(uint32_t reader) noexcept { rte_rcu_qsbr_thread_offline(variable_.get(), reader); }
  void quiescent(uint32_t reader) noexcept { rte_rcu_qsbr_quiescent(variable_.get(), reader); }

  /// Returns true when every reader that was online at the call has been quiescent or offline
  /// since; false when `limit` passed first. Control thread; sleeps between two looks. What is to
  /// be freed must have been unlinked before the call.
  bool wait_grace_period(Clock::duration limit = std::chrono::hours(24)) noexcept {
    const uint64_t token = rte_rcu_qsbr_start(variable_.get());
    const Clock::time_point deadline = Clock::now() + limit;
    // Workers report every few microseconds; one that is being preempted takes milliseconds.
    auto pause = std::chrono::microseconds(20);
    while (rte_rcu_qsbr_check(variable_.get(), token, /*wait=*/false) == 0) {
      if (Clock::now() >= deadline) return false;
      std::this_thread::sleep_for(pause);
      pause = std::min(pause * 2, std::chrono::microseconds(1000));
    }
    return true;
  }

 private:
  explicit Qsbr(rte_rcu_qsbr* variable) : variable_(variable) {}

  Handle<rte_rcu_qsbr, &rte_free> variable_;
};

}  // namespace rampart
