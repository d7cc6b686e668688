// SPDX-License-Identifier: Apache-2.0
#include "control/compile/compile.hpp"

#include <algorithm>
#include <set>
#include <string>
#include <utility>

#include "control/compile/frame.hpp"
#include "control/compile/place.hpp"

namespace rampart::compile {
namespace {

/// More lists of claimants than this that nobody refers to any more, and they are numbered afresh.
constexpr size_t kMaxUnusedLists = 256;

/// Whether most of what a frame tells apart is gone.
bool is_stale(const Memory& memory) {
  return memory.empty_groups > 64 && memory.empty_groups * 2 > memory.pods_in_group.size();
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

/// A compilation under way: what of the revision before it begins with, and what it comes to.
struct Attempt {
  Memory memory;
  kube::CowVector<const kube::Pod*> endpoints;
  Addresses addresses;
  bool all = true;  ///< `addresses` are all of them, and not those that changed
};

/// The pods and nodes that changed in the frame of before, and nothing else.
bool advance(const Compiled& previous, const Changes& changes,
             const std::vector<IpAddress>& touched, Attempt& made) {
  if (!place_changed(changes, made.memory) || is_stale(made.memory)) return false;
  auto addresses =
      identify(made.memory, made.endpoints, &previous.rules->shared_addresses, &touched);
  if (!addresses) return false;
  made.addresses = std::move(*addresses);
  made.all = false;
  return true;
}

/// All pods and nodes.
bool place_everybody(const RuleSet* before, Attempt& made) {
  if (!place_all(made.endpoints, made.memory)) return false;
  auto addresses = identify(made.memory, made.endpoints,
                            before != nullptr ? &before->shared_addresses : nullptr, nullptr);
  if (!addresses) return false;
  made.addresses = std::move(*addresses);
  made.all = true;
  return true;
}

bool is_shared(const Identity& identity) {
  return (identity.flags & Identity::kShared) != 0;
}

/// Numbers the lists of claimants afresh if too few of them are in use. Returns whether it did.
bool prune_shared(const AddressMap* before, Attempt& made) {
  size_t& shared = made.memory.shared_addresses;
  if (made.all) shared = 0;
  for (const AddressMap::Entry& entry : made.addresses.exact) {
    if (!made.all) shared -= is_shared(*before->find(entry.address));
    shared += is_shared(entry.identity);
  }
  for (const IpAddress& address : made.addresses.gone) {
    if (!made.all) shared -= is_shared(*before->find(address));
  }
  if (made.addresses.shared.size() <= kMaxUnusedLists + 2 * shared) return false;
  made.addresses = *identify(made.memory, made.endpoints, nullptr, nullptr);
  made.all = true;
  return true;
}

/// Warnings about addresses are those of before, but for the addresses that were looked at.
void take_warnings(const Compiled& previous, const std::vector<IpAddress>& touched,
                   std::vector<Warning>& warnings) {
  std::set<std::string> texts;
  for (const Warning& warning : previous.warnings) {
    if (warning.code != kSharedAddress && warning.code != kAmbiguousAddress) continue;
    if (texts.empty()) {
      for (const IpAddress& address : touched) texts.insert(address.text());
    }
    if (!texts.contains(warning.object)) warnings.push_back(warning);
  }
}

}  // namespace

Result<std::shared_ptr<const Compiled>> compile(std::shared_ptr<const kube::ClusterState> state,
                                                Revision revision, const Compiled* previous) {
  const RuleSet* before = previous != nullptr ? previous->rules.get() : nullptr;
  const Changes changes =
      find_changes(previous != nullptr ? previous->state.get() : nullptr, *state);
  Attempt made;
  if (previous != nullptr) {
    made.memory = *previous->memory;
    made.endpoints = previous->endpoints;
  }
  const auto touched = update(*state, changes, made.memory.roster, made.endpoints);
  NewFrame fresh;
  const bool same = previous != nullptr && same_frame(*previous->state, *state);
  const bool done = same && ((touched && advance(*previous, changes, *touched, made)) ||
                             (place_everybody(before, made) && !is_stale(made.memory)));
  if (!done) {
    fresh = make_frame(*state);
    made.memory.frame = fresh.frame;
    place_everybody(before, made);
  }
  const bool renumbered = prune_shared(before != nullptr ? before->addresses.get() : nullptr, made);
  const Frame& frame = *made.memory.frame;

  auto rules = std::make_shared<RuleSet>();
  rules->revision = revision;
  rules->mode = RuleSet::Mode::kByTables;
  if (made.all) {
    auto addresses =
        AddressMap::build(made.addresses.exact, made.addresses.v4, made.addresses.v6, revision,
                          before != nullptr ? before->addresses.get() : nullptr);
    if (!addresses) return std::move(addresses).error().within("address map");
    rules->addresses = std::move(*addresses);
  } else {
    rules->addresses =
        AddressMap::change(*before->addresses, made.addresses.exact, made.addresses.gone, revision);
  }
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
  rules->shared_addresses = std::move(made.addresses.shared);
  const bool same_policy =
      before != nullptr && !renumbered && rules->acl == before->acl &&
      rules->addresses->same_intervals(*before->addresses) &&
      (frame.origins == previous->origins || *frame.origins == *previous->origins);
  rules->policy_changed_in = same_policy ? before->policy_changed_in : revision;

  auto compiled = std::make_shared<Compiled>();
  compiled->addresses = rules->addresses->exact_entries();
  compiled->classes = frame.peers.count;
  compiled->subjects = frame.subjects.count;
  compiled->acl_rules = rules->acl->rules().size();
  compiled->policy_entries = frame.policy_entries;
  compiled->origins = frame.origins;
  compiled->endpoints = std::move(made.endpoints);
  compiled->warnings = std::move(made.addresses.warnings);
  if (!made.all) take_warnings(*previous, *touched, compiled->warnings);
  compiled->warnings.insert(compiled->warnings.end(), frame.warnings.begin(), frame.warnings.end());
  warn_unsupported(*state, compiled->warnings);
  std::sort(compiled->warnings.begin(), compiled->warnings.end());
  compiled->rules = std::move(rules);
  compiled->state = std::move(state);
  compiled->memory = std::make_shared<const Memory>(std::move(made.memory));
  return std::shared_ptr<const Compiled>(std::move(compiled));
}

std::vector<PolicyFacts> policy_facts(const Compiled& compiled) {
  const Memory& memory = *compiled.memory;
  const Frame& frame = *memory.frame;
  std::vector<size_t> selected(frame.selected.size());
  for (size_t s = 0; s < selected.size(); ++s) {
    for (const uint32_t group : frame.selected[s]) selected[s] += memory.pods_in_group[group];
  }
  std::vector<PolicyFacts> facts;
  auto place = frame.policies.begin();
  for (const auto& [key, policy] : compiled.state->policies) {
    facts.push_back({key, selected[place->subject], place->acl_rules, place->fails_closed});
    ++place;
  }
  return facts;
}

}  // namespace rampart::compile
