// SPDX-License-Identifier: Apache-2.0
#include "control/explain/document.hpp"

#include <string>
#include <utility>

#include "control/explain/describe.hpp"
#include "control/explain/miss.hpp"

namespace rampart::explain {
namespace {

constexpr size_t kMissesShown = 3;

Json or_null(std::string text) {
  return text.empty() ? Json() : Json(std::move(text));
}

Json rule_json(const std::optional<kube::Admission>& admission, const kube::ClusterState& state) {
  if (!admission) return {};
  const auto policy = state.policies.find(admission->policy);
  std::string peer = "any peer", port = "any port of any protocol";
  if (policy != state.policies.end()) {
    const bool egress = admission->direction == kube::Direction::kEgress;
    const auto& rules = egress ? policy->second->egress : policy->second->ingress;
    const kube::PolicyRule& rule = rules.at(admission->rule);
    if (admission->peer) peer = text_of(rule.peers.at(*admission->peer), policy->second->ns);
    if (admission->port) port = text_of(rule.ports.at(*admission->port));
  }
  return {{"policy", admission->policy.text()},
          {"path", admission->rule_path()},
          {"peer", or_null(admission->peer_path())},
          {"port", or_null(admission->port_path())},
          {"admits", peer + ", " + port}};
}

Json miss_json(const Miss& miss) {
  const std::string direction =
      miss.rule.direction == kube::Direction::kEgress ? "spec.egress" : "spec.ingress";
  return {{"policy", miss.rule.policy.text()},
          {"path", miss.has_rule ? miss.rule.rule_path() : direction},
          {"peer", or_null(miss.rule.peer_path())},
          {"port", or_null(miss.rule.port_path())},
          {"what", miss.what}};
}

/// One direction, with what came nearest if it denies.
Json direction_json(const kube::DirectionVerdict& verdict, const kube::Evaluator& evaluator,
                    const Asked& asked) {
  Json policies = Json::array(), nearest = Json::array();
  for (const kube::ObjectKey& key : verdict.policies) policies.push_back(key.text());
  if (!verdict.allowed && asked.subject != nullptr) {
    for (const Miss& miss : nearest_misses(evaluator, asked, kMissesShown)) {
      nearest.push_back(miss_json(miss));
    }
  }
  return {
      {"isolated", verdict.isolated},    {"allowed", verdict.allowed},
      {"policies", std::move(policies)}, {"rule", rule_json(verdict.admission, evaluator.state())},
      {"nearest", std::move(nearest)},   {"why", verdict.why}};
}

/// Why policies do not look at the pod that was asked about; empty: they do.
std::string note_on(const AskedEnd& asked, const kube::ClusterState& state) {
  const size_t slash = asked.pod.find('/');
  if (slash == std::string::npos) return {};
  const auto found = state.pods.find({asked.pod.substr(0, slash), asked.pod.substr(slash + 1)});
  if (found == state.pods.end()) return {};
  if (found->second->finished) return "has ended, and is no pod to any policy any more";
  if (!found->second->host_network) return {};
  return "is on the host's network: its traffic is its node's, and no policy selects it";
}

Json end_json(const AskedEnd& asked, const IpAddress& address, const kube::Evaluator& evaluator) {
  Json pod, shown;
  if (!asked.pod.empty()) {
    pod = asked.pod;
  } else if (const auto pods = evaluator.end(address).pods; pods.size() == 1) {
    pod = pods.front()->ns + "/" + pods.front()->name;
  }
  if (!is_stand_in(address)) shown = address.text();
  return {{"text", asked.text},
          {"address", std::move(shown)},
          {"pod", std::move(pod)},
          {"note", or_null(note_on(asked, evaluator.state()))}};
}

Json others_json(const Question& question, const kube::Evaluator& evaluator) {
  Json others = Json::array();
  for (const Question& other : question.between_other_addresses()) {
    const kube::Explanation made =
        evaluator.evaluate(other.source, other.destination, other.protocol, other.port);
    others.push_back({{"from", other.source.text()},
                      {"to", other.destination.text()},
                      {"verdict", made.allowed ? "allow" : "deny"},
                      {"why", made.why}});
  }
  return others;
}

}  // namespace

Answer answer(const Question& question, const kube::Evaluator& evaluator) {
  const auto& [from, to, source, destination, protocol, port, flows, from_port] = question;
  const kube::Explanation made = evaluator.evaluate(source, destination, protocol, port);
  const Asked egress{kube::Direction::kEgress, made.source, destination,
                     made.destination,         protocol,    port};
  const Asked ingress{
      kube::Direction::kIngress, made.destination, source, made.source, protocol, port};
  Json denied_by;
  if (!made.allowed) denied_by = made.egress.allowed ? "ingress" : "egress";
  Json ingress_json = direction_json(made.ingress, evaluator, ingress);
  if (!made.egress.allowed) {
    ingress_json["why"] = "egress of the source blocks it before ingress is asked; " +
                          std::string(made.ingress.allowed ? "ingress would allow it: "
                                                           : "ingress would deny it too: ") +
                          made.ingress.why;
  }
  return {made.allowed,
          {{"from", end_json(from, source, evaluator)},
           {"to", end_json(to, destination, evaluator)},
           {"protocol", protocol_text(protocol)},
           {"port", port},
           {"verdict", made.allowed ? "allow" : "deny"},
           {"denied_by", std::move(denied_by)},
           {"why", made.why},
           {"egress", direction_json(made.egress, evaluator, egress)},
           {"ingress", std::move(ingress_json)},
           {"other_addresses", others_json(question, evaluator)}}};
}

}  // namespace rampart::explain
