// SPDX-License-Identifier: Apache-2.0
#include "control/compile/demands.hpp"

#include <algorithm>
#include <map>
#include <set>
#include <tuple>
#include <utility>

#include "control/compile/fair_share.hpp"

namespace rampart::compile {
namespace {

using kube::Direction;

size_t entries_of(const std::vector<kube::PolicyRule>& rules) {
  size_t count = 0;
  for (const kube::PolicyRule& rule : rules) {
    count += std::max<size_t>(1, rule.peers.size()) * std::max<size_t>(1, rule.ports.size());
  }
  return count;
}

/// Numbers equal things alike.
template <typename Key>
class Numbers {
 public:
  /// `made` is called once for each distinct key, with nothing; its results go into `list`.
  template <typename List, typename Make>
  uint32_t number(const Key& key, List& list, Make make) {
    const auto [entry, added] = numbers_.try_emplace(key, static_cast<uint32_t>(list.size()));
    if (added) list.push_back(make());
    return entry->second;
  }

 private:
  std::map<Key, uint32_t> numbers_;
};

class Collector {
 public:
  explicit Collector(Demands& demands) : d_(demands) {}

  void name_namespaces(const kube::ClusterState& state);
  void learn_port_names(const kube::ClusterState& state);
  void add(const kube::NetworkPolicy& policy, bool has_room);

 private:
  uint32_t ns(const std::string& name) const { return d_.namespaces.find(name)->second; }
  uint32_t selector(const kube::LabelSelector& s) {
    return selectors_.number(s, d_.selectors, [&] { return d_.pod_words.learn(s); });
  }
  uint32_t peer(const kube::NetworkPolicy& policy, const kube::PolicyPeer& p);
  Service service(const kube::PolicyPort& port) const;
  void add_rule(uint32_t policy, Direction direction, size_t index, const kube::PolicyRule& rule);

