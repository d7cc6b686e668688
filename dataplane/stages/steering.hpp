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

/// Puts packets down for other workers. While one of these is there, nobody else puts any down: as
/// long as they go to the same worker, the outbox's count is kept here.
class Giver {
 public:
  explicit Giver(WorkerState& w) : w_(w) {}
  Giver(const Giver&) = delete;
  Giver& operator=(const Giver&) = delete;
  ~Giver() { finish(); }
  /// `m`: packet i, with a tag on it.
  [[gnu::always_inline]] void give(WorkerId to, unsigned i, rte_mbuf* m) {
    if (out_ == nullptr || to != to_) [[unlikely]] {
      finish();
      to_ = to;
      out_ = &w_.outbox[to];
      count_ = out_->count;
    }
    out_->packet[count_] = static_cast<uint8_t>(i);
    out_->mbuf[count_++] = m;
  }

 private:
  void finish() {
    if (out_ != nullptr) out_->count = count_;
  }

  WorkerState& w_;
  WorkerState::Outbox* out_ = nullptr;
  WorkerId to_ = 0;
  unsigned count_ = 0;
};

/// On packet i a tag for who is to read it wholly.
inline rte_mbuf* tag(const Burst& b, const WorkerState& w, unsigned i) {
  rte_mbuf* m = b.mbuf[i];
  const bool checked = (b.checked >> i & 1) != 0;
  HandoffTag::write(m, HandoffTag::pack(checked ? HandoffTag::kFragment : HandoffTag::kJudge,
                                        b.in_port[i], w.reports));
  return m;
}
/// The same with what is known of its key, which is that of column k, if nothing else is.
template <typename Key>
[[gnu::always_inline]] inline rte_mbuf* tag(const Burst& b, const WorkerState& w, unsigned i,
                                            const FlowColumns<Key>& c, unsigned k) {
  if ((b.unread >> i & 1) == 0) return tag(b, w, i);
  rte_mbuf* m = b.mbuf[i];
  HandoffTag::write_hash(m, c.hash[k]);
  HandoffTag::write(m,
                    HandoffTag::pack(HandoffTag::unread<Key>, b.in_port[i], w.reports, c.end[k]));
  return m;
}

/// Puts packet i down for another worker, who reads it wholly.
inline void give(const Burst& b, WorkerState& w, WorkerId to, unsigned i) {
  Giver(w).give(to, i, tag(b, w, i));
}

/// Into the columns if the flow that was aimed at is ours, else down for its owner. Says whether it
/// is ours.
template <typename Key>
[[gnu::always_inline]] inline bool keep_if_own(const Burst& b, WorkerState& w, unsigned i,
                                               FlowColumns<Key>& c, WorkerId owner) {
  if (owner == w.id) {
    keep(w, i, c);
    return true;
  }
  Giver(w).give(owner, i, tag(b, w, i, c, c.count));
  return false;
}
template <typename Key>
inline bool keep_own(Burst& b, WorkerState& w, unsigned i, FlowColumns<Key>& c) {
  return keep_if_own(b, w, i, c, aim(b, w, i, c));
}

}  // namespace rampart
