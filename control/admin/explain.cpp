// SPDX-License-Identifier: Apache-2.0
#include <charconv>

#include "control/admin/documents.hpp"
#include "control/admin/json.hpp"
#include "control/kube/evaluate.hpp"

namespace rampart::admin {
namespace {

constexpr uint8_t kIcmp = 1, kTcp = 6, kUdp = 17, kIcmpV6 = 58, kSctp = 132;

bool has_ports(uint8_t protocol) {
  return protocol == kTcp || protocol == kUdp || protocol == kSctp;
}

Error bad(std::string_view parameter, std::string what) {
  return {ErrorCode::kInvalid, std::move(what), std::string(parameter)};
}

/// One end as it was asked about: a pod with all its addresses, or one address.
struct Asked {
  std::string text;
  std::string pod;  ///< empty: an address was given
  std::vector<IpAddress> addresses;
};

Result<Asked> read_end(const Query& query, std::string_view parameter,
                       const kube::ClusterState& state) {
  const auto given = query.find(parameter);
  if (given == query.end() || given->second.empty()) {
    return bad(parameter, "is required: namespace/pod or an address");
  }
  Asked asked{given->second, {}, {}};
  const size_t slash = asked.text.find('/');
  if (slash == std::string::npos) {
    const auto address = IpAddress::parse(asked.text);
    if (!address)
      return bad(parameter, "'" + asked.text + "' is neither namespace/pod nor an address");
    asked.addresses.push_back(*address);
    return asked;
  }
  const auto pod = state.pods.find({asked.text.substr(0, slash), asked.text.substr(slash + 1)});
  if (pod == state.pods.end()) {
    return Error{ErrorCode::kNotFound, "there is no pod " + asked.text, std::string(parameter)};
  }
  asked.pod = asked.text;
  asked.addresses = pod->second->addresses;
  if (asked.addresses.empty()) return bad(parameter, "pod " + asked.text + " has no address yet");
  return asked;
}

Result<uint8_t> read_protocol(const Query& query) {
  const auto given = query.find("protocol");
  if (given == query.end()) return kTcp;
  const auto number = protocol_number(given->second);
  if (!number) return bad("protocol", "must be TCP, UDP, SCTP, ICMP, ICMPv6 or a number");
  return *number;
}

Result<L4Port> read_port(const Query& query, uint8_t protocol) {
  const auto given = query.find("port");
  if (given == query.end() || given->second.empty()) {
    if (!has_ports(protocol)) return L4Port{0};
    return bad("port", "is required with " + protocol_text(protocol));
  }
  const std::string& text = given->second;
  L4Port port = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
  if (error != std::errc{} || end != text.data() + text.size()) {
    return bad("port", "must be a number from 0 to 65535");
  }
  return has_ports(protocol) ? port : L4Port{0};
}

/// The first pair of addresses of one family.
Result<std::pair<IpAddress, IpAddress>> pair_up(const Asked& from, const Asked& to) {
  for (const IpAddress& source : from.addresses) {
    for (const IpAddress& destination : to.addresses) {
      if (source.family() == destination.family()) return std::pair(source, destination);
    }
  }
  return bad("to", from.text + " and " + to.text + " have no addresses of one family");
}

Json rule_json(const std::optional<kube::Admission>& admission) {
  if (!admission) return {};
  const auto or_null = [](const std::string& path) { return path.empty() ? Json() : Json(path); };
  return {{"policy", admission->policy.text()},
          {"path", admission->rule_path()},
          {"peer", or_null(admission->peer_path())},
          {"port", or_null(admission->port_path())}};
}

Json direction_json(const kube::DirectionVerdict& verdict) {
  Json policies = Json::array();
  for (const kube::ObjectKey& key : verdict.policies) policies.push_back(key.text());
  return {{"isolated", verdict.isolated},
          {"allowed", verdict.allowed},
          {"policies", std::move(policies)},
          {"rule", rule_json(verdict.admission)},
          {"why", verdict.why}};
}

Json end_json(const Asked& asked, const IpAddress& address, const kube::Evaluator& evaluator) {
  Json pod;
  if (!asked.pod.empty()) {
    pod = asked.pod;
  } else if (const auto pods = evaluator.end(address).pods; pods.size() == 1) {
    pod = pods.front()->ns + "/" + pods.front()->name;
  }
  return {{"text", asked.text}, {"address", address.text()}, {"pod", std::move(pod)}};
}

/// What the workers would do.
bool tables_allow(const RuleSet& rules, const IpAddress& from, const IpAddress& to,
                  uint8_t protocol, L4Port port) {
  const Question question{rules.addresses->find(from), rules.addresses->find(to), protocol, port};
  Verdict verdict;
  judge(rules, &question, 1, &verdict);
  return verdict.outcome == Outcome::kAllow || from == to;
}

}  // namespace

Result<std::string> explain_document(const Query& query, const publish::InForce& in_force) {
  for (const auto& [name, value] : query) {
    if (name != "from" && name != "to" && name != "protocol" && name != "port") {
      return bad(name, "is no parameter of this call");
    }
  }
  if (!in_force.compiled) {
    return Error{ErrorCode::kConflict, "there is no snapshot yet: nothing to explain", {}};
  }
  const auto& compiled = *in_force.compiled;
  const auto from = read_end(query, "from", *compiled.state);
  if (!from) return from.error();
  const auto to = read_end(query, "to", *compiled.state);
  if (!to) return to.error();
  auto protocol = read_protocol(query);
  if (!protocol) return protocol.error();
  const auto port = read_port(query, *protocol);
  if (!port) return port.error();
  const auto pair = pair_up(*from, *to);
  if (!pair) return pair.error();
  const auto& [source, destination] = *pair;
  if (*protocol == kIcmp && !source.is_v4()) protocol = kIcmpV6;

  const kube::Evaluator evaluator(*compiled.state);
  const kube::Explanation made = evaluator.evaluate(source, destination, *protocol, *port);
  const bool agree =
      tables_allow(*compiled.rules, source, destination, *protocol, *port) == made.allowed;
  Json denied_by;
  if (!made.allowed) denied_by = made.egress.allowed ? "ingress" : "egress";
  return dump({{"revision", in_force.revision},
               {"from", end_json(*from, source, evaluator)},
               {"to", end_json(*to, destination, evaluator)},
               {"protocol", protocol_text(*protocol)},
               {"port", *port},
               {"verdict", made.allowed ? "allow" : "deny"},
               {"denied_by", std::move(denied_by)},
               {"why", made.why},
               {"egress", direction_json(made.egress)},
               {"ingress", direction_json(made.ingress)},
               {"tables_agree", agree}});
}

}  // namespace rampart::admin
