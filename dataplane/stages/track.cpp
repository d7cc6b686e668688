// SPDX-License-Identifier: Apache-2.0
#include "dataplane/stages/flow_ops.hpp"
#include "dataplane/stages/stages.hpp"

namespace rampart {
namespace {

/// Packet i belongs to no flow: may it open one?
template <typename Key>
void miss(Burst& b, unsigned i, const RuleSet& r, FlowColumns<Key>& c, unsigned column) {
  const ParsedPacket& p = b.packet[i];
  if (r.mode == RuleSet::Mode::kDropAll) {
    b.drop(i, DropReason::kNoPolicyYet);
  } else if (p.kind == PacketKind::kFlow && p.opens_flow) {
    c.slot[column] = FlowTable<Key>::kNone;
    c.pending[c.pending_count++] = static_cast<uint8_t>(column);
  } else if (r.mode == RuleSet::Mode::kPassAll) {
    // Without a policy, connections that are older than we are go on.
    b.fate[i] = Fate::kForward;
  } else if (p.kind == PacketKind::kFragment) {
    b.drop(i, DropReason::kFragmentDenied);
  } else {
    const auto protocol = static_cast<IpProtocol>(p.protocol);
    const bool icmp = p.kind == PacketKind::kIcmpError || protocol == IpProtocol::kIcmp ||
                      protocol == IpProtocol::kIcmpV6;
    b.drop(i, icmp ? DropReason::kIcmpUnrelated : DropReason::kNoFlow);
  }
}

template <typename Key>
void track_family(Burst& b, WorkerState& w, const RuleSet& r, FlowColumns<Key>& c,
                  FlowTable<Key>& table) {
  c.pending_count = 0;
  table.find(c.key, c.hash, c.count, c.slot);
  const Tick now = tick_of(b.now);
  for (unsigned k = 0; k < c.count; ++k) {
    const unsigned i = c.packet[k];
    const ParsedPacket& p = b.packet[i];
    const auto slot = c.slot[k];
    // A packet before this one in the burst may have ended the flow; none opens one in this stage.
    if (slot == FlowTable<Key>::kNone || !table.is_used(slot)) {
      ++w.counters.flow_misses;
      miss(b, i, r, c, k);
      continue;
    }
    FlowEntry<Key>& entry = table[slot];
    if (is_expired(entry.facts.last_seen, now, entry.facts.state, w.timeouts)) {
      table.erase(slot, c.hash[k]);
      ++w.counters.flows_expired;
      ++w.counters.flow_misses;
      miss(b, i, r, c, k);
    } else if (p.kind == PacketKind::kFlow && may_reopen(entry.facts.state, p)) {
      if (!may_change_state(b, i, w)) {
        b.drop(i, DropReason::kL4Checksum);
        continue;
      }
      table.erase(slot, c.hash[k]);
      ++w.counters.flow_misses;
      miss(b, i, r, c, k);
    } else if (is_current(entry, r)) {
      ++w.counters.flow_hits;
      accept(b, i, w, table, slot, c.end[k]);
    } else {
      ++w.counters.flow_hits;
      c.pending[c.pending_count++] = static_cast<uint8_t>(k);
    }
  }
}

}  // namespace

void track(Burst& b, WorkerState& w, const RuleSet& r) noexcept {
  if (b.v4.count != 0) {
    track_family(b, w, r, b.v4, w.flows_v4);
  } else {
    b.v4.pending_count = 0;
  }
  if (b.v6.count != 0) {
    track_family(b, w, r, b.v6, w.flows_v6);
  } else {
    b.v6.pending_count = 0;
  }
}

}  // namespace rampart
