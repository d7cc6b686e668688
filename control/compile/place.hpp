// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "control/compile/compile.hpp"
#include "control/compile/kinds.hpp"
#include "control/compile/labels.hpp"
#include "control/compile/part.hpp"
#include "control/kube/cow_map.hpp"
#include "control/kube/cow_vector.hpp"
#include "dataplane/addr/address_map.hpp"

/// Every pod and node gets its number, every pod its place among the kinds, every address its
/// identity. What did not change is shared with the revision before and not looked at.
namespace rampart::compile {

using NodeNumbers = StringMap<uint32_t>;

/// Somebody stands behind an address: a pod (1 + its index into Compiled::endpoints), or a node
/// (its number).
struct Claim {
  IpAddress address;
  bool is_node = false;
  uint32_t who = 0;
  auto operator<=>(const Claim&) const = default;
};

/// Who there is, whatever the policies say.
struct Roster {
  kube::CowMap<const kube::Pod*, uint32_t> numbers;  ///< 1 + index into Compiled::endpoints
  kube::CowVector<uint32_t> free_endpoints;
  std::shared_ptr<const NodeNumbers> nodes;
  uint32_t last_node = 0;
  /// How many objects say so: a node's address is named by all of its pods.
  kube::CowMap<Claim, uint32_t> claims;

  uint32_t node(const std::string& name) const {
    return name.empty() ? 0 : nodes->find(name)->second;
  }
};

/// A pod among the kinds.
struct PodPlace {
  uint32_t group = 0;
  uint32_t node = 0;  ///< number; 0: none
};

struct Memory {
  std::shared_ptr<Kinds> kinds;
  uint64_t version = 0;  ///< of kinds, when this was made
  Roster roster;
  kube::CowVector<PodPlace> places;         ///< by index into Compiled::endpoints
  kube::CowVector<uint32_t> pods_in_group;  ///< by group
  size_t empty_groups = 0;
  size_t shared_addresses = 0;  ///< addresses with more than one claimant
  /// The compiled policies, as in RuleSet::parts; null: nothing is in this place any more.
  std::vector<std::shared_ptr<const Part>> parts;
  std::vector<uint16_t> part_of_namespace;  ///< by number; kNoPart: it has no policies
  /// Policies have no room, or had none: what one gets depends on the others.
  bool tight = false;

  static constexpr uint16_t kNoPart = 0xFFFF;
  uint16_t part_of(uint32_t ns) const {
    return ns < part_of_namespace.size() ? part_of_namespace[ns] : kNoPart;
  }
};

/// A pod or a node that is not what it was; null: not there.
template <typename T>
struct Change {
  const T* before = nullptr;
  const T* after = nullptr;
};
struct Changes {
  std::vector<Change<kube::Pod>> pods;
  /// Of each pod, as the roster numbers it: what it was and what it is; 0: not as a pod. update()
  /// fills it in.
  std::vector<std::array<uint32_t, 2>> numbers;
  std::vector<Change<kube::Node>> nodes;
  std::vector<Change<kube::NetworkPolicy>> policies;
  std::vector<Change<kube::Namespace>> namespaces;
  bool most = false;  ///< of pods and nodes, so many that it is better to begin from nothing
};
/// By key. `before` may be null. Pods and nodes may be equal and yet not the same object.
Changes find_changes(const kube::ClusterState* before, const kube::ClusterState& after);

/// Brings a roster up to date. Returns the addresses that may mean something else now, sorted;
/// nothing if that may be all of them. Fills in changes.numbers.
std::optional<std::vector<IpAddress>> update(const kube::ClusterState& state, Changes& changes,
                                             Roster& roster,
                                             kube::CowVector<const kube::Pod*>& endpoints);

/// Gives the pods that changed their places in memory.kinds, which knows what it knew before.
void place_changed(const Changes& changes, Memory& memory);
/// Gives every pod its place, and makes the atoms of all addresses.
void place_all(const kube::CowVector<const kube::Pod*>& endpoints, Memory& memory);
/// Finds new places for pods that have one of the labels, after memory.kinds has learnt these keys.
/// Adds their addresses to `touched`.
void place_again(const kube::CowVector<const kube::Pod*>& endpoints,
                 const std::vector<std::string>& keys, Memory& memory,
                 std::vector<IpAddress>& touched);

/// Codes of warnings about one address.
inline constexpr const char* kSharedAddress = "shared-address";
inline constexpr const char* kAmbiguousAddress = "ambiguous-node-address";

/// The address map's content, or a part of it.
struct Addresses {
  std::vector<AddressMap::Entry> exact;
  std::vector<IpAddress> gone;  ///< no exact entry
  std::vector<AddressMap::Interval> v4, v6;
  std::vector<std::vector<Identity>> shared;
  std::vector<Warning> warnings;
};
/// Identities of `addresses`, sorted, or of all; `intervals`: those of all other addresses, too.
/// Makes the atoms that it needs. `shared_before`: the lists of the revision before; a list that is
/// new gets a number that meant nothing else there, so that the entries which hold it change.
Addresses identify(const Memory& memory, const kube::CowVector<const kube::Pod*>& endpoints,
                   const std::vector<std::vector<Identity>>* shared_before,
                   const std::vector<IpAddress>* addresses, bool intervals);

}  // namespace rampart::compile
