// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <unordered_map>
#include <vector>

#include "control/compile/demands.hpp"
#include "control/compile/labels.hpp"
#include "control/compile/ranges.hpp"
#include "control/kube/model.hpp"

/// Second stage: pods that no policy can tell apart.
namespace rampart::compile {

/// Whether policies speak of a pod as such: not when it has ended or is its node.
inline bool counts_as_pod(const kube::Pod& pod) {
  return !pod.finished && !pod.host_network;
}

struct VectorHash {
  size_t operator()(const std::vector<uint32_t>& words) const noexcept;
};

/// A container port whose name some policy uses. `name`: index into Demands::port_names.
struct NamedPort {
  uint32_t name = 0;
  L4Port number = 0;
  auto operator<=>(const NamedPort&) const = default;
};

/// Groups of pods that are of one namespace and have the same labels and named ports, as far as
/// any policy can see.
class Groups {
 public:
  explicit Groups(const Demands& demands)
      : pod_words_(demands.pod_words),
        namespaces_(demands.namespaces),
        port_names_(demands.port_names),
        of_namespace_(demands.namespaces.size()) {}

  /// The pod's group, made if it is the first of its kind. `pod.ns` must be a known namespace.
  uint32_t add(const kube::Pod& pod);
  /// The pod's group, or nothing if no pod of its kind was ever added.
  std::optional<uint32_t> find(const kube::Pod& pod) const;

  uint32_t size() const { return static_cast<uint32_t>(ns_.size()); }
  uint32_t ns(uint32_t group) const { return ns_[group]; }
  const std::vector<NamedPort>& ports(uint32_t group) const { return ports_[group]; }
  const LabelIndex& index() const { return index_; }
  const std::vector<uint32_t>& of_namespace(uint32_t ns) const { return of_namespace_[ns]; }

 private:
  /// What makes a group, as one row of numbers.
  std::optional<std::vector<uint32_t>> signature(const kube::Pod& pod, std::vector<Label>& labels,
                                                 std::vector<NamedPort>& ports) const;

  Vocabulary pod_words_;
  StringMap<uint32_t> namespaces_;
  std::vector<PortName> port_names_;
  std::unordered_map<std::vector<uint32_t>, uint32_t, VectorHash> known_;
  std::vector<uint32_t> ns_;
  std::vector<std::vector<NamedPort>> ports_;
  LabelIndex index_;
  std::vector<std::vector<uint32_t>> of_namespace_;
};

/// The groups that each demand is about.
struct Members {
  std::vector<std::vector<uint32_t>> subjects;  ///< by SubjectDemand, rising
  std::vector<Ranges> peers;                    ///< by PeerDemand; empty for blocks
};
Members find_members(const kube::ClusterState& state, const Demands& demands, const Groups& groups);

}  // namespace rampart::compile
