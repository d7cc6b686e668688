// SPDX-License-Identifier: Apache-2.0
#include "control/lint/containment.hpp"

#include <algorithm>
#include <string>
#include <variant>

#include "control/kube/decode_metadata.hpp"

namespace rampart::lint {
namespace {

using kube::LabelRequirement;
using Op = LabelRequirement::Op;

bool includes(const std::vector<std::string>& wide, const std::vector<std::string>& small) {
  return std::includes(wide.begin(), wide.end(), small.begin(), small.end());
}

bool disjoint(const std::vector<std::string>& a, const std::vector<std::string>& b) {
  return std::none_of(a.begin(), a.end(), [&](const std::string& value) {
    return std::binary_search(b.begin(), b.end(), value);
  });
}

/// Whether labels that fulfil `given` fulfil `wanted`; both are of one key.
bool implies(const LabelRequirement& given, const LabelRequirement& wanted) {
  switch (wanted.op) {
    case Op::kIn:
      return given.op == Op::kIn && includes(wanted.values, given.values);
    case Op::kNotIn:
      return given.op == Op::kDoesNotExist ||
             (given.op == Op::kIn && disjoint(given.values, wanted.values)) ||
             (given.op == Op::kNotIn && includes(given.values, wanted.values));
    case Op::kExists:
      return given.op == Op::kIn || given.op == Op::kExists;
    case Op::kDoesNotExist:
      return given.op == Op::kDoesNotExist;
  }
  return false;
}

/// The namespaces of a selector peer; its own one is told by the label that every namespace has.
kube::LabelSelector namespaces_of(const kube::PolicyPeer& peer, const std::string& ns) {
  if (peer.namespace_selector) return *peer.namespace_selector;
  return {{{std::string(kube::kNamespaceNameLabel), Op::kIn, {ns}}}};
}

bool intersect(const IpPrefix& a, const IpPrefix& b) {
  return a.contains(b) || b.contains(a);
}

bool covers(const kube::IpBlock& wide, const kube::IpBlock& small) {
  if (!wide.cidr.contains(small.cidr)) return false;
  return std::all_of(wide.except.begin(), wide.except.end(), [&](const IpPrefix& hole) {
    return !intersect(hole, small.cidr) || exhausted(hole, small.except);
  });
}

}  // namespace

bool covers(const kube::LabelSelector& wide, const kube::LabelSelector& small) {
  const auto& given = small.requirements;
  return std::all_of(
      wide.requirements.begin(), wide.requirements.end(), [&](const LabelRequirement& wanted) {
        return std::any_of(given.begin(), given.end(), [&](const LabelRequirement& requirement) {
          return requirement.key == wanted.key && implies(requirement, wanted);
        });
      });
}

bool covers(const kube::PolicyPeer& wide, const kube::PolicyPeer& small, const std::string& ns) {
  if (wide.ip_block || small.ip_block) {
    return wide.ip_block && small.ip_block && covers(*wide.ip_block, *small.ip_block);
  }
  const kube::LabelSelector all;
  return covers(namespaces_of(wide, ns), namespaces_of(small, ns)) &&
         covers(wide.pod_selector.value_or(all), small.pod_selector.value_or(all));
}

bool covers(const kube::PolicyPort& wide, const kube::PolicyPort& small) {
  using Port = kube::PolicyPort;
  if (wide.protocol != small.protocol) return false;
  if (std::holds_alternative<Port::Any>(wide.port)) return true;
  const auto* w = std::get_if<Port::Range>(&wide.port);
  const auto* s = std::get_if<Port::Range>(&small.port);
  if (w != nullptr && s != nullptr) return w->first <= s->first && s->last <= w->last;
  return wide.port == small.port;
}

bool covers(const kube::PolicyRule& wide, const kube::PolicyRule& small, const std::string& ns) {
  // An empty list means everything.
  if (small.peers.empty() && !wide.peers.empty()) return false;
  if (small.ports.empty() && !wide.ports.empty()) return false;
  const auto peer_covered = [&](const kube::PolicyPeer& peer) {
    return std::any_of(
        wide.peers.begin(), wide.peers.end(),
        [&](const kube::PolicyPeer& candidate) { return covers(candidate, peer, ns); });
  };
  const auto port_covered = [&](const kube::PolicyPort& port) {
    return std::any_of(wide.ports.begin(), wide.ports.end(),
                       [&](const kube::PolicyPort& candidate) { return covers(candidate, port); });
  };
  return (wide.peers.empty() ||
          std::all_of(small.peers.begin(), small.peers.end(), peer_covered)) &&
         (wide.ports.empty() || std::all_of(small.ports.begin(), small.ports.end(), port_covered));
}

bool exhausted(const IpPrefix& prefix, const std::vector<IpPrefix>& blocks) {
  bool touched = false;
  for (const IpPrefix& block : blocks) {
    if (block.contains(prefix)) return true;
    touched = touched || prefix.contains(block);
  }
  if (!touched) return false;
  // Only halves that hold one of the blocks are looked into: 128 steps at most for each of them.
  const unsigned length = prefix.length() + 1;
  const IpPrefix low(prefix.first(), length), high(prefix.last(), length);
  return exhausted(low, blocks) && exhausted(high, blocks);
}

}  // namespace rampart::lint
