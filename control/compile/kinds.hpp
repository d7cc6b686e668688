// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "control/compile/atoms.hpp"
#include "control/compile/groups.hpp"
#include "control/compile/labels.hpp"
#include "control/compile/zones.hpp"
#include "control/kube/model.hpp"

namespace rampart::compile {

/// A named port's name, with its protocol.
struct PortName {
  std::string name;
  IpProtocol protocol = IpProtocol::kTcp;
  auto operator<=>(const PortName&) const = default;
};

/// What all policies together can tell apart: numbers for namespaces, labels, groups of pods, zones
/// and atoms. It grows from revision to revision, so that one policy more or less changes no number
/// of others, and is made anew now and then.
///
/// The compiler alone has to do with it, one compilation at a time. What a refused revision has
/// added stays in it: `version` tells those apart who go on from before that.
struct Kinds {
  /// With the keys and blocks of all policies, and all namespaces. Groups and atoms are added by
  /// who places pods.
  explicit Kinds(const kube::ClusterState& state);

  /// The number of a namespace, which need not be there.
  uint32_t ns(const std::string& name);
  uint32_t port_name(const std::string& name, IpProtocol protocol);
  /// The pod's group, made if it is the first of its kind.
  uint32_t group(const kube::Pod& pod);

  Vocabulary pod_words, namespace_words;
  StringMap<uint32_t> namespace_numbers;
  std::vector<std::string> namespace_names;  ///< by number
  LabelIndex namespaces;                     ///< by number
  Groups groups;
  Zones zones;
  Atoms atoms;
  std::map<PortName, uint32_t> port_names;
  uint64_t version = 0;
};

/// Calls use(selector) for every selector of pods that a policy has.
template <typename Use>
void for_each_pod_selector(const kube::NetworkPolicy& policy, Use use) {
  use(policy.subject);
  for (const auto* rules : {&policy.ingress, &policy.egress}) {
    for (const kube::PolicyRule& rule : *rules) {
      for (const kube::PolicyPeer& peer : rule.peers) {
        if (peer.pod_selector) use(*peer.pod_selector);
      }
    }
  }
}
/// Calls use(block) for every ipBlock that a policy has.
template <typename Use>
void for_each_block(const kube::NetworkPolicy& policy, Use use) {
  for (const auto* rules : {&policy.ingress, &policy.egress}) {
    for (const kube::PolicyRule& rule : *rules) {
      for (const kube::PolicyPeer& peer : rule.peers) {
        if (peer.ip_block) use(*peer.ip_block);
      }
    }
  }
}

}  // namespace rampart::compile
