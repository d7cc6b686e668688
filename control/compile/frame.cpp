// SPDX-License-Identifier: Apache-2.0
#include "control/compile/frame.hpp"

#include <algorithm>
#include <utility>

#include "control/compile/place.hpp"

namespace rampart::compile {
namespace {

using kube::Direction;

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

/// Numbers for the entries of `demands`: those of before where a policy is as it was.
Origins number_entries(Demands& demands, const std::vector<PolicyPlace>& places,
                       const kube::ClusterState& state, const Compiled* previous) {
  const Origins none;
  const Origins& before = previous != nullptr ? *previous->origins : none;
  constexpr uint32_t kLast = 0xF0000000;  // after so many changes all begins anew
  const bool anew = previous == nullptr || before.next() > kLast;
  uint32_t next = anew ? 1 : before.next();
  std::vector<uint32_t> numbers(demands.origins.size());
  const auto number = [&](const PolicyPlace& place, const uint32_t* known) {
    for (uint32_t i = 0; i < place.entries; ++i) {
      numbers[place.first_entry + i] = known != nullptr ? known[i] : next++;
    }
  };
  if (anew) {
    for (const PolicyPlace& place : places) number(place, nullptr);
  } else {
    const auto& old_places = previous->memory->frame->policies;
    auto old = previous->state->policies.begin();
    const auto old_end = previous->state->policies.end();
    size_t o = 0, p = 0;
    for (const auto& [key, policy] : state.policies) {
      while (old != old_end && old->first < key) ++old, ++o;
      const bool same = old != old_end && old->first == key &&
                        (old->second == policy || *old->second == *policy) &&
                        old_places[o].entries == places[p].entries;
      number(places[p], same ? before.numbers()->data() + old_places[o].first_entry : nullptr);
      ++p;
    }
  }
  return Origins(std::move(demands.origins), std::move(numbers), next);
}

/// Calls use(before, after) for each object that is not as it was, with null for one that is not
/// there.
template <typename T, typename Use>
void for_each_change(const kube::ClusterState::Objects<T>& before,
                     const kube::ClusterState::Objects<T>& after, Use use) {
  using Pointer = std::shared_ptr<const T>;
  kube::ClusterState::Objects<T>::for_each_difference(
      before, after, [&](const kube::ObjectKey&, const Pointer* a, const Pointer* b) {
        if (a != nullptr && b != nullptr && **a == **b) return;
        use(a != nullptr ? a->get() : nullptr, b != nullptr ? b->get() : nullptr);
      });
}

}  // namespace

NewFrame make_frame(const kube::ClusterState& state, const Compiled* previous) {
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
    PolicyPlace place{.subject = policy.subject,
                      .acl_rules = rules.of_policy[p],
                      .fails_closed = policy.fails_closed};
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
  for (uint32_t i = 0; i < demands.entries.size(); ++i) {
    PolicyPlace& place = policies[demands.entries[i].policy];
    if (place.entries++ == 0) place.first_entry = i;
  }
  auto origins =
      std::make_shared<const Origins>(number_entries(demands, policies, state, previous));
  auto frame = std::make_shared<const Frame>(
      Frame{std::move(groups), std::move(zones), std::move(atoms), std::move(peers),
            std::move(subjects), std::move(origins), std::move(members.subjects),
            std::move(policies), std::move(warnings), demands.policy_entries});
  return {std::move(frame), std::move(rules.rules), std::move(numbering.plan)};
}

bool same_frame(const kube::ClusterState& a, const kube::ClusterState& b) {
  bool same = true;
  const auto differ = [&](const auto*, const auto*) { same = false; };
  for_each_change<kube::NetworkPolicy>(a.policies, b.policies, differ);
  for_each_change<kube::Namespace>(a.namespaces, b.namespaces, differ);
  return same;
}

std::optional<std::vector<IpAddress>> touched_by_frame(const Compiled& before,
                                                       const kube::ClusterState& after,
                                                       const Frame& frame) {
  // Room is shared between namespaces: that a policy found it, or lost it, is nobody's change.
  auto old = before.state->policies.begin();
  const auto old_end = before.state->policies.end();
  const auto& old_places = before.memory->frame->policies;
  size_t o = 0, p = 0;
  for (const auto& [key, policy] : after.policies) {
    while (old != old_end && old->first < key) ++old, ++o;
    if (old != old_end && old->first == key && *old->second == *policy &&
        old_places[o].fails_closed != frame.policies[p].fails_closed) {
      return std::nullopt;
    }
    ++p;
  }

  std::vector<IpAddress> touched;
  const auto touch = [&](const std::string& ns, const kube::LabelSelector* selector) {
    auto pod = after.pods.lower_bound({ns, {}});
    for (; pod != after.pods.end() && pod->first.ns == ns; ++pod) {
      if (selector != nullptr && !selector->matches(pod->second->labels)) continue;
      const auto& addresses = pod->second->addresses;
      touched.insert(touched.end(), addresses.begin(), addresses.end());
    }
  };
  for_each_change<kube::NetworkPolicy>(
      before.state->policies, after.policies,
      [&](const kube::NetworkPolicy* a, const kube::NetworkPolicy* b) {
        if (a != nullptr) touch(a->ns, &a->subject);
        if (b != nullptr) touch(b->ns, &b->subject);
      });
  for_each_change<kube::Namespace>(before.state->namespaces, after.namespaces,
                                   [&](const kube::Namespace* a, const kube::Namespace* b) {
                                     touch((a != nullptr ? a : b)->name, nullptr);
                                   });
  return touched;
}

}  // namespace rampart::compile
