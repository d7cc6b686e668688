// SPDX-License-Identifier: Apache-2.0
#include "control/compile/advance.hpp"

#include <algorithm>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>
#include <utility>

#include "control/compile/rules.hpp"

namespace rampart::compile {
namespace {

using kube::Direction;

/// A part to which namespaces are added has at most so many rules, and policies: as many as are
/// compiled in some milliseconds.
constexpr size_t kMostRulesOfPatch = 400;
constexpr size_t kMostPoliciesOfPatch = 128;
/// More entries than this, or a share of all, are not compiled for one change.
constexpr size_t kMostEntries = 2048;
constexpr size_t kShareOfEntries = 4;
/// More atoms at once than this are not placed one by one.
constexpr size_t kMostNewcomers = 256;

/// Whether most of what is told apart is gone.
bool is_stale(const Memory& memory) {
  return (memory.empty_groups > 64 && memory.empty_groups * 2 > memory.pods_in_group.size()) ||
         memory.kinds->atoms.size() > 8 * memory.roster.claims.size() + 4096;
}

template <typename T>
void sort_unique(std::vector<T>& list) {
  std::sort(list.begin(), list.end());
  list.erase(std::unique(list.begin(), list.end()), list.end());
}

class Advance {
 public:
  Advance(const kube::ClusterState& state, const Changes& changes, const Compiled& previous,
          const Effort& effort, std::vector<IpAddress>& touched, Attempt& made)
      : state_(state),
        changes_(changes),
        previous_(previous),
        effort_(effort),
        touched_(touched),
        made_(made),
        memory_(made.memory),
        kinds_(*made.memory.kinds),
        first_new_(kinds_.atoms.size()) {}

  Result<bool> run() {
    kinds_.version = ++memory_.version;
    note_namespaces();
    place_changed(changes_, memory_);
    if (!learn_keys() || !cut_blocks()) return false;
    sort_unique(touched_);
    made_.addresses = identify(memory_, made_.endpoints, &previous_.rules->shared_addresses,
                               &touched_, intervals_changed_);
    made_.all = false;
    made_.intervals = intervals_changed_;
    if (is_stale(memory_) || kinds_.atoms.size() - first_new_ > kMostNewcomers) return false;

    place_newcomers();
    place_relabelled();
    for (const auto& [before, after] : changes_.policies) {
      const kube::NetworkPolicy& policy = before != nullptr ? *before : *after;
      origins().forget({policy.ns, policy.name});
      dirty_.insert(kinds_.ns(policy.ns));
    }
    if (!dirty_.empty()) {
      auto done = compile_again();
      if (!done || !*done) return done;
    }
    if (subjects_) made_.subjects = std::move(subjects_);
    if (origins_) made_.origins = std::move(origins_);
    return true;
  }

 private:
  /// What of the revision before is written anew, as soon as something changes.
  std::vector<Subjects>& subjects() {
    if (!subjects_) {
      subjects_ = std::make_shared<std::vector<Subjects>>();
      subjects_->reserve(kinds_.atoms.size());
      *subjects_ = *previous_.rules->subjects;
      subjects_->resize(kinds_.atoms.size());
    }
    return *subjects_;
  }
  Origins& origins() {
    if (!origins_) origins_ = std::make_shared<Origins>(*previous_.origins);
    return *origins_;
  }

  /// Namespaces that there are now, or have other labels.
  void note_namespaces() {
    for (const auto& [before, after] : changes_.namespaces) {
      const uint32_t ns = kinds_.ns((after != nullptr ? after : before)->name);
      kinds_.namespaces.replace(
          ns, kinds_.namespace_words.learn(after != nullptr ? after->labels : kube::Labels{}));
      if (!kinds_.groups.of_namespace(ns).empty()) relabelled_.push_back(ns);
    }
  }

  /// Keys that no policy mentioned before, and the pods that have one.
  bool learn_keys() {
    std::vector<std::string> keys;
    for (const auto& [before, after] : changes_.policies) {
      if (after == nullptr) continue;
      for_each_pod_selector(*after, [&](const kube::LabelSelector& selector) {
        for (const kube::LabelRequirement& r : selector.requirements) {
          if (!kinds_.pod_words.knows(r.key)) keys.push_back(r.key);
        }
        kinds_.pod_words.learn(selector);
      });
    }
    if (keys.empty()) return true;
    sort_unique(keys);
    const size_t before = touched_.size();
    place_again(made_.endpoints, keys, memory_, touched_);
    return touched_.size() - before <= most_moved();
  }

