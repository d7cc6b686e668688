// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <unordered_map>
#include <vector>

#include "control/compile/labels.hpp"
#include "control/kube/model.hpp"

/// Pods that no policy can tell apart.
namespace rampart::compile {

/// Whether policies speak of a pod as such: not when it has ended or is its node.
inline bool counts_as_pod(const kube::Pod& pod) {
  return !pod.finished && !pod.host_network;
}

struct VectorHash {
  size_t operator()(const std::vector<uint32_t>& words) const noexcept;
};

/// A container port that has a name. `name`: as Kinds::port_names numbers it.
struct NamedPort {
  uint32_t name = 0;
  L4Port number = 0;
  auto operator<=>(const NamedPort&) const = default;
};

/// Groups of pods that are of one namespace and have the same labels, as far as any policy can see,
/// and the same named ports. A group keeps its number.
class Groups {
 public:
  /// The group of such pods, made if they are the first of their kind. `ports` sorted.
  uint32_t add(uint32_t ns, std::vector<Label> labels, std::vector<NamedPort> ports);

  uint32_t size() const { return static_cast<uint32_t>(ns_.size()); }
  uint32_t ns(uint32_t group) const { return ns_[group]; }
  const std::vector<NamedPort>& ports(uint32_t group) const { return ports_[group]; }
  bool has(uint32_t group, NamedPort port) const;
  const LabelIndex& index() const { return index_; }
  /// Groups of a namespace that match, rising.
  std::vector<uint32_t> select_in(uint32_t ns, const Selector& selector) const;
  const std::vector<uint32_t>& of_namespace(uint32_t ns) const {
    return ns < of_namespace_.size() ? of_namespace_[ns] : none_;
  }

 private:
  std::unordered_map<std::vector<uint32_t>, uint32_t, VectorHash> known_;
  std::vector<uint32_t> ns_;
  std::vector<std::vector<NamedPort>> ports_;
  LabelIndex index_;
  std::vector<std::vector<uint32_t>> of_namespace_;
  std::vector<uint32_t> none_;
};

}  // namespace rampart::compile
