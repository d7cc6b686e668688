// SPDX-License-Identifier: Apache-2.0
#include <rte_mbuf.h>

#include "dataplane/stages/stages.hpp"

namespace rampart {
namespace {

template <typename Key>
bool keep_own(const Burst& b, WorkerState& w, unsigned i, FlowColumns<Key>& c) {
  const unsigned n = c.count;
  const uint8_t wire = w.ports[b.in_port[i]].wire;
  c.end[n] = static_cast<uint8_t>(make_key(b.packet[i], wire, c.key[n]));
  c.hash[n] = hash_of(c.key[n], w.seed);
  const WorkerId owner = w.owner_of(c.key[n], c.hash[n]);
  if (owner != w.id) {
    WorkerState::Outbox& out = w.outbox[owner];
    out.packet[out.count++] = static_cast<uint8_t>(i);
    return false;
  }
  c.packet[n] = static_cast<uint8_t>(i);
  ++c.count;
  return true;
}

void hand_over(Burst& b, WorkerState& w, unsigned target) {
  WorkerState::Outbox& out = w.outbox[target];
  rte_mbuf* packets[Burst::kSize];
  for (unsigned k = 0; k < out.count; ++k) {
    const unsigned i = out.packet[k];
    rte_mbuf* m = b.mbuf[i];
    m->hash.usr = HandoffTag::pack(HandoffTag::kJudge, b.in_port[i], w.reports);
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
  b.v4.count = b.v6.count = 0;
  bool foreign = false;
  for (unsigned i = 0; i < b.count; ++i) {
    if (b.fate[i] != Fate::kPending) continue;
    const ParsedPacket& p = b.packet[i];
    if (p.kind == PacketKind::kFragment) {
      // It shares its first fragment's fate, and without one it is never judged.
      if (r.mode == RuleSet::Mode::kPassAll) {
        b.fate[i] = Fate::kForward;
      } else {
        b.drop(i, DropReason::kFragmentOrphan);
      }
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
