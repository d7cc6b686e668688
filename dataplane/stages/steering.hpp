// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "dataplane/packet/burst.hpp"
#include "dataplane/packet/parse_plain.hpp"
#include "dataplane/state/handoff.hpp"
#include "dataplane/state/worker_state.hpp"

/// From a packet's headers to its flow's place, for parse and for fragments.
namespace rampart {

/// Writes key, end and hash of packet i where the next packet of its family stands in the columns,
/// and says who owns the flow. keep() leaves them there.
template <typename Key>
[[gnu::always_inline]] inline WorkerId put_aim(const WorkerState& w, FlowColumns<Key>& c,
                                               const Aim& at) {
  const unsigned n = c.count;
  c.end[n] = static_cast<uint8_t>(at.end);
  c.hash[n] = at.hash;
  return w.workers == 1 ? w.id : w.owner_of(c.key[n], at.hash);
}
template <typename Key>
inline WorkerId aim(const Burst& b, const WorkerState& w, unsigned i, FlowColumns<Key>& c) {
  return put_aim(w, c, aim_at(b.packet[i], w.ports[b.in_port[i]].wire, w.seed, c.key[c.count]));
}
/// The same for the headers of a plain packet.
[[gnu::always_inline]] inline WorkerId aim(const WorkerState& w, const uint8_t* ip, Zone zone,
                                           const detail::PlainTransport& t,
                                           FlowColumns<FlowKeyV4>& c) {
  return put_aim(w, c, aim_v4(ip + 12, t.ports, zone, t.protocol, w.seed, c.key[c.count]));
}
[[gnu::always_inline]] inline WorkerId aim(const WorkerState& w, const uint8_t* ip, Zone zone,
                                           const detail::PlainTransport& t,
                                           FlowColumns<FlowKeyV6>& c) {
  return put_aim(w, c, aim_v6(ip + 8, t.ports, zone, t.protocol, w.seed, c.key[c.count]));
}

template <typename Key>
[[gnu::always_inline]] inline void keep(WorkerState& w, unsigned i, FlowColumns<Key>& c) {
  w.table<Key>().prefetch_home(c.hash[c.count]);
  c.packet[c.count++] = static_cast<uint8_t>(i);
}

/// Puts packet i down for another worker, under a tag.
[[gnu::always_inline]] inline void give(Burst& b, WorkerState& w, WorkerId to, unsigned i,
                                        uint32_t tag) {
  WorkerState::Outbox& out = w.outbox[to];
  rte_mbuf* m = b.mbuf[i];
  HandoffTag::write(m, tag);
  out.packet[out.count] = static_cast<uint8_t>(i);
  out.mbuf[out.count++] = m;
}
/// The same for one that the other worker is to read wholly.
inline void give(Burst& b, WorkerState& w, WorkerId to, unsigned i) {
  const bool checked = (b.checked >> i & 1) != 0;
  give(b, w, to, i,
       HandoffTag::pack(checked ? HandoffTag::kFragment : HandoffTag::kJudge, b.in_port[i],
                        w.reports));
}
/// The same for one that is unread, and whose key's hash and end are those of column k.
template <typename Key>
[[gnu::always_inline]] inline void give_unread(Burst& b, WorkerState& w, WorkerId to, unsigned i,
                                               const FlowColumns<Key>& c, unsigned k) {
  HandoffTag::write_hash(b.mbuf[i], c.hash[k]);
  give(b, w, to, i, HandoffTag::pack(HandoffTag::unread<Key>, b.in_port[i], w.reports, c.end[k]));
}

/// Into the columns if the flow that was aimed at is ours, else down for its owner. Says whether it
/// is ours.
template <typename Key>
[[gnu::always_inline]] inline bool keep_if_own(Burst& b, WorkerState& w, unsigned i,
                                               FlowColumns<Key>& c, WorkerId owner) {
  if (owner == w.id) {
    keep(w, i, c);
    return true;
  }
  if ((b.unread >> i & 1) != 0) {
    give_unread(b, w, owner, i, c, c.count);
  } else {
    give(b, w, owner, i);
  }
  return false;
}
template <typename Key>
inline bool keep_own(Burst& b, WorkerState& w, unsigned i, FlowColumns<Key>& c) {
  return keep_if_own(b, w, i, c, aim(b, w, i, c));
}

}  // namespace rampart
