// SPDX-License-Identifier: Apache-2.0
// What control threads may ask of a running data path: counters, ports, flows.
#include <rte_cycles.h>

#include <algorithm>
#include <chrono>

#include "dataplane/worker/dataplane_impl.hpp"
#include "dataplane/worker/report.hpp"

namespace rampart {
namespace {

using namespace std::chrono_literals;

constexpr auto kPatience = 3s;

/// Sleeps until done(), or until the time is over or the workers are told to end; says which.
template <typename Done>
bool wait_for(const WorkerShared& shared, Done&& done) {
  const auto deadline = std::chrono::steady_clock::now() + kPatience;
  auto pause = 20us;
  while (!done()) {
    if (shared.stop.load() || std::chrono::steady_clock::now() >= deadline) return false;
    std::this_thread::sleep_for(pause);
    pause = std::min(pause * 2, 1000us);
  }
  return true;
}

IpAddress address_of(const FlowKeyV4& key, unsigned end) {
  return IpAddress::v4(key.address[end].host());
}
IpAddress address_of(const FlowKeyV6& key, unsigned end) {
  return IpAddress::from_bytes(Family::kV6, key.address[end]);
}

template <typename Key>
FlowRecord record_of(const FlowCopy<Key>& e, const WorkerState& w, Revision in_force, Tick now) {
  const FlowFacts& f = e.facts;
  const unsigned opener = f.opener_end;
  FlowRecord r;
  r.source = address_of(e.key, opener);
  r.destination = address_of(e.key, 1 - opener);
  r.source_port = e.key.port[opener].host();
  r.destination_port = e.key.port[1 - opener].host();
  r.protocol = e.key.protocol;
  r.wire = static_cast<uint8_t>(e.key.zone >> 24);
  r.outer_vlan = e.key.zone >> 12 & 0xfff;
  r.inner_vlan = e.key.zone & 0xfff;
  r.state = to_string(f.state);
  r.worker = w.id;
  // The entry keeps the low half; no flow is four billion revisions old.
  r.revision = in_force - static_cast<uint32_t>(static_cast<uint32_t>(in_force) - f.judged_in);
  r.egress_rule = e.tally.egress_rule;
  r.ingress_rule = e.tally.ingress_rule;
  for (const Side side : {Side::kOpener, Side::kReplier}) {
    r.packets[static_cast<unsigned>(side)] = e.tally.packets(side);
    r.bytes[static_cast<unsigned>(side)] = e.tally.bytes(side);
  }
  const auto ms = [&w](Tick ticks) {
    return static_cast<uint32_t>((uint64_t{ticks} << kTickShift) /
                                 std::max<Tsc>(1, w.tsc_hz / 1000));
  };
  const Tick idle = static_cast<int32_t>(now - f.last_seen) > 0 ? now - f.last_seen : 0;
  const Tick timeout = w.timeouts[static_cast<unsigned>(f.state)];
  r.idle_ms = ms(idle);
  r.expires_in_ms = ms(timeout - std::min(timeout, idle));
  return r;
}

}  // namespace

bool DataplaneImpl::collect_reports() const {
  if (!running_.load(std::memory_order_acquire)) {
    for (const Worker& worker : workers_) make_report(*worker.state, worker.state->reports);
    return true;
  }
  const uint32_t next = workers_[0].mailbox->report_asked.load(std::memory_order_relaxed) + 1;
  for (const Worker& worker : workers_) {
    worker.mailbox->report_asked.store(next, std::memory_order_release);
  }
  return wait_for(shared_, [&] {
    return std::all_of(workers_.begin(), workers_.end(), [&](const Worker& worker) {
      return worker.mailbox->report_made.load(std::memory_order_acquire) == next;
    });
  });
}

void DataplaneImpl::fill_port(unsigned index, PortStatus& out, std::vector<uint64_t>& lost) const {
  const Port& port = *ports_[index];
  const EthDev& device = port.device;
  out.name = port.name;
  out.device = port.device_text;
  out.driver = device.driver();
  const EthDev::Link link = device.link();
  out.up = link.up;
  out.speed_mbps = link.speed_mbps;
  out.running = port.active.load();
  out.promiscuous = device.promiscuous();
  out.mtu = device.mtu();
  out.mac = device.mac();
  out.rx_queues = device.rx_queues();
  out.tx_queues = device.tx_queues();
  out.peer = ports_[port.peer]->name;
  out.resets = port.resets.load();
  out.sources = port.sources;

  PortCounters& c = out.counters;
  int64_t held = 0;
  uint64_t sent = 0, sent_bytes = 0;
  for (const Worker& worker : workers_) {
    const PortWork& work = worker.mailbox->report.ports[index];
    c.received += work.received;
    c.received_bytes += work.received_bytes;
    c.forwarded += work.forwarded;
    held += static_cast<int64_t>(work.given) - static_cast<int64_t>(work.taken);
    for (unsigned r = 0; r < kDropReasons; ++r) c.drops[r] += work.drops[r];
    const PortWork& opposite = worker.mailbox->report.ports[port.peer];
    sent += opposite.forwarded;
    sent_bytes += opposite.forwarded_bytes;
  }
  c.held = static_cast<uint64_t>(std::max<int64_t>(0, held));

  // After the workers' reports: what they say was accepted, the driver has seen.
  const PortStats driver = device.stats();
  const auto drop = [&c](DropReason why, uint64_t count) {
    c.drops[static_cast<unsigned>(why)] += count;
    c.received += count;
  };
  drop(DropReason::kRxMissed, driver.imissed);
  drop(DropReason::kRxError, driver.ierrors);
  drop(DropReason::kRxNoMbuf, driver.rx_nombuf);
  lost[index] = driver.lost_in_driver(sent);
  c.sent = sent - lost[index];
  c.sent_bytes = sent_bytes;
}

void DataplaneImpl::fill_worker(const Worker& worker, WorkerStatus& out) const {
  const WorkerCounters& c = worker.mailbox->report;
  out.cpu = worker.cpu;
  for (unsigned p = 0; p < ports_.size(); ++p) {
    out.received += c.ports[p].received;
    out.forwarded += c.ports[p].forwarded;
    for (const uint64_t n : c.ports[p].drops) out.dropped += n;
  }
  out.handed_over = c.handed_over;
  out.flow_hits = c.flow_hits;
  out.flow_misses = c.flow_misses;
  out.flows_created = c.flows_created;
  out.flows_expired = c.flows_expired;
  out.flows_cut = c.flows_cut;
  out.flows_recycled = c.flows_recycled;
  out.flows_rejudged = c.flows_rejudged;
  out.flows = c.flows;
  out.loops = c.loops;
  out.idle_loops = c.idle_loops;
  out.busy_cycles = c.busy_cycles;
  out.heap_bytes = c.heap_bytes;
  out.revision = c.revision;
}

DataplaneStatus DataplaneImpl::status() const {
  const std::lock_guard lock(ask_lock_);
  collect_reports();
  DataplaneStatus s;
  s.ports.resize(ports_.size());
  std::vector<uint64_t> lost(ports_.size());
  for (unsigned p = 0; p < ports_.size(); ++p) fill_port(p, s.ports[p], lost);
  for (unsigned p = 0; p < ports_.size(); ++p) {
    // What a driver lost on its way out had come in on the other port of the wire.
    const uint64_t gone = lost[ports_[p]->peer];
    s.ports[p].counters.forwarded -= gone;
    s.ports[p].counters.drops[static_cast<unsigned>(DropReason::kTxError)] += gone;
  }
  for (const Worker& worker : workers_) {
    fill_worker(worker, s.workers.emplace_back());
    s.passed_always += worker.mailbox->report.passed_always;
    s.tunnelled += worker.mailbox->report.tunnelled;
  }
  s.huge_pages = eal_.huge_pages();
  s.memory_mib = eal_.memory_mib();
  s.mbufs = pool_.count();
  s.mbufs_free = pool_.available();
  s.max_flows = params_.max_flows;
  return s;
}

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
  box.query_answered.store(false, std::memory_order_relaxed);
  box.query.store(query.get(), std::memory_order_release);
  if (wait_for(shared_, [&box] { return box.query_answered.load(std::memory_order_acquire); }))
    return {};
  stuck_queries_.push_back(std::move(query));
  return silent;
}

