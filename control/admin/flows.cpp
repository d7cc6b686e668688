// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <charconv>

#include "control/admin/documents.hpp"
#include "control/admin/json.hpp"
#include "dataplane/flow/flow_state.hpp"

namespace rampart::admin {
namespace {

constexpr size_t kMostFlows = 100000;

Error bad(std::string_view parameter, std::string what) {
  return {ErrorCode::kInvalid, std::move(what), std::string(parameter)};
}

template <typename Number>
bool read_number(std::string_view text, Number& out) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out);
  return error == std::errc{} && end == text.data() + text.size();
}

/// The names of states, each once: some are shared by protocols.
std::string state_names() {
  std::string text;
  for (auto name = kFlowStateNames.begin(); name != kFlowStateNames.end(); ++name) {
    const auto same = [&](std::string_view other) { return other == *name; };
    if (std::any_of(kFlowStateNames.begin(), name, same)) continue;
    text += (text.empty() ? "" : ", ") + std::string(*name);
  }
  return text;
}

/// "web/out egress[0]", or null: no rule decided, or its policy is gone or another one.
Json rule_text(const publish::InForce& in_force, uint32_t rule) {
  if (rule == 0 || !in_force.compiled) return {};
  const auto& compiled = *in_force.compiled;
  const kube::Admission* origin = compiled.origins->find(rule);
  if (origin == nullptr) return {};
  return origin->policy.text() + " " + origin->rule_path().substr(std::string_view("spec.").size());
}

Json pod_text(const publish::InForce& in_force, const IpAddress& address) {
  if (!in_force.compiled) return {};
  const kube::Pod* pod = pod_behind(*in_force.compiled, address);
  return pod != nullptr ? Json(pod->ns + "/" + pod->name) : Json();
}

Result<kube::ObjectKey> object_key(std::string_view parameter, std::string_view value) {
  const size_t slash = value.find('/');
  if (slash == value.npos) return bad(parameter, "must be namespace/name");
  return kube::ObjectKey{std::string(value.substr(0, slash)), std::string(value.substr(slash + 1))};
}

Error none_such(std::string_view parameter, const std::string& value) {
  return {ErrorCode::kNotFound, "there is no " + std::string(parameter) + " " + value,
          std::string(parameter)};
}

/// The addresses behind which there is this pod and nobody else: what belongs to its node or is
/// claimed by others too would make a filter of other pods' flows.
Result<std::vector<IpAddress>> pod_addresses(const std::string& value,
                                             const compile::Compiled& compiled) {
  const auto key = object_key("pod", value);
  if (!key) return key.error();
  const auto pod = compiled.state->pods.find(*key);
  if (pod == compiled.state->pods.end()) return none_such("pod", value);
  std::vector<IpAddress> own;
  for (const IpAddress& address : pod->second->addresses) {
    if (pod_behind(compiled, address) == pod->second.get()) own.push_back(address);
  }
  if (own.empty()) return bad("pod", "pod " + value + " has no address of its own");
  return own;
}

/// The rules that a policy became.
Result<RuleFilter> policy_rules(const std::string& value, const publish::InForce& in_force) {
  const compile::Compiled& compiled = *in_force.compiled;
  const auto key = object_key("policy", value);
  if (!key) return key.error();
  if (compiled.state->policies.count(*key) == 0) return none_such("policy", value);
  RuleFilter filter;
  const compile::PolicyPlace& place = *compiled.origins->of(*key);
  for (uint32_t i = 0; i < place.entries->size(); ++i) filter.insert(place.first + i);
  return filter;
}

