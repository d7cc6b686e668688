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
  Collector(Demands& demands, Kinds& kinds) : d_(demands), kinds_(kinds) {}

  void add(const kube::NetworkPolicy& policy, bool has_room);

 private:
  uint32_t selector(const kube::LabelSelector& s) {
    return selectors_.number(s, d_.selectors, [&] { return kinds_.pod_words.learn(s); });
  }
  uint32_t peer(const kube::NetworkPolicy& policy, const kube::PolicyPeer& p);
  Service service(const kube::PolicyPort& port);
  void add_rule(uint32_t policy, Direction direction, size_t index, const kube::PolicyRule& rule);

  Demands& d_;
  Kinds& kinds_;
  Numbers<kube::LabelSelector> selectors_, namespace_selectors_;
  Numbers<kube::IpBlock> blocks_;
  Numbers<std::pair<uint32_t, uint32_t>> subjects_;
  Numbers<std::tuple<uint32_t, uint32_t, uint32_t, uint32_t>> peers_;
};

uint32_t Collector::peer(const kube::NetworkPolicy& policy, const kube::PolicyPeer& p) {
  PeerDemand demand;
  if (p.ip_block) {
    demand.block = blocks_.number(*p.ip_block, d_.blocks, [&] { return *p.ip_block; });
  } else {
    if (!p.namespace_selector) {
      demand.ns = kinds_.ns(policy.ns);
    } else if (!p.namespace_selector->selects_all()) {
      demand.ns_selector = namespace_selectors_.number(
          *p.namespace_selector, d_.namespace_selectors,
          [&] { return kinds_.namespace_words.learn(*p.namespace_selector); });
    }
    if (p.pod_selector && !p.pod_selector->selects_all())
      demand.selector = selector(*p.pod_selector);
  }
  return peers_.number({demand.block, demand.ns, demand.ns_selector, demand.selector}, d_.peers,
                       [&] { return demand; });
}

Service Collector::service(const kube::PolicyPort& port) {
  Service made{false, static_cast<uint8_t>(port.protocol), 0, 65535, kNone};
  if (const auto* range = std::get_if<kube::PolicyPort::Range>(&port.port)) {
    made.first = range->first;
    made.last = range->last;
  } else if (const auto* name = std::get_if<kube::PolicyPort::Name>(&port.port)) {
    made.name = kinds_.port_name(*name, port.protocol);
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
  const uint32_t subject_ns = kinds_.ns(policy.ns), subject_selector = selector(policy.subject);
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

/// Finds pods by (namespaces, pods) pairs of selectors, and remembers what comes up again.
class PeerFinder {
 public:
  PeerFinder(const Demands& demands, const Kinds& kinds)
      : demands_(demands),
        groups_(kinds.groups),
        index_(kinds.namespaces),
        namespaces_(demands.namespace_selectors.size()),
        everywhere_(demands.selectors.size()) {}

  Ranges find(const PeerDemand& demand) {
    Ranges found;
    if (demand.ns != kNone) {
      const auto groups = demand.selector == kNone
                              ? groups_.of_namespace(demand.ns)
                              : groups_.select_in(demand.ns, demands_.selectors[demand.selector]);
      for (const uint32_t group : groups) append(found, group);
    } else if (demand.ns_selector == kNone) {
      if (demand.selector != kNone) return make_ranges(everywhere(demand.selector));
      if (groups_.size() > 0) found.push_back({0, groups_.size() - 1});
    } else {
      return find_in(namespaces(demand.ns_selector), demand.selector);
    }
    return found;
  }

 private:
  Ranges find_in(const std::vector<uint32_t>& namespaces, uint32_t selector) {
    std::vector<uint32_t> found;
    size_t there = 0;
    for (const uint32_t ns : namespaces) there += groups_.of_namespace(ns).size();
    if (selector == kNone) {
      found.reserve(there);
      for (const uint32_t ns : namespaces) {
        const auto& groups = groups_.of_namespace(ns);
        found.insert(found.end(), groups.begin(), groups.end());
      }
    } else if (const auto& all = everywhere(selector); all.size() < there) {
      std::copy_if(all.begin(), all.end(), std::back_inserter(found), [&](uint32_t group) {
        return std::binary_search(namespaces.begin(), namespaces.end(), groups_.ns(group));
      });
    } else {
      for (const uint32_t ns : namespaces) {
        const auto groups = groups_.select_in(ns, demands_.selectors[selector]);
        found.insert(found.end(), groups.begin(), groups.end());
      }
    }
    return make_ranges(std::move(found));
  }
  const std::vector<uint32_t>& namespaces(uint32_t selector) {
    auto& known = namespaces_[selector];
    if (!known) known = index_.select(demands_.namespace_selectors[selector]);
    return *known;
  }
  const std::vector<uint32_t>& everywhere(uint32_t selector) {
    auto& known = everywhere_[selector];
    if (!known) known = groups_.index().select(demands_.selectors[selector]);
    return *known;
  }

  const Demands& demands_;
  const Groups& groups_;
  const LabelIndex& index_;
  std::vector<std::optional<std::vector<uint32_t>>> namespaces_, everywhere_;
};

}  // namespace

size_t entries_of(const kube::NetworkPolicy& policy) {
  if (!policy.fails_closed.empty()) return 0;
  return entries_of(policy.ingress) + entries_of(policy.egress);
}

Demands collect(const std::vector<const kube::NetworkPolicy*>& policies, Kinds& kinds) {
  Demands demands;
  Collector collector(demands, kinds);
  std::vector<Cost> costs;
  costs.reserve(policies.size());
  for (const kube::NetworkPolicy* policy : policies) {
    costs.push_back({kinds.ns(policy->ns), entries_of(*policy)});
  }
  const std::vector<uint32_t> no_room = without_room(costs, kMaxEntries);
  for (uint32_t p = 0; p < policies.size(); ++p) {
    collector.add(*policies[p], !std::binary_search(no_room.begin(), no_room.end(), p));
  }
  return demands;
}

Members find_members(const Demands& demands, const Kinds& kinds) {
  Members members;
  for (const SubjectDemand& demand : demands.subjects) {
    members.subjects.push_back(
        kinds.groups.select_in(demand.ns, demands.selectors[demand.selector]));
  }
  PeerFinder finder(demands, kinds);
  for (const PeerDemand& demand : demands.peers) {
    members.peers.push_back(demand.block == kNone ? finder.find(demand) : Ranges{});
  }
  return members;
}

}  // namespace rampart::compile
