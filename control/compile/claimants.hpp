// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>

#include "control/compile/tables.hpp"

namespace rampart::compile {

/// Whether the tables know who is behind an address: for the proof, which takes that from them.
/// Each answer is what is wrong, in words; empty: nothing. One thread; what it was made from must
/// outlive it.
class Claimants {
 public:
  Claimants(const Compiled& made, const Tables& tables)
      : made_(made), state_(*made.state), tables_(tables) {}

  /// The pod is known at each of its addresses, its node at those that it names of it, and nobody
  /// is known there who is not. A pod on its node's network: its addresses are the node's.
  std::string wrong_of(const kube::Pod& pod) const;
  /// The node is known at each of its addresses.
  std::string wrong_of(const kube::Node& node) const;
  /// Every pod that the tables know at an address is there, and whoever has it alone has it in the
  /// address map as well, on his node.
  std::string wrong_at(const IpAddress& address) const;
  /// And so is every node. Looks through all pods if none but they can have named it.
  std::string wrong_node_at(const IpAddress& address) const;

 private:
  std::string wrong_about(const kube::End& end) const;
  std::string missing(std::string_view node, const IpAddress& address) const;
  bool claims(std::string_view node, const IpAddress& address) const;

  const Compiled& made_;
  const kube::ClusterState& state_;
  const Tables& tables_;
};

}  // namespace rampart::compile
