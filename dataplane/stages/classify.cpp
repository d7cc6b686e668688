// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "dataplane/stages/flow_ops.hpp"
#include "dataplane/stages/questions.hpp"
#include "dataplane/stages/stages.hpp"

namespace rampart {
namespace {

/// The end of a pending packet's key that opened the flow, or would.
template <typename Key>
unsigned opener_of(const FlowColumns<Key>& c, unsigned k, FlowTable<Key>& table) {
  return c.slot[k] == FlowTable<Key>::kNone ? c.end[k] : table[c.slot[k]].facts.opener_end;
}

template <typename Key>
void ask_pending(const AddressMap& map, const FlowColumns<Key>& c, FlowTable<Key>& table,
                 Question* questions) {
  const auto at = [&](unsigned n) {
    const unsigned k = c.pending[n];
    return Asked<Key>{c.key[k], opener_of(c, k, table)};
  };
  ask(map, c.pending_count, at, questions);
}

DropReason reason_of(Outcome outcome) {
  return outcome == Outcome::kDenyEgress ? DropReason::kDeniedEgress : DropReason::kDeniedIngress;
}

/// A flow that was judged under an older revision: keep it or cut it.
template <typename Key>
void judge_again(Burst& b, WorkerState& w, const RuleSet& r, FlowColumns<Key>& c, unsigned k,
                 const Verdict& v, FlowTable<Key>& table) {
  const unsigned i = c.packet[k];
  const auto slot = c.slot[k];
  // A packet before this one in the burst may have cut the flow already, or have given its slot to
  // another one.
  if (!table.is_used(slot) || !(table[slot].key == c.key[k])) {
    return b.drop(i, v.outcome == Outcome::kAllow ? DropReason::kNoFlow : reason_of(v.outcome));
  }
  ++w.counters.flows_rejudged;
  if (v.outcome == Outcome::kAllow) {
    mark(table[slot].facts, table.tally(slot), r, v);
    accept(b, i, w, table, slot, c.end[k]);
    return;
  }
  table.erase(slot, c.hash[k]);
  ++w.counters.flows_cut;
  b.drop(i, reason_of(v.outcome));
}

template <typename Key>
bool recycle(WorkerState& w, FlowTable<Key>& table, uint64_t hash) {
  const auto slot = table.recycle(hash);
  if (slot == FlowTable<Key>::kNone) return false;
  table.erase(slot, hash_of(table[slot].key, w.seed));
  ++w.counters.flows_recycled;
  return true;
}

/// A slot for a new flow. When all are taken, a flow of either family that is worth less gives up
/// its own.
template <typename Key>
typename FlowTable<Key>::Slot make_room(WorkerState& w, FlowTable<Key>& table, const Key& key,
                                        uint64_t hash) {
  if (w.flows() >= w.max_flows && !recycle(w, table, hash)) {
    const bool freed = std::is_same_v<Key, FlowKeyV4> ? recycle(w, w.flows_v6, hash)
                                                      : recycle(w, w.flows_v4, hash);
    if (!freed) return FlowTable<Key>::kNone;
  }
  return table.insert(key, hash);
}

template <typename Key>
void open(Burst& b, WorkerState& w, const RuleSet& r, FlowColumns<Key>& c, unsigned k,
          const Verdict& v, FlowTable<Key>& table) {
  const unsigned i = c.packet[k];
  if (v.outcome != Outcome::kAllow) return b.drop(i, reason_of(v.outcome));
  if (!may_change_state(b, i, w)) return b.drop(i, DropReason::kL4Checksum);
  // A packet of the same flow, before this one in the burst, may have opened it already.
  auto slot = table.find(c.key[k], c.hash[k]);
  if (slot != FlowTable<Key>::kNone) return accept(b, i, w, table, slot, c.end[k]);
  slot = make_room(w, table, c.key[k], c.hash[k]);
  if (slot == FlowTable<Key>::kNone) return b.drop(i, DropReason::kTableFull);
  FlowFacts& f = table[slot].facts;
  mark(f, table.tally(slot), r, v);
  f.state = first_state(b.packet[i]);
  f.opener_end = c.end[k];
  f.opener_port = w.ports[b.in_port[i]].end;
  f.last_seen = tick_of(b.now);
  table.tally(slot).count(Side::kOpener, b.frame_bytes[i]);
  ++w.counters.flows_created;
  b.fate[i] = Fate::kForward;
}

/// Older flows first: a slot that they free may be taken by a new flow afterwards, never before.
template <typename Key>
void answer(Burst& b, WorkerState& w, const RuleSet& r, FlowColumns<Key>& c,
            const Verdict* verdicts, FlowTable<Key>& table) {
  for (unsigned n = 0; n < c.pending_count; ++n) {
    const unsigned k = c.pending[n];
    if (c.slot[k] != FlowTable<Key>::kNone) judge_again(b, w, r, c, k, verdicts[n], table);
  }
  for (unsigned n = 0; n < c.pending_count; ++n) {
    const unsigned k = c.pending[n];
    if (c.slot[k] == FlowTable<Key>::kNone) open(b, w, r, c, k, verdicts[n], table);
  }
}

}  // namespace

void classify(Burst& b, WorkerState& w, const RuleSet& r) noexcept {
  const unsigned v4 = b.v4.pending_count, v6 = b.v6.pending_count;
  if (v4 + v6 == 0) return;
  Verdict verdicts[Burst::kSize];
  if (r.mode == RuleSet::Mode::kByTables) {
    Question questions[Burst::kSize];
    if (v4 != 0) ask_pending(*r.addresses, b.v4, w.flows_v4, questions);
    if (v6 != 0) ask_pending(*r.addresses, b.v6, w.flows_v6, questions + v4);
    judge(r, questions, v4 + v6, verdicts);
  } else {
    const Outcome all = r.mode == RuleSet::Mode::kPassAll ? Outcome::kAllow : Outcome::kDenyIngress;
    std::fill_n(verdicts, v4 + v6, Verdict{all, 0, 0});
  }
  if (v4 != 0) answer(b, w, r, b.v4, verdicts, w.flows_v4);
  if (v6 != 0) answer(b, w, r, b.v6, verdicts + v4, w.flows_v6);
}

}  // namespace rampart
