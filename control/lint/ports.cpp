// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <set>
#include <string>
#include <variant>

#include "control/lint/checks.hpp"
#include "control/lint/words.hpp"

// Named ports that nobody has.
namespace rampart::lint {
namespace {

std::string_view text_of(IpProtocol protocol) {
  return protocol == IpProtocol::kUdp ? "UDP" : protocol == IpProtocol::kSctp ? "SCTP" : "TCP";
}

/// Whether a pod may be a destination of the rule. Blocks may hold any pod.
bool is_destination(const kube::ClusterState& state, const kube::NetworkPolicy& policy,
                    const RuleView& view, const kube::Pod& pod) {
  if (pod.host_network) return false;
  if (!view.egress()) return pod.ns == policy.ns && policy.subject.matches(pod.labels);
  const auto fits = [&](const kube::PolicyPeer& peer) {
    if (peer.ip_block) return true;
    const bool there = peer.namespace_selector
                           ? peer.namespace_selector->matches(namespace_labels(state, pod.ns))
                           : pod.ns == policy.ns;
    return there && (!peer.pod_selector || peer.pod_selector->matches(pod.labels));
  };
  const auto& peers = view.rule.peers;
  return peers.empty() || std::any_of(peers.begin(), peers.end(), fits);
}

std::vector<const kube::Pod*> destinations(const kube::ClusterState& state,
                                           const kube::NetworkPolicy& policy,
                                           const RuleView& view) {
  std::vector<const kube::Pod*> pods;
  const bool only_own = !view.egress();
  for (auto pod = only_own ? state.pods.lower_bound(kube::ObjectKey{policy.ns, {}})
                           : state.pods.begin();
       pod != state.pods.end() && (!only_own || pod->first.ns == policy.ns); ++pod) {
    if (is_destination(state, policy, view, *pod->second)) pods.push_back(pod->second.get());
  }
  return pods;
}

void check_port(const Judged& judged, const RuleView& view, size_t index,
                const std::vector<const kube::Pod*>& pods, std::vector<Finding>& out) {
  const kube::PolicyPort& entry = view.rule.ports[index];
  const auto& name = std::get<kube::PolicyPort::Name>(entry.port);
  std::set<std::string> names;
  std::string other_protocol;
  for (const kube::Pod* pod : pods) {
    for (const kube::ContainerPort& port : pod->ports) {
      if (port.name == name && port.protocol == entry.protocol) return;
      if (port.name == name) other_protocol = text_of(port.protocol);
      if (!port.name.empty() && port.protocol == entry.protocol) names.insert(port.name);
    }
  }
  const std::vector<std::string> known(names.begin(), names.end());
  std::string hint = known.empty() ? "none of them names a port of that protocol"
                                   : "the names there are " + enumerated(known);
  if (!other_protocol.empty()) {
    hint = name + " is a port of " + other_protocol + " there";
  } else if (const std::string near = nearest(name, known); !near.empty()) {
    hint += "; did you mean " + near + "?";
  }
  out.push_back(judged.finding(
      RuleId::kNoSuchPort, view.port_path(index) + ".port",
      "none of the " +
          std::string(view.egress() ? "pods that the rule leads to" : "selected pods") +
          " has a port named " + name + " (" + std::string(text_of(entry.protocol)) + ")",
      hint));
}

}  // namespace

void find_lost_ports(const Case& input, std::vector<Finding>& out) {
  if (input.blind.pods) return;
  for (const Judged& judged : input.policies) {
    if (!judged.sound) continue;
    for (const RuleView& view : rules_of(judged.policy)) {
      std::vector<const kube::Pod*> pods;
      bool looked = false;
      for (size_t i = 0; i < view.rule.ports.size(); ++i) {
        if (!std::holds_alternative<kube::PolicyPort::Name>(view.rule.ports[i].port)) continue;
        if (!looked) pods = destinations(input.survey.state, judged.policy, view);
        looked = true;
        if (!pods.empty()) check_port(judged, view, i, pods, out);
      }
    }
  }
}

}  // namespace rampart::lint
