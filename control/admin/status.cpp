// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "control/admin/documents.hpp"
#include "control/admin/json.hpp"

namespace rampart::admin {
namespace {

Json ports_json(const std::vector<PortStatus>& ports) {
  Json out = Json::array();
  for (const PortStatus& port : ports) {
    Json sources = "any";
    if (!port.sources.empty()) {
      sources = Json::array();
      for (const IpPrefix& prefix : port.sources) sources.push_back(prefix.text());
    }
    out.push_back({{"name", port.name},
                   {"device", port.device},
                   {"driver", port.driver},
                   {"up", port.up},
                   {"running", port.running},
                   {"speed_mbps", port.speed_mbps},
                   {"promiscuous", port.promiscuous},
                   {"mtu", port.mtu},
                   {"mac", port.mac},
                   {"rx_queues", port.rx_queues},
                   {"tx_queues", port.tx_queues},
                   {"rss",
                    {{"function", port.rss.function},
                     {"key", port.rss.key.empty() ? Json() : Json(port.rss.key)},
                     {"types", port.rss.types}}},
                   {"wire", port.peer.empty() ? Json() : Json(port.peer)},
                   {"sources", std::move(sources)},
                   {"resets", port.resets}});
  }
  return out;
}

Json workers_json(const std::vector<WorkerStatus>& workers) {
  Json out = Json::array();
  for (size_t i = 0; i < workers.size(); ++i) {
    out.push_back({{"worker", i},
                   {"cpu", workers[i].cpu},
                   {"revision", workers[i].revision},
                   {"flows", workers[i].flows},
                   {"handed_over", workers[i].handed_over},
                   {"heap_bytes", workers[i].heap_bytes}});
  }
  return out;
}

/// What the data path adds to the standing warnings.
void add_warnings(const Facts& facts, const publish::InForce& in_force,
                  const DataplaneStatus& status, std::vector<compile::Warning>& out) {
  if (!in_force.compiled) {
    out.push_back({"no-snapshot", "",
                   "no desired state has been accepted yet: " +
                       std::string(facts.startup == "pass" ? "everything passes (--startup pass)"
                                                           : "nothing passes (--startup drop)")});
  }
  if (status.tunnelled > 0 && facts.tunnels == "pass") {
    out.push_back({"tunnels", "",
                   std::to_string(status.tunnelled) +
                       " encapsulated packets were judged by their outer addresses only: policies "
                       "do not see the pods inside (--tunnels)"});
  }
  for (const PortStatus& port : status.ports) {
    // The start checks that; a reset may bring a port back with another one.
    const auto peer = std::find_if(status.ports.begin(), status.ports.end(),
                                   [&](const PortStatus& p) { return p.name == port.peer; });
    if (peer == status.ports.end() || peer->mtu <= port.mtu) continue;
    out.push_back({"mtu-differs", "port " + port.name,
                   "its MTU is " + std::to_string(port.mtu) + ", that of " + peer->name + " is " +
                       std::to_string(peer->mtu) + ": frames that only fit there are lost here"});
  }
  for (size_t i = 0; i < status.workers.size(); ++i) {
    if (!status.workers[i].silent) continue;
    out.push_back({"worker-silent", "worker " + std::to_string(i), std::string(kSilence)});
  }
  for (size_t i = 0; i < status.workers.size(); ++i) {
    if (!status.workers[i].challenging) continue;
    out.push_back({"syn-flood", "worker " + std::to_string(i),
                   std::to_string(status.workers[i].half_open) +
                       " TCP connections are half open: new clients have to answer a challenge "
                       "(--syn-challenge-percent)"});
  }
  for (size_t i = 0; i < status.workers.size(); ++i) {
    if (!status.workers[i].overloaded) continue;
    out.push_back({"overload", "worker " + std::to_string(i),
                   "a flood leaves it no time: first packets of new flows are put off until they "
                   "are sent again (--on-overload)"});
  }
  for (size_t i = 0; i < status.workers.size(); ++i) {
    if (status.workers[i].heap_bytes == 0) continue;
    out.push_back({"worker-allocates", "worker " + std::to_string(i),
                   "took " + std::to_string(status.workers[i].heap_bytes) +
                       " bytes from the heap while moving packets: a bug"});
  }
}

}  // namespace

std::string status_document(const Facts& facts, std::chrono::system_clock::time_point now,
                            const publish::InForce& in_force, const DataplaneStatus& status) {
  auto warnings = warnings_of(in_force);
  add_warnings(facts, in_force, status, warnings);
  const auto* compiled = in_force.compiled.get();
  uint64_t live = 0;
  for (const WorkerStatus& worker : status.workers) live += worker.flows;
  return dump(
      {{"version", facts.version},
       {"state", "running"},
       {"started", time_text(facts.started)},
       {"uptime_seconds", std::chrono::duration<double>(now - facts.started).count()},
       {"revision", in_force.revision},
       {"accepted", compiled != nullptr ? Json(time_text(in_force.accepted)) : Json()},
       {"startup", facts.startup},
       {"objects", object_counts(in_force)},
       {"addresses", compiled != nullptr ? compiled->addresses : 0},
       {"classes", compiled != nullptr ? compiled->classes : 0},
       {"subjects", compiled != nullptr ? compiled->subjects : 0},
       {"rules", compiled != nullptr ? compiled->acl_rules : 0},
       {"memory",
        {{"huge_pages", status.huge_pages},
         {"mib", status.memory_mib},
         {"mbufs", status.mbufs},
         {"mbufs_free", status.mbufs_free}}},
       {"acl_algorithm", status.acl_algorithm},
       {"flows", {{"live", live}, {"max", status.max_flows}}},
       {"settings",
        {{"checksum", facts.checksum}, {"non_ip", facts.non_ip}, {"tunnels", facts.tunnels}}},
       {"ports", ports_json(status.ports)},
       {"workers", workers_json(status.workers)},
       {"warnings", warnings_json(warnings)}});
}

}  // namespace rampart::admin
