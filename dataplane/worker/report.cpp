// SPDX-License-Identifier: Apache-2.0
#include "dataplane/worker/report.hpp"

#include <algorithm>

namespace rampart {
namespace {

IpAddress address_of(const FlowKeyV4& key, unsigned end) {
  return IpAddress::v4(key.address[end].host());
}
IpAddress address_of(const FlowKeyV6& key, unsigned end) {
  return IpAddress::from_bytes(Family::kV6, key.address[end]);
}

template <typename Key>
bool matches(const FlowQuery& q, const FlowEntry<Key>& e) {
  const Key& key = e.key;
  return (q.any_protocol || key.protocol == q.protocol) &&
         (q.any_state || (q.states >> static_cast<unsigned>(e.facts.state) & 1) != 0) &&
         (q.any_port || key.port[0] == q.port || key.port[1] == q.port) &&
         (q.any_address || address_of(key, 0) == q.address || address_of(key, 1) == q.address);
}

/// Walks from q.next_chunk on; returns whether the table's end was reached.
template <typename Key>
bool collect(WorkerState& w, FlowTable<Key>& table, FlowQuery& q, std::vector<FlowCopy<Key>>& found,
             Tsc now, uint32_t chunks) {
  const uint32_t end = std::min(table.chunks(), q.next_chunk + chunks);
  for (; q.next_chunk < end; ++q.next_chunk) {
    table.for_each_in_chunk(q.next_chunk, [&](auto slot) {
      const FlowEntry<Key>& e = table[slot];
      if (!matches(q, e)) return;
      if (is_expired(e.facts.last_seen, tick_of(now), e.facts.state, w.timeouts)) return;
      if (q.v4.size() + q.v6.size() <= q.limit && found.size() < found.capacity()) {
        found.push_back({e.key, e.facts, table.tally(slot)});
      }
    });
    if (q.v4.size() + q.v6.size() > q.limit) return true;
  }
  return q.next_chunk >= table.chunks();
}

}  // namespace

void make_report(WorkerState& w, uint32_t number) noexcept {
  w.counters.flows = w.flows();
  if (w.heap_now != nullptr) w.counters.heap_bytes = *w.heap_now - w.heap_at_start;
  w.mailbox->report = w.counters;
  w.reports = number;
  w.mailbox->report_made.store(number, std::memory_order_release);
}

void answer_flow_query(WorkerState& w, Tsc now, uint32_t chunks) noexcept {
  FlowQuery* q = w.mailbox->query.load(std::memory_order_acquire);
  if (q == nullptr) return;
  if (!q->in_v6) {
    if (!collect(w, w.flows_v4, *q, q->v4, now, chunks)) return;
    q->in_v6 = true;
    q->next_chunk = 0;
    if (q->v4.size() <= q->limit) return;
  } else if (!collect(w, w.flows_v6, *q, q->v6, now, chunks)) {
    return;
  }
  w.mailbox->query.store(nullptr, std::memory_order_relaxed);
  w.mailbox->query_answered.store(true, std::memory_order_release);
}

}  // namespace rampart
