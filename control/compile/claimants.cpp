// SPDX-License-Identifier: Apache-2.0
#include "control/compile/claimants.hpp"

#include <algorithm>

#include "control/compile/groups.hpp"

namespace rampart::compile {
namespace {

template <typename List, typename T>
bool has(const List& list, const T& one) {
  return std::find(list.begin(), list.end(), one) != list.end();
}

}  // namespace

std::string Claimants::wrong_of(const kube::Pod& pod) const {
  std::string wrong;
  for (const IpAddress& address : pod.addresses) {
    const kube::End end = tables_.end(address);
    if (pod.host_network && !pod.finished) {
      wrong = missing(pod.node_name, address);
    } else if (counts_as_pod(pod) && !has(end.pods, &pod)) {
      wrong = address.text() + " is an address of pod " + pod.ns + "/" + pod.name +
              ", and the tables do not know it there";
    }
    if (wrong.empty()) wrong = wrong_about(end);
    if (!wrong.empty()) return wrong;
  }
  for (const IpAddress& address : pod.host_addresses) {
    if (pod.finished) break;
    if (wrong = missing(pod.node_name, address); !wrong.empty()) return wrong;
  }
  return {};
}

std::string Claimants::wrong_of(const kube::Node& node) const {
  for (const IpAddress& address : node.addresses) {
    if (auto wrong = missing(node.name, address); !wrong.empty()) return wrong;
  }
  return {};
}

std::string Claimants::wrong_at(const IpAddress& address) const {
  return wrong_about(tables_.end(address));
}

std::string Claimants::wrong_about(const kube::End& end) const {
  for (const kube::Pod* pod : end.pods) {
    const auto found = pod == nullptr ? state_.pods.end() : state_.pods.find({pod->ns, pod->name});
    if (found == state_.pods.end() || found->second.get() != pod || !counts_as_pod(*pod) ||
        !has(pod->addresses, end.address)) {
      return "the tables know a pod at " + end.address.text() + " that is not there";
    }
  }
  const Identity& identity = *made_.rules->addresses->find(end.address);
  const bool is_shared = (identity.flags & Identity::kShared) != 0;
  if (is_shared != end.is_shared()) {
    return end.address.text() + " has " + std::to_string(end.claimants()) +
           " claimants, and the address map takes it for " + (is_shared ? "shared" : "one's own");
  }
  if (is_shared) return {};
  const bool names_one = identity.endpoint - 1U < made_.endpoints.size();  // 0: nobody
  const kube::Pod* there = names_one ? made_.endpoints[identity.endpoint - 1] : nullptr;
  const kube::Pod* expected = end.pods.empty() ? nullptr : end.pods.front();
  if (there != expected) {
    const auto name = [](const kube::Pod* pod) {
      return pod == nullptr ? "no pod's" : "that of pod " + pod->ns + "/" + pod->name;
    };
    return end.address.text() + " is " + name(expected) + ", and by the address map " + name(there);
  }
  if (expected != nullptr && identity.node != made_.memory->roster.node(expected->node_name)) {
    return end.address.text() + " is on node \"" + expected->node_name +
           "\", and by the address map on another";
  }
  return {};
}

std::string Claimants::wrong_node_at(const IpAddress& address) const {
  for (const std::string_view node : tables_.end(address).nodes) {
    if (claims(node, address)) continue;
    return "the tables take " + address.text() + " for an address of node " + std::string(node);
  }
  return {};
}

std::string Claimants::missing(std::string_view node, const IpAddress& address) const {
  if (node.empty() || tables_.has_node(address, node)) return {};
  return address.text() + " is an address of node " + std::string(node) +
         ", and the tables do not know it there";
}

/// By itself, or by one of its pods.
bool Claimants::claims(std::string_view node, const IpAddress& address) const {
  const auto found = state_.nodes.find({{}, std::string(node)});
  if (found != state_.nodes.end() && has(found->second->addresses, address)) return true;
  return std::any_of(state_.pods.begin(), state_.pods.end(), [&](const auto& entry) {
    const kube::Pod& pod = *entry.second;
    if (pod.finished || pod.node_name != node) return false;
    return has(pod.host_addresses, address) || (pod.host_network && has(pod.addresses, address));
  });
}

}  // namespace rampart::compile
