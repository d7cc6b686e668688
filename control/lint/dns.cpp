// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <string>
#include <variant>

#include "control/lint/checks.hpp"
#include "control/lint/containment.hpp"

// Isolation for egress that forgets that names must be resolved first.
namespace rampart::lint {
namespace {

using Port = kube::PolicyPort;

constexpr L4Port kDns = 53;
constexpr std::string_view kDnsNamespace = "kube-system";
/// What the cluster's own DNS is called in every usual distribution.
constexpr std::string_view kDnsRule =
    "to:\n"
    "- namespaceSelector:\n"
    "    matchLabels:\n"
    "      kubernetes.io/metadata.name: kube-system\n"
    "  podSelector:\n"
    "    matchLabels:\n"
    "      k8s-app: kube-dns\n"
    "ports:\n"
    "- protocol: UDP\n"
    "  port: 53\n"
    "- protocol: TCP\n"
    "  port: 53\n";

/// Whether the entry speaks of DNS: by its number, or by the name that the pods of DNS give it.
bool names_dns(const Port& entry) {
  if (entry.protocol != IpProtocol::kUdp) return false;
  if (const auto* range = std::get_if<Port::Range>(&entry.port)) {
    return range->first <= kDns && kDns <= range->last;
  }
  const auto* name = std::get_if<Port::Name>(&entry.port);
  return name != nullptr && name->starts_with("dns");
}

/// Whether the pods of the cluster's DNS may be behind the peer.
bool may_be_dns(const kube::ClusterState& state, const kube::NetworkPolicy& policy,
                const kube::PolicyPeer& peer) {
  if (peer.ip_block) return true;
  const std::string ns(kDnsNamespace);
  return peer.namespace_selector ? peer.namespace_selector->matches(namespace_labels(state, ns))
                                 : policy.ns == ns;
}

/// A rule for port 53 is meant for DNS whoever its peers are (other checks look at those). A rule
/// for every port lets DNS through if it leads to where DNS is.
bool allows_dns(const kube::ClusterState& state, const kube::NetworkPolicy& policy,
                const kube::PolicyRule& rule) {
  const auto& ports = rule.ports;
  if (std::any_of(ports.begin(), ports.end(), names_dns)) return true;
  const bool all_ports =
      ports.empty() || std::any_of(ports.begin(), ports.end(), [](const Port& entry) {
        return entry.protocol == IpProtocol::kUdp && std::holds_alternative<Port::Any>(entry.port);
      });
  const auto& peers = rule.peers;
  return all_ports && (peers.empty() || std::any_of(peers.begin(), peers.end(), [&](const auto& p) {
                         return may_be_dns(state, policy, p);
                       }));
}

bool allows_dns(const kube::ClusterState& state, const kube::NetworkPolicy& policy) {
  return std::any_of(policy.egress.begin(), policy.egress.end(),
                     [&](const kube::PolicyRule& rule) { return allows_dns(state, policy, rule); });
}

}  // namespace

void find_missing_dns(const Case& input, std::vector<Finding>& out) {
  const kube::ClusterState& state = input.survey.state;
  for (const Judged& judged : input.policies) {
    const kube::NetworkPolicy& policy = judged.policy;
    if (!judged.sound || policy.egress.empty()) continue;
    const auto neighbours = input.in(policy.ns);
    const bool allowed =
        std::any_of(neighbours.begin(), neighbours.end(), [&](const Judged& other) {
          return covers(other.policy.subject, policy.subject) && allows_dns(state, other.policy);
        });
    if (allowed) continue;
    Finding& finding = out.emplace_back(judged.finding(
        RuleId::kEgressWithoutDns, "spec.egress",
        "isolates its pods for egress, and no rule lets them ask DNS (UDP 53)",
        "add a rule for the cluster's DNS, here or in a policy for the whole namespace"));
    finding.mend = Mend{Mend::Kind::kAppend, "spec.egress", std::string(kDnsRule), "allow DNS"};
  }
}

}  // namespace rampart::lint
