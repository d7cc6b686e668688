// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "dataplane/flow/tcp_sequence.hpp"
#include "dataplane/stages/flow_ops.hpp"
#include "dataplane/stages/opening.hpp"
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

/// Tells both ends of a TCP connection that it is over (--on-cut reset), each with the number that
/// it waits for, as far as we know: packet i says what its sender does; its receiver has got what
/// comes before it, unless something was lost (RFC 9293 §3.10.7.4, RFC 5961 §3.2).
void reset_both(Burst& b, unsigned i, WorkerState& w, const FlowFacts& f, unsigned end,
                DropReason why) {
  using namespace tcp_flag;
  const ParsedPacket& p = b.packet[i];
  if (!is_tcp(f.state)) return;
  const bool known = is_assured(f.state);
  const TcpSide& receiver = f.track.tcp.side[static_cast<unsigned>(other(f.side(end)))];
  answer_about(
      b, i, w,
      {.to = TcpAnswer::To::kReceiver,
       .flags = kRst,
       .sequence = known ? tcp_sequence::later(receiver.ack, p.tcp.sequence) : p.tcp.sequence});
  if ((p.tcp_flags & kRst) != 0) return;  // it has ended the connection itself
  TcpAnswer back{.to = TcpAnswer::To::kSender, .flags = kRst, .sequence = p.tcp.acknowledgement};
  if ((p.tcp_flags & kAck) == 0) {
    const uint32_t syn = (p.tcp_flags & kSyn) != 0 ? 1 : 0;
    back = {.to = TcpAnswer::To::kSender,
            .flags = kRst | kAck,
            .acknowledgement = p.tcp.sequence + syn + p.tcp.payload};
  }
  drop_and_answer(b, i, w, back, why);
}

/// Whether a packet says where its sender is. A stranger's does not, nor do fragments without a
/// header and ICMP errors: a reset with their numbers would be one that nobody believes.
bool is_word_of_an_end(const FlowFacts& f, unsigned end, const ParsedPacket& p) {
  TcpTrack then;
  return p.kind == PacketKind::kFlow &&
         judge_track(f, f.side(end), p, then).action == TrackAction::kAccept;
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
      change_worth(w, table, slot, worth_of(table[slot].facts.state));
    }
    mark(table[slot].facts, table.tally(slot), r, v);
    accept(b, i, w, table, slot, c.end[k]);
    return;
  }
  const FlowFacts& f = table[slot].facts;
  if (w.reset_on_cut && is_tcp(f.state) && !is_word_of_an_end(f, c.end[k], b.packet[i])) {
    condemn(w, table, slot, r);
    return b.drop(i, reason_of(v.outcome));
  }
  if (w.reset_on_cut) reset_both(b, i, w, f, c.end[k], reason_of(v.outcome));
  end_flow(w, table, slot, c.hash[k]);
  ++w.counters.flows_cut;
  if (b.fate[i] == Fate::kPending) b.drop(i, reason_of(v.outcome));
}

/// Fetches what recycle will read first of all if the pending packets without a flow open some.
template <typename Key>
void fetch_worths(const FlowColumns<Key>& c, const FlowTable<Key>& table) {
  for (unsigned n = 0; n < c.pending_count; ++n) table.prefetch_worths(c.hash[c.pending[n]]);
}
/// Fetches the places that they will get.
template <typename Key>
void fetch_places(const FlowColumns<Key>& c, const FlowTable<Key>& table, bool full) {
  for (unsigned n = 0; n < c.pending_count; ++n) {
    const unsigned k = c.pending[n];
    if (c.slot[k] == FlowTable<Key>::kNone) table.prefetch_place(c.key[k], c.hash[k], full);
  }
}

/// Older flows first: a slot that they free may be taken by a new flow afterwards, never before.
template <typename Key>
void answer(Burst& b, WorkerState& w, const RuleSet& r, FlowColumns<Key>& c,
            const Verdict* verdicts, FlowTable<Key>& table) {
  uint8_t fresh[Burst::kSize], packets[Burst::kSize];  // what belongs to no flow, by `pending`
  unsigned count = 0;
  for (unsigned n = 0; n < c.pending_count; ++n) {
    const unsigned k = c.pending[n], i = c.packet[k];
    if (c.slot[k] != FlowTable<Key>::kNone) {
      judge_again(b, w, r, c, k, verdicts[n], table);
    } else if (verdicts[n].outcome != Outcome::kAllow && b.packet[i].opens_flow) {
      b.drop(i, reason_of(verdicts[n].outcome));
    } else {
      fresh[count] = static_cast<uint8_t>(n);
      packets[count++] = static_cast<uint8_t>(i);
    }
  }
  if (count == 0) return;
  const bool quiet = is_quiet(w);
  const uint64_t verified = which_may_change_state<Key>(b, packets, count, w);
  for (unsigned f = 0; f < count; ++f) {
    const unsigned n = fresh[f];
    if ((verified >> f & 1) != 0) {
      open(b, w, r, c, c.pending[n], verdicts[n], table, quiet);
    } else {
      b.drop(packets[f], DropReason::kL4Checksum);
    }
  }
}

}  // namespace

void classify(Burst& b, WorkerState& w, const RuleSet& r) noexcept {
  const unsigned v4 = b.v4.pending_count, v6 = b.v6.pending_count;
  if (v4 + v6 == 0) return;
  Verdict verdicts[Burst::kSize];
  if (r.mode == RuleSet::Mode::kByTables) {
    Question questions[Burst::kSize];
    const bool full = w.flows() >= w.max_flows, early = finds_place_early(w);
    if (full && !early) {
      fetch_worths(b.v4, w.flows_v4);
      fetch_worths(b.v6, w.flows_v6);
    }
    if (v4 != 0) ask_pending(*r.addresses, b.v4, w.flows_v4, questions);
    if (v6 != 0) ask_pending(*r.addresses, b.v6, w.flows_v6, questions + v4);
    if (!early) {
      fetch_places(b.v4, w.flows_v4, full);
      fetch_places(b.v6, w.flows_v6, full);
    }
    judge(r, questions, v4 + v6, verdicts, &w.verdicts);
  } else {
    const Outcome all = r.mode == RuleSet::Mode::kPassAll ? Outcome::kAllow : Outcome::kDenyIngress;
    std::fill_n(verdicts, v4 + v6, Verdict{all, 0, 0});
  }
  if (v4 != 0) answer(b, w, r, b.v4, verdicts, w.flows_v4);
  if (v6 != 0) answer(b, w, r, b.v6, verdicts + v4, w.flows_v6);
}

}  // namespace rampart