  /// Blocks that cut zones in two. The half in which fewer addresses are known gets a new number.
  bool cut_blocks() {
    for (const auto& [before, after] : changes_.policies) {
      if (after == nullptr) continue;
      bool done = true;
      for_each_block(*after, [&](const kube::IpBlock& block) { done = done && cut(block); });
      if (!done) return false;
    }
    return true;
  }
  bool cut(const kube::IpBlock& block) {
    for (const Zones::Crossed& crossed : kinds_.zones.cross(block)) {
      intervals_changed_ = true;
      const std::vector<uint32_t>* moved = &crossed.inside;
      auto known = known_in(kinds_.zones.spans(crossed.inside));
      if (!known) {
        moved = &crossed.outside;
        known = known_in(kinds_.zones.spans(crossed.outside));
      }
      if (!known) return false;
      const uint32_t zone = kinds_.zones.divide(*moved);
      kinds_.atoms.add(zone, kNone);
      parent_zone_[zone] = crossed.zone;
      touched_.insert(touched_.end(), known->begin(), known->end());
    }
    return true;
  }
  /// Addresses that have an entry of their own. Nothing: too many.
  std::optional<std::vector<IpAddress>> known_in(const std::vector<Zones::Span>& spans) const {
    std::vector<IpAddress> found;
    const auto& claims = memory_.roster.claims;
    for (const Zones::Span& span : spans) {
      for (auto at = claims.lower_bound(Claim{span.first, false, 0});
           at != claims.end() && at->first.address <= span.last; ++at) {
        if (found.size() > most_moved()) return std::nullopt;
        found.push_back(at->first.address);
      }
    }
    return found;
  }
  size_t most_moved() const { return 64 + memory_.roster.claims.size() / 16; }

  /// The atom that a new one was a piece of before a block came.
  std::optional<uint32_t> whole(uint32_t atom) const {
    const auto parent = parent_zone_.find(kinds_.atoms.zone(atom));
    if (parent == parent_zone_.end()) return std::nullopt;
    return kinds_.atoms.find(parent->second, kinds_.atoms.group(atom));
  }

  void place_newcomers() {
    for (size_t p = 0; p < memory_.parts.size(); ++p) {
      if (!memory_.parts[p] || kinds_.atoms.size() == first_new_) continue;
      auto numbers = std::make_shared<std::vector<uint32_t>>(*made_.parts[p].peers);
      numbers->reserve(kinds_.atoms.size());
      for (uint32_t atom = first_new_; atom < kinds_.atoms.size(); ++atom) {
        const auto same = whole(atom);
        numbers->push_back(same && *same < atom ? (*numbers)[*same] : place_peer(p, atom));
      }
      made_.parts[p].peers = std::move(numbers);
    }
    for (uint32_t atom = first_new_; atom < kinds_.atoms.size(); ++atom) place_subject(atom);
  }

  uint32_t place_peer(size_t part, uint32_t atom) {
    std::vector<uint32_t> without_place;
    const uint32_t number = memory_.parts[part]->place_peer(atom, kinds_, without_place);
    for (const uint32_t ns : without_place) {
      if (memory_.part_of(ns) == part) dirty_.insert(ns);
    }
    return number;
  }

  void place_subject(uint32_t atom) {
    subjects();
    const uint32_t group = kinds_.atoms.group(atom);
    if (group == kNone) return;
    const uint32_t ns = kinds_.groups.ns(group);
    const uint16_t part = memory_.part_of(ns);
    if (part == Memory::kNoPart) return;
    const auto classes = memory_.parts[part]->place_subject(group, kinds_);
    if (!classes) {
      dirty_.insert(ns);
      return;
    }
    subjects()[atom] = {{part, (*classes)[static_cast<size_t>(Direction::kEgress)]},
                        {part, (*classes)[static_cast<size_t>(Direction::kIngress)]}};
  }

  /// The pods of a namespace with other labels are other peers.
  void place_relabelled() {
    for (const uint32_t ns : relabelled_) {
      for (size_t p = 0; p < memory_.parts.size(); ++p) {
        if (!memory_.parts[p]) continue;
        auto numbers = std::make_shared<std::vector<uint32_t>>(*made_.parts[p].peers);
        for (const uint32_t group : kinds_.groups.of_namespace(ns)) {
          for (const uint32_t atom : kinds_.atoms.of_group(group)) {
            (*numbers)[atom] = place_peer(p, atom);
          }
        }
        made_.parts[p].peers = std::move(numbers);
      }
    }
  }

  /// The policies of a namespace.
  void add_policies(uint32_t ns, std::vector<const kube::NetworkPolicy*>& policies) const {
    const std::string& name = kinds_.namespace_names[ns];
    for (auto at = state_.policies.lower_bound({name, {}});
         at != state_.policies.end() && at->first.ns == name; ++at) {
      policies.push_back(at->second.get());
    }
  }

