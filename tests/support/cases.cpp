// SPDX-License-Identifier: Apache-2.0
#include "tests/support/cases.hpp"

#include <simdjson.h>

#include <algorithm>
#include <filesystem>
#include <utility>

#include "control/kube/events.hpp"

namespace rampart::support {
namespace {

using simdjson::dom::element;

Error broken(std::string what) {
  return {ErrorCode::kInvalid, std::move(what), {}};
}

std::string string_at(element from, std::string_view key) {
  std::string_view text;
  return from.at_key(key).get(text) == simdjson::SUCCESS ? std::string(text) : std::string();
}

/// A missing list is an empty one.
std::vector<element> list_at(element from, std::string_view key) {
  simdjson::dom::array list;
  if (from.at_key(key).get(list) != simdjson::SUCCESS) return {};
  return {list.begin(), list.end()};
}

Result<Probe> read_probe(element json) {
  int64_t port = -1;
  Probe probe{string_at(json, "src"), string_at(json, "dst"), string_at(json, "proto"), 0, false};
  const std::string expect = string_at(json, "expect");
  if (probe.source.empty() || probe.destination.empty() ||
      probe.protocol_number(Family::kV4) == 0 ||
      json.at_key("dport").get(port) != simdjson::SUCCESS || port < 0 || port > 65535 ||
      (expect != "allow" && expect != "deny")) {
    return broken("not a probe: " + std::string(simdjson::minify(json)));
  }
  probe.port = static_cast<L4Port>(port);
  probe.allow = expect == "allow";
  return probe;
}

std::string api_version_of(const std::string& kind) {
  return kind == "NetworkPolicy" ? "networking.k8s.io/v1" : "v1";
}

/// {"kind", "namespace", "name"} as a DELETED event. Names and kinds need no escaping.
std::string deletion(element reference) {
  const std::string kind = string_at(reference, "kind"), ns = string_at(reference, "namespace");
  std::string event = R"({"type":"DELETED","object":{"apiVersion":")" + api_version_of(kind) +
                      R"(","kind":")" + kind + R"(","metadata":{"name":")" +
                      string_at(reference, "name") + "\"";
  if (!ns.empty()) event += R"(,"namespace":")" + ns + "\"";
  return event + "}}}\n";
}

Result<CaseStep> read_step(element json, std::string_view objects_key) {
  CaseStep step;
  for (const element reference : list_at(json, "delete")) step.events += deletion(reference);
  step.objects = R"({"apiVersion":"v1","kind":"List","items":[)";
  const char* comma = "";
  for (const element object : list_at(json, objects_key)) {
    const std::string text = simdjson::minify(object);
    step.events += R"({"type":"MODIFIED","object":)" + text + "}\n";
    step.objects += comma + text;
    comma = ",";
  }
  step.objects += "]}";
  for (const element cell : list_at(json, "probes")) {
    auto probe = read_probe(cell);
    if (!probe) return probe.error();
    step.probes.push_back(std::move(*probe));
  }
  if (step.probes.empty()) return broken("a step without probes");
  return step;
}

}  // namespace

uint8_t Probe::protocol_number(Family family) const {
  const auto number = [](IpProtocol p) { return static_cast<uint8_t>(p); };
  if (protocol == "TCP") return number(IpProtocol::kTcp);
  if (protocol == "UDP") return number(IpProtocol::kUdp);
  if (protocol == "SCTP") return number(IpProtocol::kSctp);
  if (protocol != "ICMP") return 0;
  return number(family == Family::kV4 ? IpProtocol::kIcmp : IpProtocol::kIcmpV6);
}

std::string Probe::text() const {
  return source + " -> " + destination + " " + protocol + "/" + std::to_string(port);
}

Result<Case> load_case(const std::string& path) {
  simdjson::dom::parser parser;
  element json;
  if (const auto error = parser.load(path).get(json); error != simdjson::SUCCESS) {
    return broken(simdjson::error_message(error)).within(path);
  }
  Case made{string_at(json, "name"), string_at(json, "source"), string_at(json, "notes"), {}};
  auto first = read_step(json, "objects");
  if (!first) return std::move(first).error().within(path);
  made.steps.push_back(std::move(*first));
  for (const element later : list_at(json, "steps")) {
    auto step = read_step(later, "apply");
    if (!step) return std::move(step).error().within(path);
    made.steps.push_back(std::move(*step));
  }
  return made;
}

Result<std::vector<Case>> load_cases(const std::string& directory) {
  std::vector<std::string> paths;
  std::error_code failed;
  for (const auto& entry : std::filesystem::directory_iterator(directory, failed)) {
    if (entry.path().extension() == ".json") paths.push_back(entry.path().string());
  }
  if (failed) return Error{ErrorCode::kIo, failed.message(), directory};
  std::sort(paths.begin(), paths.end());
  std::vector<Case> cases;
  for (const std::string& path : paths) {
    auto loaded = load_case(path);
    if (!loaded) return loaded.error();
    cases.push_back(std::move(*loaded));
  }
  return cases;
}

Result<kube::ClusterState> after(const kube::ClusterState& before, const CaseStep& step) {
  auto decoded = kube::apply_events(before, step.events);
  if (!decoded) return decoded.error().error();
  return std::move(decoded->state);
}

Result<IpAddress> resolve(const kube::ClusterState& state, std::string_view end) {
  const size_t slash = end.find('/');
  if (slash == std::string_view::npos) return IpAddress::parse(end);
  const auto pod = state.pods.find(
      kube::ObjectKey{std::string(end.substr(0, slash)), std::string(end.substr(slash + 1))});
  if (pod == state.pods.end() || pod->second->addresses.empty()) {
    return Error{ErrorCode::kNotFound, "no such pod, or one without an address", std::string(end)};
  }
  return pod->second->addresses.front();
}

}  // namespace rampart::support
