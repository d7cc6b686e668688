// SPDX-License-Identifier: Apache-2.0
#include <rte_ethdev.h>
#include <rte_mbuf.h>

#include "dataplane/stages/stages.hpp"
#include "dataplane/state/handoff.hpp"

namespace rampart {
namespace {

/// Packets that came in on one port, on their way out of its peer, in order: two columns.
struct Leaving {
  rte_mbuf** mbuf;
  uint32_t* bytes;
  unsigned count;
  bool whole;  ///< each is known to lie in one buffer
};

void refuse(Leaving& l, unsigned from, PortWork& work, DropReason why) {
  if (from == l.count) return;
  work.drops[static_cast<unsigned>(why)] += l.count - from;
  rte_pktmbuf_free_bulk(l.mbuf + from, l.count - from);
}

/// Drivers that were not asked for more send frames that lie in one buffer. Copies the others
/// together, which came from a driver that cuts them up; drops those that fit none.
void join_chains(Leaving& l, PortWork& work) {
  unsigned kept = 0;
  for (unsigned n = 0; n < l.count; ++n) {
    rte_mbuf* m = l.mbuf[n];
    if (m->nb_segs != 1 && rte_pktmbuf_linearize(m) != 0) {
      ++work.drops[static_cast<unsigned>(DropReason::kTxError)];
      rte_pktmbuf_free(m);
      continue;
    }
    l.mbuf[kept] = m;
    l.bytes[kept++] = l.bytes[n];
  }
  l.count = kept;
}

void send(WorkerState& w, uint8_t in_port, Leaving l) {
  PortWork& work = w.counters.ports[in_port];
  if (!l.whole) [[unlikely]] {
    join_chains(l, work);
  }
  const WorkerPort& out = w.ports[w.ports[in_port].peer];
  if (!out.active->load(std::memory_order_acquire)) {
    return refuse(l, 0, work, DropReason::kPortDown);
  }
  if (out.tx_queue == kNoQueue) {
    const uint32_t tag = HandoffTag::pack(HandoffTag::kTransmit, in_port, w.reports);
    for (unsigned n = 0; n < l.count; ++n) {
      HandoffTag::write(l.mbuf[n], tag);
    }
    const unsigned given = w.to[out.tx_worker]->enqueue(l.mbuf, l.count);
    work.given += given;
    return refuse(l, given, work, DropReason::kHandoffFull);
  }
  // Some drivers stop at a frame that they cannot send (too long for their interface): it alone is
  // to be lost, not those behind it. A queue that is full refuses the next one, too.
  constexpr unsigned kRefusals = 4;
  unsigned next = 0;
  for (unsigned refused = 0; next < l.count; ++refused) {
    w.counters.stages.lap(Stage::kTransmit);
    const unsigned sent = rte_eth_tx_burst(out.dpdk_port, out.tx_queue, l.mbuf + next,
                                           static_cast<uint16_t>(l.count - next));
    w.counters.stages.lap(Stage::kTx);
    work.forwarded += sent;
    for (unsigned n = next; n < next + sent; ++n) work.forwarded_bytes += l.bytes[n];
    next += sent;
    if (next == l.count) return;
    if (refused == kRefusals) return refuse(l, next, work, DropReason::kTxFull);
    ++work.drops[static_cast<unsigned>(DropReason::kTxFull)];
    rte_pktmbuf_free(l.mbuf[next++]);
  }
}

/// Sends what goes out among packets of several fates and ports, port by port.
void sort_and_send(Burst& b, WorkerState& w) {
  rte_mbuf* mbuf[Burst::kSize];
  uint32_t bytes[Burst::kSize];
  for (unsigned first = 0; first < b.count; ++first) {
    if (b.fate[first] != Fate::kForward) continue;
    const uint8_t in_port = b.in_port[first];
    Leaving l{mbuf, bytes, 0, b.whole};
    for (unsigned i = first; i < b.count; ++i) {
      if (b.fate[i] != Fate::kForward || b.in_port[i] != in_port) continue;
      mbuf[l.count] = b.mbuf[i];
      bytes[l.count++] = b.frame_bytes[i];
      b.fate[i] = Fate::kHandedOver;  // no longer ours
    }
    send(w, in_port, l);
  }
}

}  // namespace

void transmit(Burst& b, WorkerState& w, const RuleSet& /*r*/) noexcept {
  if (b.all_forward() && b.of_one_port()) [[likely]] {
    return send(w, b.in_port[0], {b.mbuf, b.frame_bytes, b.count, b.whole});
  }
  if (!b.all(Fate::kHandedOver)) sort_and_send(b, w);
}

}  // namespace rampart
