// SPDX-License-Identifier: Apache-2.0
// Live flows of a running data path, listed and ended: the asking side of the mailboxes.
#include <rte_cycles.h>

#include <utility>

#include "dataplane/worker/dataplane_impl.hpp"
#include "dataplane/worker/patience.hpp"
#include "dataplane/worker/report.hpp"

namespace rampart {

Result<void> DataplaneImpl::ask_worker(Worker& worker, std::unique_ptr<FlowQuery>& query) {
  Mailbox& box = *worker.mailbox;
  if (!running_.load(std::memory_order_acquire)) {
    box.query.store(query.get());
    while (box.query.load() != nullptr) {
      answer_flow_query(*worker.state, rte_rdtsc(), worker.state->flows_v4.chunks());
    }
    return {};
  }
  const Error silent{ErrorCode::kIo, "it does not answer",
                     "worker " + std::to_string(worker.state->id)};
  if (box.query.load(std::memory_order_acquire) != nullptr) return silent;
  box.query.store(query.get(), std::memory_order_release);
  const bool answered = wait_for(
      shared_, [&box] { return box.query.load(std::memory_order_acquire) == nullptr; },
      [&box] { return box.query_slices.load(std::memory_order_relaxed); });
  if (answered) return {};
  stuck_queries_.push_back(std::move(query));
  return silent;
}

std::string_view DataplaneImpl::port_name(uint8_t wire, uint8_t end) const {
  for (size_t p = 0; p < ports_.size(); ++p) {
    const WorkerPort& view = workers_[0].state->ports[p];
    if (view.wire == wire && view.end == end) return ports_[p]->name;
  }
  return {};
}

Result<std::vector<FlowRecord>> DataplaneImpl::flows(const FlowFilter& filter, bool& truncated) {
  const std::lock_guard lock(ask_lock_);
  std::vector<FlowRecord> out;
  truncated = false;
  for (Worker& worker : workers_) {
    auto q = std::make_unique<FlowQuery>();
    q->filter = filter;
    q->filter.limit = filter.limit - out.size();
    q->found.reserve(q->filter.limit + 1);
    if (Result<void> r = ask_worker(worker, q); !r) return r.error();
    out.insert(out.end(), q->found.begin(), q->found.end());
    if (out.size() > filter.limit) {
      truncated = true;
      out.resize(filter.limit);
      break;
    }
  }
  for (FlowRecord& record : out) record.opened_on = port_name(record.wire, record.wire_end);
  return out;
}

Result<uint64_t> DataplaneImpl::cut_flows(const FlowFilter& filter) {
  const std::lock_guard lock(ask_lock_);
  uint64_t cut = 0;
  for (Worker& worker : workers_) {
    auto q = std::make_unique<FlowQuery>();
    q->purpose = FlowQuery::Purpose::kCut;
    q->filter = filter;
    if (Result<void> r = ask_worker(worker, q); !r) {
      Error error = r.error();
      error.what += "; " + std::to_string(cut) + " flows of other workers were cut";
      return error;
    }
    cut += q->cut;
  }
  if (cut != 0) say(std::to_string(cut) + " flows were cut by request");
  return cut;
}

}  // namespace rampart
