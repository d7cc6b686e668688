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
#include "dataplane/worker/heap_meter.hpp"
#include "dataplane/worker/report.hpp"

namespace rampart {
namespace {

/// Polls that find nothing before a worker may sleep: some hundred microseconds.
constexpr unsigned kIdlePolls = 1000;

/// One burst from every queue of ours. Returns how many packets came.
unsigned receive(WorkerState& w, const RuleSet& r) noexcept {
  Burst& b = w.burst;
  unsigned total = 0;
  for (unsigned port = 0; port < w.port_count; ++port) {
    const WorkerPort& in = w.ports[port];
    // In this order: the queue is only ours to know while the port is active.
    if (!in.active->load(std::memory_order_acquire) || in.rx_queue == kNoQueue) continue;
    b.count = rte_eth_rx_burst(in.dpdk_port, in.rx_queue, b.mbuf, Burst::kSize);
    if (b.count == 0) continue;
    w.counters.stages.lap(Stage::kRx);
    w.counters.stages.count(b.count);
    b.now = rte_rdtsc();
    PortWork& work = w.counters.ports[port];
    work.received += b.count;
    std::fill_n(b.in_port, b.count, static_cast<uint8_t>(port));
    total += b.count;
    w.overload.backlog |= b.count == Burst::kSize;
    b.checked = 0;
    w.counters.stages.lap(Stage::kReceive);
    run_pipeline(b, w, r);
    work.received_bytes += b.bytes;
  }
  return total;
}

/// Packets from a ring, and what they are there for, read before any of them is gone.
struct Taken {
  rte_mbuf* packet[Burst::kSize];
  uint32_t tag[Burst::kSize];
  unsigned count;
};

enum class Way : uint8_t { kPipeline, kTransmit };

/// Makes a burst of the packets that were handed over for one purpose: to be judged, or to leave.
void gather(WorkerState& w, Way way, const Taken& taken) {
  Burst& b = w.burst;
  b.count = 0;
  b.checked = 0;
  b.whole = false;
  for (unsigned k = 0; k < taken.count; ++k) {
    const HandoffTag::Purpose purpose = HandoffTag::purpose(taken.tag[k]);
    if ((purpose == HandoffTag::kTransmit) != (way == Way::kTransmit)) continue;
    const unsigned i = b.count++;
    if (purpose == HandoffTag::kFragment) b.checked |= uint64_t{1} << i;
    b.mbuf[i] = taken.packet[k];
    b.in_port[i] = HandoffTag::in_port(taken.tag[k]);
    b.fate[i] = Fate::kForward;
    b.frame_bytes[i] = b.mbuf[i]->pkt_len;
    ++w.counters.ports[b.in_port[i]].taken;
  }
}

/// At most one burst from a ring. Returns how many packets there were.
unsigned take_burst(WorkerState& w, const RuleSet& r, HandoffRing& ring) noexcept {
  Taken taken;
  taken.count = ring.dequeue(taken.packet, Burst::kSize);
  if (taken.count == 0) return 0;
  w.overload.backlog |= taken.count == Burst::kSize && &ring != w.from[w.id];
  for (unsigned k = 0; k < taken.count; ++k) taken.tag[k] = taken.packet[k]->hash.usr;
  // Tags only grow, so the last packet of a ring tells for all of them.
  const int ahead = HandoffTag::ahead_of(taken.tag[taken.count - 1], w.reports);
  if (ahead > 0) make_report(w, w.reports + static_cast<unsigned>(ahead));
  w.burst.now = rte_rdtsc();
  w.counters.stages.count(taken.count);
  gather(w, Way::kPipeline, taken);
  w.counters.stages.lap(Stage::kTakeOver);
  if (w.burst.count != 0) run_pipeline(w.burst, w, r);
  gather(w, Way::kTransmit, taken);
  w.counters.stages.lap(Stage::kTakeOver);
  if (w.burst.count != 0) {
    transmit(w.burst, w, r);
    w.counters.stages.lap(Stage::kTransmit);
  }
  return taken.count;
}

/// One burst from the ring of every other worker, and all that lies in the ring to ourselves now
/// (what these packets put into it waits for the next loop).
unsigned take_over(WorkerState& w, const RuleSet& r) noexcept {
  unsigned total = 0;
  for (unsigned giver = 0; giver < w.workers; ++giver) {
    if (giver != w.id) total += take_burst(w, r, *w.from[giver]);
  }
  HandoffRing& own = *w.from[w.id];
  for (uint32_t left = own.size(); left != 0;) {
    const unsigned count = take_burst(w, r, own);
    total += count;
    left -= std::min(left, count);
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
    const unsigned moved = receive(w, r) + take_over(w, r);
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
        PortWork& work = w.counters.ports[HandoffTag::in_port(packets[k]->hash.usr)];
        ++work.taken;
        ++work.drops[static_cast<unsigned>(DropReason::kStopping)];
      }
      rte_pktmbuf_free_bulk(packets, count);
    }
  }
  drop_held_fragments(w);
}

}  // namespace rampart
