// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>

#include "dataplane/base/cacheline.hpp"
#include "dataplane/dpdk/qsbr.hpp"
#include "dataplane/state/rule_set.hpp"
#include "dataplane/state/worker_state.hpp"

namespace rampart {

/// What all workers look at and control threads write.
struct WorkerShared {
  /// In force. Loaded once a loop, so no burst meets two revisions; the rule set before may go
  /// after a grace period of `qsbr`.
  alignas(kFalseSharing) std::atomic<const RuleSet*> rules{nullptr};
  std::atomic<bool> stop{false};
  Qsbr* qsbr = nullptr;
  unsigned idle_us = 0;  ///< sleep that long after many polls that found nothing; 0: never
};

/// The loop of one worker: receives, takes over, runs the pipeline; ends when told to stop. The
/// only caller of the stages. Runs on the worker's lcore.
void run_worker(WorkerState& w, WorkerShared& shared) noexcept;

/// Packets that still lie in the rings to a worker that has ended, or that it holds: drops them as
/// kStopping.
/// Control thread, after all workers have ended.
void drain_rings(WorkerState& w) noexcept;

}  // namespace rampart
