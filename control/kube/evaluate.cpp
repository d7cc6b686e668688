// SPDX-License-Identifier: Apache-2.0
#include "control/kube/evaluate.hpp"

#include <algorithm>
#include <utility>

namespace rampart::kube {
namespace {

/// NetworkPolicyPort against a connection; `pod` is the destination, null if it is no pod.
bool port_matches(const PolicyPort& entry, uint8_t protocol, L4Port port, const Pod* pod) {
  if (protocol != static_cast<uint8_t>(entry.protocol)) return false;
  if (std::holds_alternative<PolicyPort::Any>(entry.port)) return true;
  if (const auto* range = std::get_if<PolicyPort::Range>(&entry.port)) {
    return range->first <= port && port <= range->last;
  }
  const auto& name = std::get<PolicyPort::Name>(entry.port);
  return pod != nullptr &&
         std::any_of(pod->ports.begin(), pod->ports.end(), [&](const ContainerPort& p) {
           return p.name == name && p.protocol == entry.protocol && p.number == port;
         });
}

std::string_view word(Direction direction) {
  return direction == Direction::kEgress ? "egress" : "ingress";
}

std::string describe_service(uint8_t protocol, L4Port port) {
  switch (static_cast<IpProtocol>(protocol)) {
    case IpProtocol::kTcp:
      return "TCP " + std::to_string(port);
    case IpProtocol::kUdp:
      return "UDP " + std::to_string(port);
    case IpProtocol::kSctp:
      return "SCTP " + std::to_string(port);
    case IpProtocol::kIcmp:
      return "ICMP";
    case IpProtocol::kIcmpV6:
      return "ICMPv6";
    default:
      return "protocol " + std::to_string(protocol);
  }
}

std::string join(const std::vector<ObjectKey>& keys) {
  std::string text;
  for (const ObjectKey& key : keys) text += (text.empty() ? "" : ", ") + key.text();
  return text;
}

std::string in_brackets(size_t index) {
  return "[" + std::to_string(index) + "]";
}

std::string text_of(const Admission& by) {
  return "allowed by " + by.policy.text() + " " + by.rule_path() + " (" +
         (by.peer ? "peer " + std::to_string(*by.peer) : std::string("all peers")) +
         (by.port ? ", port " + std::to_string(*by.port) : std::string(", all ports")) + ")";
}

}  // namespace

/// One of those behind an address: a pod, or a node, or (both empty) neither.
struct Evaluator::Who {
  IpAddress address;
  const Pod* pod = nullptr;
  std::string_view node;       ///< of whom it is an address; empty for pods and ambiguous addresses
  std::string ambiguous = {};  ///< the nodes, where there are several

