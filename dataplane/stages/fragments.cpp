// SPDX-License-Identifier: Apache-2.0
#include "dataplane/stages/fragments.hpp"

#include <rte_mbuf.h>

#include "dataplane/stages/stages.hpp"
#include "dataplane/stages/steering.hpp"

namespace rampart {
namespace {

using enum DropReason;

/// Drops what a datagram holds.
void drop_held(WorkerState& w, HeldChain& chain, DropReason why) {
  uint8_t in_port = 0;
  while (rte_mbuf* m = w.fragments.take(chain, in_port)) {
    PortWork& work = w.counters.ports[in_port];
    ++work.taken;
    ++work.drops[static_cast<unsigned>(why)];
    rte_pktmbuf_free(m);
  }
}

void end(WorkerState& w, Datagram& d, DropReason why) {
  drop_held(w, d.held, why);
  w.fragments.erase(d);
}

/// From now on nothing of this datagram passes. One whose first is in this burst stays in its hands
/// until follow has seen to it.
void spoil(WorkerState& w, Datagram& d, DropReason why, Tsc now) {
  drop_held(w, d.held, why);
  d.why = why;
  if (d.state != DatagramState::kJudging) w.fragments.move(d, DatagramState::kRefused, now);
}

/// A new datagram, if necessary in place of others that matter less. Null: there is no room.
Datagram* make_room(WorkerState& w, const FragmentKey& key, uint64_t hash, bool first, Tsc now) {
  if (w.fragments.size() == w.fragments.capacity()) {
    Datagram* other = w.fragments.dispensable(first);
    if (other == nullptr) return nullptr;
    end(w, *other, kFragmentLimit);
  }
  return w.fragments.insert(key, hash, now);
}

/// The first one has not come: packet i waits for it. When there is no room, those that have waited
/// longest have waited long enough.
void hold(Burst& b, WorkerState& w, Datagram& d, unsigned i) {
  rte_mbuf* m = b.mbuf[i];
  while (!w.fragments.hold(d.held, m, b.in_port[i], m->nb_segs)) {
    Datagram* other = w.fragments.oldest_waiting();
    if (other == nullptr || other == &d) {
      spoil(w, d, kFragmentLimit, b.now);
      return b.drop(i, kFragmentLimit);
    }
    end(w, *other, kFragmentLimit);
  }
  b.fate[i] = Fate::kHandedOver;
  ++w.counters.ports[b.in_port[i]].given;
}

void note(Burst& b, const WorkerState& w, const Datagram& d, unsigned i) {
  Burst::Hanging& h = b.hanging;
  h.packet[h.count] = static_cast<uint8_t>(i);
  h.datagram[h.count++] = w.fragments.number_of(d);
}

/// The first one: judged like any packet. What becomes of it is what becomes of the others.
template <typename Key>
bool begin(Burst& b, WorkerState& w, Datagram& d, unsigned i, FlowColumns<Key>& c) {
  const WorkerId owner = aim(b, w, i, c);
  d.set_flow(c.key[c.count], c.hash[c.count], c.end[c.count], owner);
  w.fragments.move(d, DatagramState::kJudging, b.now);
  note(b, w, d, i);
  if (owner == w.id) {
    keep(w, i, c);
    return false;
  }
  give(b, w, owner, i);
  return true;
}

/// A later one whose first has come: a packet of the same flow.
template <typename Key>
bool join(Burst& b, WorkerState& w, Datagram& d, unsigned i, FlowColumns<Key>& c) {
  const bool passing = d.state == DatagramState::kPassing;
  const WorkerId owner = WorkerId{d.flow_owner};
  if (owner != w.id) {
    give(b, w, owner, i);
  } else if (passing) {
    const unsigned n = c.count;
    c.key[n] = d.flow_key<Key>();
    c.hash[n] = d.flow_hash;
    c.end[n] = d.flow_end;
    keep(w, i, c);
  } else {
    note(b, w, d, i);
  }
  if (passing && d.is_complete()) w.fragments.erase(d);
  return owner != w.id;
}

DropReason reason_of(Admission admission) {
  switch (admission) {
    case Admission::kContradicts:
      return kFragmentLength;
    case Admission::kTooMany:
      return kFragmentLimit;
    default:
      return kFragmentOverlap;
  }
}

/// Notes packet i down. False if it does not fit, or nothing of its datagram passes any more.
bool admit(Burst& b, WorkerState& w, Datagram& d, unsigned i, Piece piece) {
  if (d.why != kNone && d.why != kFragmentDenied) {
    b.drop(i, d.why);
    return false;
  }
  const Admission admission = d.admit(piece);
  if (admission == Admission::kNew) d.grown = b.now;
  if (admission == Admission::kNew && d.why == kNone) return true;
  if (admission == Admission::kNew) {
    // The last piece of a datagram that was denied: its name is free again.
    b.drop(i, kFragmentDenied);
    if (d.state == DatagramState::kRefused && d.is_complete()) w.fragments.erase(d);
    return false;
  }
  // Networks repeat packets, so one that is all there does its datagram no harm (RFC 8200 §4.5).
  if (admission != Admission::kRepeated) spoil(w, d, reason_of(admission), b.now);
  b.drop(i, reason_of(admission));
  return false;
}

/// Counts a packet for its flow that does not come by track.
template <typename Key>
void count(const Datagram& d, FlowTable<Key>& table, uint32_t frame_bytes) {
  const auto slot = table.find(d.flow_key<Key>(), d.flow_hash);
  if (slot == FlowTable<Key>::kNone) return;
  table.tally(slot).count(table[slot].facts.side(d.flow_end), frame_bytes);
}

void count(WorkerState& w, const Datagram& d, uint32_t frame_bytes) {
  if (d.key.family == static_cast<uint8_t>(Family::kV4)) {
    count<FlowKeyV4>(d, w.flows_v4, frame_bytes);
  } else {
    count<FlowKeyV6>(d, w.flows_v6, frame_bytes);
  }
}

/// The first has gone to the owner of its flow: those that waited for it go after it.
void hand_on_held(WorkerState& w, Datagram& d, WorkerId owner) {
  PortWork& work = w.counters.ports[d.key.in_port];
  uint8_t in_port = 0;
  while (rte_mbuf* m = w.fragments.take(d.held, in_port)) {
    ++work.taken;
    HandoffTag::write(m, HandoffTag::pack(HandoffTag::kFragment, in_port, w.reports));
    if (w.to[owner]->enqueue(&m, 1) == 1) {
      ++work.given;
      ++w.counters.handed_over;
    } else {
      ++work.drops[static_cast<unsigned>(kHandoffFull)];
      rte_pktmbuf_free(m);
    }
  }
}

/// What has become of the first one of a datagram is known.
void settle_first(Burst& b, WorkerState& w, Datagram& d, unsigned i) {
  if (d.why != kNone) return;
  const WorkerId owner = WorkerId{d.flow_owner};
  if (b.fate[i] == Fate::kForward) {
    w.fragments.for_each(d.held, [&](const rte_mbuf* m) { count(w, d, m->pkt_len); });
    w.fragments.append(w.resumed, d.held);
  } else if (b.fate[i] == Fate::kHandedOver && owner != w.id) {
    hand_on_held(w, d, owner);
  } else {
    d.why = kFragmentDenied;
    drop_held(w, d.held, kFragmentDenied);
  }
}

void settle_later(Burst& b, WorkerState& w, const Datagram& d, unsigned i) {
  if (d.why != kNone) return b.drop(i, d.why);
  count(w, d, b.frame_bytes[i]);
  b.fate[i] = Fate::kForward;
}

/// Puts a datagram out of the hands of the burst.
void let_go(WorkerState& w, Datagram& d, Tsc now) {
  if (d.is_complete() && (d.why == kNone || d.why == kFragmentDenied)) {
    w.fragments.erase(d);
  } else {
    const bool passing = d.why == kNone;
    w.fragments.move(d, passing ? DatagramState::kPassing : DatagramState::kRefused, now);
  }
}

template <typename Key>
bool steer_checked(Burst& b, WorkerState& w, Datagram& d, unsigned i, FlowColumns<Key>& c) {
  if (b.packet[i].kind != PacketKind::kFragment) return begin(b, w, d, i, c);
  if (d.state != DatagramState::kWaiting) return join(b, w, d, i, c);
  hold(b, w, d, i);
  return false;
}

}  // namespace

bool steer_fragment(Burst& b, WorkerState& w, const RuleSet& r, unsigned i) noexcept {
  const ParsedPacket& p = b.packet[i];
  const bool first = p.kind != PacketKind::kFragment, v4 = p.family == Family::kV4;
  if (r.mode != RuleSet::Mode::kByTables) {
    // Nothing is enforced yet, or everything is closed: there is nothing to remember.
    if (first) return v4 ? !keep_own(b, w, i, b.v4) : !keep_own(b, w, i, b.v6);
    if (r.mode == RuleSet::Mode::kDropAll) {
      b.drop(i, kNoPolicyYet);
    } else {
      b.fate[i] = Fate::kForward;
    }
    return false;
  }
  const rte_mbuf* m = b.mbuf[i];
  const Fragment f =
      read_fragment(rte_pktmbuf_mtod(m, const uint8_t*), m->data_len, p, b.in_port[i]);
  const uint64_t hash = hash_of(f.key, w.seed);
  const uint64_t bit = uint64_t{1} << i;
  const bool checked = (b.checked & bit) != 0;
  if (const WorkerId owner = w.owner_of(hash); !checked && owner != w.id) {
    give(b, w, owner, i);
    return true;
  }
  Datagram* d = w.fragments.find(f.key, hash);
  if (d != nullptr && first &&
      (checked ? d->state != DatagramState::kJudging : w.fragments.is_silent(*d, b.now))) {
    // A new datagram begins, under a name that was in use before: a piece of the former one was
    // lost, or it was denied. (Of a checked one, the worker says so that has checked it.)
    end(w, *d, kFragmentLimit);
    d = nullptr;
  }
  // A checked one that is not the first comes after the first: if that is not known any more, it
  // had to make room.
  if (d == nullptr && (first || !checked)) d = make_room(w, f.key, hash, first, b.now);
  if (d == nullptr) {
    b.drop(i, kFragmentLimit);
    return false;
  }
  if (!admit(b, w, *d, i, f.piece)) return false;
  b.checked |= bit;
  return v4 ? steer_checked(b, w, *d, i, b.v4) : steer_checked(b, w, *d, i, b.v6);
}

void follow(Burst& b, WorkerState& w, const RuleSet& /*r*/) noexcept {
  const Burst::Hanging& h = b.hanging;
  const auto is_first = [&](unsigned n) {
    return b.packet[h.packet[n]].kind != PacketKind::kFragment;
  };
  // A first one comes before those that hang on it.
  for (unsigned n = 0; n < h.count; ++n) {
    Datagram& d = w.fragments[h.datagram[n]];
    if (is_first(n)) {
      settle_first(b, w, d, h.packet[n]);
    } else {
      settle_later(b, w, d, h.packet[n]);
    }
  }
  for (unsigned n = 0; n < h.count; ++n) {
    if (is_first(n)) let_go(w, w.fragments[h.datagram[n]], b.now);
  }
}

void resume(Burst& b, WorkerState& w, const RuleSet& r) noexcept {
  while (!w.resumed.empty()) {
    b.count = 0;
    b.whole = false;
    for (unsigned i = 0; i < Burst::kSize; ++i) {
      rte_mbuf* m = w.fragments.take(w.resumed, b.in_port[i]);
      if (m == nullptr) break;
      b.mbuf[i] = m;
      b.fate[i] = Fate::kForward;
      b.frame_bytes[i] = m->pkt_len;
      ++w.counters.ports[b.in_port[i]].taken;
      ++b.count;
    }
    transmit(b, w, r);
  }
}

void expire_fragments(WorkerState& w, Tsc now) noexcept {
  // A loop takes microseconds, so nothing is late for long.
  constexpr unsigned kMost = 32;
  for (unsigned n = 0; n < kMost; ++n) {
    Datagram* d = w.fragments.overdue(now);
    if (d == nullptr) return;
    end(w, *d, kFragmentOrphan);
  }
}

void drop_held_fragments(WorkerState& w) noexcept {
  while (Datagram* d = w.fragments.oldest_waiting()) end(w, *d, kStopping);
}

}  // namespace rampart