/// Sets one filter.
Result<void> set_filter(FlowFilter& filter, const std::string& name, const std::string& value,
                        const publish::InForce& in_force) {
  if (name == "address") {
    const auto address = IpAddress::parse(value);
    if (!address) return bad(name, "'" + value + "': " + address.error().what);
    filter.address = *address;
    return {};
  }
  if (name == "port") {
    L4Port port = 0;
    if (!read_number(value, port)) return bad(name, "must be a number from 0 to 65535");
    filter.port = port;
    return {};
  }
  if (name == "protocol") {
    filter.protocol = protocol_number(value);
    if (!filter.protocol) return bad(name, "must be TCP, UDP, SCTP, ICMP, ICMPv6 or a number");
    return {};
  }
  if (name == "state") {
    filter.states = flow_states_named(value);
    if (filter.states == 0) return bad(name, "must be one of " + state_names());
    return {};
  }
  if (name != "pod" && name != "policy") return bad(name, "is no parameter of this call");
  if (!in_force.compiled) {
    return Error{ErrorCode::kConflict, "there is no snapshot yet that could name one", name};
  }
  if (name == "pod") {
    auto addresses = pod_addresses(value, *in_force.compiled);
    if (!addresses) return std::move(addresses).error();
    filter.addresses = *std::move(addresses);
  } else {
    auto rules = policy_rules(value, in_force);
    if (!rules) return std::move(rules).error();
    filter.rules = *std::move(rules);
  }
  return {};
}

}  // namespace

Result<FlowFilter> flow_filter(const Query& query, const publish::InForce& in_force) {
  FlowFilter filter;
  for (const auto& [name, value] : query) {
    if (name == "limit") {
      if (!read_number(value, filter.limit) || filter.limit == 0 || filter.limit > kMostFlows) {
        return bad(name, "must be a number from 1 to " + std::to_string(kMostFlows));
      }
    } else if (auto set = set_filter(filter, name, value, in_force); !set) {
      return std::move(set).error();
    }
  }
  return filter;
}

Result<FlowFilter> cut_filter(const Query& query, const publish::InForce& in_force) {
  FlowFilter filter;
  if (const auto all = query.find("all"); all != query.end()) {
    if (all->second != "true") return bad("all", "must be true");
    if (query.size() != 1) return bad("all", "stands alone: a filter would leave some flows");
    return filter;
  }
  if (query.empty()) return bad("all", "must be true if every flow is meant; else give a filter");
  for (const auto& [name, value] : query) {
    if (auto set = set_filter(filter, name, value, in_force); !set) return std::move(set).error();
  }
  return filter;
}

Json flow_json(const FlowRecord& flow, const publish::InForce& in_force) {
  Json vlans = Json::array();
  if (flow.outer_vlan != 0) vlans.push_back(flow.outer_vlan);
  if (flow.inner_vlan != 0) vlans.push_back(flow.inner_vlan);
  return {{"source", flow.source.text()},
          {"source_port", flow.source_port},
          {"destination", flow.destination.text()},
          {"destination_port", flow.destination_port},
          {"protocol", protocol_text(flow.protocol)},
          {"state", flow.state},
          {"opened_on", flow.opened_on},
          {"wire", flow.wire},
          {"vlans", std::move(vlans)},
          {"worker", flow.worker},
          {"revision", flow.revision},
          {"egress_rule", rule_text(in_force, flow.egress_rule)},
          {"ingress_rule", rule_text(in_force, flow.ingress_rule)},
          {"packets", {flow.packets[0], flow.packets[1]}},
          {"bytes", {flow.bytes[0], flow.bytes[1]}},
          {"idle_ms", flow.idle_ms},
          {"expires_in_ms", flow.expires_in_ms},
          {"source_pod", pod_text(in_force, flow.source)},
          {"destination_pod", pod_text(in_force, flow.destination)}};
}

std::string flows_document(const std::vector<FlowRecord>& flows, bool truncated,
                           const publish::InForce& in_force) {
  ListDocument out("flows");
  for (const FlowRecord& flow : flows) out.add(flow_json(flow, in_force));
  return std::move(out).finish({{"truncated", truncated}});
}

}  // namespace rampart::admin
