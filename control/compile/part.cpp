// SPDX-License-Identifier: Apache-2.0
#include "control/compile/part.hpp"

#include <algorithm>
#include <string>
#include <utility>

#include "control/compile/classes.hpp"
#include "control/compile/membership.hpp"
#include "control/compile/numbering.hpp"
#include "control/compile/rules.hpp"
#include "control/compile/spares.hpp"

namespace rampart::compile {
namespace {

using kube::Direction;
constexpr Direction kDirections[] = {Direction::kEgress, Direction::kIngress};

/// Why there was no room for a policy, or empty.
std::string no_room(const PolicyDemand& policy, uint32_t ns, const SubjectClasses& subjects,
                    bool without_rules) {
  if (without_rules) return "it is too large: its namespace has more ACL rules than its share";
  for (const Direction direction : kDirections) {
    const auto d = static_cast<size_t>(direction);
    if (policy.isolates[d] &&
        std::binary_search(subjects.shut[d].begin(), subjects.shut[d].end(), ns)) {
      return std::string("the policies of its namespace tell more kinds of pods apart for ") +
             (direction == Direction::kEgress ? "egress" : "ingress") + " than there is room for";
    }
  }
  return {};
}

/// Puts down what policies became. Returns the numbers of their entries.
std::vector<uint32_t> write_places(Demands& demands, const SubjectClasses& subjects,
                                   const Rules& rules, Origins& origins) {
  std::vector<std::vector<kube::Admission>> entries(demands.policies.size());
  for (const Entry& entry : demands.entries) {
    entries[entry.policy].push_back(std::move(demands.origins[entry.origin]));
  }
  std::vector<uint32_t> numbers;
  numbers.reserve(demands.entries.size());
  for (uint32_t p = 0; p < demands.policies.size(); ++p) {
    const PolicyDemand& policy = demands.policies[p];
    std::string fails_closed = policy.fails_closed;
    if (fails_closed.empty()) {
      const bool left_out =
          std::binary_search(rules.without_room.begin(), rules.without_room.end(), p);
      fails_closed = no_room(policy, demands.subjects[policy.subject].ns, subjects, left_out);
    }
    const size_t count = entries[p].size();
    const uint32_t first =
        origins.set({policy.policy->ns, policy.policy->name},
                    {std::make_shared<const std::vector<kube::Admission>>(std::move(entries[p])), 0,
                     rules.of_policy[p], std::move(fails_closed)});
    for (uint32_t i = 0; i < count; ++i) numbers.push_back(first + i);
  }
  return numbers;
}

}  // namespace

Result<std::shared_ptr<const Part>> Part::make(
    const std::vector<const kube::NetworkPolicy*>& policies, Kinds& kinds, Origins& origins,
    const Part* like, size_t few) {
  Demands demands = collect(policies, kinds);
  const Members members = find_members(demands, kinds);
  Boxes boxes = make_boxes(demands, kinds, members);
  SubjectClasses subjects = number_subjects(demands, kinds.groups, members, boxes);
  const uint32_t spares = add_spares(kinds.atoms.size(), few, boxes);
  PeerClasses peers = number_peers(kinds.atoms.size(), boxes, spares);
  Numbering numbering = number_boxes(boxes, subjects, peers);
  Rules rules = make_rules(demands, boxes, numbering);

  auto part = std::make_shared<Part>();
  part->rules_.rule_numbers = std::make_shared<const std::vector<uint32_t>>(
      write_places(demands, subjects, rules, origins));
  if (like != nullptr && like->rules_.acl->rules() == rules.rules &&
      like->rules_.acl->plan() == numbering.plan) {
    part->rules_.acl = like->rules_.acl;
  } else {
    const size_t count = rules.rules.size();
    auto acl = AclTable::build(std::move(rules.rules), std::move(numbering.plan));
    if (!acl) {
      return std::move(acl).error().within("ACL of " + std::to_string(count) + " rules");
    }
    part->rules_.acl = std::move(*acl);
  }
  const auto of_class = sums_over<uint64_t>(peers.of_set, peers.count, mark_of);
  for (uint32_t c = 0; c < peers.count; ++c) part->peer_of_membership_.emplace(of_class[c], c);
  part->sets_of_class_ =
      sums_over<uint32_t>(peers.of_set, peers.count, [](uint32_t) { return 1U; });
  part->classes_of_set_ = std::move(peers.of_set);
  part->nobody_ = peers.nobody;
  part->peer_classes_ = peers.count;
  part->rules_.peers = std::make_shared<const std::vector<uint32_t>>(std::move(peers.of_atom));

  std::vector<uint64_t> of_group[2];
  for (auto& sums : of_group) sums.resize(kinds.groups.size());
  for (uint32_t set = 0; set < boxes.subject_sets.size(); ++set) {
    const SubjectSet& s = boxes.subject_sets[set];
    auto& sums = of_group[static_cast<size_t>(s.direction)];
    for (const uint32_t group : s.groups) sums[group] += mark_of(set);
  }
  for (const SubjectDemand& demand : demands.subjects) part->namespaces_.push_back(demand.ns);
  std::sort(part->namespaces_.begin(), part->namespaces_.end());
  part->namespaces_.erase(std::unique(part->namespaces_.begin(), part->namespaces_.end()),
                          part->namespaces_.end());
  for (const uint32_t ns : part->namespaces_) {
    for (const Direction direction : kDirections) {
      const auto d = static_cast<size_t>(direction);
      std::vector<uint16_t> open;
      for (const uint32_t group : kinds.groups.of_namespace(ns)) {
        const uint16_t c = subjects.of_group[d][group];
        part->subject_of_membership_.emplace(mark_of_subject(ns, direction, of_group[d][group]), c);
        if (c >= kFirstOpenClass) open.push_back(c);
      }
      std::sort(open.begin(), open.end());
      part->subject_classes_[ns] +=
          static_cast<uint32_t>(std::unique(open.begin(), open.end()) - open.begin());
    }
  }
  for (const Direction direction : kDirections) {
    const auto d = static_cast<size_t>(direction);
    part->subjects_[d] = std::move(subjects.of_group[d]);
  }
  part->index(demands, boxes);
  return std::shared_ptr<const Part>(std::move(part));
}

size_t Part::subject_classes(uint32_t ns) const {
  const auto found = subject_classes_.find(ns);
  return found == subject_classes_.end() ? 0 : found->second;
}

void Part::index(const Demands& demands, const Boxes& boxes) {
  selectors_ = demands.selectors;
  namespace_selectors_ = demands.namespace_selectors;
  blocks_ = demands.blocks;
  peers_ = demands.peers;
  subject_demands_ = demands.subjects;
  subject_sources_ = boxes.subject_sources;
  subject_names_ = boxes.subject_names;
  peer_sources_ = boxes.peer_sources;
  peer_names_ = boxes.peer_names;
  isolates_.resize(demands.subjects.size());
  for (const PolicyDemand& policy : demands.policies) {
    for (const size_t d : {0, 1}) isolates_[policy.subject][d] |= policy.isolates[d];
  }
  for (uint32_t s = 0; s < subject_demands_.size(); ++s) {
    subjects_of_ns_[subject_demands_[s].ns].push_back(s);
  }
  for (uint32_t s = 0; s < subject_sources_.size(); ++s) {
    sources_of_subject_[subject_sources_[s].subject].push_back(s);
  }
  for (uint32_t s = 0; s < subject_names_.size(); ++s) {
    names_of_subject_[subject_names_[s].subject].push_back(s);
  }
  peers_of_ns_selector_.resize(namespace_selectors_.size());
  for (uint32_t s = 0; s < peer_sources_.size(); ++s) {
    const uint32_t peer = peer_sources_[s].peer;
    if (peer != kNone && peers_[peer].ns != kNone) {
      peers_of_ns_[peers_[peer].ns].push_back(s);
    } else if (peer != kNone && peers_[peer].ns_selector != kNone) {
      peers_of_ns_selector_[peers_[peer].ns_selector].push_back(s);
    } else {
      peers_anywhere_.push_back(s);
    }
  }
}

}  // namespace rampart::compile
