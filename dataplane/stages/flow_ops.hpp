// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "dataplane/flow/flow_worth.hpp"
#include "dataplane/packet/burst.hpp"
#include "dataplane/stages/l4_check.hpp"
#include "dataplane/state/rule_set.hpp"
#include "dataplane/state/worker_state.hpp"

/// What track and classify both do to flows.
namespace rampart {

/// The low half of a revision, as entries keep it. Differences count, so it may wrap.
constexpr uint32_t revision_mark(Revision revision) {
  return static_cast<uint32_t>(revision);
}

inline bool changed_after(Revision changed_in, uint32_t judged_in) {
  return static_cast<int32_t>(revision_mark(changed_in) - judged_in) > 0;
}

inline Revision changed_in(const AddressMap& map, const FlowKeyV4& key, unsigned end) {
  return map.changed_in_v4(key.address[end]);
}
inline Revision changed_in(const AddressMap& map, const FlowKeyV6& key, unsigned end) {
  return map.changed_in_v6(key.address[end]);
}

/// Whether the verdict that a flow got still stands: it is of this revision, or nothing that
/// changed since can have touched it (then it is marked as of this revision).
template <typename Key>
inline bool is_current(FlowEntry<Key>& entry, const RuleSet& r) {
  FlowFacts& f = entry.facts;
  if (f.judged_in == revision_mark(r.revision)) return true;
  if (r.mode == RuleSet::Mode::kByTables) {
    if (changed_after(r.policy_changed_in, f.judged_in)) return false;
    if (changed_after(changed_in(*r.addresses, entry.key, 0), f.judged_in)) return false;
    if (changed_after(changed_in(*r.addresses, entry.key, 1), f.judged_in)) return false;
  }
  f.judged_in = revision_mark(r.revision);
  return true;
}

/// Writes down under which revision and rules a flow is allowed.
inline void mark(FlowFacts& f, FlowTally& tally, const RuleSet& r, const Verdict& v) {
  f.judged_in = revision_mark(r.revision);
  tally.egress_rule = v.egress_rule;
  tally.ingress_rule = v.ingress_rule;
}

/// Lets packet i of an allowed flow through and moves the flow's state, if its checksum permits.
template <typename Key>
inline void accept(Burst& b, unsigned i, WorkerState& w, FlowTable<Key>& table,
                   typename FlowTable<Key>::Slot slot, unsigned end) {
  FlowFacts& f = table[slot].facts;
  const ParsedPacket& p = b.packet[i];
  if (p.kind == PacketKind::kIcmpError) {
    // About the flow, not of it: neither its clock nor its counters move.
    b.fate[i] = Fate::kForward;
    return;
  }
  const Side side = f.side(end);
  if (p.kind == PacketKind::kFragment) {
    // It has no header, so it says nothing of the state.
    f.last_seen = tick_of(b.now);
    table.tally(slot).count(side, b.frame_bytes[i]);
    b.fate[i] = Fate::kForward;
    return;
  }
  const FlowState next = next_state(f.state, side, p);
  if (next != f.state) {
    if (!may_change_state(b, i, w)) return b.drop(i, DropReason::kL4Checksum);
    if (worth_of(next) != worth_of(f.state)) table.set_worth(slot, worth_of(next));
    f.state = next;
  }
  f.last_seen = tick_of(b.now);
  table.tally(slot).count(side, b.frame_bytes[i]);
  b.fate[i] = Fate::kForward;
}

}  // namespace rampart
