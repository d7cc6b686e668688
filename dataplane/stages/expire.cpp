// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "dataplane/stages/flood.hpp"
#include "dataplane/stages/flow_ops.hpp"
#include "dataplane/stages/questions.hpp"
#include "dataplane/stages/stages.hpp"

namespace rampart {
namespace {

/// At most so many chunks in one go, so that no packet waits for the broom: some hundred flows, of
/// which at most kMaxJudged have to be judged again. A loop takes some microseconds, so a table of
/// ten million flows still gets its second.
constexpr uint32_t kMaxChunks = 8;
constexpr unsigned kMaxJudged = 32;

template <typename Key>
struct Stale {
  typename FlowTable<Key>::Slot slot[kMaxJudged + FlowTable<Key>::kSlotsPerChunk];
  unsigned count = 0;
};
static_assert(kMaxJudged + FlowTable<FlowKeyV4>::kSlotsPerChunk <= Burst::kSize);

/// Judges idle flows under the rule set in force, as their next packet would. Cuts those whose
/// permission is gone.
template <typename Key>
void judge_idle(WorkerState& w, const RuleSet& r, FlowTable<Key>& table, const Stale<Key>& stale) {
  if (stale.count == 0) return;
  Verdict verdicts[Burst::kSize];
  judge_flows(r, stale.count, verdicts, [&](unsigned n) {
    const FlowEntry<Key>& entry = table[stale.slot[n]];
    return Asked<Key>{entry.key, entry.facts.opener_end};
  });
  w.counters.flows_rejudged += stale.count;
  for (unsigned n = 0; n < stale.count; ++n) {
    const auto slot = stale.slot[n];
    if (verdicts[n].outcome == Outcome::kAllow) {
      if (table[slot].facts.condemned != 0) {
        change_worth(w, table, slot, worth_of(table[slot].facts.state));
      }
      mark(table[slot].facts, table.tally(slot), r, verdicts[n]);
    } else if (w.reset_on_cut && is_tcp(table[slot].facts.state)) {
      // Only a packet has the link-layer addresses for a reset: the flow waits for its next one.
      table[slot].facts.judged_in = revision_mark(r.revision);
      table[slot].facts.condemned = 1;
      change_worth(w, table, slot, FlowWorth::kDead);
    } else {
      end_flow(w, table, slot, hash_of(table[slot].key, w.seed));
      ++w.counters.flows_cut;
    }
  }
}

template <typename Key>
void sweep(WorkerState& w, const RuleSet& r, FlowTable<Key>& table, WorkerState::Sweep& s,
           Tsc now) {
  if (table.size() == 0) {
    s = {now, 0};
    return;
  }
  const Tsc elapsed = now - s.started;
  const uint32_t chunks = table.chunks();  // below 2^24, and a second has some 2^32 cycles
  const auto due =
      elapsed >= w.tsc_hz ? chunks : static_cast<uint32_t>(uint64_t{chunks} * elapsed / w.tsc_hz);
  const uint32_t end = std::min(due, s.chunk + kMaxChunks);
  if (s.chunk >= end) return;
  Stale<Key> stale;
  for (; s.chunk < end && stale.count < kMaxJudged; ++s.chunk) {
    table.prefetch_head(std::min(s.chunk + 2, chunks - 1));
    table.prefetch_entries(std::min(s.chunk + 1, chunks - 1));
    table.for_each_in_chunk(s.chunk, [&](auto slot) {
      FlowEntry<Key>& entry = table[slot];
      if (is_expired(entry.facts.last_seen, tick_of(now), entry.facts.state, w.timeouts)) {
        end_flow(w, table, slot, hash_of(entry.key, w.seed));
        ++w.counters.flows_expired;
      } else if (!is_current(entry, r) && (entry.facts.condemned == 0 ||
                                           entry.facts.judged_in != revision_mark(r.revision))) {
        stale.slot[stale.count++] = slot;
      }
    });
  }
  judge_idle(w, r, table, stale);
  if (s.chunk >= chunks) s = {now, 0};
}

}  // namespace

void expire(WorkerState& w, const RuleSet& r, Tsc now) noexcept {
  look_at_flood(w, tick_of(now));
  sweep(w, r, w.flows_v4, w.sweep_v4, now);
  sweep(w, r, w.flows_v6, w.sweep_v6, now);
}

}  // namespace rampart
