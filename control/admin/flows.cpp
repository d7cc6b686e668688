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

bool is_state(std::string_view text) {
  return std::find(kFlowStateNames.begin(), kFlowStateNames.end(), text) != kFlowStateNames.end();
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

/// "web/out egress[0]", or null: no rule decided, or it was one of a rule set that is gone.
Json rule_text(const publish::InForce& in_force, const FlowRecord& flow, uint32_t rule) {
  if (rule == 0 || !in_force.compiled) return {};
  const auto& compiled = *in_force.compiled;
  // Rules keep their numbers as long as nothing but exact addresses changes.
  if (flow.revision < compiled.rules->policy_changed_in) return {};
  if (rule > compiled.origins->size()) return {};
  const kube::Admission& origin = (*compiled.origins)[rule - 1];
  return origin.policy.text() + " " + origin.rule_path().substr(std::string_view("spec.").size());
}

Json pod_text(const publish::InForce& in_force, const IpAddress& address) {
  if (!in_force.compiled) return {};
  const kube::Pod* pod = pod_behind(*in_force.compiled, address);
  return pod != nullptr ? Json(pod->ns + "/" + pod->name) : Json();
}

}  // namespace

Result<FlowFilter> flow_filter(const Query& query) {
  FlowFilter filter;
  for (const auto& [name, value] : query) {
    if (name == "address") {
      const auto address = IpAddress::parse(value);
      if (!address) return bad(name, "'" + value + "': " + address.error().what);
      filter.address = *address;
    } else if (name == "port") {
      L4Port port = 0;
      if (!read_number(value, port)) return bad(name, "must be a number from 0 to 65535");
      filter.port = port;
    } else if (name == "protocol") {
      filter.protocol = protocol_number(value);
      if (!filter.protocol) return bad(name, "must be TCP, UDP, SCTP, ICMP, ICMPv6 or a number");
    } else if (name == "state") {
      if (!is_state(value)) return bad(name, "must be one of " + state_names());
      filter.state = value;
    } else if (name == "limit") {
      if (!read_number(value, filter.limit) || filter.limit == 0 || filter.limit > kMostFlows) {
        return bad(name, "must be a number from 1 to " + std::to_string(kMostFlows));
      }
    } else {
      return bad(name, "is no parameter of this call");
    }
  }
  return filter;
}

std::string flows_document(const std::vector<FlowRecord>& flows, bool truncated,
                           const publish::InForce& in_force) {
  ListDocument out("flows");
  for (const FlowRecord& flow : flows) {
    Json vlans = Json::array();
    if (flow.outer_vlan != 0) vlans.push_back(flow.outer_vlan);
    if (flow.inner_vlan != 0) vlans.push_back(flow.inner_vlan);
    out.add({{"source", flow.source.text()},
             {"source_port", flow.source_port},
             {"destination", flow.destination.text()},
             {"destination_port", flow.destination_port},
             {"protocol", protocol_text(flow.protocol)},
             {"state", flow.state},
             {"wire", flow.wire},
             {"vlans", std::move(vlans)},
             {"worker", flow.worker},
             {"revision", flow.revision},
             {"egress_rule", rule_text(in_force, flow, flow.egress_rule)},
             {"ingress_rule", rule_text(in_force, flow, flow.ingress_rule)},
             {"packets", {flow.packets[0], flow.packets[1]}},
             {"bytes", {flow.bytes[0], flow.bytes[1]}},
             {"idle_ms", flow.idle_ms},
             {"expires_in_ms", flow.expires_in_ms},
             {"source_pod", pod_text(in_force, flow.source)},
             {"destination_pod", pod_text(in_force, flow.destination)}});
  }
  return std::move(out).finish({{"truncated", truncated}});
}

}  // namespace rampart::admin
