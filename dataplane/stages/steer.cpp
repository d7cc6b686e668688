// SPDX-License-Identifier: Apache-2.0
#include "dataplane/stages/stages.hpp"

namespace rampart {
namespace {

/// Returns whether the ring is long now.
bool hand_over(Burst& b, WorkerState& w, unsigned target) {
  WorkerState::Outbox& out = w.outbox[target];
  HandoffRing& ring = *w.to[target];
  uint32_t room = 0;
  const unsigned given = ring.enqueue(out.mbuf, out.count, &room);
  for (unsigned k = 0; k < given; ++k) b.fate[out.packet[k]] = Fate::kHandedOver;
  if (b.of_one_port()) {
    w.counters.ports[b.in_port[0]].given += given;
  } else {
    for (unsigned k = 0; k < given; ++k) ++w.counters.ports[b.in_port[out.packet[k]]].given;
  }
  for (unsigned k = given; k < out.count; ++k) b.drop(out.packet[k], DropReason::kHandoffFull);
  w.counters.handed_over += given;
  out.count = 0;
  return ring.capacity() - room > kLongRing;
}

}  // namespace

void steer(Burst& b, WorkerState& w, const RuleSet& /*r*/) noexcept {
  if (!b.foreign) return;
  uint32_t long_ones = 0;
  unsigned into_long_ones = 0;
  for (unsigned target = 0; target < w.workers; ++target) {
    const unsigned count = w.outbox[target].count;
    if (count == 0 || !hand_over(b, w, target)) continue;
    long_ones |= uint32_t{1} << target;
    into_long_ones += count;
  }
  if (Backpressure::are_nearly_all(into_long_ones, b.count)) b.crowded = long_ones;
}

}  // namespace rampart
