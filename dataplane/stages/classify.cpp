// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "dataplane/flow/tcp_sequence.hpp"
#include "dataplane/stages/flood.hpp"
#include "dataplane/stages/flow_ops.hpp"
#include "dataplane/stages/originate.hpp"
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

/// Tells both ends of a TCP connection that it is over (--on-cut reset), each with the number that
/// it waits for, as far as we know: packet i says what its sender does; its receiver has got what
/// comes before it, unless something was lost (RFC 9293 §3.10.7.4, RFC 5961 §3.2).
void reset_both(Burst& b, unsigned i, WorkerState& w, const FlowFacts& f, unsigned end,
                DropReason why) {
  using namespace tcp_flag;
  const ParsedPacket& p = b.packet[i];
  if (!is_tcp(f.state) || p.kind != PacketKind::kFlow || (p.tcp_flags & kRst) != 0) return;
  const bool known = is_assured(f.state);
  const TcpSide& receiver = f.track.tcp.side[static_cast<unsigned>(other(f.side(end)))];
  answer_about(
      b, i, w,
      {.to = TcpAnswer::To::kReceiver,
       .flags = kRst,
       .sequence = known ? tcp_sequence::later(receiver.ack, p.tcp.sequence) : p.tcp.sequence});
  TcpAnswer back{.to = TcpAnswer::To::kSender, .flags = kRst, .sequence = p.tcp.acknowledgement};
  if ((p.tcp_flags & kAck) == 0) {
    const uint32_t syn = (p.tcp_flags & kSyn) != 0 ? 1 : 0;
    back = {.to = TcpAnswer::To::kSender,
            .flags = kRst | kAck,
            .acknowledgement = p.tcp.sequence + syn + p.tcp.payload};
  }
  drop_and_answer(b, i, w, back, why);
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
    if (table[slot].facts.condemned != 0) {
      table.set_worth(slot, worth_of(table[slot].facts.state));
    }
    mark(table[slot].facts, table.tally(slot), r, v);
    accept(b, i, w, table, slot, c.end[k]);
    return;
  }
  if (w.reset_on_cut) reset_both(b, i, w, table[slot].facts, c.end[k], reason_of(v.outcome));
  end_flow(w, table, slot, c.hash[k]);
  ++w.counters.flows_cut;
  if (b.fate[i] == Fate::kPending) b.drop(i, reason_of(v.outcome));
}

