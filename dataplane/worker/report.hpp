// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>

#include "dataplane/state/worker_state.hpp"

/// The worker's side of the mailbox. Called by the worker between two bursts; when it does not
/// run, by the control thread that owns the data path.
namespace rampart {

/// Copies the counters out as report number `number`.
void make_report(WorkerState& w, uint32_t number) noexcept;

/// Looks at no more than `chunks` chunks of the flow tables for the query that stands in the
/// mailbox, if there is one: lists or ends what fits its filter. Flows whose time is over do not
/// count; they are the sweep's.
void answer_flow_query(WorkerState& w, Tsc now, uint32_t chunks) noexcept;

/// What stands in the mailbox: a report if one is asked for, a slice of a flow query.
inline void serve_mailbox(WorkerState& w, Tsc now) noexcept {
  // Of a full table of a million flows: 5 µs to look, 10 µs to end them all (64: 11 and 14; 16: 3
  // and 4, but then it takes 6,000 turns of a loop that may sleep between them).
  constexpr uint32_t kSlice = 32;
  Mailbox& box = *w.mailbox;
  // A taker may have made a report before it was asked (see Mailbox).
  const uint32_t asked = box.report_asked.load(std::memory_order_acquire);
  if (static_cast<int32_t>(asked - w.reports) > 0) make_report(w, asked);
  if (box.query.load(std::memory_order_acquire) != nullptr) answer_flow_query(w, now, kSlice);
}

}  // namespace rampart