  std::string text() const {
    if (pod != nullptr) return pod->ns + "/" + pod->name;
    if (!node.empty()) return address.text() + " (node " + std::string(node) + ")";
    if (!ambiguous.empty()) return address.text() + " (claimed by nodes " + ambiguous + ")";
    return address.text();
  }
};

struct Evaluator::Connection {
  Who source, destination;
  uint8_t protocol = 0;
  L4Port port = 0;
};

std::string Admission::rule_path() const {
  return "spec." + std::string(word(direction)) + in_brackets(rule);
}

std::string Admission::peer_path() const {
  if (!peer) return {};
  return rule_path() + (direction == Direction::kEgress ? ".to" : ".from") + in_brackets(*peer);
}

std::string Admission::port_path() const {
  return port ? rule_path() + ".ports" + in_brackets(*port) : std::string();
}

Evaluator::Evaluator(const ClusterState& state) : state_(state) {
  for (const auto& [key, node] : state.nodes) {
    for (const IpAddress& address : node->addresses) nodes_[address].insert(node->name);
  }
  for (const auto& [key, pod] : state.pods) {
    if (pod->finished) continue;
    if (!pod->node_name.empty()) {
      for (const IpAddress& address : pod->host_addresses) nodes_[address].insert(pod->node_name);
    }
    for (const IpAddress& address : pod->addresses) {
      if (!pod->host_network) {
        pods_[address].push_back(pod.get());
      } else if (!pod->node_name.empty()) {
        nodes_[address].insert(pod->node_name);
      }
    }
  }
}

End Evaluator::end(const IpAddress& address) const {
  if (lookup_) return lookup_(address);
  End end{address, {}, {}};
  if (const auto pods = pods_.find(address); pods != pods_.end()) end.pods = pods->second;
  if (const auto nodes = nodes_.find(address); nodes != nodes_.end()) {
    end.nodes.assign(nodes->second.begin(), nodes->second.end());
  }
  return end;
}

std::vector<Evaluator::Who> Evaluator::identities(const End& end) {
  std::vector<Who> all;
  for (const Pod* pod : end.pods) all.push_back({end.address, pod, {}, {}});
  if (end.nodes.size() == 1) {
    all.push_back({end.address, nullptr, end.nodes.front(), {}});
  } else if (all.empty() || !end.nodes.empty()) {
    Who nobody{end.address, nullptr, {}, {}};
    for (const std::string_view node : end.nodes) {
      nobody.ambiguous += (nobody.ambiguous.empty() ? "" : ", ") + std::string(node);
    }
    all.push_back(std::move(nobody));
  }
  return all;
}

const Labels& Evaluator::namespace_labels(const std::string& ns) const {
  static const Labels kNone;
  const auto found = state_.namespaces.find(ObjectKey{{}, ns});
  return found == state_.namespaces.end() ? kNone : found->second->labels;
}

bool Evaluator::peer_matches(const NetworkPolicy& policy, const PolicyPeer& peer,
                             const Who& other) const {
  if (peer.ip_block) return peer.ip_block->contains(other.address);
  if (other.pod == nullptr) return false;
  const bool namespace_matches =
      peer.namespace_selector ? peer.namespace_selector->matches(namespace_labels(other.pod->ns))
                              : other.pod->ns == policy.ns;
  return namespace_matches && (!peer.pod_selector || peer.pod_selector->matches(other.pod->labels));
}

std::vector<const NetworkPolicy*> Evaluator::isolating(const Pod& pod, Direction direction) const {
  std::vector<const NetworkPolicy*> found;
  for (auto entry = state_.policies.lower_bound(ObjectKey{pod.ns, {}});
       entry != state_.policies.end() && entry->first.ns == pod.ns; ++entry) {
    const NetworkPolicy& policy = *entry->second;
    const bool isolates =
        direction == Direction::kEgress ? policy.isolates_egress : policy.isolates_ingress;
    if (isolates && policy.subject.matches(pod.labels)) found.push_back(&policy);
  }
  return found;
}

std::optional<Admission> Evaluator::admitted(const NetworkPolicy& policy, Direction direction,
                                             const Who& other, const Connection& connection) const {
  if (!policy.fails_closed.empty()) return std::nullopt;
  const auto& rules = direction == Direction::kEgress ? policy.egress : policy.ingress;
  for (size_t r = 0; r < rules.size(); ++r) {
    const PolicyRule& rule = rules[r];
    size_t peer = 0, port = 0;
    while (peer < rule.peers.size() && !peer_matches(policy, rule.peers[peer], other)) ++peer;
    while (port < rule.ports.size() && !port_matches(rule.ports[port], connection.protocol,
                                                     connection.port, connection.destination.pod)) {
      ++port;
    }
    const bool peers_fit = rule.peers.empty() || peer < rule.peers.size();
    const bool ports_fit = rule.ports.empty() || port < rule.ports.size();
    if (!peers_fit || !ports_fit) continue;
    Admission admission{{policy.ns, policy.name}, direction, r, {}, {}};
    if (!rule.peers.empty()) admission.peer = peer;
    if (!rule.ports.empty()) admission.port = port;
    return admission;
  }
  return std::nullopt;
}

DirectionVerdict Evaluator::judge(Direction direction, const Connection& connection) const {
  const bool egress = direction == Direction::kEgress;
  const Who& subject = egress ? connection.source : connection.destination;
  const Who& other = egress ? connection.destination : connection.source;
  std::vector<const NetworkPolicy*> policies;
  if (subject.pod != nullptr) policies = isolating(*subject.pod, direction);
  DirectionVerdict verdict;
  verdict.isolated = !policies.empty();
  for (const NetworkPolicy* policy : policies) {
    verdict.admission = admitted(*policy, direction, other, connection);
    if (verdict.admission) break;
  }
  verdict.allowed = !verdict.isolated || verdict.admission.has_value();
  if (!tells()) return verdict;
  for (const NetworkPolicy* policy : policies)
    verdict.policies.push_back({policy->ns, policy->name});
  const std::string way(word(direction));
  if (subject.pod == nullptr) {
    verdict.why = subject.text() + " is no pod's address: no policy isolates it for " + way;
  } else if (!verdict.isolated) {
    verdict.why = "no policy isolates " + subject.text() + " for " + way;
  } else if (verdict.admission) {
    verdict.why = text_of(*verdict.admission);
  } else {
    verdict.why = subject.text() + " is isolated for " + way + " by " + join(verdict.policies) +
                  ", and no rule admits " + other.text() + " on " +
                  describe_service(connection.protocol, connection.port);
    for (const NetworkPolicy* policy : policies) {
      if (policy->fails_closed.empty()) continue;
      verdict.why += "; " + policy->ns + "/" + policy->name + " allows nothing because " +
                     policy->fails_closed;
    }
  }
  return verdict;
}

Explanation Evaluator::judge_pair(const Connection& connection) const {
  const Who &source = connection.source, &destination = connection.destination;
  Explanation made;
  made.source = source.pod;
  made.destination = destination.pod;
  made.egress = judge(Direction::kEgress, connection);
  made.ingress = judge(Direction::kIngress, connection);
  const auto own_node = [](const Who& pod, const Who& node) {
    return pod.pod != nullptr && !node.node.empty() && pod.pod->node_name == node.node;
  };
  const bool is_itself = source.address == destination.address;
  if (is_itself || own_node(source, destination) || own_node(destination, source)) {
    made.allowed = true;
    for (DirectionVerdict* direction : {&made.egress, &made.ingress}) {
      direction->allowed = true;
      direction->admission.reset();
    }
    if (!tells()) return made;
    if (is_itself) {
      made.why = "always allowed: both ends have the address " + source.address.text();
    } else {
      const bool from_node = destination.pod != nullptr && !source.node.empty();
      const Who &pod = from_node ? destination : source, &node = from_node ? source : destination;
      made.why = "always allowed: " + node.address.text() + " is an address of node " +
                 std::string(node.node) + ", on which " + pod.text() + " runs";
    }
    for (DirectionVerdict* direction : {&made.egress, &made.ingress}) {
      if (direction->isolated) direction->why = made.why;
    }
    return made;
  }
  made.allowed = made.egress.allowed && made.ingress.allowed;
  if (!tells()) return made;
  if (!made.egress.allowed) {
    made.why = made.egress.why;
  } else if (!made.ingress.allowed) {
    made.why = made.ingress.why;
  } else if (made.egress.isolated && made.ingress.isolated) {
    made.why = "egress " + made.egress.why + ", ingress " + made.ingress.why;
  } else if (made.egress.isolated || made.ingress.isolated) {
    made.why = (made.egress.isolated ? made.egress : made.ingress).why;
  } else {
    made.why = "no policy isolates either end: " + source.text() + " for egress, " +
               destination.text() + " for ingress";
  }
  return made;
}

Explanation Evaluator::too_many_to_judge(const End& source, const End& destination) {
  Explanation made;
  const bool egress = source.claimants() > kMostClaimants;
  const End& end = egress ? source : destination;
  made.why = "nothing passes: " + end.address.text() + " is claimed by " +
             std::to_string(end.claimants()) + ", too many to judge";
  DirectionVerdict& denies = egress ? made.egress : made.ingress;
  denies.allowed = false;
  denies.why = made.why;
  return made;
}

Explanation Evaluator::evaluate(const IpAddress& from, const IpAddress& to, uint8_t protocol,
                                L4Port port) const {
  const End source = end(from), destination = end(to);
  if (from != to && std::max(source.claimants(), destination.claimants()) > kMostClaimants) {
    return too_many_to_judge(source, destination);
  }
  std::optional<Explanation> shown;
  for (const Who& s : identities(source)) {
    for (const Who& d : identities(destination)) {
      Explanation one = judge_pair({s, d, protocol, port});
      if (!one.allowed) {
        if (tells() && (source.is_shared() || destination.is_shared())) {
          one.why += "; " + (source.is_shared() ? from : to).text() +
                     " is claimed more than once, and each claimant must be allowed";
        }
        return one;
      }
      if (!shown) shown = std::move(one);
    }
  }
  return std::move(*shown);
}

Explanation evaluate(const ClusterState& state, const IpAddress& from, const IpAddress& to,
                     uint8_t protocol, L4Port port) {
  return Evaluator(state).evaluate(from, to, protocol, port);
}

}  // namespace rampart::kube
