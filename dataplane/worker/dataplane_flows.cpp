// SPDX-License-Identifier: Apache-2.0
// Flows through a restart: written when the workers have ended, read before they start.
#include <rte_cycles.h>

#include <algorithm>
#include <chrono>

#include "dataplane/flow/tracker.hpp"
#include "dataplane/stages/flow_ops.hpp"
#include "dataplane/stages/questions.hpp"
#include "dataplane/worker/dataplane_impl.hpp"
#include "dataplane/worker/flow_file.hpp"

namespace rampart {
namespace {

/// How many chunks are written between two looks at whether to go on.
constexpr uint32_t kChunksAtOnce = 1024;

uint64_t now_ms() {
  using namespace std::chrono;
  return static_cast<uint64_t>(
      duration_cast<milliseconds>(system_clock::now().time_since_epoch()).count());
}

uint64_t ms_of(Tick ticks, Tsc hz) {
  return (uint64_t{ticks} << kTickShift) / std::max<Tsc>(1, hz / 1000);
}

/// Milliseconds to ticks; at most half the clock's range, which no timeout exceeds.
Tick ticks_of(uint64_t ms, Tsc hz) {
  const uint64_t most = 0x7fffffff;
  return ms > ms_of(most, hz) ? static_cast<Tick>(most)
                              : static_cast<Tick>((ms * (hz / 1000)) >> kTickShift);
}

template <typename Key>
Result<void> save_table(WorkerState& w, FlowTable<Key>& table, Tick now, FlowFileWriter& file,
                        const std::function<bool()>& go_on, uint64_t& saved) {
  for (uint32_t chunk = 0; chunk < table.chunks(); ++chunk) {
    if (chunk % kChunksAtOnce == 0 && !go_on()) {
      return Error{ErrorCode::kConflict, "cut short by request", "flow file"};
    }
    Result<void> written;
    table.for_each_in_chunk(chunk, [&](auto slot) {
      const FlowEntry<Key>& e = table[slot];
      if (!written || e.facts.condemned != 0 ||
          is_expired(e.facts.last_seen, now, e.facts.state, w.timeouts))
        return;
      FlowCopy<Key> copy{e.key, e.facts, table.tally(slot)};
      const Tick idle =
          static_cast<int32_t>(now - e.facts.last_seen) > 0 ? now - e.facts.last_seen : 0;
      copy.facts.last_seen =
          static_cast<uint32_t>(std::min<uint64_t>(ms_of(idle, w.tsc_hz), UINT32_MAX));
      written = file.add(copy);
      ++saved;
    });
    if (!written) return written;
  }
  return {};
}

}  // namespace

/// The wires by the names of their ends, in the order in which zones count them.
std::string DataplaneImpl::wires_text() const {
  std::string text;
  for (const DataplaneParams::Wire& wire : params_.wires) {
    const auto first = std::find_if(ports_.begin(), ports_.end(), [&wire](const auto& port) {
      return port->name == wire.a || port->name == wire.b;
    });
    text += (text.empty() ? "" : " ") + (*first)->name + "," + ports_[(*first)->peer]->name;
  }
  return text;
}

Result<uint64_t> DataplaneImpl::save_flows(const std::string& path,
                                           const std::function<bool()>& go_on) {
  const std::lock_guard lock(ports_lock_);
  const std::lock_guard ask(ask_lock_);  // nobody may ask for a cut meanwhile
  if (launched_) return Error{ErrorCode::kConflict, "the workers still run", "flow file " + path};
  Result<FlowFileWriter> file = FlowFileWriter::create(path, wires_text());
  if (!file) return file.error();
  const Tick now = tick_of(rte_rdtsc());
  uint64_t saved = 0;
  for (Worker& worker : workers_) {
    WorkerState& w = *worker.state;
    if (Result<void> r = save_table(w, w.flows_v4, now, *file, go_on, saved); !r) return r.error();
  }
  for (Worker& worker : workers_) {
    WorkerState& w = *worker.state;
    if (Result<void> r = save_table(w, w.flows_v6, now, *file, go_on, saved); !r) return r.error();
  }
  if (Result<void> r = file->finish(now_ms()); !r) return r.error();
  return saved;
}

template <typename Key>
void DataplaneImpl::take_in(std::span<const FlowCopy<Key>> flows, uint64_t away_ms,
                            FlowsLoaded& out) {
  const RuleSet& r = *in_force_;
  const Tick now = tick_of(rte_rdtsc());
  while (!flows.empty()) {
    const auto batch = flows.first(std::min<size_t>(flows.size(), Burst::kSize));
    flows = flows.subspan(batch.size());
    Verdict verdicts[Burst::kSize];
    judge_flows(r, static_cast<unsigned>(batch.size()), verdicts, [&](unsigned n) {
      return Asked<Key>{batch[n].key, batch[n].facts.opener_end};
    });
    for (size_t n = 0; n < batch.size(); ++n) {
      const FlowCopy<Key>& flow = batch[n];
      const HashSeed& seed = workers_.front().state->seed;
      const uint64_t hash = hash_of(flow.key, seed);
      WorkerState& w = *workers_[workers_.front().state->owner_of(flow.key, hash)].state;
      const Tick idle = ticks_of(flow.facts.last_seen + away_ms, w.tsc_hz);
      if (is_expired(now - idle, now, flow.facts.state, w.timeouts)) {
        ++out.too_old;
        continue;
      }
      if (verdicts[n].outcome != Outcome::kAllow) {
        ++out.denied;
        continue;
      }
      auto& table = w.table<Key>();
      const bool known = table.find(flow.key, hash) != FlowTable<Key>::kNone;
      const auto slot =
          known || w.flows() >= w.max_flows ? FlowTable<Key>::kNone : table.insert(flow.key, hash);
      if (slot == FlowTable<Key>::kNone) {
        ++out.no_room;
        continue;
      }
      table[slot].facts = flow.facts;
      begin_flow(w, table, slot, flow.facts.opener_end, flow.facts.state);
      table[slot].facts.last_seen = now - idle;
      table.tally(slot) = flow.tally;
      mark(table[slot].facts, table.tally(slot), r, verdicts[n]);
      ++w.counters.flows_restored;
      ++out.kept;
    }
  }
}

Result<FlowsLoaded> DataplaneImpl::load_flows(const std::string& path) {
  const std::lock_guard lock(ports_lock_);
  const std::lock_guard rules(rules_lock_);
  if (launched_) return Error{ErrorCode::kConflict, "the workers run already", "flow file " + path};
  const Result<FlowFile> file =
      FlowFile::open(path, wires_text(), static_cast<unsigned>(params_.wires.size()));
  if (!file) return file.error();
  if (in_force_->mode == RuleSet::Mode::kDropAll) {
    return Error{ErrorCode::kConflict, "no policy is in force that could judge its flows",
                 "flow file " + path};
  }
  const uint64_t now = now_ms();
  if (file->saved_ms() > now) {
    return Error{ErrorCode::kInvalid, "it is from the future: the clock was set back",
                 "flow file " + path};
  }
  FlowsLoaded loaded;
  loaded.away_ms = now - file->saved_ms();
  take_in(file->v4(), loaded.away_ms, loaded);
  take_in(file->v6(), loaded.away_ms, loaded);
  return loaded;
}

void DataplaneImpl::grant_grace(std::chrono::seconds seconds) {
  const std::lock_guard lock(ports_lock_);
  grace_ = seconds;
}

}  // namespace rampart
