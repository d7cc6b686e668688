// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <chrono>
#include <cstdint>
#include <limits>
#include <string>
#include <thread>

#include "tools/rampartctl/commands.hpp"

namespace rampart::ctl {
namespace {

std::string speed_text(const Json& mbps) {
  const uint64_t value = mbps.number();
  if (value == 0) return "-";
  return value % 1000 == 0 ? std::to_string(value / 1000) + " Gbit/s"
                           : std::to_string(value) + " Mbit/s";
}

/// How a port spreads what it receives, in a word or two.
std::string rss_text(const Json& rss) {
  const std::string function = rss["function"].text(), key = rss["key"].text();
  if (function == "none") return "one queue";
  if (function == "driver") return "driver's own";
  if (function == "symmetric_toeplitz") return "symmetric function";
  return function == "toeplitz" && key == "symmetric" ? "symmetric key" : function;
}

std::string objects_text(const Json& objects) {
  return counted(objects["namespaces"].number(), "namespace") + ", " +
         counted(objects["pods"].number(), "pod") + ", " +
         counted(objects["nodes"].number(), "node") + ", " +
         counted(objects["policies"].number(), "policy");
}

/// "NAME  value" lines with the names in one column.
class Facts {
 public:
  explicit Facts(Session& session) : session_(session) {}
  void line(std::string_view name, const std::string& text) {
    std::string head(name);
    head.resize(std::max<size_t>(head.size() + 1, 11), ' ');
    session_.out() << session_.style(head, Style::kBold) << printable(text) << '\n';
  }

