// SPDX-License-Identifier: Apache-2.0
#include <rte_mbuf.h>

#include <bit>

#include "dataplane/stages/stages.hpp"

namespace rampart {

void settle(Burst& b, WorkerState& w, const RuleSet& /*r*/) noexcept {
  for (uint64_t left = b.tunnels; left != 0; left &= left - 1) {
    if (b.fate[std::countr_zero(left)] != Fate::kHandedOver) ++w.counters.tunnelled;
  }
  if (b.all_forward()) [[likely]] {
    return;
  }
  if (b.all(Fate::kHandedOver)) return;
  rte_mbuf* dropped[Burst::kSize];
  unsigned n = 0;
  for (unsigned i = 0; i < b.count; ++i) {
    if (b.fate[i] == Fate::kPending) b.drop(i, DropReason::kInternal);
    if (b.fate[i] != Fate::kDrop && b.fate[i] != Fate::kAnswered) continue;
    ++w.counters.ports[b.in_port[i]].drops[static_cast<unsigned>(b.reason[i])];
    if (b.fate[i] == Fate::kDrop) dropped[n++] = b.mbuf[i];
  }
  if (n != 0) rte_pktmbuf_free_bulk(dropped, n);
}

}  // namespace rampart
