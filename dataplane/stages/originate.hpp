// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <rte_mbuf.h>

#include "dataplane/packet/burst.hpp"
#include "dataplane/packet/tcp_answer.hpp"
#include "dataplane/state/handoff.hpp"
#include "dataplane/state/worker_state.hpp"

/// Packets that the appliance itself sends. They leave through the worker's ring to itself, and
/// count as originated at the port behind which their sender would be.
namespace rampart {

namespace detail {

/// Puts a packet of ours on its way. False: no room; the buffer is still the caller's.
inline bool originate(WorkerState& w, rte_mbuf* m, uint8_t as_if_from) noexcept {
  HandoffTag::write(m, HandoffTag::pack(HandoffTag::kTransmit, as_if_from, w.reports));
  if (w.to[w.id]->enqueue(&m, 1) != 1) return false;
  ++w.counters.ports[as_if_from].originated;
  ++w.counters.ports[as_if_from].given;
  return true;
}

inline void write_answer(const rte_mbuf* about, const ParsedPacket& p, const TcpAnswer& answer,
                         rte_mbuf* out) noexcept {
  const uint32_t bytes = write_tcp_answer(rte_pktmbuf_mtod(about, const uint8_t*), p, answer,
                                          rte_pktmbuf_mtod(out, uint8_t*));
  out->data_len = static_cast<uint16_t>(bytes);
  out->pkt_len = bytes;
  out->ol_flags = 0;
}

}  // namespace detail

/// Sends an answer about packet i, a whole TCP segment, in a buffer of its own. The packet stays as
/// it is. Nothing is sent if there is no buffer, or no room in the ring.
inline void answer_about(const Burst& b, unsigned i, WorkerState& w,
                         const TcpAnswer& answer) noexcept {
  rte_mbuf* m = rte_pktmbuf_alloc(b.mbuf[i]->pool);
  if (m == nullptr) return;
  detail::write_answer(b.mbuf[i], b.packet[i], answer, m);
  const uint8_t in_port = b.in_port[i];
  const bool back = answer.to == TcpAnswer::To::kSender;
  if (!detail::originate(w, m, back ? w.ports[in_port].peer : in_port)) rte_pktmbuf_free(m);
}

/// Drops packet i under `why` and sends an answer to its sender in the same buffer, if it is ours
/// alone and there is room in the ring; else it is only dropped.
inline void drop_and_answer(Burst& b, unsigned i, WorkerState& w, const TcpAnswer& answer,
                            DropReason why) noexcept {
  b.drop(i, why);
  rte_mbuf* m = b.mbuf[i];
  if (m->nb_segs != 1 || !RTE_MBUF_DIRECT(m) || rte_mbuf_refcnt_read(m) != 1 ||
      m->data_len + rte_pktmbuf_tailroom(m) < kMaxAnswerBytes) {
    return;
  }
  detail::write_answer(m, b.packet[i], answer, m);
  if (detail::originate(w, m, w.ports[b.in_port[i]].peer)) b.fate[i] = Fate::kAnswered;
}

}  // namespace rampart
