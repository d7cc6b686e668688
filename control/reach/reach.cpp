// SPDX-License-Identifier: Apache-2.0
#include "control/reach/reach.hpp"

#include <algorithm>
#include <map>
#include <utility>

namespace rampart::reach {
namespace {

using Id = PortSets::Id;
using kube::NetworkPolicy;
using kube::PolicyPeer;
using kube::PolicyPort;
using kube::PolicyRule;
using Row = std::vector<Id>;

/// Fills one direction: for each end that is isolated, what each other end may use.
class Filler {
 public:
  Filler(const kube::ClusterState& state, const std::vector<End>& ends, PortSets& sets)
      : state_(state), ends_(ends), sets_(sets) {
    for (size_t i = 0; i < ends.size(); ++i) of_namespace_[ends[i].key.ns].push_back(i);
  }

  /// `rows[subject][other]`, empty for a subject that nothing isolates.
  std::vector<Row> egress() { return fill(true); }
  std::vector<Row> ingress() { return fill(false); }

 private:
  std::vector<Row> fill(bool egress) {
    std::vector<Row> rows(ends_.size());
    for (const auto& [key, policy] : state_.policies) {
      if (!(egress ? policy->isolates_egress : policy->isolates_ingress)) continue;
      std::vector<size_t> subjects;
      const auto in_namespace = of_namespace_.find(policy->ns);
      if (in_namespace == of_namespace_.end()) continue;
      for (const size_t end : in_namespace->second) {
        if (policy->subject.matches(ends_[end].key.labels)) subjects.push_back(end);
      }
      for (const size_t subject : subjects) {
        if (rows[subject].empty()) rows[subject].assign(ends_.size(), PortSets::kNothing);
      }
      if (subjects.empty() || !policy->fails_closed.empty()) continue;
      for (const PolicyRule& rule : egress ? policy->egress : policy->ingress) {
        add_rule(*policy, rule, egress, subjects, rows);
      }
    }
    return rows;
  }

  void add_rule(const NetworkPolicy& policy, const PolicyRule& rule, bool egress,
                const std::vector<size_t>& subjects, std::vector<Row>& rows) {
    const std::vector<bool> peers = peers_of(policy, rule);
    const bool by_name = std::any_of(
        rule.ports.begin(), rule.ports.end(),
        [](const PolicyPort& port) { return std::holds_alternative<PolicyPort::Name>(port.port); });
    const Id fixed = by_name ? PortSets::kNothing : ports_of(rule, ends_.front());
    for (const size_t subject : subjects) {
      const Id own = by_name && !egress ? ports_of(rule, ends_[subject]) : fixed;
      Row& row = rows[subject];
      for (size_t other = 0; other < ends_.size(); ++other) {
        if (!peers[other]) continue;
        const Id ports = by_name && egress ? ports_of(rule, ends_[other]) : own;
        row[other] = sets_.united(row[other], ports);
      }
    }
  }

  /// What the rule's `ports` stand for at a destination.
  Id ports_of(const PolicyRule& rule, const End& destination) {
    if (rule.ports.empty()) return PortSets::kAll;
    PortSet set;
    for (const PolicyPort& entry : rule.ports) {
      if (std::holds_alternative<PolicyPort::Any>(entry.port)) {
        set = set.united(PortSet::of(entry.protocol, 0, 65535));
      } else if (const auto* range = std::get_if<PolicyPort::Range>(&entry.port)) {
        set = set.united(PortSet::of(entry.protocol, range->first, range->last));
      } else {
        for (const kube::ContainerPort& port : destination.key.ports) {
          if (port.name != std::get<PolicyPort::Name>(entry.port)) continue;
          if (port.protocol != entry.protocol) continue;
          set = set.united(PortSet::of(entry.protocol, port.number, port.number));
        }
      }
    }
    return sets_.id(set);
  }

  std::vector<bool> peers_of(const NetworkPolicy& policy, const PolicyRule& rule) {
    std::vector<bool> all(ends_.size(), rule.peers.empty());
    for (const PolicyPeer& peer : rule.peers) {
      const std::vector<bool>& one = ends_of(policy, peer);
      for (size_t i = 0; i < all.size(); ++i) all[i] = all[i] || one[i];
    }
    return all;
  }

  /// The ends that a peer names; remembered, for many policies name the same.
  const std::vector<bool>& ends_of(const NetworkPolicy& policy, const PolicyPeer& peer) {
    const bool own_namespace = !peer.ip_block && !peer.namespace_selector;
    const auto [at, added] = known_.try_emplace({own_namespace ? policy.ns : std::string(), peer});
    if (!added) return at->second;
    std::vector<bool>& found = at->second;
    found.resize(ends_.size());
    for (const auto& [ns, members] : of_namespace_) {
      if (!peer.ip_block && (ns.empty() || !namespace_fits(policy, peer, ns))) continue;
      for (const size_t end : members) {
        found[end] = peer.ip_block
                         ? peer.ip_block->contains(ends_[end].sample)
                         : !peer.pod_selector || peer.pod_selector->matches(ends_[end].key.labels);
      }
    }
    return found;
  }

  bool namespace_fits(const NetworkPolicy& policy, const PolicyPeer& peer,
                      const std::string& ns) const {
    if (!peer.namespace_selector) return ns == policy.ns;
    static const kube::Labels kNone;
    const auto found = state_.namespaces.find({{}, ns});
    return peer.namespace_selector->matches(
        found == state_.namespaces.end() ? kNone : found->second->labels);
  }

  const kube::ClusterState& state_;
  const std::vector<End>& ends_;
  PortSets& sets_;
  std::map<std::string, std::vector<size_t>> of_namespace_;  // "" are the zones
  std::map<std::pair<std::string, PolicyPeer>, std::vector<bool>> known_;
};

bool share_a_family(const End& a, const End& b) {
  return (a.v4 && b.v4) || (a.v6 && b.v6);
}

}  // namespace

Result<Reach> Reach::of(const kube::ClusterState& state, const Vocabulary& vocabulary,
                        PortSets& sets) {
  Reach made;
  made.ends_ = ends_of(state, vocabulary);
  const size_t count = made.ends_.size();
  if (count > kMostEnds) {
    return Error{ErrorCode::kTooLarge,
                 std::to_string(count) +
                     " kinds of pods and address blocks are too many for a "
                     "matrix of all of them (at most " +
                     std::to_string(kMostEnds) + ")",
                 {}};
  }
  Filler filler(state, made.ends_, sets);
  const auto egress = filler.egress(), ingress = filler.ingress();
  made.cells_.resize(count * count);
  for (size_t from = 0; from < count; ++from) {
    made.egress_.push_back(!egress[from].empty());
    made.ingress_.push_back(!ingress[from].empty());
    for (size_t to = 0; to < count; ++to) {
      if (!share_a_family(made.ends_[from], made.ends_[to])) continue;
      const Id out = egress[from].empty() ? PortSets::kAll : egress[from][to];
      const Id in = ingress[to].empty() ? PortSets::kAll : ingress[to][from];
      made.cells_[from * count + to] = sets.intersected(out, in);
    }
  }
  return made;
}

}  // namespace rampart::reach