  Result<bool> compile_again() {
    std::vector<const kube::NetworkPolicy*> policies;
    for (const uint32_t ns : dirty_) {
      add_policies(ns, policies);
      if (ns >= memory_.part_of_namespace.size()) {
        memory_.part_of_namespace.resize(ns + 1, Memory::kNoPart);
      }
    }
    size_t entries = 0;
    for (const kube::NetworkPolicy* policy : policies) entries += entries_of(*policy);
    if (entries > std::max(kMostEntries, previous_.policy_entries / kShareOfEntries)) return false;

    const size_t place = place_of_patch(policies);
    if (place >= kMaxParts) return false;
    auto part = Part::make(policies, kinds_, origins(), nullptr, effort_.few);
    if (!part) return std::move(part).error();
    if (place >= memory_.parts.size()) {
      memory_.parts.resize(place + 1);
      made_.parts.resize(place + 1);
    }
    std::vector<uint32_t> written(dirty_.begin(), dirty_.end());
    for (const uint32_t ns : written) memory_.part_of_namespace[ns] = Memory::kNoPart;
    for (const uint32_t ns : (*part)->namespaces()) {
      memory_.part_of_namespace[ns] = static_cast<uint16_t>(place);
    }
    memory_.parts[place] = *part;
    made_.parts[place] = (*part)->rules();
    written.insert(written.end(), (*part)->namespaces().begin(), (*part)->namespaces().end());
    sort_unique(written);
    write_subjects(written, memory_, subjects());
    drop_unused_parts();
    for (const kube::NetworkPolicy* policy : policies) {
      const PolicyPlace* made = origins().of({policy->ns, policy->name});
      if (policy->fails_closed.empty() && !made->fails_closed.empty()) return false;
    }
    return origins().entries() <= kMaxEntries && origins().acl_rules() <= kMaxAclRules;
  }

  /// Where the part goes: to a small one, whose other namespaces then come along, or to a place
  /// that is empty. The first one is what was made from nothing, or empty.
  size_t place_of_patch(std::vector<const kube::NetworkPolicy*>& policies) const {
    size_t empty = memory_.parts.size();
    for (size_t p = memory_.parts.size(); p-- > 0;) {
      if (!memory_.parts[p]) {
        empty = p;
        continue;
      }
      if (p == 0 || memory_.parts[p]->acl_rules() >= kMostRulesOfPatch) continue;
      std::vector<const kube::NetworkPolicy*> together = policies;
      for (const uint32_t ns : memory_.parts[p]->namespaces()) {
        if (memory_.part_of(ns) == p && !dirty_.contains(ns)) add_policies(ns, together);
      }
      if (together.size() > std::max(kMostPoliciesOfPatch, policies.size())) continue;
      policies = std::move(together);
      return p;
    }
    return empty;
  }

  /// What no namespace is in any more is let go.
  void drop_unused_parts() {
    std::vector<bool> used(memory_.parts.size());
    for (const uint16_t part : memory_.part_of_namespace) {
      if (part != Memory::kNoPart) used[part] = true;
    }
    for (size_t p = 0; p < used.size(); ++p) {
      if (used[p]) continue;
      memory_.parts[p] = nullptr;
      made_.parts[p] = {};
    }
  }

  const kube::ClusterState& state_;
  const Changes& changes_;
  const Compiled& previous_;
  const Effort& effort_;
  std::vector<IpAddress>& touched_;
  Attempt& made_;
  Memory& memory_;
  Kinds& kinds_;
  uint32_t first_new_;  ///< atom
  bool intervals_changed_ = false;
  std::unordered_map<uint32_t, uint32_t> parent_zone_;
  std::vector<uint32_t> relabelled_;
  std::set<uint32_t> dirty_;  ///< namespaces whose policies are to be compiled again
  std::shared_ptr<std::vector<Subjects>> subjects_;
  std::shared_ptr<Origins> origins_;
};

}  // namespace

Result<bool> advance(const kube::ClusterState& state, const Changes& changes,
                     const Compiled& previous, const Effort& effort,
                     std::vector<IpAddress>& touched, Attempt& made) {
  return Advance(state, changes, previous, effort, touched, made).run();
}

void write_subjects(const std::vector<uint32_t>& namespaces, const Memory& memory,
                    std::vector<Subjects>& subjects) {
  const Kinds& kinds = *memory.kinds;
  for (const uint32_t ns : namespaces) {
    const uint16_t part = memory.part_of(ns);
    for (const uint32_t group : kinds.groups.of_namespace(ns)) {
      Subjects both;
      if (part != Memory::kNoPart) {
        const Part& p = *memory.parts[part];
        both = {{part, p.subject(Direction::kEgress, group)},
                {part, p.subject(Direction::kIngress, group)}};
      }
      for (const uint32_t atom : kinds.atoms.of_group(group)) subjects[atom] = both;
    }
  }
}

}  // namespace rampart::compile
