// SPDX-License-Identifier: Apache-2.0
#include "control/reach/ends.hpp"

#include <algorithm>
#include <functional>
#include <optional>
#include <utility>

#include "control/explain/describe.hpp"

namespace rampart::reach {
namespace {

constexpr size_t kBlocksNamed = 3;

void add_keys(const kube::LabelSelector& selector, std::set<std::string>& keys) {
  for (const auto& need : selector.requirements) keys.insert(need.key);
}

/// Every rule of every policy, in a fixed order.
void for_each_rule(const kube::ClusterState& state,
                   const std::function<void(const kube::PolicyRule&)>& visit) {
  for (const auto& [key, policy] : state.policies) {
    for (const auto& rule : policy->egress) visit(rule);
    for (const auto& rule : policy->ingress) visit(rule);
  }
}

std::string labels_text(const kube::Labels& labels) {
  std::string text;
  for (const auto& [key, value] : labels) {
    text += (text.empty() ? "" : ",") + key + (value.empty() ? "" : "=" + value);
  }
  return text;
}

size_t family_index(Family family) {
  return family == Family::kV4 ? 0 : 1;
}

/// An address of `prefix` that is in none of `inner`, which lie within it and apart from each other
/// and are sorted; or nothing if they fill it.
std::optional<IpAddress> address_outside(const IpPrefix& prefix,
                                         const std::vector<IpPrefix>& inner) {
  IpAddress candidate = prefix.first();
  for (const IpPrefix& one : inner) {
    if (!one.contains(candidate)) return candidate;
    if (one.last() == prefix.last()) return std::nullopt;
    candidate = successor(one.last());
  }
  return candidate;
}

std::string zone_text(const IpPrefix& prefix, const std::vector<IpPrefix>& inner) {
  std::string text = prefix.text();
  for (size_t i = 0; i < std::min(inner.size(), kBlocksNamed); ++i) {
    text += (i == 0 ? " except " : ", ") + inner[i].text();
  }
  if (inner.size() > kBlocksNamed) {
    text += " and " + std::to_string(inner.size() - kBlocksNamed) + " more";
  }
  return text;
}

}  // namespace

Vocabulary::Vocabulary(const std::vector<const kube::ClusterState*>& states) {
  for (const kube::ClusterState* state : states) collect(*state);
  make_zones(states);
}

void Vocabulary::collect(const kube::ClusterState& state) {
  for (const auto& [key, policy] : state.policies) add_keys(policy->subject, label_keys_);
  for_each_rule(state, [&](const kube::PolicyRule& rule) {
    for (const kube::PolicyPeer& peer : rule.peers) {
      if (peer.pod_selector) add_keys(*peer.pod_selector, label_keys_);
      if (!peer.ip_block) continue;
      prefixes_.emplace(peer.ip_block->cidr, 0);
      for (const IpPrefix& except : peer.ip_block->except) prefixes_.emplace(except, 0);
    }
    for (const kube::PolicyPort& port : rule.ports) {
      if (const auto* name = std::get_if<kube::PolicyPort::Name>(&port.port)) {
        port_names_.insert(*name);
      }
    }
  });
}

void Vocabulary::make_zones(const std::vector<const kube::ClusterState*>& states) {
  struct Piece {
    const IpPrefix* prefix;
    IpAddress sample;
    std::string text;
  };
  // The map is sorted by address, then length: what lies in a prefix follows it.
  std::vector<Piece> pieces;
  for (auto it = prefixes_.begin(); it != prefixes_.end(); ++it) {
    std::vector<IpPrefix> inner;
    for (auto next = std::next(it); next != prefixes_.end() && it->first.contains(next->first);
         ++next) {
      if (inner.empty() || !inner.back().contains(next->first)) inner.push_back(next->first);
    }
    if (auto sample = address_outside(it->first, inner)) {
      pieces.push_back({&it->first, *sample, zone_text(it->first, inner)});
    }
    auto& lengths = lengths_[family_index(it->first.family())];
    if (std::find(lengths.begin(), lengths.end(), it->first.length()) == lengths.end()) {
      lengths.push_back(it->first.length());
    }
  }
  for (auto& lengths : lengths_) std::sort(lengths.rbegin(), lengths.rend());
  // Which rules a piece fits, in bits: pieces that fit the same are one zone, and those that fit
  // none are like what no block contains.
  std::vector<std::vector<bool>> fits(pieces.size());
  for (const kube::ClusterState* state : states) {
    for_each_rule(*state, [&](const kube::PolicyRule& rule) {
      if (std::none_of(rule.peers.begin(), rule.peers.end(),
                       [](const kube::PolicyPeer& peer) { return peer.ip_block.has_value(); })) {
        return;
      }
      for (size_t i = 0; i < pieces.size(); ++i) {
        fits[i].push_back(
            std::any_of(rule.peers.begin(), rule.peers.end(), [&](const kube::PolicyPeer& peer) {
              return peer.ip_block && peer.ip_block->contains(pieces[i].sample);
            }));
      }
    });
  }
  std::map<std::vector<bool>, size_t> known;
  std::vector<size_t> members;
  for (size_t i = 0; i < pieces.size(); ++i) {
    const bool none = std::none_of(fits[i].begin(), fits[i].end(), [](bool bit) { return bit; });
    if (none) continue;
    const auto [at, added] = known.emplace(fits[i], zones_.size());
    if (added) {
      zones_.push_back({pieces[i].sample, {}, false, false});
      members.push_back(0);
    }
    Zone& zone = zones_[at->second];
    (pieces[i].sample.is_v4() ? zone.v4 : zone.v6) = true;
    if (++members[at->second] <= kBlocksNamed) {
      zone.text += (zone.text.empty() ? "" : "; ") + pieces[i].text;
    }
    prefixes_[*pieces[i].prefix] = at->second;
  }
  for (size_t i = 0; i < zones_.size(); ++i) {
    if (members[i] > kBlocksNamed) {
      zones_[i].text += " and " + std::to_string(members[i] - kBlocksNamed) + " more";
    }
  }
  add_rest();
  const size_t rest = zones_.size() - 1;
  for (size_t i = 0; i < pieces.size(); ++i) {
    if (std::any_of(fits[i].begin(), fits[i].end(), [](bool bit) { return bit; })) continue;
    prefixes_[*pieces[i].prefix] = rest;
    zones_[rest].sample = pieces[i].sample;
    (pieces[i].sample.is_v4() ? zones_[rest].v4 : zones_[rest].v6) = true;
  }
  zones_[rest].text = rest_text(zones_[rest]);
}

/// The zone of addresses that no rule's block contains.
void Vocabulary::add_rest() {
  Zone rest{{}, {}, false, false};
  for (const char* everything : {"::/0", "0.0.0.0/0"}) {
    const IpPrefix family = *IpPrefix::parse(everything);
    std::vector<IpPrefix> outermost;
    for (const auto& [prefix, zone] : prefixes_) {
      if (!family.contains(prefix)) continue;
      if (outermost.empty() || !outermost.back().contains(prefix)) outermost.push_back(prefix);
    }
    const auto sample = address_outside(family, outermost);
    if (!sample) continue;
    rest.sample = *sample;
    (sample->is_v4() ? rest.v4 : rest.v6) = true;
  }
  zones_.push_back(std::move(rest));
}

std::string Vocabulary::rest_text(const Zone& rest) const {
  const std::string all = zones_.size() == 1 ? "all " : "all other ";
  return all + (rest.v4 == rest.v6 ? "" : rest.v4 ? "IPv4 " : "IPv6 ") + "addresses";
}

size_t Vocabulary::zone_of(const IpAddress& address) const {
  for (const unsigned length : lengths_[family_index(address.family())]) {
    const auto found = prefixes_.find(IpPrefix(address, length));
    if (found != prefixes_.end()) return found->second;
  }
  return zones_.size() - 1;
}

std::vector<std::pair<IpAddress, End::Key>> Vocabulary::kinds_of(const kube::Pod& pod) const {
  End::Key key{pod.ns, {}, {}, 0};
  for (const auto& label : pod.labels) {
    if (label_keys_.count(label.first) > 0) key.labels.push_back(label);
  }
  std::set<kube::ContainerPort> ports;
  for (const kube::ContainerPort& port : pod.ports) {
    if (port_names_.count(port.name) > 0) ports.insert(port);
  }
  key.ports.assign(ports.begin(), ports.end());
  std::vector<std::pair<IpAddress, End::Key>> kinds;
  for (const IpAddress& address : pod.addresses) {
    key.zone = zone_of(address);
    kinds.emplace_back(address, key);
  }
  return kinds;
}

std::vector<End> ends_of(const kube::ClusterState& state, const Vocabulary& vocabulary) {
  std::map<End::Key, End> kinds;
  std::map<std::string, size_t> kinds_of_namespace;
  for (const auto& [name, pod] : state.pods) {
    if (pod->finished || pod->host_network) continue;
    for (const auto& [address, key] : vocabulary.kinds_of(*pod)) {
      const auto [at, added] = kinds.try_emplace(key);
      End& end = at->second;
      if (added) {
        end.key = key;
        end.sample = address;
        ++kinds_of_namespace[pod->ns];
      }
      (address.is_v4() ? end.v4 : end.v6) = true;
      if (end.pods.empty() || end.pods.back() != pod.get()) end.pods.push_back(pod.get());
    }
  }
  std::vector<End> ends;
  std::map<std::string, std::vector<size_t>> named;
  for (auto& [key, end] : kinds) {
    end.name = key.ns + "/" + labels_text(key.labels);
    if (key.labels.empty()) {
      end.name += end.pods.size() == 1              ? end.pods.front()->name
                  : kinds_of_namespace[key.ns] == 1 ? "*"
                                                    : "(other pods)";
    }
    named[end.name].push_back(ends.size());
    ends.push_back(std::move(end));
  }
  for (size_t i = 0; i < vocabulary.zones().size(); ++i) {
    const Vocabulary::Zone& zone = vocabulary.zones()[i];
    if (!zone.v4 && !zone.v6) continue;
    End end;
    end.key.zone = i;
    end.v4 = zone.v4;
    end.v6 = zone.v6;
    end.sample = zone.sample;
    end.name = zone.text;
    ends.push_back(std::move(end));
  }
  // Kinds of one name differ in their addresses or in the numbers of their ports.
  for (const auto& [name, members] : named) {
    if (members.size() == 1) continue;
    std::set<std::string> taken;
    for (const size_t i : members) {
      End& end = ends[i];
      const bool last_zone = end.key.zone + 1 == vocabulary.zones().size();
      std::string more = last_zone ? "" : " in " + vocabulary.zones()[end.key.zone].text;
      for (const kube::ContainerPort& port : end.key.ports) {
        more += (more.empty() ? " with " : ", ") + port.name + "=" + std::to_string(port.number);
      }
      if (end.v4 != end.v6) more += end.v4 ? " (IPv4)" : " (IPv6)";
      end.name += more;
      for (size_t n = 2; !taken.insert(end.name).second; ++n) {
        end.name = name + more + " #" + std::to_string(n);
      }
    }
  }
  return ends;
}

}  // namespace rampart::reach
