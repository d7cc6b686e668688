// SPDX-License-Identifier: Apache-2.0
#include <rte_mbuf.h>

#include "dataplane/stages/stages.hpp"

namespace rampart {
namespace {

void hand_over(Burst& b, WorkerState& w, unsigned target) {
  WorkerState::Outbox& out = w.outbox[target];
  rte_mbuf* packets[Burst::kSize];
  for (unsigned k = 0; k < out.count; ++k) {
    const unsigned i = out.packet[k];
    rte_mbuf* m = b.mbuf[i];
    const bool checked = (b.checked >> i & 1) != 0;
    m->hash.usr = HandoffTag::pack(checked ? HandoffTag::kFragment : HandoffTag::kJudge,
                                   b.in_port[i], w.reports);
    packets[k] = m;
  }
  const unsigned given = w.to[target]->enqueue(packets, out.count);
  for (unsigned k = 0; k < out.count; ++k) {
    const unsigned i = out.packet[k];
    if (k < given) {
      b.fate[i] = Fate::kHandedOver;
      ++w.counters.ports[b.in_port[i]].given;
    } else {
      b.drop(i, DropReason::kHandoffFull);
    }
  }
  w.counters.handed_over += given;
  out.count = 0;
}

}  // namespace

void steer(Burst& b, WorkerState& w, const RuleSet& /*r*/) noexcept {
  if (!b.foreign) return;
  for (unsigned target = 0; target < w.workers; ++target) {
    if (w.outbox[target].count != 0) hand_over(b, w, target);
  }
}

}  // namespace rampart