 private:
  Session& session_;
};

void print_facts(Session& session, const Json& status) {
  Facts facts(session);
  const std::string state = status["state"].text();
  facts.line("rampartd", status["version"].text() + ", " + state + " for " +
                             duration_text(status["uptime_seconds"].real()) + " (since " +
                             status["started"].text() + ")");
  const uint64_t revision = status["revision"].number();
  if (revision == 0) {
    const bool pass = status["startup"].text() == "pass";
    facts.line("revision",
               std::string("none yet: no snapshot has been accepted, all IP traffic is ") +
                   (pass ? "passed" : "dropped") + " (startup " + status["startup"].text() + ")");
  } else {
    facts.line("revision", std::to_string(revision) + ", accepted " + status["accepted"].text());
    facts.line("objects", objects_text(status["objects"]));
    facts.line("compiled", counted(status["addresses"].number(), "address") + " in " +
                               counted(status["classes"].number(), "class") + ", " +
                               counted(status["subjects"].number(), "subject") + ", " +
                               counted(status["rules"].number(), "rule"));
  }
  const Json flows = status["flows"], memory = status["memory"];
  facts.line("flows", flows["live"].text() + " of " + flows["max"].text());
  facts.line("memory", memory["mib"].text() + " MiB" +
                           (memory["huge_pages"].truth() ? " of huge pages" : ", no huge pages") +
                           ", " + memory["mbufs_free"].text() + " of " + memory["mbufs"].text() +
                           " packet buffers free");
  facts.line("classifier", "rte_acl " + status["acl_algorithm"].text());
  std::string settings;
  for (const auto& [name, value] : status["settings"].members()) {
    settings += (settings.empty() ? "" : ", ") + name + " " + value.text();
  }
  if (!settings.empty()) facts.line("settings", settings);
}

void print_ports(Session& session, const Json& status) {
  Table table({{"PORT"},
               {"DEVICE"},
               {"DRIVER"},
               {"LINK"},
               {"SPEED", Align::kRight},
               {"MTU", Align::kRight},
               {"MAC"},
               {"PROMISC"},
               {"QUEUES"},
               {"RSS"},
               {"WIRE"},
               {"SOURCES"},
               {"RESETS", Align::kRight}});
  for (const Json& port : status["ports"].items()) {
    const bool running = port["running"].truth(), up = port["up"].truth();
    const Json sources = port["sources"];
    table.add({port["name"].text(), port["device"].text(), port["driver"].text(),
               Cell(running ? (up ? "up" : "down") : "stopped",
                    running && up ? Style::kGood : Style::kBad),
               speed_text(port["speed_mbps"]), port["mtu"].text(), port["mac"].text(),
               Cell(port["promiscuous"].truth() ? "yes" : "no",
                    port["promiscuous"].truth() ? Style::kPlain : Style::kWarning),
               port["rx_queues"].text() + "/" + port["tx_queues"].text(), rss_text(port["rss"]),
               port["wire"].text(), sources.items().empty() ? sources.text() : sources.joined(),
               port["resets"].text()});
  }
  session.out() << '\n';
  session.print(table);
}

void print_workers(Session& session, const Json& status) {
  Table table({{"WORKER", Align::kRight},
               {"CPU", Align::kRight},
               {"REVISION", Align::kRight},
               {"FLOWS", Align::kRight},
               {"HANDED OVER", Align::kRight},
               {"HEAP BYTES", Align::kRight}});
  const std::string revision = status["revision"].text();
  for (const Json& worker : status["workers"].items()) {
    const bool behind = worker["revision"].text() != revision;
    table.add({worker["worker"].text(), worker["cpu"].text(),
               Cell(worker["revision"].text(), behind ? Style::kWarning : Style::kPlain),
               worker["flows"].text(), worker["handed_over"].text(), worker["heap_bytes"].text()});
  }
  session.out() << '\n';
  session.print(table);
}

constexpr std::chrono::milliseconds kBetweenLooks{20};
constexpr uint64_t kWaitSeconds = 30;

/// Whether every worker uses `revision` or a later one.
bool all_have(const Json& status, uint64_t revision) {
  const auto workers = status["workers"].items();
  const auto has = [&](const Json& one) { return one["revision"].number() >= revision; };
  return has(status) && !workers.empty() && std::all_of(workers.begin(), workers.end(), has);
}

/// "revision 6 is in force, and worker 1 still uses 5".
std::string lag_text(const Json& status) {
  const uint64_t revision = status["revision"].number();
  std::string text = "revision " + std::to_string(revision) + " is in force";
  for (const Json& worker : status["workers"].items()) {
    if (worker["revision"].number() >= revision) continue;
    text += ", and worker " + worker["worker"].text() + " still uses " + worker["revision"].text();
  }
  return text;
}

/// Looks until every worker has the revision, or time is up. A rampartd that is not there, or ends
/// meanwhile, is an error at once: nobody else will make that revision.
int wait_for_revision(Session& session) {
  const Invocation& invocation = session.invocation();
  const auto revision =
      parse_number(invocation.value("wait"), 1, std::numeric_limits<uint32_t>::max(), "--wait");
  if (!revision) return session.fail_usage(revision.error().what);
  uint64_t seconds = kWaitSeconds;
  if (invocation.has("timeout")) {
    const auto given = parse_number(invocation.value("timeout"), 1, 86'400, "--timeout");
    if (!given) return session.fail_usage(given.error().what);
    seconds = *given;
  }
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(seconds);
  for (;;) {
    Request request;
    request.target = "/v1/status";
    const auto response = session.call(request);
    if (!response) return kFailed;
    const auto answer = Answer::parse(response->body);
    if (!answer) return session.fail(answer.error());
    const Json& status = answer->root();
    if (all_have(status, *revision)) {
      if (session.wants_json()) return session.print_json(response->body);
      session.out() << "revision " << status["revision"].text() << " is in force on every worker\n";
      return kDone;
    }
    if (std::chrono::steady_clock::now() >= end) {
      return session.fail("revision " + std::to_string(*revision) +
                          " is not in force on every worker after " + std::to_string(seconds) +
                          " s: " + lag_text(status));
    }
    std::this_thread::sleep_for(kBetweenLooks);
  }
}

}  // namespace

int run_status(Session& session) {
  if (session.invocation().has("wait")) return wait_for_revision(session);
  const auto fetched = session.get("/v1/status");
  if (!fetched) return kFailed;
  if (fetched->shown) return kDone;
  const Json& status = fetched->answer.root();
  print_facts(session, status);
  print_ports(session, status);
  print_workers(session, status);
  const auto warnings = status["warnings"].items();
  if (!warnings.empty()) session.out() << '\n';
  for (const Json& warning : warnings) {
    session.out() << session.style("warning:", Style::kWarning) << ' '
                  << printable(warning_text(warning)) << '\n';
  }
  return kDone;
}

}  // namespace rampart::ctl
