// SPDX-License-Identifier: Apache-2.0
#include "dataplane/stages/stages.hpp"

namespace rampart {
namespace {

/// Whether a first packet is of the kind that floods are made of, now.
bool may_be_flood(const WorkerState& w, const ParsedPacket& p, bool full) {
  if (!p.opens_flow) return false;
  return p.protocol == static_cast<uint8_t>(IpProtocol::kTcp) ? w.challenge.active : full;
}

/// What a client keeps when it tries again: with TCP all of the tuple, otherwise perhaps not its
/// port (a resolver asks again from another one, RFC 5452 §9.2).
template <typename Key>
uint64_t attempt_hash(const WorkerState& w, const FlowColumns<Key>& c, unsigned k) {
  const Key& key = c.key[k];
  if (key.protocol == static_cast<uint8_t>(IpProtocol::kTcp)) return c.hash[k];
  const unsigned opener = c.end[k];
  const uint64_t service = uint64_t{key.port[1 - opener].raw()} << 8 | key.protocol;
  return detail::mix(address_hash(key, opener, w.seed) ^ service,
                     address_hash(key, 1 - opener, w.seed) ^ w.seed.a);
}

template <typename Key>
void defer_family(Burst& b, WorkerState& w, FlowColumns<Key>& c, bool full) {
  uint64_t hash[Burst::kSize];
  const auto is_asked = [&](unsigned k) {
    return c.slot[k] == FlowTable<Key>::kNone && may_be_flood(w, b.packet[c.packet[k]], full);
  };
  for (unsigned n = 0; n < c.pending_count; ++n) {
    const unsigned k = c.pending[n];
    if (!is_asked(k)) continue;
    hash[k] = attempt_hash(w, c, k);
    w.first_seen.prefetch(hash[k]);
  }
  unsigned kept = 0;
  for (unsigned n = 0; n < c.pending_count; ++n) {
    const uint8_t k = c.pending[n];
    if (is_asked(k) && !w.first_seen.met_before(hash[k], tick_of(b.now))) {
      b.drop(c.packet[k], DropReason::kFloodDeferred);
    } else {
      c.pending[kept++] = k;
    }
  }
  c.pending_count = kept;
}

}  // namespace

void defer(Burst& b, WorkerState& w) noexcept {
  const bool full = w.flows() >= w.max_flows;
  if (b.v4.pending_count != 0) defer_family(b, w, b.v4, full);
  if (b.v6.pending_count != 0) defer_family(b, w, b.v6, full);
}

}  // namespace rampart
