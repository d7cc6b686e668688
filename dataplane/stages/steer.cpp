// SPDX-License-Identifier: Apache-2.0
#include <rte_mbuf.h>

#include "dataplane/stages/fragments.hpp"
#include "dataplane/stages/stages.hpp"
#include "dataplane/stages/steering.hpp"

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

void steer(Burst& b, WorkerState& w, const RuleSet& r) noexcept {
  b.v4.count = b.v6.count = b.hanging.count = 0;
  bool foreign = false;
  for (unsigned i = 0; i < b.count; ++i) {
    if (b.fate[i] != Fate::kPending) continue;
    const ParsedPacket& p = b.packet[i];
    if (p.fragment) [[unlikely]] {
      foreign |= steer_fragment(b, w, r, i);
      continue;
    }
    const bool own = p.family == Family::kV4 ? keep_own(b, w, i, b.v4) : keep_own(b, w, i, b.v6);
    foreign |= !own;
  }
  if (!foreign) return;
  for (unsigned target = 0; target < w.workers; ++target) {
    if (w.outbox[target].count != 0) hand_over(b, w, target);
  }
}

}  // namespace rampart
