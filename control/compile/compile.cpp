// SPDX-License-Identifier: Apache-2.0
#include "control/compile/compile.hpp"

#include <algorithm>
#include <utility>

#include "control/compile/frame.hpp"
#include "control/compile/place.hpp"

namespace rampart::compile {
namespace {

/// More lists of claimants than this that nobody refers to any more, and they are numbered afresh.
constexpr size_t kMaxUnusedLists = 256;

std::vector<size_t> pods_by_group(const Memory& memory) {
  std::vector<size_t> count(memory.frame->groups.size());
  for (const PodPlace& place : memory.pods) ++count[place.group];
  return count;
}

/// Whether most of what a frame tells apart is gone.
bool is_stale(const std::vector<size_t>& pods) {
  const auto unused = static_cast<size_t>(std::count(pods.begin(), pods.end(), 0));
  return unused > 64 && unused * 2 > pods.size();
}

void describe_policies(const std::vector<size_t>& pods_in_group, Compiled& made) {
  const Frame& frame = *made.memory->frame;
  std::vector<size_t> selected(frame.selected.size());
  for (size_t s = 0; s < selected.size(); ++s) {
    for (const uint32_t group : frame.selected[s]) selected[s] += pods_in_group[group];
  }
  auto place = frame.policies.begin();
  for (const auto& [key, policy] : made.state->policies) {
    made.policies.push_back({key, selected[place->subject], place->acl_rules, place->fails_closed});
    if (!place->fails_closed.empty()) {
      made.warnings.push_back({"policy-fails-closed", "NetworkPolicy " + key.text(),
                               "it isolates its pods and allows nothing: " + place->fails_closed});
    }
    ++place;
  }
}

void warn_unsupported(const kube::ClusterState& state, std::vector<Warning>& warnings) {
  for (const auto& [key, policy] : state.unsupported) {
    const kube::ObjectKey name{policy->ns, policy->name};
    warnings.push_back(
        {"unsupported-policy", policy->kind + " " + name.text(),
         "policies of this kind (" + policy->api_version +
             ") are not enforced: the cluster means something else than is in force"});
  }
}

/// What both attempts of a compilation make.
struct Attempt {
  Memory memory;
  std::vector<const kube::Pod*> endpoints;
  std::vector<size_t> pods_in_group;
  Addresses addresses;
};

std::optional<Attempt> attempt(const kube::ClusterState& state, std::shared_ptr<const Frame> frame,
                               const Compiled* previous, bool may_be_stale) {
  const Memory* before = previous != nullptr ? previous->memory.get() : nullptr;
  Attempt made;
  if (previous != nullptr) made.endpoints = previous->endpoints;
  auto memory = place_pods(state, std::move(frame), before, made.endpoints);
  if (!memory) return std::nullopt;
  made.memory = std::move(*memory);
  made.pods_in_group = pods_by_group(made.memory);
  if (!may_be_stale && is_stale(made.pods_in_group)) return std::nullopt;
  auto addresses = identify(state, made.memory,
                            previous != nullptr ? &previous->rules->shared_addresses : nullptr);
  if (!addresses) return std::nullopt;
  made.addresses = std::move(*addresses);
  return made;
}

/// Numbers the lists of claimants afresh if too few of them are in use. Returns whether it did.
bool prune_shared(const kube::ClusterState& state, Attempt& made) {
  std::vector<bool> used(made.addresses.shared.size());
  for (const AddressMap::Entry& entry : made.addresses.exact) {
    if ((entry.identity.flags & Identity::kShared) != 0) used[entry.identity.endpoint] = true;
  }
  const auto unused = static_cast<size_t>(std::count(used.begin(), used.end(), false));
  if (unused <= kMaxUnusedLists || unused * 2 <= used.size()) return false;
  made.addresses = *identify(state, made.memory, nullptr);
  return true;
}

}  // namespace

Result<std::shared_ptr<const Compiled>> compile(std::shared_ptr<const kube::ClusterState> state,
                                                Revision revision, const Compiled* previous) {
  std::optional<Attempt> made;
  if (previous != nullptr && same_frame(*previous->state, *state)) {
    made = attempt(*state, previous->memory->frame, previous, false);
  }
  NewFrame fresh;
  if (!made) {
    fresh = make_frame(*state);
    made = attempt(*state, fresh.frame, previous, true);
  }
  const bool renumbered = prune_shared(*state, *made);
  const Frame& frame = *made->memory.frame;
  const RuleSet* before = previous != nullptr ? previous->rules.get() : nullptr;

  auto rules = std::make_shared<RuleSet>();
  rules->revision = revision;
  rules->mode = RuleSet::Mode::kByTables;
  auto addresses =
      AddressMap::build(made->addresses.exact, made->addresses.v4, made->addresses.v6, revision,
                        before != nullptr ? before->addresses.get() : nullptr);
  if (!addresses) return std::move(addresses).error().within("address map");
  rules->addresses = std::move(*addresses);
  if (!fresh.frame || (before != nullptr && before->acl->rules() == fresh.rules &&
                       before->acl->plan() == fresh.plan)) {
    rules->acl = before->acl;
  } else {
    const size_t count = fresh.rules.size();
    auto acl = AclTable::build(std::move(fresh.rules), std::move(fresh.plan));
    if (!acl) {
      return std::move(acl).error().within("ACL of " + std::to_string(count) + " rules");
    }
    rules->acl = std::move(*acl);
  }
  rules->shared_addresses = std::move(made->addresses.shared);
  const bool same_policy =
      before != nullptr && !renumbered && rules->acl == before->acl &&
      rules->addresses->same_intervals(*before->addresses) &&
      (frame.origins == previous->origins || *frame.origins == *previous->origins);
  rules->policy_changed_in = same_policy ? before->policy_changed_in : revision;

  auto compiled = std::make_shared<Compiled>();
  compiled->addresses = made->addresses.exact.size();
  compiled->classes = frame.peers.count;
  compiled->subjects = frame.subjects.count;
  compiled->acl_rules = rules->acl->rules().size();
  compiled->policy_entries = frame.policy_entries;
  compiled->origins = frame.origins;
  compiled->endpoints = std::move(made->endpoints);
  compiled->warnings = std::move(made->addresses.warnings);
  compiled->rules = std::move(rules);
  compiled->state = std::move(state);
  compiled->memory = std::make_shared<const Memory>(std::move(made->memory));
  describe_policies(made->pods_in_group, *compiled);
  warn_unsupported(*compiled->state, compiled->warnings);
  std::sort(compiled->warnings.begin(), compiled->warnings.end());
  return std::shared_ptr<const Compiled>(std::move(compiled));
}

}  // namespace rampart::compile
