// SPDX-License-Identifier: Apache-2.0
#include "dataplane/worker/report.hpp"

namespace rampart {

void make_report(WorkerState& w, uint32_t number) noexcept {
  w.counters.flows = w.flows();
  w.counters.half_open = w.half_open;
  w.counters.challenging = w.challenge.active;
  w.counters.overloaded = w.overload.active;
  if (w.heap_now != nullptr) w.counters.heap_bytes = *w.heap_now - w.heap_at_start;
  w.mailbox->report = w.counters;
  w.reports = number;
  w.mailbox->report_made.store(number, std::memory_order_release);
}

}  // namespace rampart
