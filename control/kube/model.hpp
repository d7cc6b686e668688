// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "control/kube/cow_map.hpp"
#include "dataplane/base/ids.hpp"
#include "dataplane/base/ip_address.hpp"

/// The Kubernetes objects that policy speaks of, cut down to the fields that decide something.
/// All of it is plain data that has passed validation: what an API server would refuse never
/// becomes one of these. Used by the control plane and by rampartctl; no thread of its own.
namespace rampart::kube {

/// metadata.labels, sorted by key, each key once.
using Labels = std::vector<std::pair<std::string, std::string>>;

/// The value of a key, or null when the label is not there.
const std::string* find_label(const Labels& labels, std::string_view key);

/// One requirement of a LabelSelector; matchLabels entries become kIn with one value.
/// kNotIn and kDoesNotExist hold when the key is missing.
struct LabelRequirement {
  enum class Op : uint8_t { kIn, kNotIn, kExists, kDoesNotExist };
  std::string key;
  Op op = Op::kIn;
  std::vector<std::string> values;  ///< sorted, each once; empty for kExists and kDoesNotExist
  auto operator<=>(const LabelRequirement&) const = default;
};

/// metav1.LabelSelector: all requirements must hold; none selects everything.
/// Kept sorted and free of duplicates, so that equal selectors compare equal.
struct LabelSelector {
  std::vector<LabelRequirement> requirements;
  bool matches(const Labels& labels) const;
  bool selects_all() const { return requirements.empty(); }
  auto operator<=>(const LabelSelector&) const = default;
};

/// v1 Namespace. `labels` always carry kubernetes.io/metadata.name.
struct Namespace {
  std::string name;
  Labels labels;
  /// No Namespace object was given, only content of it: it is there with the one label that is
  /// certain, is not written out, and goes with the last of its content.
  bool implied = false;
  bool operator==(const Namespace&) const = default;
};

/// spec.containers[].ports[] (init containers with restartPolicy Always included).
struct ContainerPort {
  std::string name;  ///< may be empty: then no policy can name it
  IpProtocol protocol = IpProtocol::kTcp;
  L4Port number = 0;
  auto operator<=>(const ContainerPort&) const = default;
};

/// v1 Pod.
struct Pod {
  std::string ns;
  std::string name;
  Labels labels;
  std::vector<IpAddress> addresses;       ///< status.podIPs, or status.podIP; may be empty
  std::string node_name;                  ///< spec.nodeName; may be empty
  std::vector<IpAddress> host_addresses;  ///< status.hostIPs and status.hostIP
  std::vector<ContainerPort> ports;
  bool host_network = false;  ///< spec.hostNetwork: neither subject nor peer
  bool finished = false;      ///< status.phase Succeeded or Failed: neither subject nor peer
  bool operator==(const Pod&) const = default;
};

/// v1 Node.
struct Node {
  std::string name;
  Labels labels;
  std::vector<IpAddress> addresses;  ///< status.addresses of types InternalIP and ExternalIP
  bool operator==(const Node&) const = default;
};

/// NetworkPolicyPort. Absent `protocol` has become TCP.
struct PolicyPort {
  struct Any {  ///< `port` absent: every port of the protocol
    auto operator<=>(const Any&) const = default;
  };
  struct Range {  ///< `port` a number, `endPort` absent means last == first
    L4Port first = 0;
    L4Port last = 0;
    auto operator<=>(const Range&) const = default;
  };
  using Name = std::string;  ///< looked up on the destination pod
  IpProtocol protocol = IpProtocol::kTcp;
  std::variant<Any, Range, Name> port;
  auto operator<=>(const PolicyPort&) const = default;
};

/// IPBlock: `cidr` without the blocks in `except`.
struct IpBlock {
  IpPrefix cidr;
  std::vector<IpPrefix> except;
  bool contains(const IpAddress& a) const;
  auto operator<=>(const IpBlock&) const = default;
};

/// NetworkPolicyPeer: either a block, or selectors of which at least one is set.
struct PolicyPeer {
  std::optional<LabelSelector> pod_selector;
  std::optional<LabelSelector> namespace_selector;  ///< absent: the policy's own namespace
  std::optional<IpBlock> ip_block;
  auto operator<=>(const PolicyPeer&) const = default;
};

/// NetworkPolicyIngressRule or NetworkPolicyEgressRule; an empty list means "all".
struct PolicyRule {
  std::vector<PolicyPeer> peers;
  std::vector<PolicyPort> ports;
  auto operator<=>(const PolicyRule&) const = default;
};

/// networking.k8s.io/v1 NetworkPolicy, defaults filled in.
struct NetworkPolicy {
  std::string ns;
  std::string name;
  LabelSelector subject;  ///< spec.podSelector
  bool isolates_ingress = true;
  bool isolates_egress = false;
  std::vector<PolicyRule> ingress;  ///< empty unless isolates_ingress
  std::vector<PolicyRule> egress;   ///< empty unless isolates_egress
  /// Not empty: this policy holds something that we do not know (a field of a later API version).
  /// It then isolates its pods in its directions, allows nothing, and this says why.
  std::string fails_closed;
  /// With fails_closed: `spec` as it came, minified, so that it survives being written out and a
  /// later version can read it. Otherwise empty.
  std::string raw_spec;
  bool operator==(const NetworkPolicy&) const = default;
};

/// An object of a policy kind that is not enforced yet. It is kept as it came, so that it is
/// still known after a restart, and it is a standing warning.
struct UnsupportedPolicy {
  std::string api_version;
  std::string kind;
  std::string ns;  ///< empty for cluster-wide kinds
  std::string name;
  std::string json;  ///< the whole object, minified
  bool operator==(const UnsupportedPolicy&) const = default;
};

/// "namespace/name", or the name alone for cluster-wide objects.
struct ObjectKey {
  std::string ns;
  std::string name;
  auto operator<=>(const ObjectKey&) const = default;
  std::string text() const { return ns.empty() ? name : ns + "/" + name; }
};

/// A full desired state. Objects are immutable, and objects and maps are shared between states, so
/// that the next state costs only what changed.
struct ClusterState {
  template <typename T>
  using Objects = CowMap<ObjectKey, std::shared_ptr<const T>>;
  Objects<Namespace> namespaces;
  Objects<Pod> pods;
  Objects<Node> nodes;
  Objects<NetworkPolicy> policies;
  /// Keyed by {kind + "." + api group, ns/name}.
  Objects<UnsupportedPolicy> unsupported;
};

/// Whether two states hold equal objects (shared or not).
bool same(const ClusterState& a, const ClusterState& b);

}  // namespace rampart::kube