Result<std::vector<FlowRecord>> DataplaneImpl::flows(const FlowFilter& filter, bool& truncated) {
  const std::lock_guard lock(ask_lock_);
  const Revision in_force = rules()->revision;
  std::vector<FlowRecord> out;
  truncated = false;
  for (Worker& worker : workers_) {
    auto q = std::make_unique<FlowQuery>();
    q->any_address = !filter.address;
    if (filter.address) q->address = *filter.address;
    q->any_port = !filter.port;
    if (filter.port) q->port = be16(*filter.port);
    q->any_protocol = !filter.protocol;
    if (filter.protocol) q->protocol = *filter.protocol;
    q->any_state = filter.state.empty();
    for (unsigned s = 0; s < kFlowStates; ++s) {
      if (filter.state == kFlowStateNames[s]) q->states |= 1U << s;
    }
    q->limit = filter.limit - out.size();
    q->v4.reserve(q->limit + 1);
    q->v6.reserve(q->limit + 1);
    if (Result<void> r = ask_worker(worker, q); !r) return r.error();
    const Tick now = tick_of(rte_rdtsc());
    for (const auto& e : q->v4) out.push_back(record_of(e, *worker.state, in_force, now));
    for (const auto& e : q->v6) out.push_back(record_of(e, *worker.state, in_force, now));
    if (out.size() > filter.limit) {
      truncated = true;
      out.resize(filter.limit);
      break;
    }
  }
  return out;
}

}  // namespace rampart