  Demands& d_;
  Numbers<kube::LabelSelector> selectors_, namespace_selectors_;
  Numbers<kube::IpBlock> blocks_;
  Numbers<std::pair<uint32_t, uint32_t>> subjects_;
  Numbers<std::tuple<uint32_t, uint32_t, uint32_t, uint32_t>> peers_;
};

void Collector::name_namespaces(const kube::ClusterState& state) {
  std::set<std::string_view> names;
  for (const auto& [key, unused] : state.namespaces) names.insert(key.name);
  for (const auto& [key, unused] : state.pods) names.insert(key.ns);
  for (const auto& [key, unused] : state.policies) names.insert(key.ns);
  for (const std::string_view name : names) {
    d_.namespaces.emplace(name, static_cast<uint32_t>(d_.namespaces.size()));
  }
}

void Collector::learn_port_names(const kube::ClusterState& state) {
  std::set<PortName> names;
  for (const auto& [key, policy] : state.policies) {
    for (const auto* rules : {&policy->ingress, &policy->egress}) {
      for (const kube::PolicyRule& rule : *rules) {
        for (const kube::PolicyPort& port : rule.ports) {
          const auto* name = std::get_if<kube::PolicyPort::Name>(&port.port);
          if (name != nullptr) names.insert({*name, port.protocol});
        }
      }
    }
  }
  d_.port_names.assign(names.begin(), names.end());
}

uint32_t Collector::peer(const kube::NetworkPolicy& policy, const kube::PolicyPeer& p) {
  PeerDemand demand;
  if (p.ip_block) {
    demand.block = blocks_.number(*p.ip_block, d_.blocks, [&] { return *p.ip_block; });
  } else {
    if (!p.namespace_selector) {
      demand.ns = ns(policy.ns);
    } else if (!p.namespace_selector->selects_all()) {
      demand.ns_selector = namespace_selectors_.number(
          *p.namespace_selector, d_.namespace_selectors,
          [&] { return d_.namespace_words.learn(*p.namespace_selector); });
    }
    if (p.pod_selector && !p.pod_selector->selects_all())
      demand.selector = selector(*p.pod_selector);
  }
  return peers_.number({demand.block, demand.ns, demand.ns_selector, demand.selector}, d_.peers,
                       [&] { return demand; });
}

Service Collector::service(const kube::PolicyPort& port) const {
  Service made{false, static_cast<uint8_t>(port.protocol), 0, 65535, kNone};
  if (const auto* range = std::get_if<kube::PolicyPort::Range>(&port.port)) {
    made.first = range->first;
    made.last = range->last;
  } else if (const auto* name = std::get_if<kube::PolicyPort::Name>(&port.port)) {
    const auto found = std::lower_bound(d_.port_names.begin(), d_.port_names.end(),
                                        PortName{*name, port.protocol});
    made.name = static_cast<uint32_t>(found - d_.port_names.begin());
  }
  return made;
}

void Collector::add_rule(uint32_t policy, Direction direction, size_t index,
                         const kube::PolicyRule& rule) {
  const kube::NetworkPolicy& object = *d_.policies[policy].policy;
  const size_t peers = std::max<size_t>(1, rule.peers.size());
  const size_t ports = std::max<size_t>(1, rule.ports.size());
  for (size_t p = 0; p < peers; ++p) {
    const uint32_t peer_number = rule.peers.empty() ? kNone : peer(object, rule.peers[p]);
    for (size_t s = 0; s < ports; ++s) {
      kube::Admission origin{{object.ns, object.name}, direction, index, {}, {}};
      Service wanted;
      wanted.any_protocol = rule.ports.empty();
      if (!rule.peers.empty()) origin.peer = p;
      if (!rule.ports.empty()) {
        origin.port = s;
        wanted = service(rule.ports[s]);
      }
      d_.entries.push_back(
          {static_cast<uint32_t>(d_.origins.size()), policy, direction, peer_number, wanted});
      d_.origins.push_back(std::move(origin));
    }
  }
}

void Collector::add(const kube::NetworkPolicy& policy, bool has_room) {
  const auto number = static_cast<uint32_t>(d_.policies.size());
  const uint32_t subject_ns = ns(policy.ns), subject_selector = selector(policy.subject);
  PolicyDemand demand;
  demand.policy = &policy;
  demand.subject = subjects_.number({subject_ns, subject_selector}, d_.subjects, [&] {
    return SubjectDemand{subject_ns, subject_selector};
  });
  demand.isolates[static_cast<size_t>(Direction::kEgress)] = policy.isolates_egress;
  demand.isolates[static_cast<size_t>(Direction::kIngress)] = policy.isolates_ingress;
  demand.fails_closed = policy.fails_closed;
  if (!has_room) demand.fails_closed = "it is too large: the policies have more entries than fit";
  d_.policies.push_back(std::move(demand));
  if (!d_.policies.back().fails_closed.empty()) return;
  for (size_t r = 0; r < policy.ingress.size(); ++r) {
    add_rule(number, Direction::kIngress, r, policy.ingress[r]);
  }
  for (size_t r = 0; r < policy.egress.size(); ++r) {
    add_rule(number, Direction::kEgress, r, policy.egress[r]);
  }
}

}  // namespace

Demands collect(const kube::ClusterState& state) {
  Demands demands;
  Collector collector(demands);
  collector.name_namespaces(state);
  collector.learn_port_names(state);

  std::vector<Cost> costs;
  for (const auto& [key, policy] : state.policies) {
    const bool counts = policy->fails_closed.empty();
    const size_t entries =
        counts ? entries_of(policy->ingress) + entries_of(policy->egress) : size_t{0};
    costs.push_back({demands.namespaces.find(policy->ns)->second, entries});
    demands.policy_entries += entries;
  }
  const std::vector<uint32_t> no_room = without_room(costs, kMaxEntries);
  uint32_t number = 0;
  for (const auto& [key, policy] : state.policies) {
    collector.add(*policy, !std::binary_search(no_room.begin(), no_room.end(), number++));
  }
  return demands;
}

}  // namespace rampart::compile
