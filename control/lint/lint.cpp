// SPDX-License-Identifier: Apache-2.0
#include "control/lint/lint.hpp"

#include <algorithm>

#include "control/kube/decode_metadata.hpp"
#include "control/lint/checks.hpp"

namespace rampart::lint {

std::vector<RuleView> rules_of(const kube::NetworkPolicy& policy) {
  std::vector<RuleView> all;
  for (size_t i = 0; i < policy.ingress.size(); ++i) {
    all.push_back({kube::Direction::kIngress, i, policy.ingress[i]});
  }
  for (size_t i = 0; i < policy.egress.size(); ++i) {
    all.push_back({kube::Direction::kEgress, i, policy.egress[i]});
  }
  return all;
}

std::span<const Judged> Case::in(std::string_view ns) const {
  const auto first = std::partition_point(policies.begin(), policies.end(),
                                          [&](const Judged& one) { return one.policy.ns < ns; });
  const auto last = std::partition_point(first, policies.end(),
                                         [&](const Judged& one) { return one.policy.ns == ns; });
  return {first, last};
}

kube::Labels namespace_labels(const kube::ClusterState& state, const std::string& ns) {
  const auto found = state.namespaces.find(kube::ObjectKey{{}, ns});
  if (found != state.namespaces.end()) return found->second->labels;
  return {{std::string(kube::kNamespaceNameLabel), ns}};
}

Blind blind_spots(const kube::Survey& survey) {
  const auto& namespaces = survey.state.namespaces;
  return {survey.state.pods.empty(),
          std::all_of(namespaces.begin(), namespaces.end(),
                      [](const auto& entry) { return entry.second->implied; })};
}

std::vector<Finding> examine(const kube::Survey& survey) {
  std::vector<Finding> found;
  find_api_problems(survey, found);
  Case input{survey, blind_spots(survey), {}};
  for (const auto& [key, seen] : survey.policies) {
    const auto policy = survey.state.policies.find(key);
    if (seen.refused || policy == survey.state.policies.end()) continue;
    input.policies.push_back({*policy->second, seen.place, !seen.faulty});
  }
  find_lonely_selectors(input, found);
  find_namespace_name_labels(input, found);
  find_lost_ports(input, found);
  find_shadows(input, found);
  find_empty_blocks(input, found);
  find_missing_dns(input, found);
  return found;
}

}  // namespace rampart::lint
