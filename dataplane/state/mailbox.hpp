// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <cstdint>

#include "dataplane/base/cacheline.hpp"
#include "dataplane/state/counters.hpp"
#include "dataplane/state/flow_query.hpp"

namespace rampart {

/// Where control threads ask and one worker answers, at the top of its loop. No locks; one control
/// thread at a time (the data path's owner sees to that).
///
/// Reports of several workers are one consistent cut: a packet in a ring carries the number of its
/// giver's last report, and a taker that has not yet made that report makes it before it takes the
/// packet. So whatever was given before the giver's copy is either taken before the taker's or
/// held.
struct Mailbox {
  // control: wo, worker: ro, but for the query, which the worker takes away when it has answered
  alignas(kFalseSharing) std::atomic<uint32_t> report_asked{0};
  std::atomic<FlowQuery*> query{nullptr};
  // worker: wo, control: ro
  alignas(kFalseSharing) std::atomic<uint32_t> report_made{0};
  std::atomic<bool> challenging{false};  ///< new TCP clients have to prove their address
  std::atomic<bool> overloaded{false};   ///< first packets are put off
  /// Slices of queries done so far: grows while the worker is at it.
  std::atomic<uint64_t> query_slices{0};
  WorkerCounters report;  ///< valid, and left alone, while report_made is what was asked
};

}  // namespace rampart
