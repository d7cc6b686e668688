// SPDX-License-Identifier: Apache-2.0
#include "control/kube/encode.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <string_view>
#include <utility>

namespace rampart::kube {
namespace {

using Json = nlohmann::ordered_json;

Json encode_labels(const Labels& labels) {
  Json out = Json::object();
  for (const auto& [key, value] : labels) out[key] = value;
  return out;
}

Json header(std::string_view api_version, std::string_view kind, const std::string& ns,
            const std::string& name, const Labels& labels) {
  Json out{{"apiVersion", api_version}, {"kind", kind}};
  Json& metadata = out["metadata"] = Json::object();
  metadata["name"] = name;
  if (!ns.empty()) metadata["namespace"] = ns;
  if (!labels.empty()) metadata["labels"] = encode_labels(labels);
  return out;
}

std::string_view protocol_name(IpProtocol protocol) {
  if (protocol == IpProtocol::kUdp) return "UDP";
  return protocol == IpProtocol::kSctp ? "SCTP" : "TCP";
}

Json ip_list(const std::vector<IpAddress>& addresses) {
  Json out = Json::array();
  for (const IpAddress& address : addresses) out.push_back({{"ip", address.text()}});
  return out;
}

Json encode(const Namespace& ns) {
  return header("v1", "Namespace", {}, ns.name, ns.labels);
}

Json encode(const Node& node) {
  Json out = header("v1", "Node", {}, node.name, node.labels);
  Json& addresses = out["status"]["addresses"] = Json::array();
  for (const IpAddress& address : node.addresses) {
    addresses.push_back({{"type", "InternalIP"}, {"address", address.text()}});
  }
  return out;
}

Json encode(const Pod& pod) {
  Json out = header("v1", "Pod", pod.ns, pod.name, pod.labels);
  Json spec = Json::object(), status = Json::object();
  if (!pod.node_name.empty()) spec["nodeName"] = pod.node_name;
  if (pod.host_network) spec["hostNetwork"] = true;
  if (!pod.ports.empty()) {
    Json ports = Json::array();
    for (const ContainerPort& port : pod.ports) {
      Json one = Json::object();
      if (!port.name.empty()) one["name"] = port.name;
      one["protocol"] = protocol_name(port.protocol);
      one["containerPort"] = port.number;
      ports.push_back(std::move(one));
    }
    // Which of its containers has a port decides nothing and is not known any more.
    spec["containers"] = Json::array({{{"name", "all"}, {"ports", std::move(ports)}}});
  }
  status["phase"] = pod.finished ? "Succeeded" : "Running";
  if (!pod.host_addresses.empty()) status["hostIPs"] = ip_list(pod.host_addresses);
  if (!pod.addresses.empty()) {
    status["podIP"] = pod.addresses.front().text();
    status["podIPs"] = ip_list(pod.addresses);
  }
  if (!spec.empty()) out["spec"] = std::move(spec);
  out["status"] = std::move(status);
  return out;
}

std::string_view operator_name(LabelRequirement::Op op) {
  switch (op) {
    case LabelRequirement::Op::kIn:
      return "In";
    case LabelRequirement::Op::kNotIn:
      return "NotIn";
    case LabelRequirement::Op::kExists:
      return "Exists";
    case LabelRequirement::Op::kDoesNotExist:
      return "DoesNotExist";
  }
  return "";
}

/// Equalities go to matchLabels, as people write them; a key has room there only once.
Json encode(const LabelSelector& selector) {
  Json labels = Json::object(), expressions = Json::array();
  for (const LabelRequirement& r : selector.requirements) {
    if (r.op == LabelRequirement::Op::kIn && r.values.size() == 1 && !labels.contains(r.key)) {
      labels[r.key] = r.values.front();
      continue;
    }
    Json one{{"key", r.key}, {"operator", operator_name(r.op)}};
    if (!r.values.empty()) one["values"] = r.values;
    expressions.push_back(std::move(one));
  }
  Json out = Json::object();
  if (!labels.empty()) out["matchLabels"] = std::move(labels);
  if (!expressions.empty()) out["matchExpressions"] = std::move(expressions);
  return out;
}

Json encode(const PolicyPeer& peer) {
  Json out = Json::object();
  if (peer.pod_selector) out["podSelector"] = encode(*peer.pod_selector);
  if (peer.namespace_selector) out["namespaceSelector"] = encode(*peer.namespace_selector);
  if (peer.ip_block) {
    Json& block = out["ipBlock"] = {{"cidr", peer.ip_block->cidr.text()}};
    for (const IpPrefix& prefix : peer.ip_block->except) block["except"].push_back(prefix.text());
  }
  return out;
}

Json encode(const PolicyPort& port) {
  Json out{{"protocol", protocol_name(port.protocol)}};
  if (const auto* range = std::get_if<PolicyPort::Range>(&port.port)) {
    out["port"] = range->first;
    if (range->last != range->first) out["endPort"] = range->last;
  } else if (const auto* name = std::get_if<PolicyPort::Name>(&port.port)) {
    out["port"] = *name;
  }
  return out;
}

Json encode(const std::vector<PolicyRule>& rules, std::string_view peers_name) {
  Json out = Json::array();
  for (const PolicyRule& rule : rules) {
    Json one = Json::object();
    for (const PolicyPeer& peer : rule.peers) one[std::string(peers_name)].push_back(encode(peer));
    for (const PolicyPort& port : rule.ports) one["ports"].push_back(encode(port));
    out.push_back(std::move(one));
  }
  return out;
}

std::string text_of(const NetworkPolicy& policy) {
  Json out = header("networking.k8s.io/v1", "NetworkPolicy", policy.ns, policy.name, {});
  if (!policy.raw_spec.empty()) {
    // It holds what this version does not know, and goes back out as it came.
    std::string text = out.dump();
    text.back() = ',';
    return text + "\"spec\":" + policy.raw_spec + "}";
  }
  Json spec{{"podSelector", encode(policy.subject)}};
  Json& types = spec["policyTypes"] = Json::array();
  if (policy.isolates_ingress) types.push_back("Ingress");
  if (policy.isolates_egress) types.push_back("Egress");
  if (!policy.ingress.empty()) spec["ingress"] = encode(policy.ingress, "from");
  if (!policy.egress.empty()) spec["egress"] = encode(policy.egress, "to");
  out["spec"] = std::move(spec);
  return out.dump();
}

void append(std::string& out, bool& first, std::string_view object) {
  out += first ? "\n" : ",\n";
  out += object;
  first = false;
}

}  // namespace

std::string encode_snapshot(const ClusterState& state) {
  std::string out = R"({"apiVersion":"v1","kind":"List","items":[)";
  bool first = true;
  for (const auto& [key, ns] : state.namespaces) {
    if (!ns->implied) append(out, first, encode(*ns).dump());
  }
  for (const auto& [key, node] : state.nodes) append(out, first, encode(*node).dump());
  for (const auto& [key, pod] : state.pods) append(out, first, encode(*pod).dump());
  for (const auto& [key, policy] : state.policies) append(out, first, text_of(*policy));
  for (const auto& [key, policy] : state.unsupported) append(out, first, policy->json);
  return out + "\n]}\n";
}

}  // namespace rampart::kube
