// SPDX-License-Identifier: Apache-2.0
// What control threads may ask of a running data path: counters and ports that add up.
#include <algorithm>

#include "dataplane/worker/dataplane_impl.hpp"
#include "dataplane/worker/patience.hpp"
#include "dataplane/worker/report.hpp"

namespace rampart {

void DataplaneImpl::collect_reports() const {
  reports_.resize(workers_.size());
  const auto take = [this](unsigned index) {
    reports_[index] = {workers_[index].mailbox->report, false};
  };
  if (!running_.load(std::memory_order_acquire)) {
    for (unsigned i = 0; i < workers_.size(); ++i) {
      make_report(*workers_[i].state, workers_[i].state->reports);
      take(i);
    }
    return;
  }
  const uint32_t next = workers_[0].mailbox->report_asked.load(std::memory_order_relaxed) + 1;
  for (const Worker& worker : workers_) {
    worker.mailbox->report_asked.store(next, std::memory_order_release);
  }
  const auto has_answered = [next](const Worker& worker) {
    return worker.mailbox->report_made.load(std::memory_order_acquire) == next;
  };
  wait_for(shared_, [&] { return std::all_of(workers_.begin(), workers_.end(), has_answered); });
  for (unsigned i = 0; i < workers_.size(); ++i) {
    // One that has not may be about to write: what it said before stands. At the end nobody has to.
    if (has_answered(workers_[i])) {
      take(i);
    } else {
      reports_[i].silent = !shared_.stop.load();
    }
  }
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
  const Rss rss = device.rss();
  out.rss = {to_string(rss.function), to_string(rss.key), rss_type_names(rss.types)};
  out.peer = ports_[port.peer]->name;
  out.resets = port.resets.load();
  out.sources = port.sources;

  PortCounters& c = out.counters;
  int64_t held = 0;
  uint64_t sent = 0, sent_bytes = 0;
  for (const Reported& report : reports_) {
    const PortWork& work = report.counters.ports[index];
    c.received += work.received;
    c.received_bytes += work.received_bytes;
    c.originated += work.originated;
    c.forwarded += work.forwarded;
    held += static_cast<int64_t>(work.given) - static_cast<int64_t>(work.taken);
    for (unsigned r = 0; r < kDropReasons; ++r) c.drops[r] += work.drops[r];
    const PortWork& opposite = report.counters.ports[port.peer];
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

void DataplaneImpl::fill_worker(unsigned index, WorkerStatus& out) const {
  const WorkerCounters& c = reports_[index].counters;
  out.cpu = workers_[index].cpu;
  out.silent = reports_[index].silent;
  for (unsigned p = 0; p < ports_.size(); ++p) {
    out.received += c.ports[p].received;
    out.forwarded += c.ports[p].forwarded;
    for (const uint64_t n : c.ports[p].drops) out.dropped += n;
  }
  out.handed_over = c.handed_over;
  out.held_back = c.held_back;
  out.flow_hits = c.flow_hits;
  out.flow_misses = c.flow_misses;
  out.flows_created = c.flows_created;
  out.flows_expired = c.flows_expired;
  out.flows_cut = c.flows_cut;
  out.flows_restored = c.flows_restored;
  out.flows_picked_up = c.flows_picked_up;
  out.challenged = c.challenged;
  out.verified = c.verified;
  out.half_open = c.half_open;
  out.challenging = c.challenging;
  out.overloaded = c.overloaded;
  out.flows_recycled = c.flows_recycled;
  out.flows_rejudged = c.flows_rejudged;
  out.flows = c.flows;
  out.loops = c.loops;
  out.idle_loops = c.idle_loops;
  out.busy_cycles = c.busy_cycles;
  out.heap_bytes = c.heap_bytes;
  out.revision = c.revision;
  out.stages = c.stages.counted();
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
  for (unsigned i = 0; i < workers_.size(); ++i) {
    fill_worker(i, s.workers.emplace_back());
    s.passed_always += reports_[i].counters.passed_always;
    s.tunnelled += reports_[i].counters.tunnelled;
  }
  s.huge_pages = eal_.huge_pages();
  s.acl_algorithm = eal_.acl_algorithm();
  s.memory_mib = eal_.memory_mib();
  s.mbufs = pool_.count();
  s.mbufs_free = pool_.available();
  s.max_flows = params_.max_flows;
  return s;
}

}  // namespace rampart
