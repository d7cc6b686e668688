// SPDX-License-Identifier: Apache-2.0
#include "control/compile/compile.hpp"

#include <algorithm>
#include <optional>
#include <string>
#include <utility>

#include "control/compile/advance.hpp"
#include "control/compile/classes.hpp"
#include "control/compile/place.hpp"
#include "control/compile/touched.hpp"

namespace rampart::compile {
namespace {

/// More lists of claimants than this that nobody refers to any more, and they are numbered afresh.
constexpr size_t kMaxUnusedLists = 256;
/// After so many entries all numbers begin anew.
constexpr uint32_t kLastNumber = 0xF0000000;

void warn_unsupported(const kube::ClusterState& state, std::vector<Warning>& warnings) {
  for (const auto& [key, policy] : state.unsupported) {
    const kube::ObjectKey name{policy->ns, policy->name};
    warnings.push_back(
        {"unsupported-policy", policy->kind + " " + name.text(),
         "policies of this kind (" + policy->api_version +
             ") are not enforced: the cluster means something else than is in force"});
  }
}

Attempt begin(const Compiled* previous) {
  Attempt made;
  if (previous == nullptr) return made;
  made.memory = *previous->memory;
  made.endpoints = previous->endpoints;
  made.origins = previous->origins;
  made.parts = previous->rules->parts;
  made.subjects = previous->rules->subjects;
  return made;
}

/// Whether what is in force may be brought up to date by what has changed.
bool may_advance(const Compiled* previous, const Changes& changes,
                 const std::optional<std::vector<IpAddress>>& touched, const Effort& effort) {
  if (previous == nullptr || !touched) return false;
  const Memory& memory = *previous->memory;
  if (memory.version != memory.kinds->version) return false;  // somebody else went on from there
  if (previous->origins->next() > kLastNumber) return false;
  const bool policy_stays = changes.policies.empty() && changes.namespaces.empty();
  return policy_stays || (!memory.tight && previous->policy_entries > effort.small);
}

/// Makes everything anew but for the roster.
Result<void> rebuild(const kube::ClusterState& state, const Changes& changes,
                     const Compiled* previous, const Effort& effort, Attempt& made) {
  Memory& memory = made.memory;
  memory.kinds = std::make_shared<Kinds>(state);
  memory.version = 0;
  place_all(made.endpoints, memory);
  made.addresses =
      identify(memory, made.endpoints,
               previous != nullptr ? &previous->rules->shared_addresses : nullptr, nullptr, true);
  made.all = made.intervals = true;

  const Part* like = previous != nullptr && !previous->memory->parts.empty()
                         ? previous->memory->parts.front().get()
                         : nullptr;
  auto origins = std::make_shared<Origins>();
  if (previous != nullptr && previous->origins->next() <= kLastNumber) {
    *origins = *previous->origins;
    for (const auto& [before, after] : changes.policies) {
      if (before != nullptr) origins->forget({before->ns, before->name});
    }
  }
  std::vector<const kube::NetworkPolicy*> policies;
  policies.reserve(state.policies.size());
  for (const auto& [key, policy] : state.policies) policies.push_back(policy.get());
  auto part = Part::make(policies, *memory.kinds, *origins, like, effort.few);
  if (!part) return std::move(part).error();
  memory.parts = {*part};
  made.parts = {(*part)->rules()};
  memory.part_of_namespace.assign(memory.kinds->namespaces.size(), Memory::kNoPart);
  for (const uint32_t ns : (*part)->namespaces()) memory.part_of_namespace[ns] = 0;
  std::vector<Subjects> subjects(memory.kinds->atoms.size());
  write_subjects((*part)->namespaces(), memory, subjects);
  made.subjects = std::make_shared<const std::vector<Subjects>>(std::move(subjects));
  memory.tight = false;
  for (const auto& [key, place] : origins->failing()) {
    memory.tight |= state.policies.at(key)->fails_closed.empty();
  }
  made.origins =
      previous != nullptr && *previous->origins == *origins ? previous->origins : origins;
  return {};
}

bool is_shared(const Identity& identity) {
  return (identity.flags & Identity::kShared) != 0;
}

/// Numbers the lists of claimants afresh if too few of them are in use.
void prune_shared(const AddressMap* before, Attempt& made) {
  size_t& shared = made.memory.shared_addresses;
  if (made.all) shared = 0;
  for (const AddressMap::Entry& entry : made.addresses.exact) {
    if (!made.all) shared -= is_shared(*before->find(entry.address));
    shared += is_shared(entry.identity);
  }
  for (const IpAddress& address : made.addresses.gone) {
    if (!made.all) shared -= is_shared(*before->find(address));
  }
  if (made.addresses.shared.size() <= kMaxUnusedLists + 2 * shared) return;
  made.addresses = identify(made.memory, made.endpoints, nullptr, nullptr, true);
  made.all = made.intervals = true;
}

/// Warnings about addresses are those of before, but for the addresses that were looked at.
/// `touched` sorted.
void take_warnings(const Compiled& previous, const std::vector<IpAddress>& touched,
                   std::vector<Warning>& warnings) {
  for (const Warning& warning : previous.warnings) {
    if (warning.code != kSharedAddress && warning.code != kAmbiguousAddress) continue;
    const auto address = IpAddress::parse(warning.object);
    if (!address || !std::binary_search(touched.begin(), touched.end(), *address)) {
      warnings.push_back(warning);
    }
  }
}

void warn_failing(const Origins& origins, std::vector<Warning>& warnings) {
  for (const auto& [key, place] : origins.failing()) {
    warnings.push_back({"policy-fails-closed", "NetworkPolicy " + key.text(),
                        "it isolates its pods and allows nothing: " + place->fails_closed});
  }
}

/// The address map of a new revision. `concerned`: the addresses that mean something else than in
/// `before`; nothing: it may be all of them.
Result<std::shared_ptr<const AddressMap>> make_map(
    const Attempt& made, Revision revision, const RuleSet* before,
    const std::optional<std::vector<IpAddress>>& concerned) {
  const Addresses& a = made.addresses;
  if (made.all) {
    return AddressMap::build(a.exact, a.v4, a.v6, revision,
                             before != nullptr ? before->addresses.get() : nullptr,
                             concerned ? &*concerned : nullptr);
  }
  auto map = AddressMap::change(*before->addresses, a.exact, a.gone, revision, *concerned);
  if (!made.intervals) return map;
  return AddressMap::with_intervals(*map, a.v4, a.v6);
}

/// What there is of subject classes, both directions.
size_t count_subjects(const Memory& memory, const std::vector<Subjects>& subjects) {
  size_t count = 0;
  for (uint32_t ns = 0; ns < memory.part_of_namespace.size(); ++ns) {
    const uint16_t part = memory.part_of(ns);
    if (part != Memory::kNoPart) count += memory.parts[part]->subject_classes(ns);
  }
  return count + std::any_of(subjects.begin(), subjects.end(), [](const Subjects& s) {
           return s.egress.number == kShutClass || s.ingress.number == kShutClass;
         });
}

size_t count_entries(const Compiled* previous, const kube::ClusterState& state,
                     const Changes& changes) {
  size_t count = 0;
  if (previous == nullptr) {
    for (const auto& [key, policy] : state.policies) count += entries_of(*policy);
    return count;
  }
  count = previous->policy_entries;
  for (const auto& [before, after] : changes.policies) {
    if (before != nullptr) count -= entries_of(*before);
    if (after != nullptr) count += entries_of(*after);
  }
  return count;
}

}  // namespace

Result<std::shared_ptr<const Compiled>> compile(std::shared_ptr<const kube::ClusterState> state,
                                                Revision revision, const Compiled* previous) {
  return compile_with({}, std::move(state), revision, previous);
}

Result<std::shared_ptr<const Compiled>> compile_with(
    const Effort& effort, std::shared_ptr<const kube::ClusterState> state, Revision revision,
    const Compiled* previous) {
  const RuleSet* before = previous != nullptr ? previous->rules.get() : nullptr;
  Changes changes = find_changes(previous != nullptr ? previous->state.get() : nullptr, *state);
  Attempt made = begin(previous);
  auto touched = update(*state, changes, made.memory.roster, made.endpoints);
  bool done = false;
  if (may_advance(previous, changes, touched, effort)) {
    auto advanced = advance(*state, changes, *previous, effort, *touched, made);
    if (!advanced) return std::move(advanced).error();
    done = *advanced;
    if (!done) {
      made = begin(previous);
      touched = update(*state, changes, made.memory.roster, made.endpoints);
    }
  }
  if (!done) {
    if (auto ok = rebuild(*state, changes, previous, effort, made); !ok)
      return std::move(ok).error();
  }
  prune_shared(before != nullptr ? before->addresses.get() : nullptr, made);
  // Whom this can concern; the numbers of classes tell nothing where all was made anew.
  std::optional<std::vector<IpAddress>> concerned;
  if (previous != nullptr && touched && previous->origins->next() <= kLastNumber) {
    concerned = touched_by_policy(*previous, *state, changes, *made.origins);
    if (concerned) concerned->insert(concerned->end(), touched->begin(), touched->end());
  }

  auto rules = std::make_shared<RuleSet>();
  rules->revision = revision;
  rules->mode = RuleSet::Mode::kByTables;
  rules->policy_changed_in = concerned ? before->policy_changed_in : revision;
  auto addresses = make_map(made, revision, before, concerned);
  if (!addresses) return std::move(addresses).error().within("address map");
  rules->addresses = std::move(*addresses);
  rules->parts = std::move(made.parts);
  rules->subjects = std::move(made.subjects);
  rules->shared_addresses = std::move(made.addresses.shared);

  const Memory& memory = made.memory;
  auto compiled = std::make_shared<Compiled>();
  compiled->addresses = rules->addresses->exact_entries();
  for (const auto& part : memory.parts) {
    if (part) compiled->classes = std::max<size_t>(compiled->classes, part->peer_classes());
  }
  compiled->subjects = previous != nullptr && rules->subjects == before->subjects
                           ? previous->subjects
                           : count_subjects(memory, *rules->subjects);
  compiled->acl_rules = made.origins->acl_rules();
  compiled->policy_entries = count_entries(previous, *state, changes);
  compiled->origins = std::move(made.origins);
  compiled->endpoints = std::move(made.endpoints);
  compiled->warnings = std::move(made.addresses.warnings);
  if (!made.all) take_warnings(*previous, *touched, compiled->warnings);
  warn_failing(*compiled->origins, compiled->warnings);
  warn_unsupported(*state, compiled->warnings);
  std::sort(compiled->warnings.begin(), compiled->warnings.end());
  compiled->rules = std::move(rules);
  compiled->state = std::move(state);
  compiled->memory = std::make_shared<const Memory>(std::move(made.memory));
  return std::shared_ptr<const Compiled>(std::move(compiled));
}

std::vector<PolicyFacts> policy_facts(const Compiled& compiled) {
  std::vector<PolicyFacts> facts;
  for (const auto& [key, policy] : compiled.state->policies) {
    const PolicyPlace& place = *compiled.origins->of(key);
    size_t pods = 0;
    for (auto pod = compiled.state->pods.lower_bound({key.ns, {}});
         pod != compiled.state->pods.end() && pod->first.ns == key.ns; ++pod) {
      pods += counts_as_pod(*pod->second) && policy->subject.matches(pod->second->labels);
    }
    facts.push_back({key, pods, place.acl_rules, place.fails_closed});
  }
  return facts;
}

}  // namespace rampart::compile
