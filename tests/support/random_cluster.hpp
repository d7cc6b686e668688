// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "control/kube/model.hpp"

namespace rampart::support {

/// A question: a new connection between addresses of one family.
struct RandomProbe {
  IpAddress from, to;
  uint8_t protocol = 0;
  L4Port port = 0;
  std::string text() const;
};

/// Makes small clusters in which everything meets everything: few names, labels, ports and
/// addresses, so that selectors overlap, blocks end at pods, and addresses are claimed twice.
/// All of it could have come from an API server.
class RandomCluster {
 public:
  explicit RandomCluster(uint64_t seed) : random_(seed) {}

  kube::ClusterState make();
  /// Changes one or two objects.
  void change(kube::ClusterState& state);
  /// Connections between addresses that mean something in `state`, or lie beside one that does.
  std::vector<RandomProbe> probes(const kube::ClusterState& state, size_t count);

  uint32_t below(uint32_t bound) { return static_cast<uint32_t>(random_() % bound); }
  bool one_in(uint32_t n) { return below(n) == 0; }

 private:
  template <typename T>
  const T& any_of(const std::vector<T>& list) {
    return list[below(static_cast<uint32_t>(list.size()))];
  }
  kube::Labels labels();
  kube::LabelSelector selector();
  IpAddress address(Family family);
  IpPrefix prefix(Family family);
  kube::IpBlock block();
  kube::PolicyPeer peer();
  kube::PolicyPort policy_port();
  std::vector<kube::PolicyRule> rules();
  void put_namespace(kube::ClusterState& state);
  void put_pod(kube::ClusterState& state);
  /// Many pods claim one address, perhaps more than are judged.
  void crowd(kube::ClusterState& state);
  void put_node(kube::ClusterState& state);
  void put_policy(kube::ClusterState& state);
  /// Changes what a policy's entries say, and not how many there are.
  void tweak_policy(kube::ClusterState& state);

  std::mt19937_64 random_;
};

}  // namespace rampart::support
