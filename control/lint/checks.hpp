// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "control/kube/evaluate.hpp"
#include "control/lint/lint.hpp"

/// The checks behind examine(), one function a subject. Each appends to `out`.
namespace rampart::lint {

/// A policy that can be judged, with where it stands.
struct Judged {
  const kube::NetworkPolicy& policy;
  kube::ObjectPlace place;
  /// Nothing is wrong with it. Otherwise a part of it says something else than was meant, and
  /// whatever compares whole rules would draw conclusions from that.
  bool sound;

  std::string name() const { return "NetworkPolicy " + policy.ns + "/" + policy.name; }
  Finding finding(RuleId rule, std::string path, std::string message, std::string hint) const {
    return {rule, place, name(), std::move(path), std::move(message), std::move(hint)};
  }
};

struct Case {
  const kube::Survey& survey;
  Blind blind;
  std::vector<Judged> policies;  ///< in the order of their keys

  /// Those of one namespace.
  std::span<const Judged> in(std::string_view ns) const;
};

/// One rule of a policy, with its path.
struct RuleView {
  kube::Direction direction;
  size_t index;
  const kube::PolicyRule& rule;

  bool egress() const { return direction == kube::Direction::kEgress; }
  std::string path() const {
    return (egress() ? "spec.egress[" : "spec.ingress[") + std::to_string(index) + "]";
  }
  std::string peer_path(size_t peer) const {
    return path() + (egress() ? ".to[" : ".from[") + std::to_string(peer) + "]";
  }
  std::string port_path(size_t port) const {
    return path() + ".ports[" + std::to_string(port) + "]";
  }
};
std::vector<RuleView> rules_of(const kube::NetworkPolicy& policy);

/// Labels that a namespace has for certain: those of its object, or the one with its name.
kube::Labels namespace_labels(const kube::ClusterState& state, const std::string& ns);
/// The namespaces that every cluster has by itself.
inline constexpr std::array<std::string_view, 4> kBuiltIn{"default", "kube-node-lease",
                                                          "kube-public", "kube-system"};

void find_api_problems(const kube::Survey& survey, std::vector<Finding>& out);
void find_lonely_selectors(const Case& input, std::vector<Finding>& out);
void find_namespace_name_labels(const Case& input, std::vector<Finding>& out);
void find_lost_ports(const Case& input, std::vector<Finding>& out);
void find_shadows(const Case& input, std::vector<Finding>& out);
void find_empty_blocks(const Case& input, std::vector<Finding>& out);
void find_missing_dns(const Case& input, std::vector<Finding>& out);

}  // namespace rampart::lint
