// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <unordered_map>
#include <vector>

#include "control/compile/boxes.hpp"
#include "control/compile/demands.hpp"
#include "control/compile/kinds.hpp"
#include "control/compile/origins.hpp"
#include "dataplane/base/result.hpp"
#include "dataplane/state/rule_set.hpp"

namespace rampart::compile {

/// The policies of some namespaces, compiled, and what is needed to find a place in it for a kind
/// of pods that comes later. Immutable.
class Part {
 public:
  /// Compiles all policies of some namespaces, in the order of their keys. Puts what they became
  /// into `origins`; `kinds` must know all pods, keys and blocks. `like`: a part whose ACL is taken
  /// over if it is the same; may be null. `few`: as Effort::few. Errors: as AclTable::build.
  static Result<std::shared_ptr<const Part>> make(
      const std::vector<const kube::NetworkPolicy*>& policies, Kinds& kinds, Origins& origins,
      const Part* like, size_t few);

  /// For all atoms that there were.
  const RulePart& rules() const { return rules_; }
  /// The subject class of a group that there was, by kube::Direction.
  uint16_t subject(kube::Direction direction, uint32_t group) const {
    return subjects_[static_cast<size_t>(direction)][group];
  }
  /// Namespaces whose policies these are, rising.
  const std::vector<uint32_t>& namespaces() const { return namespaces_; }
  size_t acl_rules() const { return rules_.acl->rules().size(); }
  uint32_t peer_classes() const { return peer_classes_; }
  /// Of one namespace, both directions; "nothing is allowed" left out.
  size_t subject_classes(uint32_t ns) const;

  /// The number that an atom which came later gets as a peer. Where rules would have to be written
  /// for it, the namespaces of these are added to `without_place`, and the number is right for all
  /// others.
  uint32_t place_peer(uint32_t atom, const Kinds& kinds,
                      std::vector<uint32_t>& without_place) const;
  /// The subject classes of a group that came later, of one of the namespaces, by kube::Direction.
  /// Nothing: no class will do.
  std::optional<std::array<uint16_t, 2>> place_subject(uint32_t group, const Kinds& kinds) const;

 private:
  /// A set of sets of atoms, or groups.
  using Membership = std::vector<uint32_t>;
  void index(const Demands& demands, const Boxes& boxes);
  Membership peer_sets(uint32_t atom, const Kinds& kinds) const;
  uint64_t marks_of(const Membership& sources) const;
  uint32_t nearest_class(const Membership& sources) const;
  bool is_in(uint32_t peer_class, uint32_t set) const;
  bool is_peer(const Boxes::PeerSource& source, uint32_t atom, const Kinds& kinds) const;

  RulePart rules_;
  std::vector<uint16_t> subjects_[2];
  std::vector<uint32_t> namespaces_;
  std::unordered_map<uint32_t, uint32_t> subject_classes_;  ///< how many, by namespace
  uint32_t peer_classes_ = 0;

  // For those who come later.
  std::vector<Selector> selectors_, namespace_selectors_;
  std::vector<kube::IpBlock> blocks_;
  std::vector<PeerDemand> peers_;
  std::vector<SubjectDemand> subject_demands_;
  std::vector<std::array<bool, 2>> isolates_;  ///< by subject demand
  std::vector<Boxes::SubjectSource> subject_sources_, subject_names_;
  std::vector<Boxes::PeerSource> peer_sources_, peer_names_;
  std::unordered_map<uint32_t, std::vector<uint32_t>> subjects_of_ns_;  ///< demands
  std::unordered_map<uint32_t, std::vector<uint32_t>> sources_of_subject_, names_of_subject_;
  std::unordered_map<uint32_t, std::vector<uint32_t>> peers_of_ns_;  ///< sources of one namespace
  std::vector<std::vector<uint32_t>> peers_of_ns_selector_;  ///< those of several, by selector
  std::vector<uint32_t> peers_anywhere_;                     ///< the other sources
  std::vector<Ranges> classes_of_set_;                       ///< of peers
  std::vector<uint32_t> sets_of_class_;                      ///< how many a class of peers is in
  std::unordered_map<uint64_t, uint32_t> peer_of_membership_;
  std::unordered_map<uint64_t, uint16_t> subject_of_membership_;
  uint32_t nobody_ = 0;
};

}  // namespace rampart::compile
