// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <bit>
#include <cstring>
#include <tuple>
#include <unordered_map>
#include <utility>

#include "control/compile/place.hpp"

namespace rampart::compile {
namespace {

/// Somebody stands behind an address: a pod (an index into Memory::pods), or a node (its number).
struct Claim {
  IpAddress address;
  bool is_node = false;
  uint32_t who = 0;
  auto operator<=>(const Claim&) const = default;
};

/// Every claim once or, for those of nodes, more often.
std::vector<Claim> collect_claims(const kube::ClusterState& state, const Memory& memory) {
  std::vector<Claim> claims;
  claims.reserve(state.pods.size() * 2 + state.nodes.size() * 2);
  // Pods of a node name the same host addresses again and again.
  std::vector<const std::vector<IpAddress>*> host_addresses(memory.last_node + 1);
  const auto claim_all = [&](const std::vector<IpAddress>& addresses, bool is_node, uint32_t who) {
    for (const IpAddress& address : addresses) claims.push_back({address, is_node, who});
  };
  const auto number_of = [&](const std::string& node) { return memory.nodes->find(node)->second; };
  for (const auto& [key, node] : state.nodes) {
    claim_all(node->addresses, true, number_of(node->name));
  }
  uint32_t index = 0;
  for (const auto& [key, pod] : state.pods) {
    if (pod->finished) continue;
    uint32_t node = 0;
    if (!pod->host_network) {
      node = memory.pods[index].node;
      claim_all(pod->addresses, false, index++);
    } else if (!pod->node_name.empty()) {
      node = number_of(pod->node_name);
      claim_all(pod->addresses, true, node);
    }
    if (node == 0) continue;
    const std::vector<IpAddress>*& known = host_addresses[node];
    if (known != nullptr && *known == pod->host_addresses) continue;
    known = &pod->host_addresses;
    claim_all(pod->host_addresses, true, node);
  }
  return claims;
}

/// Moves the claims on addresses that are claimed more than once to the end, where they are sorted:
/// by address, pods by key, then nodes, each once. Returns how many claims have an address of their
/// own: mostly nearly all of them, which is why not everything is sorted.
size_t sort_contested(std::vector<Claim>& claims) {
  const size_t capacity = std::bit_ceil(claims.size() * 2 + 1);
  std::vector<uint32_t> first_claim(capacity);  // 1 + index
  std::vector<bool> contested(claims.size());
  for (uint32_t i = 0; i < claims.size(); ++i) {
    size_t slot = std::hash<IpAddress>()(claims[i].address) & (capacity - 1);
    while (first_claim[slot] != 0 && claims[first_claim[slot] - 1].address != claims[i].address) {
      slot = (slot + 1) & (capacity - 1);
    }
    if (first_claim[slot] == 0) {
      first_claim[slot] = i + 1;
    } else {
      contested[i] = contested[first_claim[slot] - 1] = true;
    }
  }
  std::vector<Claim> apart;
  size_t kept = 0;
  for (size_t i = 0; i < claims.size(); ++i) {
    if (contested[i]) {
      apart.push_back(claims[i]);
    } else {
      claims[kept++] = claims[i];
    }
  }
  std::sort(apart.begin(), apart.end());
  apart.erase(std::unique(apart.begin(), apart.end()), apart.end());
  claims.resize(kept);
  claims.insert(claims.end(), apart.begin(), apart.end());
  return kept;
}

/// Numbers lists of claimants; see identify().
class SharedLists {
 public:
  explicit SharedLists(const std::vector<std::vector<Identity>>* before) {
    if (before == nullptr) return;
    lists_ = *before;
    for (uint32_t i = 0; i < lists_.size(); ++i) known_.emplace(bytes(lists_[i]), i);
  }
  uint32_t number(const std::vector<Identity>& list) {
    const auto [entry, added] =
        known_.try_emplace(bytes(list), static_cast<uint32_t>(lists_.size()));
    if (added) lists_.push_back(list);
    return entry->second;
  }
  std::vector<std::vector<Identity>> take() && { return std::move(lists_); }

 private:
  static std::string bytes(const std::vector<Identity>& list) {
    std::string text(list.size() * sizeof(Identity), '\0');
    std::memcpy(text.data(), list.data(), text.size());
    return text;
  }
  std::vector<std::vector<Identity>> lists_;
  std::unordered_map<std::string, uint32_t> known_;
};

std::string join(const std::vector<std::string>& names) {
  constexpr size_t kMost = 8;
  std::string text;
  for (size_t i = 0; i < names.size() && i < kMost; ++i) text += (i == 0 ? "" : ", ") + names[i];
  if (names.size() > kMost) text += " and " + std::to_string(names.size() - kMost) + " more";
  return text;
}

class Identifier {
 public:
  Identifier(const Memory& memory, const std::vector<std::vector<Identity>>* shared_before)
      : memory_(memory), frame_(*memory.frame), shared_(shared_before) {
    for (uint32_t zone = 0; zone < frame_.zones.count; ++zone) {
      outside_.push_back(frame_.peers.of_atom[frame_.atoms.outside(zone)]);
    }
    made_.exact.reserve(memory.pods.size() * 2);
    node_names_.resize(memory.last_node + 1);
    for (const auto& [name, number] : *memory.nodes) node_names_[number] = name;
  }

