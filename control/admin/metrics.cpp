// SPDX-License-Identifier: Apache-2.0
#include <cstdio>
#include <initializer_list>
#include <map>
#include <utility>

#include "control/admin/documents.hpp"
#include "control/admin/json.hpp"

namespace rampart::admin {
namespace {

using Labels = std::initializer_list<std::pair<std::string_view, std::string_view>>;

/// Text exposition format, metric by metric.
class Exposition {
 public:
  void family(std::string_view name, std::string_view type, std::string_view help) {
    name_ = name;
    text_ += "# HELP " + name_ + " " + std::string(help) + "\n# TYPE " + name_ + " " +
             std::string(type) + "\n";
  }
  void sample(Labels labels, double value) {
    char number[40];
    std::snprintf(number, sizeof number, "%.17g", value);
    write(labels, number);
  }
  void sample(Labels labels, uint64_t value) { write(labels, std::to_string(value)); }
  void sample(Labels labels, bool value) { write(labels, value ? "1" : "0"); }

  /// A metric of one sample.
  template <typename Value>
  void single(std::string_view name, std::string_view type, std::string_view help, Value value) {
    family(name, type, help);
    sample({}, value);
  }
  std::string take() && { return std::move(text_); }

 private:
  void write(Labels labels, std::string_view value) {
    text_ += name_;
    bool first = true;
    for (const auto& [key, content] : labels) {
      text_ += first ? "{" : ",";
      text_ += std::string(key) + "=\"" + escaped(content) + "\"";
      first = false;
    }
    text_ += std::string(first ? " " : "} ") + std::string(value) + "\n";
  }
  static std::string escaped(std::string_view text) {
    std::string out;
    for (const char c : text) {
      if (c == '\n') {
        out += "\\n";
        continue;
      }
      if (c == '"' || c == '\\') out += '\\';
      out += c;
    }
    return out;
  }

