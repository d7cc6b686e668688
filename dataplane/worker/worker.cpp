// SPDX-License-Identifier: Apache-2.0
#include "dataplane/worker/worker.hpp"

#include <rte_cycles.h>
#include <rte_ethdev.h>
#include <rte_mbuf.h>
#include <rte_pause.h>
#include <unistd.h>

#include <algorithm>

#include "dataplane/stages/flood.hpp"
#include "dataplane/stages/fragments.hpp"
#include "dataplane/stages/stages.hpp"
#include "dataplane/state/handoff.hpp"
#include "dataplane/worker/heap_meter.hpp"
#include "dataplane/worker/report.hpp"
#include "dataplane/worker/sizing.hpp"

namespace rampart {
namespace {

/// Polls that find nothing before a worker may sleep: some hundred microseconds.
constexpr unsigned kIdlePolls = 1000;

/// Asks for what stands in the rings' lines of the workers at their other ends, which cost a worker
/// that waits for them as much as some packets.
void fetch_rings(const WorkerState& w) noexcept {
  for (unsigned other = 0; other < w.workers; ++other) {
    if (other == w.id) continue;
    w.from[other]->prefetch_producer();
    w.to[other]->prefetch_consumer();
  }
}

/// Whether a port's queue is left alone in a loop that began at `now`.
bool is_held_back(WorkerState& w, unsigned port, Tsc now) noexcept {
  Backpressure& pressure = w.backpressure[port];
  if (!pressure.holds(now, [&w](unsigned n) { return w.to[n]->size() > kLongRing; })) return false;
  w.counters.held_back += pressure.since == now;
  w.overload.backlog = true;
  return true;
}

/// One burst from every queue of ours. Returns how many packets came; `waits`: whether one of the
/// queues was left alone.
unsigned receive(WorkerState& w, const RuleSet& r, Tsc now, bool& waits) noexcept {
  Burst& b = w.burst;
  unsigned total = 0;
  waits = false;
  for (unsigned port = 0; port < w.port_count; ++port) {
    const WorkerPort& in = w.ports[port];
    // In this order: the queue is only ours to know while the port is active.
    if (!in.active->load(std::memory_order_acquire) || in.rx_queue == kNoQueue) continue;
    if (is_held_back(w, port, now)) {
      waits = true;
      continue;
    }
    b.count = rte_eth_rx_burst(in.dpdk_port, in.rx_queue, b.mbuf, Burst::kSize);
    if (b.count == 0) continue;
    w.counters.stages.lap(Stage::kRx);
    w.counters.stages.count(b.count);
    b.now = now;
    PortWork& work = w.counters.ports[port];
    work.received += b.count;
    std::fill_n(b.in_port, b.count, static_cast<uint8_t>(port));
    total += b.count;
    const bool whole = b.count == Burst::kSize;
    w.overload.backlog |= whole;
    b.checked = 0;
    w.counters.stages.lap(Stage::kReceive);
    run_pipeline(b, w, r);
    work.received_bytes += b.bytes;
    // (A queue that gave less is empty.)
    w.backpressure[port].targets = whole ? b.crowded : 0;
  }
  return total;
}

/// One burst from a ring. Returns how many packets there were; `left`: how many lie behind them.
unsigned take_burst(WorkerState& w, const RuleSet& r, unsigned giver, Tsc now,
                    uint32_t& left) noexcept {
  Burst& b = w.burst;
  const unsigned count = b.count = w.from[giver]->dequeue(b.mbuf, Burst::kSize, &left);
  if (count == 0) return 0;
  // (Also those that we have given ourselves, which are here.)
  for (unsigned k = 0; k < std::min(kFetchAhead, count); ++k) fetch_handed(b.mbuf[k]);
  // Tags only grow, so the last packet of a ring tells for all of them.
  const int ahead = HandoffTag::ahead_of(HandoffTag::read(b.mbuf[count - 1]), w.reports);
  if (ahead > 0) make_report(w, w.reports + static_cast<unsigned>(ahead));
  b.now = now;
  w.counters.stages.count(count);
  w.counters.stages.lap(Stage::kTakeOver);
  run_pipeline_on_handed(b, w, r);
  return count;
}

/// All that lies in the ring to ourselves now; what these packets put into it waits for the next
/// time.
unsigned take_own(WorkerState& w, const RuleSet& r, Tsc now) noexcept {
  unsigned total = 0;
  for (uint32_t wanted = w.from[w.id]->size(), left = 0; wanted != 0;) {
    const unsigned count = take_burst(w, r, w.id, now, left);
    total += count;
    wanted -= std::min(wanted, count);
  }
  return total;
}

/// From the rings of the other workers and the one to ourselves: the latter after each of the
/// others, for a packet may put two answers into it, and what finds no room there is never said.
unsigned take_over(WorkerState& w, const RuleSet& r, Tsc now) noexcept {
  // Of each ring one burst for one of each port, so that two workers with the same work get as much
  // from each other (see Backpressure); of a long one up to four: what lies in it has been received
  // and read already, at the other worker's cost, and with one it would never get shorter again
  // after this worker has lost its CPU for a moment. With all that lies there, a giver that is
  // faster would keep us from our ports.
  constexpr unsigned kMostBursts = 4;
  static_assert(kMostBursts * Burst::kSize * 2 <= kOwnRing);
  unsigned total = take_own(w, r, now);
  for (unsigned giver = 0; giver < w.workers; ++giver) {
    if (giver == w.id) continue;
    for (unsigned n = 0; n < kMostBursts; ++n) {
      uint32_t left = 0;
      const unsigned count = take_burst(w, r, giver, now, left);
      total += count;
      w.overload.backlog |= count == Burst::kSize;
      if (left <= kLongRing) break;
    }
    total += take_own(w, r, now);
  }
  return total;
}

}  // namespace

void run_worker(WorkerState& w, WorkerShared& shared) noexcept {
  w.heap_now = heap_bytes_of_this_thread();
  if (w.heap_now != nullptr) w.heap_at_start = *w.heap_now;
  shared.qsbr->online(w.id);
  unsigned idle_polls = 0;
  while (!shared.stop.load(std::memory_order_relaxed)) {
    const RuleSet& r = *shared.rules.load(std::memory_order_acquire);
    w.counters.revision = r.revision;
    const Tsc start = rte_rdtsc();
    w.counters.stages.start(start);
    fetch_rings(w);
    // One time for all bursts of a loop: each look at the clock takes some 30 cycles.
    bool waits;
    unsigned moved = receive(w, r, start, waits);
    moved += take_over(w, r, start);
    const Tsc end = rte_rdtsc();
    if (moved != 0) w.counters.stages.lap(Stage::kTakeOver, end);
    look_at_load(w, tick_of(end));
    expire(w, r, end);
    expire_fragments(w, end);
    serve_mailbox(w, end);
    ++w.counters.loops;
    shared.qsbr->quiescent(w.id);
    if (moved != 0) {
      w.counters.busy_cycles += end - start;
      w.counters.stages.lap(Stage::kBetween);
      idle_polls = 0;
      continue;
    }
    if (waits) {  // there is something to do
      rte_pause();
      continue;
    }
    ++w.counters.idle_loops;
    if (++idle_polls < kIdlePolls) {
      rte_pause();
    } else if (shared.idle_us != 0) {
      shared.qsbr->offline(w.id);
      usleep(shared.idle_us);
      shared.qsbr->online(w.id);
    }
  }
  shared.qsbr->offline(w.id);
  serve_mailbox(w, rte_rdtsc());  // whoever has just asked need not wait for a worker that is gone
  // The thread goes, its counter of the heap with it.
  if (w.heap_now != nullptr) {
    w.counters.heap_bytes = *w.heap_now - w.heap_at_start;
    w.heap_now = nullptr;
  }
}

void drain_rings(WorkerState& w) noexcept {
  for (unsigned giver = 0; giver < w.workers; ++giver) {
    rte_mbuf* packets[Burst::kSize];
    while (const unsigned count = w.from[giver]->dequeue(packets, Burst::kSize)) {
      for (unsigned k = 0; k < count; ++k) {
        PortWork& work = w.counters.ports[HandoffTag::in_port(HandoffTag::read(packets[k]))];
        ++work.taken;
        ++work.drops[static_cast<unsigned>(DropReason::kStopping)];
      }
      rte_pktmbuf_free_bulk(packets, count);
    }
  }
  drop_held_fragments(w);
}

}  // namespace rampart