  /// All claims on one address. False: a pod is where none of its group was when the frame was
  /// made.
  bool add(const Claim* begin, const Claim* end) {
    const IpAddress& address = begin->address;
    const uint32_t zone = frame_.zones.zone_of(address, near_);
    const Claim* nodes = std::find_if(begin, end, [](const Claim& c) { return c.is_node; });
    std::vector<Identity> list;
    for (const Claim* claim = begin; claim != nodes; ++claim) {
      const PodPlace& pod = memory_.pods[claim->who];
      const auto atom = frame_.atoms.find(zone, pod.group);
      if (!atom) return false;
      list.push_back({.peer_class = frame_.peers.of_atom[*atom],
                      .egress_subject = subject(kube::Direction::kEgress, pod.group),
                      .ingress_subject = subject(kube::Direction::kIngress, pod.group),
                      .node = pod.node,
                      .endpoint = pod.endpoint});
    }
    if (end - nodes == 1) {
      Identity node = outside(zone);
      node.node = nodes->who;
      node.flags = Identity::kIsNode;
      list.push_back(node);
    } else if (end - nodes > 1) {
      list.push_back(outside(zone));
      warn_ambiguous(address, nodes, end);
    }
    if (list.size() == 1) {
      // Several nodes and no pod: as any address of its interval.
      if (list.front() != outside(zone)) made_.exact.push_back({address, list.front()});
      return true;
    }
    warn_shared(address, begin, nodes, end, add_shared(address, list));
    return true;
  }

  Addresses finish() && {
    for (uint32_t i = 0; i < frame_.zones.firsts.size(); ++i) {
      auto& family = i < frame_.zones.first_v6 ? made_.v4 : made_.v6;
      const Identity identity = outside(frame_.zones.zone[i]);
      if (!family.empty() && family.back().identity == identity) continue;
      family.push_back({frame_.zones.firsts[i], identity});
    }
    made_.shared = std::move(shared_).take();
    return std::move(made_);
  }

 private:
  uint16_t subject(kube::Direction direction, uint32_t group) const {
    return frame_.subjects.of_group[static_cast<size_t>(direction)][group];
  }
  Identity outside(uint32_t zone) const { return {.peer_class = outside_[zone]}; }

  /// Returns whether there are too many claimants to be judged.
  bool add_shared(const IpAddress& address, std::vector<Identity>& list) {
    // Claimants that every verdict is the same for count once.
    std::vector<Identity> distinct;
    for (const Identity& claimant : list) {
      Identity nameless = claimant;
      nameless.endpoint = 0;
      if (std::find(distinct.begin(), distinct.end(), nameless) == distinct.end()) {
        distinct.push_back(nameless);
      }
    }
    Identity identity;
    identity.flags = Identity::kShared;
    identity.endpoint = shared_.number(distinct);
    made_.exact.push_back({address, identity});
    return distinct.size() > kMaxClaimants;
  }

  void warn_shared(const IpAddress& address, const Claim* begin, const Claim* nodes,
                   const Claim* end, bool too_many) {
    std::vector<std::string> names;
    for (const Claim* claim = begin; claim != nodes; ++claim) {
      const kube::Pod& pod = *memory_.pods[claim->who].pod;
      names.push_back("pod " + pod.ns + "/" + pod.name);
    }
    for (const Claim* claim = nodes; claim != end; ++claim) {
      names.push_back("node " + node_names_[claim->who]);
    }
    std::string message = "claimed by " + join(names) + ": ";
    message += too_many ? "too many to judge, so nothing passes"
                        : "traffic passes only if it may for each of them";
    made_.warnings.push_back({"shared-address", address.text(), std::move(message)});
  }
  void warn_ambiguous(const IpAddress& address, const Claim* begin, const Claim* end) {
    std::vector<std::string> names;
    for (const Claim* claim = begin; claim != end; ++claim) {
      names.push_back(node_names_[claim->who]);
    }
    made_.warnings.push_back({"ambiguous-node-address", address.text(),
                              "claimed by nodes " + join(names) + ": it counts as none of them"});
  }

  const Memory& memory_;
  const Frame& frame_;
  SharedLists shared_;
  Addresses made_;
  uint32_t near_ = 0;
  std::vector<uint32_t> outside_;  ///< peer class of each zone's addresses of no pod
  std::vector<std::string> node_names_;
};

}  // namespace

std::optional<Addresses> identify(const kube::ClusterState& state, const Memory& memory,
                                  const std::vector<std::vector<Identity>>* shared_before) {
  std::vector<Claim> claims = collect_claims(state, memory);
  const size_t alone = sort_contested(claims);
  Identifier identifier(memory, shared_before);
  for (size_t begin = 0, end = 0; begin < claims.size(); begin = end) {
    ++end;
    while (begin >= alone && end < claims.size() && claims[end].address == claims[begin].address) {
      ++end;
    }
    if (!identifier.add(claims.data() + begin, claims.data() + end)) return std::nullopt;
  }
  return std::move(identifier).finish();
}

}  // namespace rampart::compile
