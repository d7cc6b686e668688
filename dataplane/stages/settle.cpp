// SPDX-License-Identifier: Apache-2.0
#include <rte_mbuf.h>

#include "dataplane/stages/stages.hpp"

namespace rampart {

void settle(Burst& b, WorkerState& w, const RuleSet& /*r*/) noexcept {
  rte_mbuf* dropped[Burst::kSize];
  unsigned n = 0;
  for (unsigned i = 0; i < b.count; ++i) {
    const ParsedPacket& p = b.packet[i];
    if (p.tunnel && b.fate[i] != Fate::kHandedOver) ++w.counters.tunnelled;
    if (b.fate[i] == Fate::kPending) b.drop(i, DropReason::kInternal);
    if (b.fate[i] != Fate::kDrop && b.fate[i] != Fate::kAnswered) continue;
    ++w.counters.ports[b.in_port[i]].drops[static_cast<unsigned>(b.reason[i])];
    if (b.fate[i] == Fate::kDrop) dropped[n++] = b.mbuf[i];
  }
  if (n != 0) rte_pktmbuf_free_bulk(dropped, n);
}

}  // namespace rampart
