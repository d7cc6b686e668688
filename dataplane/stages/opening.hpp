// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>

#include "dataplane/stages/flood.hpp"
#include "dataplane/stages/flow_ops.hpp"
#include "dataplane/stages/originate.hpp"
#include "dataplane/stages/questions.hpp"

/// How new flows come to be: quotas, challenges, room, pick-up. Part of classify.
namespace rampart {

inline DropReason reason_of(Outcome outcome) {
  return outcome == Outcome::kDenyEgress ? DropReason::kDeniedEgress : DropReason::kDeniedIngress;
}

/// How many more flows an address may have, of each end the less; counted by what they are worth.
struct QuotaLeft {
  uint32_t flows = UINT32_MAX, half_open = UINT32_MAX;
};

inline uint32_t left_of(uint32_t quota, uint32_t taken) {
  if (quota == 0) return UINT32_MAX;
  return quota - std::min(quota, taken);
}

/// `half_open_times`: so many times the quota of half-open flows. A client that has proved that it
/// is there gets it twice: flows of others in its name stop at the quota, so that as many places
/// are left for itself.
template <typename Key>
inline QuotaLeft quota_left(const WorkerState& w, const Key& key, unsigned opener,
                            uint32_t half_open_times = 1) {
  if (!w.sources.is_on()) return {};
  const AddressLoad::Count s = w.sources.of(address_hash(key, opener, w.seed));
  const AddressLoad::Count t = w.targets.of(address_hash(key, 1 - opener, w.seed));
  const Quotas& q = w.quotas;
  return {std::min(left_of(q.source_flows, s.assured), left_of(q.target_flows, t.assured)),
          std::min(left_of(q.source_half_open * half_open_times, s.weak),
                   left_of(q.target_half_open * half_open_times, t.weak))};
}

template <typename Key>
[[gnu::noinline]] bool recycle(WorkerState& w, FlowTable<Key>& table, uint64_t hash) {
  const auto slot = table.recycle(hash);
  if (slot == FlowTable<Key>::kNone) return false;
  end_flow(w, table, slot, hash_of(table[slot].key, w.seed));
  ++w.counters.flows_recycled;
  return true;
}

/// A slot for a new flow. When all are taken, a flow of either family that is worth less gives up
/// its own.
template <typename Key>
[[gnu::always_inline]] inline typename FlowTable<Key>::Slot make_room(WorkerState& w,
                                                                      FlowTable<Key>& table,
                                                                      const Key& key,
                                                                      uint64_t hash) {
  if (w.flows() >= w.max_flows && !recycle(w, table, hash)) {
    const bool freed = std::is_same_v<Key, FlowKeyV4> ? recycle(w, w.flows_v6, hash)
                                                      : recycle(w, w.flows_v4, hash);
    if (!freed) return FlowTable<Key>::kNone;
  }
  return table.insert(key, hash);
}

/// Fills the slot of a new flow, which `opener` of the key is to have opened, and forwards packet
/// i, its first. `state`: one of its protocol.
template <typename Key>
[[gnu::always_inline]] inline void fill_flow(Burst& b, WorkerState& w, const RuleSet& r,
                                             const FlowColumns<Key>& c, unsigned k, unsigned opener,
                                             const Verdict& v, FlowState state,
                                             FlowTable<Key>& table,
                                             typename FlowTable<Key>::Slot slot) {
  const unsigned i = c.packet[k];
  const Side sender = c.end[k] == opener ? Side::kOpener : Side::kReplier;
  FlowFacts& f = table[slot].facts;
  f.last_seen = tick_of(b.now);
  f.opener_port = w.ports[b.in_port[i]].end ^ static_cast<uint8_t>(sender);
  f.track = {};
  FlowTally& tally = is_tcp(state) || is_sctp(state) ? table.tally_beside_track(slot)
                                                     : table.tally_without_track(slot);
  tally = FlowTally::first(sender, b.frame_bytes[i]);
  mark(f, tally, r, v);
  begin_flow(w, table, slot, opener, state);
  b.fate[i] = Fate::kForward;
}

/// A new flow for packet i, which `opener` of the key is to have opened. `state`: one of its
/// protocol. kNone: there is no room.
template <typename Key>
[[gnu::noinline]] typename FlowTable<Key>::Slot new_flow(Burst& b, WorkerState& w, const RuleSet& r,
                                                         const FlowColumns<Key>& c, unsigned k,
                                                         unsigned opener, const Verdict& v,
                                                         FlowState state, FlowTable<Key>& table) {
  const auto slot = make_room(w, table, c.key[k], c.hash[k]);
  if (slot != FlowTable<Key>::kNone) fill_flow(b, w, r, c, k, opener, v, state, table, slot);
  return slot;
}

/// A TCP connection that is met in its middle. Nobody knows who began, so policy may allow it
/// either way round; `v` is the verdict on the packet's own direction.
template <typename Key>
[[gnu::noinline]] void pick_up(Burst& b, WorkerState& w, const RuleSet& r, FlowColumns<Key>& c,
                               unsigned k, Verdict v, FlowTable<Key>& table) {
  const unsigned i = c.packet[k];
  unsigned opener = c.end[k];
  if (v.outcome != Outcome::kAllow) {
    Verdict reverse;
    opener = 1 - opener;
    judge_flows(r, 1, &reverse, [&](unsigned) { return Asked<Key>{c.key[k], opener}; });
    if (reverse.outcome != Outcome::kAllow) return b.drop(i, reason_of(v.outcome));
    v = reverse;
  }
  const QuotaLeft left = quota_left(w, c.key[k], opener);
  if (left.flows == 0 || left.half_open == 0) return b.drop(i, DropReason::kQuota);
  const auto slot = new_flow(b, w, r, c, k, opener, v, FlowState::kTcpPickedUp, table);
  if (slot == FlowTable<Key>::kNone) return b.drop(i, DropReason::kTableFull);
  FlowFacts& f = table[slot].facts;
  if (!tcp_pick_up(f.track.tcp, f.side(c.end[k]), b.packet[i])) {
    end_flow(w, table, slot, c.hash[k]);
    return b.drop(i, DropReason::kNoFlow);
  }
  ++w.counters.flows_picked_up;
}

template <typename Key>
[[gnu::noinline]] void ask_client(Burst& b, WorkerState& w, FlowColumns<Key>& c, unsigned k) {
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
[[gnu::noinline]] void await_syn(Burst& b, WorkerState& w, const RuleSet& r, FlowColumns<Key>& c,
                                 unsigned k, const Verdict& v, FlowTable<Key>& table) {
  const unsigned i = c.packet[k];
  if (v.outcome != Outcome::kAllow) return b.drop(i, reason_of(v.outcome));
  const QuotaLeft left = quota_left(w, c.key[k], c.end[k], 2);
  if (left.flows == 0 || left.half_open == 0) return b.drop(i, DropReason::kQuota);
  const auto slot = new_flow(b, w, r, c, k, c.end[k], v, FlowState::kTcpVerified, table);
  b.drop(i, slot == FlowTable<Key>::kNone ? DropReason::kTableFull : DropReason::kSynChallenged);
  if (slot == FlowTable<Key>::kNone) return;
  ++w.counters.verified;
  ++w.counters.flows_created;
}

/// Whether nothing but the tables' rules has to be asked before a burst of new flows, and there is
/// room for them: no address has a quota, no client would be challenged.
inline bool is_quiet(const WorkerState& w) {
  const Challenge& c = w.challenge;
  return !w.sources.is_on() && !c.active &&
         (c.enter_at == 0 || w.half_open + Burst::kSize <= c.enter_at) &&
         w.flows() + Burst::kSize <= w.max_flows;
}

/// Opens a flow that policy allows, if quotas, challenges and room permit it.
template <typename Key>
[[gnu::noinline]] void open_carefully(Burst& b, WorkerState& w, const RuleSet& r,
                                      FlowColumns<Key>& c, unsigned k, const Verdict& v,
                                      FlowTable<Key>& table) {
  const unsigned i = c.packet[k];
  const ParsedPacket& p = b.packet[i];
  const QuotaLeft left = quota_left(w, c.key[k], c.end[k]);
  if (left.flows == 0) return b.drop(i, DropReason::kQuota);
  if (is_challenged(w, p, left.half_open == 0, tick_of(b.now))) return ask_client(b, w, c, k);
  if (left.half_open == 0) return b.drop(i, DropReason::kQuota);
  const FlowState state = first_state(p);
  const auto slot = new_flow(b, w, r, c, k, c.end[k], v, state, table);
  if (slot == FlowTable<Key>::kNone) return b.drop(i, DropReason::kTableFull);
  open_track(table[slot].facts, state, p);
  ++w.counters.flows_created;
}

/// Does what the packet of column k asks for, which is verified, and allowed if it opens a flow.
/// `quiet`: is_quiet.
template <typename Key>
[[gnu::always_inline]] inline void open(Burst& b, WorkerState& w, const RuleSet& r,
                                        FlowColumns<Key>& c, unsigned k, const Verdict& v,
                                        FlowTable<Key>& table, bool quiet) {
  const unsigned i = c.packet[k];
  const ParsedPacket& p = b.packet[i];
  // A packet of the same flow, before this one in the burst, may have opened it already.
  if (table.may_have(c.hash[k])) {
    const auto known = table.find(c.key[k], c.hash[k]);
    if (known != FlowTable<Key>::kNone) return accept(b, i, w, table, known, c.end[k]);
  }
  if (!p.opens_flow) {
    if (is_proof(p, w, c, k, b.now)) return await_syn(b, w, r, c, k, v, table);
    if (may_be_picked_up(p, w, b.now)) return pick_up(b, w, r, c, k, v, table);
    return b.drop(i, why_without_flow(p));  // the one before it has not opened it
  }
  if (!quiet) return open_carefully(b, w, r, c, k, v, table);
  const auto slot = table.insert(c.key[k], c.hash[k]);
  if (slot == FlowTable<Key>::kNone) [[unlikely]] {
    return b.drop(i, DropReason::kTableFull);
  }
  // Most are TCP's, for which much of this is known beforehand.
  if (p.protocol == static_cast<uint8_t>(IpProtocol::kTcp)) {
    fill_flow(b, w, r, c, k, c.end[k], v, FlowState::kTcpOpening, table, slot);
    tcp_open(table[slot].facts.track.tcp, p);
  } else {
    fill_flow(b, w, r, c, k, c.end[k], v, first_state(p), table, slot);
    open_track(table[slot].facts, first_state(p), p);
  }
  ++w.counters.flows_created;
}

}  // namespace rampart
