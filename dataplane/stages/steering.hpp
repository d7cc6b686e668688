// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "dataplane/packet/burst.hpp"
#include "dataplane/state/worker_state.hpp"

/// From a packet's headers to its flow's place, for parse and for fragments.
namespace rampart {

/// Writes key, end and hash of packet i where the next packet of its family stands in the columns,
/// and says who owns the flow. keep() leaves them there.
template <typename Key>
[[gnu::always_inline]] inline WorkerId aim(const Burst& b, const WorkerState& w, unsigned i,
                                           FlowColumns<Key>& c) {
  const unsigned n = c.count;
  c.end[n] = static_cast<uint8_t>(make_key(b.packet[i], w.ports[b.in_port[i]].wire, c.key[n]));
  c.hash[n] = hash_of(c.key[n], w.seed);
  return w.owner_of(c.key[n], c.hash[n]);
}

template <typename Key>
inline void keep(WorkerState& w, unsigned i, FlowColumns<Key>& c) {
  w.table<Key>().prefetch_home(c.hash[c.count]);
  c.packet[c.count++] = static_cast<uint8_t>(i);
}

/// Puts packet i down for another worker.
inline void give(WorkerState& w, WorkerId to, unsigned i) {
  WorkerState::Outbox& out = w.outbox[to];
  out.packet[out.count++] = static_cast<uint8_t>(i);
}

/// Into the columns if the flow is ours, else down for its owner. Says whether it is ours. Always
/// inlined: in parse the packet's fields are still in registers then, and make the key from there.
template <typename Key>
[[gnu::always_inline]] inline bool keep_own(const Burst& b, WorkerState& w, unsigned i,
                                            FlowColumns<Key>& c) {
  const WorkerId owner = aim(b, w, i, c);
  if (owner != w.id) {
    give(w, owner, i);
    return false;
  }
  keep(w, i, c);
  return true;
}

}  // namespace rampart