  std::string name_, text_;
};

constexpr std::string_view kCounter = "counter", kGauge = "gauge";

double seconds_of(std::chrono::system_clock::time_point time) {
  return std::chrono::duration<double>(time.time_since_epoch()).count();
}

void write_policy(Exposition& out, const publish::InForce& in_force, uint64_t counterexamples) {
  const auto* c = in_force.compiled.get();
  out.single("rampart_revision", kGauge, "Number of the desired state in force; 0: none yet.",
             uint64_t{in_force.revision});
  out.single("rampart_revision_accepted_seconds", kGauge,
             "Unix time at which it was accepted; 0: none yet.",
             c != nullptr ? seconds_of(in_force.accepted) : 0.0);
  out.single("rampart_revision_stored", kGauge, "Whether it is on the disk.",
             in_force.not_stored.empty());
  out.family("rampart_objects", kGauge, "Objects of the desired state.");
  const Json counts = object_counts(in_force);
  for (const auto& [kind, count] : counts.items()) {
    out.sample({{"kind", kind}}, count.get<uint64_t>());
  }
  out.single("rampart_addresses", kGauge, "Addresses of pods and nodes in the tables.",
             uint64_t{c != nullptr ? c->addresses : 0});
  out.single("rampart_peer_classes", kGauge, "Classes of addresses that no rule tells apart.",
             uint64_t{c != nullptr ? c->classes : 0});
  out.single("rampart_subject_classes", kGauge, "Classes of pods that the same policies isolate.",
             uint64_t{c != nullptr ? c->subjects : 0});
  out.single("rampart_rules", kGauge, "Rules in the ACL.",
             uint64_t{c != nullptr ? c->acl_rules : 0});
  out.single("rampart_proof_probes", kGauge,
             "Connections about which the rules in force were compared with the policies.",
             uint64_t{in_force.probes});
  out.single("rampart_proof_counterexamples_total", kCounter,
             "Rule sets that were refused because they did not say what the policies say: a bug.",
             counterexamples);
  std::map<std::string, uint64_t> warnings{{"ambiguous-node-address", 0},
                                           {"not-stored", 0},
                                           {"policy-fails-closed", 0},
                                           {"shared-address", 0},
                                           {"unsupported-policy", 0}};
  const auto standing = warnings_of(in_force);
  for (const auto& warning : standing) ++warnings[warning.code];
  out.family("rampart_warnings", kGauge, "Standing warnings, as status lists them.");
  for (const auto& [code, count] : warnings) out.sample({{"code", code}}, count);
  out.family("rampart_policy_fails_closed", kGauge,
             "1 for each policy that isolates its pods and allows nothing.");
  for (const auto& warning : standing) {
    if (warning.code == "policy-fails-closed") out.sample({{"object", warning.object}}, true);
  }
}

struct PortCounter {
  std::string_view name, help;
  uint64_t PortCounters::*value;
};

constexpr PortCounter kPortCounters[] = {
    {"rampart_port_received_packets_total", "Frames that came in.", &PortCounters::received},
    {"rampart_port_received_bytes_total", "Bytes that came in.", &PortCounters::received_bytes},
    {"rampart_port_originated_packets_total", "Frames made here.", &PortCounters::originated},
    {"rampart_port_sent_packets_total", "Frames that left through the port.", &PortCounters::sent},
    {"rampart_port_sent_bytes_total", "Bytes that left through the port.",
     &PortCounters::sent_bytes},
    {"rampart_port_forwarded_packets_total", "Of the frames that came in, those that left.",
     &PortCounters::forwarded},
};

void write_ports(Exposition& out, const std::vector<PortStatus>& ports) {
  out.family("rampart_port_up", kGauge, "Link, as the driver reports it.");
  for (const PortStatus& p : ports) out.sample({{"port", p.name}}, p.up);
  out.family("rampart_port_running", kGauge, "0 while the port is being reset.");
  for (const PortStatus& p : ports) out.sample({{"port", p.name}}, p.running);
  out.family("rampart_port_resets_total", kCounter, "Times the port was recovered.");
  for (const PortStatus& p : ports) out.sample({{"port", p.name}}, p.resets);
  out.family("rampart_port_rss_info", kGauge,
             "Always 1; the labels say how the port spreads packets over its queues.");
  for (const PortStatus& p : ports) {
    out.sample({{"port", p.name}, {"function", p.rss.function}, {"key", p.rss.key}}, true);
  }
  for (const PortCounter& counter : kPortCounters) {
    out.family(counter.name, kCounter, counter.help);
    for (const PortStatus& p : ports) out.sample({{"port", p.name}}, p.counters.*counter.value);
  }
  out.family("rampart_port_held_packets", kGauge,
             "Frames on their way between workers, and fragments that wait.");
  for (const PortStatus& p : ports) out.sample({{"port", p.name}}, p.counters.held);
  out.family("rampart_port_dropped_packets_total", kCounter,
             "Frames that came in and were dropped, by reason.");
  for (const PortStatus& p : ports) {
    for (unsigned i = 1; i < kDropReasons; ++i) {
      out.sample({{"port", p.name}, {"reason", kDropReasonTexts[i].name}}, p.counters.drops[i]);
    }
  }
}

struct WorkerCounter {
  std::string_view name, type, help;
  uint64_t WorkerStatus::*value;
};

constexpr WorkerCounter kWorkerCounters[] = {
    {"rampart_worker_received_packets_total", kCounter, "Packets taken from ports.",
     &WorkerStatus::received},
    {"rampart_worker_forwarded_packets_total", kCounter, "Packets sent.", &WorkerStatus::forwarded},
    {"rampart_worker_dropped_packets_total", kCounter, "Packets dropped.", &WorkerStatus::dropped},
    {"rampart_worker_handed_over_packets_total", kCounter,
     "Packets passed to the worker that owns their flow.", &WorkerStatus::handed_over},
    {"rampart_worker_held_back_total", kCounter,
     "Times a port's queue was left alone for a moment, for workers who came behind with its "
     "packets.",
     &WorkerStatus::held_back},
    {"rampart_worker_flow_hits_total", kCounter, "Packets of known flows.",
     &WorkerStatus::flow_hits},
    {"rampart_worker_flow_misses_total", kCounter, "Packets of no known flow.",
     &WorkerStatus::flow_misses},
    {"rampart_worker_flows_created_total", kCounter, "Flows opened.", &WorkerStatus::flows_created},
    {"rampart_worker_flows_expired_total", kCounter, "Flows that were idle too long.",
     &WorkerStatus::flows_expired},
    {"rampart_worker_flows_cut_total", kCounter,
     "Flows that a new revision forbids or that were ended by request.", &WorkerStatus::flows_cut},
    {"rampart_worker_flows_restored_total", kCounter, "Flows taken over from before the start.",
     &WorkerStatus::flows_restored},
    {"rampart_worker_flows_picked_up_total", kCounter, "TCP connections met in their middle.",
     &WorkerStatus::flows_picked_up},
    {"rampart_worker_syn_challenges_total", kCounter, "SYNs answered with a challenge.",
     &WorkerStatus::challenged},
    {"rampart_worker_syn_verified_total", kCounter, "Clients that have answered a challenge.",
     &WorkerStatus::verified},
    {"rampart_worker_half_open", kGauge, "TCP flows whose handshake is not finished.",
     &WorkerStatus::half_open},
    {"rampart_worker_flows_recycled_total", kCounter,
     "Unanswered or closing flows that gave up their place to a new one.",
     &WorkerStatus::flows_recycled},
    {"rampart_worker_flows_rejudged_total", kCounter, "Flows judged again under a new revision.",
     &WorkerStatus::flows_rejudged},
    {"rampart_worker_flows", kGauge, "Live flows.", &WorkerStatus::flows},
    {"rampart_worker_loops_total", kCounter, "Turns of the poll loop.", &WorkerStatus::loops},
    {"rampart_worker_idle_loops_total", kCounter, "Turns that found nothing.",
     &WorkerStatus::idle_loops},
    {"rampart_worker_busy_cycles_total", kCounter, "TSC cycles of turns that moved packets.",
     &WorkerStatus::busy_cycles},
    {"rampart_worker_heap_bytes", kGauge, "Bytes taken from the heap while running; must be 0.",
     &WorkerStatus::heap_bytes},
};

void write_workers(Exposition& out, const std::vector<WorkerStatus>& workers) {
  for (const WorkerCounter& counter : kWorkerCounters) {
    out.family(counter.name, counter.type, counter.help);
    for (size_t i = 0; i < workers.size(); ++i) {
      out.sample({{"worker", std::to_string(i)}}, workers[i].*counter.value);
    }
  }
  out.family("rampart_worker_silent", kGauge,
             "Whether it did not answer: its other figures are what it said before.");
  for (size_t i = 0; i < workers.size(); ++i) {
    out.sample({{"worker", std::to_string(i)}}, workers[i].silent);
  }
}

}  // namespace

std::string metrics(const Facts& facts, const publish::InForce& in_force, uint64_t counterexamples,
                    const DataplaneStatus& status) {
  Exposition out;
  out.family("rampart_build_info", kGauge, "Always 1; the labels say what runs.");
  out.sample({{"version", facts.version}}, true);
  out.single("rampart_start_time_seconds", kGauge, "Unix time of the start.",
             seconds_of(facts.started));
  write_policy(out, in_force, counterexamples);
  out.single("rampart_huge_pages", kGauge, "Whether DPDK's memory is of huge pages.",
             status.huge_pages);
  out.single("rampart_memory_bytes", kGauge, "DPDK's heap.", uint64_t{status.memory_mib} << 20);
  out.single("rampart_mbufs", kGauge, "Packet buffers.", uint64_t{status.mbufs});
  out.single("rampart_mbufs_free", kGauge, "Packet buffers that are free.",
             uint64_t{status.mbufs_free});
  out.single("rampart_flows_max", kGauge, "Room for flows.", status.max_flows);
  out.single("rampart_passed_always_packets_total", kCounter,
             "ARP, neighbour discovery and the like, which no policy judges.",
             status.passed_always);
  out.single("rampart_tunnelled_packets_total", kCounter,
             "Encapsulated packets, judged by their outer addresses.", status.tunnelled);
  write_ports(out, status.ports);
  write_workers(out, status.workers);
  return std::move(out).take();
}

}  // namespace rampart::admin