template <typename Key>
bool recycle(WorkerState& w, FlowTable<Key>& table, uint64_t hash) {
  const auto slot = table.recycle(hash);
  if (slot == FlowTable<Key>::kNone) return false;
  end_flow(w, table, slot, hash_of(table[slot].key, w.seed));
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

/// A new flow for packet i, which `opener` of the key is to have opened. kNone: there is no room.
template <typename Key>
typename FlowTable<Key>::Slot new_flow(Burst& b, WorkerState& w, const RuleSet& r,
                                       const FlowColumns<Key>& c, unsigned k, unsigned opener,
                                       const Verdict& v, FlowTable<Key>& table) {
  const auto slot = make_room(w, table, c.key[k], c.hash[k]);
  if (slot == FlowTable<Key>::kNone) return slot;
  const unsigned i = c.packet[k];
  FlowFacts& f = table[slot].facts;
  mark(f, table.tally(slot), r, v);
  f.opener_end = static_cast<uint8_t>(opener);
  const Side sender = f.side(c.end[k]);
  f.opener_port = w.ports[b.in_port[i]].end ^ static_cast<uint8_t>(sender);
  f.last_seen = tick_of(b.now);
  table.tally(slot).count(sender, b.frame_bytes[i]);
  b.fate[i] = Fate::kForward;
  return slot;
}

/// A TCP connection that is met in its middle. Nobody knows who began, so policy may allow it
/// either way round; `v` is the verdict on the packet's own direction.
template <typename Key>
void pick_up(Burst& b, WorkerState& w, const RuleSet& r, FlowColumns<Key>& c, unsigned k, Verdict v,
             FlowTable<Key>& table) {
  const unsigned i = c.packet[k];
  unsigned opener = c.end[k];
  if (v.outcome != Outcome::kAllow) {
    Verdict reverse;
    opener = 1 - opener;
    judge_flows(r, 1, &reverse, [&](unsigned) { return Asked<Key>{c.key[k], opener}; });
    if (reverse.outcome != Outcome::kAllow) return b.drop(i, reason_of(v.outcome));
    v = reverse;
  }
  const auto slot = new_flow(b, w, r, c, k, opener, v, table);
  if (slot == FlowTable<Key>::kNone) return b.drop(i, DropReason::kTableFull);
  FlowFacts& f = table[slot].facts;
  if (!tcp_pick_up(f.track.tcp, f.side(c.end[k]), b.packet[i])) {
    end_flow(w, table, slot, c.hash[k]);
    return b.drop(i, DropReason::kNoFlow);
  }
  f.state = FlowState::kTcpPickedUp;
  ++w.counters.flows_picked_up;
}

template <typename Key>
void ask_client(Burst& b, WorkerState& w, FlowColumns<Key>& c, unsigned k) {
  const unsigned i = c.packet[k];
  Challenge& challenge = w.challenge;
  const Tick now = tick_of(b.now);
  const uint32_t cookie = challenge.cookie(c.key[k], c.end[k], Challenge::epoch_of(now));
  ++challenge.asked;
  ++w.counters.challenged;
  challenge.listen_until = now + (2U << Challenge::kEpochShift);
  drop_and_answer(
      b, i, w,
      {.to = TcpAnswer::To::kSender,
       .flags = tcp_flag::kSyn | tcp_flag::kAck,
       .sequence = ~cookie,
       .acknowledgement = Challenge::acknowledgement(cookie, b.packet[i].tcp.sequence + 1)},
      DropReason::kSynChallenged);
}

/// A client has answered its challenge: a place for the connection whose SYN it will send again.
template <typename Key>
void await_syn(Burst& b, WorkerState& w, const RuleSet& r, FlowColumns<Key>& c, unsigned k,
               const Verdict& v, FlowTable<Key>& table) {
  const unsigned i = c.packet[k];
  if (v.outcome != Outcome::kAllow) return b.drop(i, reason_of(v.outcome));
  const auto slot = new_flow(b, w, r, c, k, c.end[k], v, table);
  b.drop(i, slot == FlowTable<Key>::kNone ? DropReason::kTableFull : DropReason::kSynChallenged);
  if (slot == FlowTable<Key>::kNone) return;
  table[slot].facts.state = FlowState::kTcpVerified;
  ++w.counters.verified;
  ++w.counters.flows_created;
}

template <typename Key>
void open(Burst& b, WorkerState& w, const RuleSet& r, FlowColumns<Key>& c, unsigned k,
          const Verdict& v, FlowTable<Key>& table) {
  const unsigned i = c.packet[k];
  const ParsedPacket& p = b.packet[i];
  if (p.opens_flow && v.outcome != Outcome::kAllow) return b.drop(i, reason_of(v.outcome));
  if (!may_change_state(b, i, w)) return b.drop(i, DropReason::kL4Checksum);
  // A packet of the same flow, before this one in the burst, may have opened it already.
  const auto known = table.find(c.key[k], c.hash[k]);
  if (known != FlowTable<Key>::kNone) return accept(b, i, w, table, known, c.end[k]);
  if (!p.opens_flow) {
    return (p.tcp_flags & tcp_flag::kRst) != 0 ? await_syn(b, w, r, c, k, v, table)
                                               : pick_up(b, w, r, c, k, v, table);
  }
  if (is_challenged(w, p, tick_of(b.now))) return ask_client(b, w, c, k);
  const auto slot = new_flow(b, w, r, c, k, c.end[k], v, table);
  if (slot == FlowTable<Key>::kNone) return b.drop(i, DropReason::kTableFull);
  FlowFacts& f = table[slot].facts;
  f.state = open_track(f, p);
  w.half_open += is_half_open(f.state);
  ++w.counters.flows_created;
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
