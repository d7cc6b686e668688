// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "dataplane/stages/flow_ops.hpp"
#include "dataplane/stages/stages.hpp"

namespace rampart {
namespace {

/// The end of a pending packet's key that opened the flow, or would.
template <typename Key>
unsigned opener_of(const FlowColumns<Key>& c, unsigned k, FlowTable<Key>& table) {
  return c.slot[k] == FlowTable<Key>::kNone ? c.end[k] : table[c.slot[k]].facts.opener_end;
}

template <typename Key>
Question question_of(const Key& key, unsigned opener, const Identity* source,
                     const Identity* destination) {
  const auto protocol = static_cast<IpProtocol>(key.protocol);
  const bool has_ports =
      protocol == IpProtocol::kTcp || protocol == IpProtocol::kUdp || protocol == IpProtocol::kSctp;
  const L4Port port = has_ports ? key.port[1 - opener].host() : L4Port{0};
  return {source, destination, key.protocol, port};
}

/// Writes a question for each pending packet of a family: addresses to classes in bulk.
void ask(WorkerState& w, const AddressMap& map, FlowColumns<FlowKeyV4>& c, Question* questions) {
  be32 addresses[2 * Burst::kSize];
  const Identity* found[2 * Burst::kSize];
  uint8_t opener[Burst::kSize];
  for (unsigned n = 0; n < c.pending_count; ++n) {
    const unsigned k = c.pending[n];
    opener[n] = static_cast<uint8_t>(opener_of(c, k, w.flows_v4));
    addresses[2 * n] = c.key[k].address[opener[n]];
    addresses[2 * n + 1] = c.key[k].address[1 - opener[n]];
  }
  map.find_v4(addresses, 2 * c.pending_count, found);
  for (unsigned n = 0; n < c.pending_count; ++n) {
    questions[n] = question_of(c.key[c.pending[n]], opener[n], found[2 * n], found[2 * n + 1]);
  }
}

void ask(WorkerState& w, const AddressMap& map, FlowColumns<FlowKeyV6>& c, Question* questions) {
  uint8_t addresses[2 * Burst::kSize][16];
  const Identity* found[2 * Burst::kSize];
  uint8_t opener[Burst::kSize];
  for (unsigned n = 0; n < c.pending_count; ++n) {
    const unsigned k = c.pending[n];
    opener[n] = static_cast<uint8_t>(opener_of(c, k, w.flows_v6));
    std::copy_n(c.key[k].address[opener[n]], 16, addresses[2 * n]);
    std::copy_n(c.key[k].address[1 - opener[n]], 16, addresses[2 * n + 1]);
  }
  map.find_v6(addresses, 2 * c.pending_count, found);
  for (unsigned n = 0; n < c.pending_count; ++n) {
    questions[n] = question_of(c.key[c.pending[n]], opener[n], found[2 * n], found[2 * n + 1]);
  }
}

DropReason reason_of(Outcome outcome) {
  return outcome == Outcome::kDenyEgress ? DropReason::kDeniedEgress : DropReason::kDeniedIngress;
}

void mark(FlowFacts& f, const RuleSet& r, const Verdict& v) {
  f.judged_in = revision_mark(r.revision);
  f.egress_rule = v.egress_rule;
  f.ingress_rule = v.ingress_rule;
}

/// A flow that was judged under an older revision: keep it or cut it.
template <typename Key>
void judge_again(Burst& b, WorkerState& w, const RuleSet& r, FlowColumns<Key>& c, unsigned k,
                 const Verdict& v, FlowTable<Key>& table) {
  const unsigned i = c.packet[k];
  const auto slot = c.slot[k];
  ++w.counters.flows_rejudged;
  if (v.outcome == Outcome::kAllow) {
    mark(table[slot].facts, r, v);
    accept(b, i, w, table[slot], c.end[k]);
    return;
  }
  // A packet of the same flow, before this one in the burst, may have cut it already.
  if (table.is_used(slot)) {
    table.erase(slot, c.hash[k]);
    ++w.counters.flows_cut;
  }
  b.drop(i, reason_of(v.outcome));
}

template <typename Key>
void open(Burst& b, WorkerState& w, const RuleSet& r, FlowColumns<Key>& c, unsigned k,
          const Verdict& v, FlowTable<Key>& table) {
  const unsigned i = c.packet[k];
  if (v.outcome != Outcome::kAllow) return b.drop(i, reason_of(v.outcome));
  if (!may_change_state(b, i, w)) return b.drop(i, DropReason::kL4Checksum);
  // A packet of the same flow, before this one in the burst, may have opened it already.
  auto slot = table.find(c.key[k], c.hash[k]);
  if (slot != FlowTable<Key>::kNone) return accept(b, i, w, table[slot], c.end[k]);
  if (w.flows() < w.max_flows) slot = table.insert(c.key[k], c.hash[k]);
  if (slot == FlowTable<Key>::kNone) return b.drop(i, DropReason::kTableFull);
  FlowFacts& f = table[slot].facts;
  mark(f, r, v);
  f.state = first_state(b.packet[i]);
  f.opener_end = c.end[k];
  f.last_seen = tick_of(b.now);
  f.count(Side::kOpener, b.frame_bytes[i]);
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
    if (v4 != 0) ask(w, *r.addresses, b.v4, questions);
    if (v6 != 0) ask(w, *r.addresses, b.v6, questions + v4);
    judge(r, questions, v4 + v6, verdicts);
  } else {
    const Outcome all = r.mode == RuleSet::Mode::kPassAll ? Outcome::kAllow : Outcome::kDenyIngress;
    std::fill_n(verdicts, v4 + v6, Verdict{all, 0, 0});
  }
  if (v4 != 0) answer(b, w, r, b.v4, verdicts, w.flows_v4);
  if (v6 != 0) answer(b, w, r, b.v6, verdicts + v4, w.flows_v6);
}

}  // namespace rampart
