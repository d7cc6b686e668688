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

/// One direction: which ends a policy isolates, and what each pair of such an end with another may
/// use (in rows as Pairs says, empty for ends that nothing isolates).
struct Direction {
  std::vector<bool> isolated;
  std::vector<Row> rows;

  Id at(const Pairs& pairs, size_t subject, size_t other) const {
    return isolated[subject] ? rows[subject][pairs.place(subject, other)] : PortSets::kAll;
  }
};

class Filler {
 public:
  Filler(const kube::ClusterState& state, const std::vector<End>& ends, const Pairs& pairs,
         PortSets& sets)
      : state_(state), ends_(ends), pairs_(pairs), sets_(sets) {
    for (size_t i = 0; i < ends.size(); ++i) of_namespace_[ends[i].key.ns].push_back(i);
  }

  Direction egress() { return fill(true); }
  Direction ingress() { return fill(false); }

 private:
  Direction fill(bool egress) {
    Direction made{std::vector<bool>(ends_.size()), std::vector<Row>(ends_.size())};
    for (const auto& [key, policy] : state_.policies) {
      if (!(egress ? policy->isolates_egress : policy->isolates_ingress)) continue;
      const auto in_namespace = of_namespace_.find(policy->ns);
      if (in_namespace == of_namespace_.end()) continue;
      std::vector<size_t> wanted, unwanted;  // subjects
      for (const size_t end : in_namespace->second) {
        if (!policy->subject.matches(ends_[end].key.labels)) continue;
        (pairs_.wanted(end) ? wanted : unwanted).push_back(end);
        if (made.isolated[end]) continue;
        made.isolated[end] = true;
        made.rows[end].assign(pairs_.others(end).size(), PortSets::kNothing);
      }
      if (!policy->fails_closed.empty()) continue;
      for (const PolicyRule& rule : egress ? policy->egress : policy->ingress) {
        add_rule(*policy, rule, egress, wanted, made.rows);
        add_rule(*policy, rule, egress, unwanted, made.rows);
      }
    }
    return made;
  }

  /// `subjects`: all of them wanted, or none.
  void add_rule(const NetworkPolicy& policy, const PolicyRule& rule, bool egress,
                const std::vector<size_t>& subjects, std::vector<Row>& rows) {
    if (subjects.empty()) return;
    const std::vector<size_t>& others = pairs_.others(subjects.front());
    const std::vector<bool> peers = peers_of(policy, rule, others);
    const bool by_name = std::any_of(
        rule.ports.begin(), rule.ports.end(),
        [](const PolicyPort& port) { return std::holds_alternative<PolicyPort::Name>(port.port); });
    const Id fixed = by_name ? PortSets::kNothing : ports_of(rule, ends_.front());
    for (const size_t subject : subjects) {
      const Id own = by_name && !egress ? ports_of(rule, ends_[subject]) : fixed;
      Row& row = rows[subject];
      for (size_t i = 0; i < others.size(); ++i) {
        if (!peers[i]) continue;
        const Id ports = by_name && egress ? ports_of(rule, ends_[others[i]]) : own;
        row[i] = sets_.united(row[i], ports);
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

  /// Which of `others` the rule speaks of.
  std::vector<bool> peers_of(const NetworkPolicy& policy, const PolicyRule& rule,
                             const std::vector<size_t>& others) {
    std::vector<bool> all(others.size(), rule.peers.empty());
    for (const PolicyPeer& peer : rule.peers) {
      const std::vector<bool>& one = ends_of(policy, peer, others);
      for (size_t i = 0; i < all.size(); ++i) all[i] = all[i] || one[i];
    }
    return all;
  }

  /// Which of `others` a peer names; remembered, for many policies name the same.
  const std::vector<bool>& ends_of(const NetworkPolicy& policy, const PolicyPeer& peer,
                                   const std::vector<size_t>& others) {
    const bool own_namespace = !peer.ip_block && !peer.namespace_selector;
    const auto [at, added] =
        known_[&others].try_emplace({own_namespace ? policy.ns : std::string(), peer});
    if (!added) return at->second;
    std::vector<bool>& found = at->second;
    found.resize(others.size());
    const std::string* ns = nullptr;  // ends come by namespace: each is asked about once
    bool fits = false;
    for (size_t i = 0; i < others.size(); ++i) {
      const End& end = ends_[others[i]];
      if (peer.ip_block) {
        found[i] = peer.ip_block->contains(end.sample);
        continue;
      }
      if (end.external()) continue;
      if (ns == nullptr || *ns != end.key.ns) fits = namespace_fits(policy, peer, end.key.ns);
      ns = &end.key.ns;
      found[i] = fits && (!peer.pod_selector || peer.pod_selector->matches(end.key.labels));
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
  const Pairs& pairs_;
  PortSets& sets_;
  std::map<std::string, std::vector<size_t>> of_namespace_;  // "" are the zones
  using Known = std::map<std::pair<std::string, PolicyPeer>, std::vector<bool>>;
  std::map<const std::vector<size_t>*, Known> known_;  // by what was asked about: all, the wanted
};

bool share_a_family(const End& a, const End& b) {
  return (a.v4 && b.v4) || (a.v6 && b.v6);
}

}  // namespace

Result<Reach> Reach::of(const kube::ClusterState& state, const Vocabulary& vocabulary,
                        PortSets& sets) {
  std::vector<End> ends = ends_of(state, vocabulary);
  const size_t count = ends.size();
  return of(state, std::move(ends), std::vector<bool>(count, true), sets);
}

Result<Reach> Reach::of(const kube::ClusterState& state, std::vector<End> ends,
                        std::vector<bool> wanted, PortSets& sets) {
  Reach made(std::move(ends), std::move(wanted));
  const Pairs& pairs = made.pairs_;
  const size_t count = made.ends_.size();
  if (pairs.count() > kMostPairs) {
    const size_t chosen = pairs.chosen().size();
    return Error{ErrorCode::kTooLarge,
                 (chosen == count ? "" : std::to_string(chosen) + " of ") + std::to_string(count) +
                     " kinds of pods and address blocks make " + std::to_string(pairs.count()) +
                     " pairs, too many to compute (at most " + std::to_string(kMostPairs) + ")",
                 {}};
  }
  Filler filler(state, made.ends_, pairs, sets);
  const Direction egress = filler.egress(), ingress = filler.ingress();
  made.egress_ = egress.isolated;
  made.ingress_ = ingress.isolated;
  made.cells_.resize(count);
  for (size_t from = 0; from < count; ++from) {
    made.cells_[from].reserve(pairs.others(from).size());
    for (const size_t to : pairs.others(from)) {
      made.cells_[from].push_back(
          share_a_family(made.ends_[from], made.ends_[to])
              ? sets.intersected(egress.at(pairs, from, to), ingress.at(pairs, to, from))
              : PortSets::kNothing);
    }
  }
  return made;
}

}  // namespace rampart::reach
