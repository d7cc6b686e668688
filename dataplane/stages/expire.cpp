// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "dataplane/stages/stages.hpp"

namespace rampart {
namespace {

/// At most so many chunks in one go, so that no packet waits for the broom.
constexpr uint32_t kMaxChunks = 32;

template <typename Key>
void sweep(WorkerState& w, FlowTable<Key>& table, WorkerState::Sweep& s, Tsc now) {
  if (table.size() == 0) {
    s = {now, 0};
    return;
  }
  const Tsc elapsed = now - s.started;
  const uint32_t chunks = table.chunks();
  const auto due =
      elapsed >= w.tsc_hz
          ? chunks
          : static_cast<uint32_t>(static_cast<detail::Uint128>(chunks) * elapsed / w.tsc_hz);
  const uint32_t end = std::min(due, s.chunk + kMaxChunks);
  for (; s.chunk < end; ++s.chunk) {
    table.prefetch_chunk(std::min(s.chunk + 2, chunks - 1));
    table.for_each_in_chunk(s.chunk, [&](auto slot) {
      const FlowEntry<Key>& entry = table[slot];
      if (!is_expired(entry.facts.last_seen, tick_of(now), entry.facts.state, w.timeouts)) return;
      table.erase(slot, hash_of(entry.key, w.seed));
      ++w.counters.flows_expired;
    });
  }
  if (s.chunk >= chunks) s = {now, 0};
}

}  // namespace

void expire(WorkerState& w, Tsc now) noexcept {
  sweep(w, w.flows_v4, w.sweep_v4, now);
  sweep(w, w.flows_v6, w.sweep_v6, now);
}

}  // namespace rampart
