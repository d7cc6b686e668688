// SPDX-License-Identifier: Apache-2.0
#include "dataplane/stages/stages.hpp"

namespace rampart {
namespace {

void hand_over(Burst& b, WorkerState& w, unsigned target) {
  WorkerState::Outbox& out = w.outbox[target];
  const unsigned given = w.to[target]->enqueue(out.mbuf, out.count);
  for (unsigned k = 0; k < given; ++k) b.fate[out.packet[k]] = Fate::kHandedOver;
  if (b.of_one_port()) {
    w.counters.ports[b.in_port[0]].given += given;
  } else {
    for (unsigned k = 0; k < given; ++k) ++w.counters.ports[b.in_port[out.packet[k]]].given;
  }
  for (unsigned k = given; k < out.count; ++k) b.drop(out.packet[k], DropReason::kHandoffFull);
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
