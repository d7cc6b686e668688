// SPDX-License-Identifier: Apache-2.0
#include "control/compile/frame.hpp"

#include <algorithm>
#include <utility>

namespace rampart::compile {
namespace {

using kube::Direction;

template <typename T>
bool same_objects(const kube::ClusterState::Objects<T>& a,
                  const kube::ClusterState::Objects<T>& b) {
  using Pointer = std::shared_ptr<const T>;
  bool same = true;
  kube::ClusterState::Objects<T>::for_each_difference(
      a, b, [&](const kube::ObjectKey&, const Pointer* x, const Pointer* y) {
        same = same && x != nullptr && y != nullptr && **x == **y;
      });
  return same;
}

/// Why there was no room for a policy, or empty.
std::string no_room(const PolicyDemand& policy, uint32_t ns, const SubjectClasses& subjects,
                    bool without_rules) {
  if (without_rules) return "it is too large: its namespace has more ACL rules than its share";
  for (const Direction direction : {Direction::kEgress, Direction::kIngress}) {
    const auto d = static_cast<size_t>(direction);
    if (policy.isolates[d] && subjects.shut[d][ns]) {
      return std::string("the policies of its namespace tell more kinds of pods apart for ") +
             (direction == Direction::kEgress ? "egress" : "ingress") + " than there is room for";
    }
  }
  return {};
}

}  // namespace

NewFrame make_frame(const kube::ClusterState& state) {
  Demands demands = collect(state);
  Groups groups(demands);
  for (const auto& [key, pod] : state.pods) {
    if (counts_as_pod(*pod)) groups.add(*pod);
  }
  Members members = find_members(state, demands, groups);
  Zones zones = cut(demands.blocks);
  Atoms atoms(state, groups, zones);
  const Boxes boxes = make_boxes(demands, groups, members, zones, atoms);
  SubjectClasses subjects = number_subjects(demands, groups, members, boxes);
  PeerClasses peers = number_peers(atoms, boxes);
  Numbering numbering = number_boxes(boxes, subjects, peers);
  Rules rules = make_rules(demands, boxes, numbering);

  std::vector<PolicyPlace> policies;
  std::vector<Warning> warnings;
  for (uint32_t p = 0; p < demands.policies.size(); ++p) {
    const PolicyDemand& policy = demands.policies[p];
    PolicyPlace place{policy.subject, rules.of_policy[p], policy.fails_closed};
    if (place.fails_closed.empty()) {
      const bool left_out =
          std::binary_search(rules.without_room.begin(), rules.without_room.end(), p);
      place.fails_closed = no_room(policy, demands.subjects[policy.subject].ns, subjects, left_out);
    }
    if (!place.fails_closed.empty()) {
      warnings.push_back({"policy-fails-closed",
                          "NetworkPolicy " + policy.policy->ns + "/" + policy.policy->name,
                          "it isolates its pods and allows nothing: " + place.fails_closed});
    }
    policies.push_back(std::move(place));
  }
  auto frame = std::make_shared<const Frame>(Frame{
      std::move(groups), std::move(zones), std::move(atoms), std::move(peers), std::move(subjects),
      std::make_shared<const std::vector<kube::Admission>>(std::move(demands.origins)),
      std::move(members.subjects), std::move(policies), std::move(warnings),
      demands.policy_entries});
  return {std::move(frame), std::move(rules.rules), std::move(numbering.plan)};
}

bool same_frame(const kube::ClusterState& a, const kube::ClusterState& b) {
  return same_objects(a.policies, b.policies) && same_objects(a.namespaces, b.namespaces);
}

}  // namespace rampart::compile
