// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "dataplane/packet/burst.hpp"
#include "dataplane/state/rule_set.hpp"
#include "dataplane/state/worker_state.hpp"

/// The verbs of the pipeline, one a file, in the order in which a burst meets them. All have one
/// shape and leave their result in the burst. Called by the worker that owns the state; nothing
/// here allocates, locks, logs, throws or calls the system.
namespace rampart {

/// Reads the headers. Settles what no flow is about: malformed, foreign and spoofed frames, ARP
/// and its like. Makes flow keys while the headers are at hand: what is ours to judge stands in the
/// burst's flow columns then, and what is another worker's in the outboxes.
void parse(Burst& b, WorkerState& w, const RuleSet& r) noexcept;

/// The same for packets that another worker has handed over: what it has read of them is not read
/// again.
void take_up(Burst& b, WorkerState& w, const RuleSet& r) noexcept;

/// Hands packets over whose flows belong to another worker.
void steer(Burst& b, WorkerState& w, const RuleSet& r) noexcept;

/// Looks flows up. A hit that was judged under the rule set in force, or that no change since then
/// can have touched, moves its flow's state and is forwarded; hits of older revisions and packets
/// that may open a flow become pending.
void track(Burst& b, WorkerState& w, const RuleSet& r) noexcept;

/// While a flood leaves the worker no time (see Overload): drops what would open a flow and has not
/// been met before. It is let through when it is sent again.
void defer(Burst& b, WorkerState& w) noexcept;

/// Judges what is pending, in one pass over each table; keeps, cuts and opens flows.
void classify(Burst& b, WorkerState& w, const RuleSet& r) noexcept;

/// Later fragments whose first is in the same burst, or that were held until it came, get its fate.
void follow(Burst& b, WorkerState& w, const RuleSet& r) noexcept;

/// Counts and frees what was dropped. What has no verdict by now is dropped, too.
void settle(Burst& b, WorkerState& w, const RuleSet& r) noexcept;

/// Sends what is left out of the other port of its wire, or hands it to the worker that has a
/// queue there; counts and frees what finds no room.
void transmit(Burst& b, WorkerState& w, const RuleSet& r) noexcept;

/// Sends the held fragments whose first has just been sent. The burst is used up by now, and is
/// used again.
void resume(Burst& b, WorkerState& w, const RuleSet& r) noexcept;

/// What follows on parse or take_up.
inline void run_pipeline_on(Burst& b, WorkerState& w, const RuleSet& r) noexcept {
  auto& stages = w.counters.stages;
  stages.lap(Stage::kParse);
  steer(b, w, r);
  stages.lap(Stage::kSteer);
  track(b, w, r);
  stages.lap(Stage::kTrack);
  if (w.overload.active) {
    defer(b, w);
    stages.lap(Stage::kDefer);
  }
  classify(b, w, r);
  stages.lap(Stage::kClassify);
  if (b.hanging.count != 0) {
    follow(b, w, r);
    stages.lap(Stage::kFollow);
  }
  settle(b, w, r);
  stages.lap(Stage::kSettle);
  transmit(b, w, r);
  stages.lap(Stage::kTransmit);
  if (!w.resumed.empty()) {
    resume(b, w, r);
    stages.lap(Stage::kResume);
  }
}

/// All of them, for packets from a port and for those that were handed over.
inline void run_pipeline(Burst& b, WorkerState& w, const RuleSet& r) noexcept {
  parse(b, w, r);
  run_pipeline_on(b, w, r);
}
inline void run_pipeline_on_handed(Burst& b, WorkerState& w, const RuleSet& r) noexcept {
  take_up(b, w, r);
  run_pipeline_on(b, w, r);
}

/// Ends flows that are idle for too long, and idle flows that the rule set in force no longer
/// allows; a bounded slice of the tables at a time, the whole of them about once a second.
void expire(WorkerState& w, const RuleSet& r, Tsc now) noexcept;

}  // namespace rampart
