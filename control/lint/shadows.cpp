// SPDX-License-Identifier: Apache-2.0
#include <string>
#include <vector>

#include "control/lint/checks.hpp"
#include "control/lint/containment.hpp"

// Entries that allow nothing that another entry does not allow anyway, and blocks that allow
// nothing at all.
namespace rampart::lint {
namespace {

std::string policy_name(const kube::NetworkPolicy& policy) {
  return policy.ns + "/" + policy.name;
}

/// Looks for an entry of `list` that covers list[index]; `covers(wide, small)`.
template <typename T, typename Covers>
const T* shadow_of(const std::vector<T>& list, size_t index, Covers covers_entry) {
  for (size_t i = 0; i < list.size(); ++i) {
    if (i == index || !covers_entry(list[i], list[index])) continue;
    if (i < index || !covers_entry(list[index], list[i])) return &list[i];
  }
  return nullptr;
}

void check_entries(const Judged& judged, const RuleView& view, std::vector<Finding>& out) {
  const auto& peers = view.rule.peers;
  const auto& ports = view.rule.ports;
  const auto peer_covers = [&](const kube::PolicyPeer& wide, const kube::PolicyPeer& small) {
    return covers(wide, small, judged.policy.ns);
  };
  const auto port_covers = [](const kube::PolicyPort& wide, const kube::PolicyPort& small) {
    return covers(wide, small);
  };
  for (size_t i = 0; i < peers.size(); ++i) {
    const auto* by = shadow_of(peers, i, peer_covers);
    if (by == nullptr) continue;
    const std::string path = view.peer_path(static_cast<size_t>(by - peers.data()));
    Finding& finding = out.emplace_back(judged.finding(
        RuleId::kShadowedPeer, view.peer_path(i), "whom this entry admits, " + path + " admits too",
        "drop it, or make one entry of the two if both were meant to match"));
    finding.related = Finding::Related{judged.place, path, "the wider entry"};
  }
  for (size_t i = 0; i < ports.size(); ++i) {
    const auto* by = shadow_of(ports, i, port_covers);
    if (by == nullptr) continue;
    const std::string path = view.port_path(static_cast<size_t>(by - ports.data()));
    Finding& finding =
        out.emplace_back(judged.finding(RuleId::kShadowedPort, view.port_path(i),
                                        "the ports of this entry are those of " + path, "drop it"));
    finding.related = Finding::Related{judged.place, path, "the wider entry"};
  }
}

/// Looks for a rule, of this policy or of another for at least the same pods, that covers `view`.
void check_rule(const Case& input, const Judged& judged, const RuleView& view,
                std::vector<Finding>& out) {
  const kube::NetworkPolicy& policy = judged.policy;
  for (const Judged& other : input.in(policy.ns)) {
    const kube::NetworkPolicy& wide = other.policy;
    if (!other.sound || !covers(wide.subject, policy.subject)) continue;
    const bool same = &wide == &policy;
    for (const RuleView& candidate : rules_of(wide)) {
      if (candidate.direction != view.direction || (same && candidate.index == view.index) ||
          !covers(candidate.rule, view.rule, policy.ns)) {
        continue;
      }
      // Of two that cover each other only the later one is named.
      const bool mutual =
          covers(policy.subject, wide.subject) && covers(view.rule, candidate.rule, policy.ns);
      const bool first = same ? view.index < candidate.index : policy.name < wide.name;
      if (mutual && first) continue;
      const std::string by = candidate.path() + (same ? std::string() : " of " + policy_name(wide));
      Finding& finding = out.emplace_back(judged.finding(
          RuleId::kShadowedRule, view.path(), "whatever this rule allows, " + by + " allows too",
          "drop it, or narrow the other one if that is wider than was meant"));
      finding.related = Finding::Related{other.place, candidate.path(), "the wider rule"};
      return;
    }
  }
}

}  // namespace

void find_shadows(const Case& input, std::vector<Finding>& out) {
  for (const Judged& judged : input.policies) {
    if (!judged.sound) continue;
    for (const RuleView& view : rules_of(judged.policy)) {
      check_rule(input, judged, view, out);
      check_entries(judged, view, out);
    }
  }
}

void find_empty_blocks(const Case& input, std::vector<Finding>& out) {
  for (const Judged& judged : input.policies) {
    for (const RuleView& view : rules_of(judged.policy)) {
      for (size_t i = 0; i < view.rule.peers.size(); ++i) {
        const auto& block = view.rule.peers[i].ip_block;
        if (!block || !exhausted(block->cidr, block->except)) continue;
        out.push_back(judged.finding(RuleId::kEmptyBlock, view.peer_path(i) + ".ipBlock.except",
                                     "the exceptions leave no address of " + block->cidr.text(),
                                     "drop the block, or except less"));
      }
    }
  }
}

}  // namespace rampart::lint
