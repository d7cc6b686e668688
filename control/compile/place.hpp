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
#include "dataplane/addr/address_map.hpp"

/// Last stage: every pod and node gets its place in a frame, every address its identity.
namespace rampart::compile {

using NodeNumbers = std::map<std::string, uint32_t, std::less<>>;

/// What is remembered of one pod that counts, so that it need not be looked at again.
struct PodPlace {
  const kube::Pod* pod = nullptr;  ///< of the state that the places belong to
  uint32_t group = 0;
  uint32_t node = 0;      ///< number; 0: none
  uint32_t endpoint = 0;  ///< 1 + index into Compiled::endpoints
};

struct Memory {
  std::shared_ptr<const Frame> frame;
  std::vector<PodPlace> pods;  ///< by key
  std::vector<uint32_t> free_endpoints;
  std::shared_ptr<const NodeNumbers> nodes;
  uint32_t last_node = 0;
};

/// Gives every pod of `state` its place. Nothing if the frame does not know a kind of pod that has
/// come: then a new one is needed.
std::optional<Memory> place_pods(const kube::ClusterState& state,
                                 std::shared_ptr<const Frame> frame, const Memory* previous,
                                 std::vector<const kube::Pod*>& endpoints);

/// The address map's content.
struct Addresses {
  std::vector<AddressMap::Entry> exact;
  std::vector<AddressMap::Interval> v4, v6;
  std::vector<std::vector<Identity>> shared;
  std::vector<Warning> warnings;
};
/// `shared_before`: the lists of the revision before; a list that is new gets a number that meant
/// nothing else there, so that the entries which hold it change. Nothing as above.
std::optional<Addresses> identify(const kube::ClusterState& state, const Memory& memory,
                                  const std::vector<std::vector<Identity>>* shared_before);

}  // namespace rampart::compile
