// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstdint>

#include "dataplane/base/cacheline.hpp"
#include "dataplane/base/ids.hpp"
#include "dataplane/packet/drop_reason.hpp"
#include "dataplane/state/stage_cycles.hpp"

namespace rampart {

/// Ports a daemon can have. A wire index must fit the zone's eight bits.
inline constexpr unsigned kMaxPorts = 64;

/// What one worker did with the packets that came in on one port. At the end of every burst
/// received + originated + taken = forwarded + given + Σ drops.
struct PortWork {
  uint64_t received = 0, received_bytes = 0;    ///< from the port's queues
  uint64_t forwarded = 0, forwarded_bytes = 0;  ///< accepted by the other port of the wire
  uint64_t originated = 0;                      ///< made here, to leave like packets from this port
  uint64_t given = 0;                           ///< put into a ring between workers, or held
  uint64_t taken = 0;                           ///< taken from a ring, or no longer held
  std::array<uint64_t, kDropReasons> drops{};
};

/// The counters of one worker. Written by the worker alone; everybody else reads copies that it
/// made between two bursts (see Mailbox).
struct alignas(kFalseSharing) WorkerCounters {
  std::array<PortWork, kMaxPorts> ports{};
  uint64_t handed_over = 0;  ///< packets passed to the worker that owns their flow
  uint64_t held_back = 0;    ///< times a port's queue was left alone (see Backpressure)
  uint64_t flow_hits = 0, flow_misses = 0;
  uint64_t flows_created = 0, flows_expired = 0, flows_cut = 0, flows_rejudged = 0;
  uint64_t flows_recycled = 0;                   ///< gave up their place to a new flow
  uint64_t flows_restored = 0;                   ///< taken over from before the start
  uint64_t flows_picked_up = 0;                  ///< TCP connections met in their middle
  uint64_t challenged = 0;                       ///< SYNs answered with a challenge
  uint64_t verified = 0;                         ///< clients that have answered one
  uint64_t half_open = 0;                        ///< TCP flows, when the copy was made
  bool challenging = false, overloaded = false;  ///< when the copy was made
  uint64_t flows = 0;                            ///< live, when the copy was made
  uint64_t passed_always = 0, tunnelled = 0;
  uint64_t loops = 0, idle_loops = 0, busy_cycles = 0;
  uint64_t heap_bytes = 0;  ///< taken from the heap by the worker's thread since it started
  Revision revision = 0;    ///< last used
  [[no_unique_address]] StageCycles<kCountStageCycles> stages;
};

}  // namespace rampart
