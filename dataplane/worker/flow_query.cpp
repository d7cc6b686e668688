// SPDX-License-Identifier: Apache-2.0
// Live flows listed and ended by request, a slice of the tables at a time.
#include <algorithm>

#include "dataplane/stages/flow_ops.hpp"
#include "dataplane/worker/report.hpp"

namespace rampart {
namespace {

IpAddress address_of(const FlowKeyV4& key, unsigned end) {
  return IpAddress::v4(key.address[end].host());
}
IpAddress address_of(const FlowKeyV6& key, unsigned end) {
  return IpAddress::from_bytes(Family::kV6, key.address[end]);
}

/// Entries keep the low half of a revision. `now`: one in force at about the same time; no flow is
/// two billion revisions older.
Revision whole_revision(uint32_t low_half, Revision now) {
  return now + static_cast<Revision>(static_cast<int32_t>(low_half - static_cast<uint32_t>(now)));
}

/// The filters that rule out most come first, and what may miss the cache last.
template <typename Key>
bool fits(const FlowFilter& filter, FlowTable<Key>& table, uint32_t slot) {
  const Key& key = table[slot].key;
  const FlowFacts& facts = table[slot].facts;
  if (filter.protocol && key.protocol != *filter.protocol) return false;
  if ((filter.states >> static_cast<unsigned>(facts.state) & 1) == 0) return false;
  // It has no state any more that answers name, and no rule.
  if (facts.condemned != 0 && (filter.states != kAllFlowStates || filter.rules)) return false;
  if (filter.port && key.port[0].host() != *filter.port && key.port[1].host() != *filter.port) {
    return false;
  }
  if (filter.address || !filter.addresses.empty()) {
    const IpAddress a = address_of(key, 0), b = address_of(key, 1);
    if (filter.address && a != *filter.address && b != *filter.address) return false;
    if (!filter.addresses.empty() &&
        std::none_of(filter.addresses.begin(), filter.addresses.end(),
                     [&](const IpAddress& one) { return one == a || one == b; })) {
      return false;
    }
  }
  if (!filter.rules) return true;
  const FlowTally& tally = table.tally(slot);
  return filter.rules->contains(tally.egress_rule) || filter.rules->contains(tally.ingress_rule);
}

template <typename Key>
FlowRecord record_of(const WorkerState& w, FlowTable<Key>& table, uint32_t slot, Tick now) {
  const Key& key = table[slot].key;
  const FlowFacts& facts = table[slot].facts;
  const FlowTally& tally = table.tally(slot);
  const unsigned opener = facts.opener_end;
  FlowRecord r;
  r.source = address_of(key, opener);
  r.destination = address_of(key, 1 - opener);
  r.source_port = key.port[opener].host();
  r.destination_port = key.port[1 - opener].host();
  r.protocol = key.protocol;
  r.wire = static_cast<uint8_t>(key.zone >> 24);
  r.wire_end = facts.opener_port;
  r.outer_vlan = key.zone >> 12 & 0xfff;
  r.inner_vlan = key.zone & 0xfff;
  r.state = facts.condemned != 0 ? "cut" : to_string(facts.state);
  r.worker = w.id;
  r.revision = whole_revision(facts.judged_in, w.counters.revision);
  // The rules of a condemned flow are numbered as in the revision that allowed it.
  if (facts.condemned == 0) {
    r.egress_rule = tally.egress_rule;
    r.ingress_rule = tally.ingress_rule;
  }
  for (const Side side : {Side::kOpener, Side::kReplier}) {
    r.packets[static_cast<unsigned>(side)] = tally.packets(side);
    r.bytes[static_cast<unsigned>(side)] = tally.bytes(side);
  }
  const auto ms = [&w](Tick ticks) {
    return static_cast<uint32_t>((uint64_t{ticks} << kTickShift) /
                                 std::max<Tsc>(1, w.tsc_hz / 1000));
  };
  const Tick idle = static_cast<int32_t>(now - facts.last_seen) > 0 ? now - facts.last_seen : 0;
  const Tick timeout = w.timeouts[static_cast<unsigned>(facts.state)];
  r.idle_ms = ms(idle);
  r.expires_in_ms = ms(timeout - std::min(timeout, idle));
  return r;
}

bool is_full(const FlowQuery& q) {
  return q.purpose == FlowQuery::Purpose::kList && q.found.size() > q.filter.limit;
}

/// Walks from q.next_chunk on; returns whether there is nothing left to do in this table.
template <typename Key>
bool walk(WorkerState& w, FlowTable<Key>& table, FlowQuery& q, Tick now, uint32_t chunks) {
  if (table.size() == 0) return true;
  const uint32_t last = table.chunks() - 1;
  const uint32_t end = std::min(table.chunks(), q.next_chunk + chunks);
  for (; q.next_chunk < end && !is_full(q); ++q.next_chunk) {
    table.prefetch_head(std::min(q.next_chunk + 2, last));
    table.prefetch_entries(std::min(q.next_chunk + 1, last));
    table.for_each_in_chunk(q.next_chunk, [&](uint32_t slot) {
      const FlowFacts& facts = table[slot].facts;
      if (is_full(q) || !fits(q.filter, table, slot) ||
          is_expired(facts.last_seen, now, facts.state, w.timeouts)) {
        return;
      }
      if (q.purpose == FlowQuery::Purpose::kCut) {
        end_flow(w, table, slot, hash_of(table[slot].key, w.seed));
        ++w.counters.flows_cut;
        ++q.cut;
      } else if (q.found.size() < q.found.capacity()) {
        q.found.push_back(record_of(w, table, slot, now));
      }
    });
  }
  return q.next_chunk > last || is_full(q);
}

}  // namespace

void answer_flow_query(WorkerState& w, Tsc now, uint32_t chunks) noexcept {
  Mailbox& box = *w.mailbox;
  FlowQuery* q = box.query.load(std::memory_order_acquire);
  if (q == nullptr) return;
  box.query_slices.fetch_add(1, std::memory_order_relaxed);
  if (!q->in_v6) {
    if (!walk(w, w.flows_v4, *q, tick_of(now), chunks)) return;
    q->in_v6 = true;
    q->next_chunk = 0;
    if (!is_full(*q)) return;
  } else if (!walk(w, w.flows_v6, *q, tick_of(now), chunks)) {
    return;
  }
  // In one step: once it is gone, its asker may ask the next one, or free it.
  box.query.store(nullptr, std::memory_order_release);
}

}  // namespace rampart
