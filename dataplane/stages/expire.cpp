// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

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
  if (r.mode == RuleSet::Mode::kByTables) {
    Question questions[Burst::kSize];
    const auto at = [&](unsigned n) {
      const FlowEntry<Key>& entry = table[stale.slot[n]];
      return Asked<Key>{entry.key, entry.facts.opener_end};
    };
    ask(*r.addresses, stale.count, at, questions);
    judge(r, questions, stale.count, verdicts);
  } else {
    const Outcome all = r.mode == RuleSet::Mode::kPassAll ? Outcome::kAllow : Outcome::kDenyIngress;
    std::fill_n(verdicts, stale.count, Verdict{all, 0, 0});
  }
  w.counters.flows_rejudged += stale.count;
  for (unsigned n = 0; n < stale.count; ++n) {
    const auto slot = stale.slot[n];
    if (verdicts[n].outcome == Outcome::kAllow) {
      mark(table[slot].facts, table.tally(slot), r, verdicts[n]);
    } else {
      table.erase(slot, hash_of(table[slot].key, w.seed));
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
  const uint32_t chunks = table.chunks();
  const auto due =
      elapsed >= w.tsc_hz
          ? chunks
          : static_cast<uint32_t>(static_cast<detail::Uint128>(chunks) * elapsed / w.tsc_hz);
  const uint32_t end = std::min(due, s.chunk + kMaxChunks);
  if (s.chunk >= end) return;
  Stale<Key> stale;
  for (; s.chunk < end && stale.count < kMaxJudged; ++s.chunk) {
    table.prefetch_head(std::min(s.chunk + 2, chunks - 1));
    table.prefetch_entries(std::min(s.chunk + 1, chunks - 1));
    table.for_each_in_chunk(s.chunk, [&](auto slot) {
      FlowEntry<Key>& entry = table[slot];
      if (is_expired(entry.facts.last_seen, tick_of(now), entry.facts.state, w.timeouts)) {
        table.erase(slot, hash_of(entry.key, w.seed));
        ++w.counters.flows_expired;
      } else if (!is_current(entry, r)) {
        stale.slot[stale.count++] = slot;
      }
    });
  }
  judge_idle(w, r, table, stale);
  if (s.chunk >= chunks) s = {now, 0};
}

}  // namespace

void expire(WorkerState& w, const RuleSet& r, Tsc now) noexcept {
  sweep(w, r, w.flows_v4, w.sweep_v4, now);
  sweep(w, r, w.flows_v6, w.sweep_v6, now);
}

}  // namespace rampart
