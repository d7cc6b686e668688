// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "control/admin/documents.hpp"
#include "control/admin/json.hpp"
#include "control/kube/evaluate.hpp"

namespace rampart::admin {
namespace {

std::string_view state_of(const kube::Pod& pod) {
  if (pod.finished) return "finished";
  if (pod.host_network) return "host-network";
  return pod.addresses.empty() ? "no-address" : "subject";
}

/// The class of the pod's address; null if rules do not speak of it as a pod, or if several pods of
/// different classes claim its address.
Json peer_class(const compile::Compiled& compiled, const kube::Pod& pod) {
  if (state_of(pod) != "subject") return {};
  const Identity& found = *compiled.rules->addresses->find(pod.addresses.front());
  if ((found.flags & Identity::kShared) == 0) return found.class_id;
  const auto& shared = compiled.rules->shared_addresses;
  if (found.endpoint >= shared.size()) return {};
  const std::vector<Identity>& claimants = shared[found.endpoint];
  const bool alike = std::all_of(claimants.begin(), claimants.end(), [&](const Identity& claimant) {
    return claimant.class_id == claimants.front().class_id;
  });
  return alike && !claimants.empty() ? Json(claimants.front().class_id) : Json();
}

Json isolating(const kube::Evaluator& evaluator, const kube::Pod& pod, kube::Direction direction) {
  Json out = Json::array();
  if (state_of(pod) == "finished" || state_of(pod) == "host-network") return out;
  for (const auto* policy : evaluator.isolating(pod, direction)) {
    out.push_back(policy->ns + "/" + policy->name);
  }
  return out;
}

}  // namespace

std::string endpoints_document(const publish::InForce& in_force) {
  ListDocument out("endpoints");
  if (in_force.compiled) {
    const auto& compiled = *in_force.compiled;
    const kube::Evaluator evaluator(*compiled.state);
    for (const auto& [key, pod] : compiled.state->pods) {
      Json addresses = Json::array(), labels = Json::object();
      for (const IpAddress& address : pod->addresses) addresses.push_back(address.text());
      for (const auto& [name, value] : pod->labels) labels[name] = value;
      out.add({{"pod", key.text()},
               {"addresses", std::move(addresses)},
               {"node", pod->node_name},
               {"labels", std::move(labels)},
               {"state", state_of(*pod)},
               {"ingress_policies", isolating(evaluator, *pod, kube::Direction::kIngress)},
               {"egress_policies", isolating(evaluator, *pod, kube::Direction::kEgress)},
               {"peer_class", peer_class(compiled, *pod)}});
    }
  }
  return std::move(out).finish({{"revision", in_force.revision}});
}

std::string policies_document(const publish::InForce& in_force) {
  ListDocument out("policies");
  Json unsupported = Json::array();
  if (in_force.compiled) {
    const auto& state = *in_force.compiled->state;
    for (const compile::PolicyFacts& facts : compile::policy_facts(*in_force.compiled)) {
      const auto found = state.policies.find(facts.policy);
      if (found == state.policies.end()) continue;
      const kube::NetworkPolicy& policy = *found->second;
      Json types = Json::array();
      if (policy.isolates_ingress) types.push_back("Ingress");
      if (policy.isolates_egress) types.push_back("Egress");
      out.add({{"policy", facts.policy.text()},
               {"types", std::move(types)},
               {"pods", facts.pods},
               {"ingress_rules", policy.ingress.size()},
               {"egress_rules", policy.egress.size()},
               {"acl_rules", facts.acl_rules},
               {"fails_closed", facts.fails_closed}});
    }
    for (const auto& [key, policy] : state.unsupported) {
      unsupported.push_back(
          {{"kind", policy->kind}, {"object", kube::ObjectKey{policy->ns, policy->name}.text()}});
    }
  }
  return std::move(out).finish(
      {{"unsupported", std::move(unsupported)}, {"revision", in_force.revision}});
}

}  // namespace rampart::admin
