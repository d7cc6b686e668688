// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "dataplane/packet/burst.hpp"
#include "dataplane/packet/parse_plain.hpp"
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

/// Puts packet i down for another worker.
inline void give(WorkerState& w, WorkerId to, unsigned i) {
  WorkerState::Outbox& out = w.outbox[to];
  out.packet[out.count++] = static_cast<uint8_t>(i);
}

/// Into the columns if the flow that was aimed at is ours, else down for its owner. Says whether it
/// is ours.
template <typename Key>
[[gnu::always_inline]] inline bool keep_if_own(WorkerState& w, unsigned i, FlowColumns<Key>& c,
                                               WorkerId owner) {
  if (owner != w.id) {
    give(w, owner, i);
    return false;
  }
  keep(w, i, c);
  return true;
}
template <typename Key>
inline bool keep_own(const Burst& b, WorkerState& w, unsigned i, FlowColumns<Key>& c) {
  return keep_if_own(w, i, c, aim(b, w, i, c));
}

}  // namespace rampart
