// SPDX-License-Identifier: Apache-2.0
#include "tests/support/shapes.hpp"

#include <algorithm>
#include <memory>
#include <random>
#include <set>
#include <utility>
#include <vector>

namespace rampart::support {
namespace {

using kube::LabelRequirement;
using kube::LabelSelector;

constexpr size_t kApps = 10, kTeams = 5, kVersions = 3, kPodsPerNode = 50;
const char* const kTiers[] = {"frontend", "backend", "database", "cache"};

std::string numbered(const char* stem, size_t number) {
  return stem + std::to_string(number);
}

LabelSelector where(std::string key, std::vector<std::string> values) {
  std::sort(values.begin(), values.end());
  LabelSelector made;
  made.requirements.push_back({std::move(key), LabelRequirement::Op::kIn, std::move(values)});
  return made;
}

class ClusterMaker {
 public:
  explicit ClusterMaker(const Shape& shape) : shape_(shape), random_(shape.seed) {}

  kube::ClusterState make() {
    for (size_t n = 0; n < shape_.namespaces; ++n) {
      kube::Namespace ns{numbered("ns", n), {}, false};
      ns.labels = {{"kubernetes.io/metadata.name", ns.name}, {"team", numbered("t", n % kTeams)}};
      put(state_.namespaces, {{}, ns.name}, ns);
    }
    for (size_t p = 0; p < shape_.pods; ++p) add_pod(p);
    for (size_t p = 0; p < shape_.policies; ++p) add_policy(p);
    return std::move(state_);
  }

 private:
  template <typename T>
  static void put(kube::ClusterState::Objects<T>& objects, const kube::ObjectKey& key, T object) {
    objects[key] = std::make_shared<const T>(std::move(object));
  }
  size_t below(size_t bound) { return random_() % bound; }

  void add_pod(size_t p) {
    kube::Pod pod;
    pod.ns = numbered("ns", p % shape_.namespaces);
    pod.name = numbered("pod", p);
    const size_t within = p / shape_.namespaces;
    pod.labels = {{"app", numbered("app", within % kApps)},
                  {"tier", kTiers[shape_.crossing_labels ? below(4) : within % kApps % 4]},
                  {"version", numbered("v", shape_.crossing_labels ? below(kVersions) : 0)}};
    if (shape_.unique_labels || shape_.select_by_unique_label || shape_.random_sets ||
        shape_.random_subjects) {
      pod.labels.emplace_back("id", pod.name);
    }
    std::sort(pod.labels.begin(), pod.labels.end());
    pod.addresses = {IpAddress::v4(0x0A000000 + static_cast<uint32_t>(p))};
    std::array<uint8_t, 16> v6{0xFD};
    for (int i = 0; i < 4; ++i) v6[15 - i] = static_cast<uint8_t>(p >> 8 * i);
    pod.addresses.push_back(IpAddress::v6(v6));
    const size_t node = shape_.node_each ? p : p / kPodsPerNode;
    pod.node_name = numbered("node", node);
    pod.host_addresses = {IpAddress::v4(0xAC100000 + static_cast<uint32_t>(node))};
    pod.ports = {{"http", IpProtocol::kTcp, static_cast<L4Port>(within % kApps % 2 ? 8080 : 80)}};
    put(state_.pods, {pod.ns, pod.name}, pod);
  }

  /// Some pods that a selector of `ns` can mean.
  LabelSelector some_pods(size_t p, size_t ns, bool by_lot) {
    if (by_lot) {
      std::set<std::string> ids;
      for (size_t i = 0; i < 40; ++i) {
        const size_t there = shape_.pods / shape_.namespaces;
        ids.insert(numbered("pod", below(there) * shape_.namespaces + ns));
      }
      return where("id", {ids.begin(), ids.end()});
    }
    if (shape_.crossing_labels) {
      const size_t which = below(3);
      if (which == 1) return where("tier", {kTiers[below(4)]});
      if (which == 2) return where("version", {numbered("v", below(kVersions))});
    }
    if (shape_.crossing_labels) p = below(kApps);
    return where("app", {numbered("app", p % kApps)});
  }

  kube::PolicyPeer some_peer(size_t p, size_t ns) {
    kube::PolicyPeer peer;
    if (shape_.random_sets) {
      std::set<std::string> ids;
      for (size_t i = 0; i < 100; ++i) ids.insert(numbered("pod", below(shape_.pods)));
      peer.pod_selector = where("id", {ids.begin(), ids.end()});
      peer.namespace_selector.emplace();
    } else if (shape_.select_by_unique_label) {
      const size_t there = shape_.pods / shape_.namespaces;
      peer.pod_selector = where("id", {numbered("pod", below(there) * shape_.namespaces + ns)});
    } else {
      peer.pod_selector = some_pods(p + 1, ns, false);
    }
    return peer;
  }

  void add_policy(size_t p) {
    const size_t ns = p % shape_.namespaces, kind = p / shape_.namespaces % 6;
    kube::NetworkPolicy policy;
    policy.ns = numbered("ns", ns);
    policy.name = numbered("policy", p);
    if (kind != 0) policy.subject = some_pods(p / shape_.namespaces, ns, shape_.random_subjects);
    policy.isolates_egress = kind >= 4;
    policy.isolates_ingress = !policy.isolates_egress;
    kube::PolicyRule rule;
    rule.ports = {{IpProtocol::kTcp, kube::PolicyPort::Range{80, 80}},
                  {IpProtocol::kTcp, kube::PolicyPort::Range{8000, 8999}}};
    if (kind == 1) rule.peers = {some_peer(p, ns), some_peer(p + 3, ns)};
    if (kind == 2) {
      kube::PolicyPeer peer = some_peer(p, ns);
      if (!shape_.random_sets && !shape_.select_by_unique_label) {
        peer.pod_selector = where("tier", {kTiers[p % 4]});
        peer.namespace_selector = where("team", {numbered("t", p % kTeams)});
      }
      rule.peers = {std::move(peer)};
    }
    if (kind == 3) {
      const IpAddress base = IpAddress::v4(0xC0000000 + static_cast<uint32_t>(p << 16));
      rule.peers = {{{}, {}, kube::IpBlock{{base, 16}, {{base, 24}}}}};
    }
    if (kind == 4) {
      rule.ports = {{IpProtocol::kUdp, kube::PolicyPort::Range{53, 53}},
                    {IpProtocol::kTcp, kube::PolicyPort::Range{53, 53}}};
    }
    if (kind == 5) {
      rule.peers = {some_peer(p, ns)};
      rule.ports = {{IpProtocol::kTcp, "http"}};
    }
    if (kind != 0) (policy.isolates_egress ? policy.egress : policy.ingress) = {std::move(rule)};
    put(state_.policies, {policy.ns, policy.name}, policy);
  }

  Shape shape_;
  std::mt19937_64 random_;
  kube::ClusterState state_;
};

}  // namespace

kube::ClusterState make_cluster(const Shape& shape) {
  return ClusterMaker(shape).make();
}

}  // namespace rampart::support
