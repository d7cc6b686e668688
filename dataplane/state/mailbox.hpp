// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <cstdint>
#include <vector>

#include "dataplane/base/cacheline.hpp"
#include "dataplane/base/ip_address.hpp"
#include "dataplane/flow/flow_entry.hpp"
#include "dataplane/state/counters.hpp"

namespace rampart {

/// A question about live flows, asked by a control thread and answered by a worker in slices.
struct FlowQuery {
  bool any_address = true, any_port = true, any_protocol = true, any_state = true;
  IpAddress address;
  be16 port;
  uint8_t protocol = 0;
  uint32_t states = 0;  ///< bit set of FlowState
  size_t limit = 0;     ///< of flows of both families; room for one more is reserved in each list
  /// Filled up to limit + 1 in all (so that the asker sees that there were more), never grown.
  std::vector<FlowCopy<FlowKeyV4>> v4;
  std::vector<FlowCopy<FlowKeyV6>> v6;
  /// Where the worker is.
  uint32_t next_chunk = 0;
  bool in_v6 = false;
};

/// Where control threads ask and one worker answers, at the top of its loop. No locks; one control
/// thread at a time (the data path's owner sees to that).
///
/// Reports of several workers are one consistent cut: a packet in a ring carries the number of its
/// giver's last report, and a taker that has not yet made that report makes it before it takes the
/// packet. So whatever was given before the giver's copy is either taken before the taker's or
/// held.
struct Mailbox {
  // control: wo, worker: ro
  alignas(kFalseSharing) std::atomic<uint32_t> report_asked{0};
  std::atomic<FlowQuery*> query{nullptr};
  // worker: wo, control: ro
  alignas(kFalseSharing) std::atomic<uint32_t> report_made{0};
  std::atomic<bool> query_answered{false};
  WorkerCounters report;  ///< valid when report_made has reached what was asked
};

}  // namespace rampart
