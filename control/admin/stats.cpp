// SPDX-License-Identifier: Apache-2.0
#include <numeric>

#include "control/admin/documents.hpp"
#include "control/admin/json.hpp"

namespace rampart::admin {
namespace {

using Drops = std::array<uint64_t, kDropReasons>;

/// Those above zero, by name.
Json drops_json(const Drops& drops) {
  Json out = Json::object();
  for (unsigned i = 1; i < kDropReasons; ++i) {
    if (drops[i] > 0) out[std::string(kDropReasonTexts[i].name)] = drops[i];
  }
  return out;
}

Json stages_json(const StageCycles<true>& stages) {
  Json cycles = Json::object();
  for (unsigned i = 0; i < kStages; ++i) {
    cycles[std::string(kStageNames[i])] = stages.of(static_cast<Stage>(i));
  }
  return {{"packets", stages.packets()}, {"cycles", std::move(cycles)}};
}

Json workers_json(const std::vector<WorkerStatus>& workers) {
  Json out = Json::array();
  for (size_t i = 0; i < workers.size(); ++i) {
    const WorkerStatus& w = workers[i];
    out.push_back({{"worker", i},
                   {"cpu", w.cpu},
                   {"silent", w.silent},
                   {"received", w.received},
                   {"forwarded", w.forwarded},
                   {"dropped", w.dropped},
                   {"handed_over", w.handed_over},
                   {"held_back", w.held_back},
                   {"flow_hits", w.flow_hits},
                   {"flow_misses", w.flow_misses},
                   {"flows_created", w.flows_created},
                   {"flows_expired", w.flows_expired},
                   {"flows_cut", w.flows_cut},
                   {"flows_recycled", w.flows_recycled},
                   {"flows_restored", w.flows_restored},
                   {"flows_picked_up", w.flows_picked_up},
                   {"half_open", w.half_open},
                   {"challenging", w.challenging},
                   {"overloaded", w.overloaded},
                   {"challenged", w.challenged},
                   {"verified", w.verified},
                   {"flows_rejudged", w.flows_rejudged},
                   {"flows", w.flows},
                   {"loops", w.loops},
                   {"idle_loops", w.idle_loops},
                   {"busy_cycles", w.busy_cycles}});
    if (w.stages) out.back()["stages"] = stages_json(*w.stages);
  }
  return out;
}

struct Hint {
  DropReason reason;
  std::string_view what;  ///< behind the number of frames
  std::string_view advice;
};

constexpr Hint kHints[] = {
    {DropReason::kL4Checksum, "with a wrong L4 checksum",
     "do the senders leave it to their NIC? On veth pairs `ethtool -K DEVICE tx off` at the pods' "
     "ends helps; --checksum off trusts them"},
    {DropReason::kIpTruncated, "shorter than their IP header says",
     "do the senders leave segmentation to their NIC (ethtool -K DEVICE tso off gso off), or is a "
     "buffer or a capture cut short?"},
    {DropReason::kL4Truncated, "with a transport header that is cut short",
     "is a tunnel or a capture on the way cutting packets?"},
    {DropReason::kRxMissed, "that the port had no room for",
     "the workers do not keep up: more --workers, or cores of their own"},
    {DropReason::kRxNoMbuf, "for which no packet buffer was free", "raise --mbufs"},
    {DropReason::kTableFull, "that found the flow table full",
     "raise --max-flows, or shorten the timeouts"},
    {DropReason::kHandoffFull, "that another worker had no room for",
     "the workers do not keep up: more --workers, or cores of their own"},
    {DropReason::kNonIp, "that are neither IP nor ARP", "--non-ip pass lets them through"},
};

}  // namespace

std::string reasons_document() {
  ListDocument out("reasons");
  for (unsigned i = 1; i < kDropReasons; ++i) {
    const DropReasonText& text = kDropReasonTexts[i];
    out.add({{"reason", text.name}, {"meaning", text.meaning}});
  }
  return std::move(out).finish(Json::object());
}

std::vector<std::string> hints(const DataplaneStatus& status) {
  std::vector<std::string> out;
  for (const PortStatus& port : status.ports) {
    for (const Hint& hint : kHints) {
      const uint64_t frames = port.counters.drops[static_cast<unsigned>(hint.reason)];
      if (frames == 0) continue;
      out.push_back("port " + port.name + ": " + std::to_string(frames) + " frames " +
                    std::string(hint.what) + ": " + std::string(hint.advice));
    }
  }
  for (size_t i = 0; i < status.workers.size(); ++i) {
    if (!status.workers[i].silent) continue;
    out.push_back("worker " + std::to_string(i) + ": " + std::string(kSilence));
  }
  return out;
}

std::string stats_document(const DataplaneStatus& status) {
  Json ports = Json::array();
  PortCounters total;
  for (const PortStatus& port : status.ports) {
    const PortCounters& c = port.counters;
    ports.push_back({{"name", port.name},
                     {"received", c.received},
                     {"received_bytes", c.received_bytes},
                     {"originated", c.originated},
                     {"sent", c.sent},
                     {"sent_bytes", c.sent_bytes},
                     {"forwarded", c.forwarded},
                     {"held", c.held},
                     {"drops", drops_json(c.drops)}});
    total.received += c.received;
    total.originated += c.originated;
    total.sent += c.sent;
    total.held += c.held;
    for (unsigned i = 1; i < kDropReasons; ++i) total.drops[i] += c.drops[i];
  }
  const uint64_t dropped = std::accumulate(total.drops.begin(), total.drops.end(), uint64_t{0});
  Json hint_list = Json::array();
  for (std::string& hint : hints(status)) hint_list.push_back(std::move(hint));
  return dump({{"ports", std::move(ports)},
               {"total",
                {{"received", total.received},
                 {"originated", total.originated},
                 {"sent", total.sent},
                 {"held", total.held},
                 {"dropped", dropped},
                 {"drops", drops_json(total.drops)}}},
               {"workers", workers_json(status.workers)},
               {"passed_always", status.passed_always},
               {"tunnelled", status.tunnelled},
               {"hints", std::move(hint_list)}});
}

}  // namespace rampart::admin
