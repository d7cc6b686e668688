// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <atomic>
#include <cstdint>

#include "dataplane/base/cacheline.hpp"
#include "dataplane/dpdk/ring.hpp"
#include "dataplane/flow/address_load.hpp"
#include "dataplane/flow/first_seen.hpp"
#include "dataplane/flow/flow_table.hpp"
#include "dataplane/fragment/fragment_table.hpp"
#include "dataplane/packet/burst.hpp"
#include "dataplane/packet/rss_owners.hpp"
#include "dataplane/state/backpressure.hpp"
#include "dataplane/state/challenge.hpp"
#include "dataplane/state/counters.hpp"
#include "dataplane/state/mailbox.hpp"
#include "dataplane/state/overload.hpp"
#include "dataplane/state/settings.hpp"
#include "dataplane/state/source_filter.hpp"
#include "dataplane/state/verdict_cache.hpp"

struct rte_mbuf;

namespace rampart {

using HandoffRing = SpscRing<rte_mbuf>;

inline constexpr unsigned kMaxWorkers = 32;
static_assert(kMaxWorkers <= 32, "Backpressure has a bit for each");
inline constexpr uint16_t kNoQueue = 0xffff;

/// A port as a worker sees it.
struct WorkerPort {
  uint16_t dpdk_port = 0;
  uint16_t rx_queue = kNoQueue;  ///< the worker's own; kNoQueue: others receive
  uint16_t tx_queue = kNoQueue;  ///< the worker's own; kNoQueue: `tx_worker` sends for it
  uint8_t tx_worker = 0;
  uint8_t peer = 0;  ///< index of the other port of the wire
  uint8_t end = 0;   ///< which end of the wire it is: 0 or 1
  uint8_t wire = 0;
  const SourceFilter* sources = nullptr;
  /// False while the port is being reset: not to be touched. control: wo, worker: ro.
  const std::atomic<bool>* active = nullptr;
};

/// How many flows an address may have at one worker; 0: any number.
struct Quotas {
  uint32_t source_flows = 0, source_half_open = 0;
  uint32_t target_flows = 0, target_half_open = 0;
};

/// All that one worker touches. It is passed by reference, so that a test can make one. Written by
/// the worker alone, but for what the members' own comments say.
struct WorkerState {
  // Fixed at the start.
  WorkerId id = 0;
  unsigned workers = 1;
  unsigned port_count = 0;
  uint32_t max_flows = 0;  ///< of both families together
  HashSeed seed;
  const RssOwners* owners = nullptr;  ///< of flows; null: hashes decide
  Tsc tsc_hz = 1;
  ChecksumMode checksum = ChecksumMode::kState;
  bool pass_non_ip = false;
  bool pass_tunnels = true;
  bool reset_on_cut = false;  ///< --on-cut reset
  /// Until then TCP connections may be picked up in their middle; 0: never.
  Tsc pick_up_until = 0;
  FlowTimeouts timeouts{};
  Quotas quotas;
  std::array<WorkerPort, kMaxPorts> ports{};
  /// Rings of which this worker is the only producer, and the only consumer. One leads from the
  /// worker to itself: what it takes up again, as if another had handed it over.
  std::array<HandoffRing*, kMaxWorkers> to{}, from{};
  Mailbox* mailbox = nullptr;
  /// Bytes that this thread has taken from the heap so far; null: not known.
  const uint64_t* heap_now = nullptr;
  uint64_t heap_at_start = 0;

  // Moving.
  FlowTable<FlowKeyV4> flows_v4;
  FlowTable<FlowKeyV6> flows_v6;
  FragmentTable fragments;
  HeldChain resumed;  ///< fragments that were held and may leave now
  WorkerCounters counters;
  uint32_t reports = 0;    ///< made so far
  uint32_t half_open = 0;  ///< TCP flows whose handshake is not finished
  Challenge challenge;
  AddressLoad sources, targets;  ///< of flows, by the address that opened or was opened to
  Overload overload;
  FirstSeen first_seen;  ///< first packets that were put off; off: none is
  struct Sweep {
    Tsc started = 0;
    uint32_t chunk = 0;
  } sweep_v4, sweep_v6;
  VerdictCache verdicts;
  Burst burst;
  struct Outbox {
    unsigned count;
    uint8_t packet[Burst::kSize];
    rte_mbuf* mbuf[Burst::kSize];
  };
  std::array<Outbox, kMaxWorkers> outbox{};
  std::array<Backpressure, kMaxPorts> backpressure{};

  template <typename Key>
  FlowTable<Key>& table() {
    if constexpr (std::is_same_v<Key, FlowKeyV4>) {
      return flows_v4;
    } else {
      return flows_v6;
    }
  }
  uint32_t flows() const { return flows_v4.size() + flows_v6.size(); }
  /// Whose flow it is. `hash`: that of the key.
  template <typename Key>
  WorkerId owner_of(const Key& key, uint64_t hash) const {
    return owner_of(key, hash, owners, workers);
  }
  WorkerId owner_of(uint64_t hash) const { return owner_of(hash, workers); }
  template <typename Key>
  static WorkerId owner_of(const Key& key, uint64_t hash, const RssOwners* owners,
                           unsigned workers) {
    return owners != nullptr ? owners->of(key) : owner_of(hash, workers);
  }
  static WorkerId owner_of(uint64_t hash, unsigned workers) {
    // Bits that choose neither the chunk (32 …) nor the tag (0 … 6).
    return static_cast<WorkerId>(((hash >> 8 & 0xffff) * workers) >> 16);
  }
};

}  // namespace rampart
