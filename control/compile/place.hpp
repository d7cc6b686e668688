// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "control/compile/compile.hpp"
#include "control/compile/frame.hpp"
#include "control/kube/cow_map.hpp"
#include "control/kube/cow_vector.hpp"
#include "dataplane/addr/address_map.hpp"

/// Last stage: every pod and node gets its number, every pod its place in a frame, every address
/// its identity. What did not change is shared with the revision before and not looked at.
namespace rampart::compile {

using NodeNumbers = std::map<std::string, uint32_t, std::less<>>;

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

/// A pod in a frame.
struct PodPlace {
  uint32_t group = 0;
  uint32_t node = 0;  ///< number; 0: none
};

struct Memory {
  std::shared_ptr<const Frame> frame;
  Roster roster;
  kube::CowVector<PodPlace> places;         ///< by index into Compiled::endpoints
  kube::CowVector<uint32_t> pods_in_group;  ///< by group
  size_t empty_groups = 0;
  size_t shared_addresses = 0;  ///< addresses with more than one claimant
};

/// A pod or a node that is not what it was; null: not there.
template <typename T>
struct Change {
  const T* before = nullptr;
  const T* after = nullptr;
};
struct Changes {
  std::vector<Change<kube::Pod>> pods;
  std::vector<Change<kube::Node>> nodes;
  bool most = false;  ///< so many that it is better to begin from nothing
};
/// By key. `before` may be null.
Changes find_changes(const kube::ClusterState* before, const kube::ClusterState& after);

/// Brings a roster up to date. Returns the addresses that may mean something else now, sorted;
/// nothing if that may be all of them.
std::optional<std::vector<IpAddress>> update(const kube::ClusterState& state,
                                             const Changes& changes, Roster& roster,
                                             kube::CowVector<const kube::Pod*>& endpoints);

/// Gives the pods that changed their places in memory.frame, which is the frame of before. False:
/// it does not know a kind of pod that has come, and a new one is needed.
bool place_changed(const Changes& changes, Memory& memory);
/// Gives every pod its place, in any frame. False as above.
bool place_all(const kube::CowVector<const kube::Pod*>& endpoints, Memory& memory);

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
/// Identities of `addresses`, sorted, or of all. `shared_before`: the lists of the revision before;
/// a list that is new gets a number that meant nothing else there, so that the entries which hold
/// it change. Nothing: a pod is where none of its group was when the frame was made.
std::optional<Addresses> identify(const Memory& memory,
                                  const kube::CowVector<const kube::Pod*>& endpoints,
                                  const std::vector<std::vector<Identity>>* shared_before,
                                  const std::vector<IpAddress>* addresses);

}  // namespace rampart::compile
