// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cstring>
#include <tuple>
#include <unordered_map>
#include <utility>

#include "control/compile/place.hpp"
#include "control/kube/evaluate.hpp"

namespace rampart::compile {
namespace {

/// Numbers lists of claimants; see identify().
class SharedLists {
 public:
  explicit SharedLists(const std::vector<std::vector<Identity>>* before) {
    if (before != nullptr) lists_ = *before;
  }
  uint32_t number(const std::vector<Identity>& list) {
    for (; learnt_ < lists_.size(); ++learnt_) known_.emplace(bytes(lists_[learnt_]), learnt_);
    const auto [entry, added] =
        known_.try_emplace(bytes(list), static_cast<uint32_t>(lists_.size()));
    if (added) {
      lists_.push_back(list);
      ++learnt_;
    }
    return entry->second;
  }
  std::vector<std::vector<Identity>> take() && { return std::move(lists_); }

 private:
  static std::string bytes(const std::vector<Identity>& list) {
    std::string text(list.size() * sizeof(Identity), '\0');
    if (!list.empty()) std::memcpy(text.data(), list.data(), text.size());
    return text;
  }
  std::vector<std::vector<Identity>> lists_;
  std::unordered_map<std::string, uint32_t> known_;
  uint32_t learnt_ = 0;  ///< of lists_, those in known_: nobody asks for it where nothing is shared
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
  Identifier(const Memory& memory, const kube::CowVector<const kube::Pod*>& endpoints,
             const std::vector<std::vector<Identity>>* shared_before)
      : memory_(memory), kinds_(*memory.kinds), endpoints_(endpoints), shared_(shared_before) {}

  /// All claims on one address; pods come first.
  void add(const IpAddress& address, std::vector<Claim>& claims) {
    Claim *const begin = claims.data(), *const end = begin + claims.size();
    if (begin == end) {
      made_.gone.push_back(address);
      return;
    }
    const uint32_t zone = kinds_.zones.zone_of(address, near_);
    Claim* const nodes = std::find_if(begin, end, [](const Claim& c) { return c.is_node; });
    if (nodes - begin > 1) {
      std::sort(begin, nodes, [&](const Claim& a, const Claim& b) {
        const kube::Pod &x = pod(a), &y = pod(b);
        return std::tie(x.ns, x.name) < std::tie(y.ns, y.name);
      });
    }
    std::vector<Identity> list;
    for (const Claim* claim = begin; claim != nodes; ++claim) {
      const PodPlace& place = memory_.places[claim->who - 1];
      list.push_back({.class_id = kinds_.atoms.add(zone, place.group),
                      .node = place.node,
                      .endpoint = claim->who});
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
      if (list.front() != outside(zone)) {
        made_.exact.push_back({address, list.front()});
      } else {
        made_.gone.push_back(address);
      }
      return;
    }
    warn_shared(address, begin, nodes, end, add_shared(address, list));
  }

  Addresses finish(bool intervals) && {
    const std::vector<IpAddress>& firsts = kinds_.zones.firsts();
    for (uint32_t i = 0; intervals && i < firsts.size(); ++i) {
      auto& family = i < kinds_.zones.first_v6() ? made_.v4 : made_.v6;
      const Identity identity = outside(kinds_.zones.zone(i));
      if (!family.empty() && family.back().identity == identity) continue;
      family.push_back({firsts[i], identity});
    }
    made_.shared = std::move(shared_).take();
    return std::move(made_);
  }

 private:
  Identity outside(uint32_t zone) const { return {.class_id = kinds_.atoms.outside(zone)}; }
  const kube::Pod& pod(const Claim& claim) const { return *endpoints_[claim.who - 1]; }
  /// Only warnings ask for it, and the numbers of gone nodes are in there too.
  const std::string& node_name(uint32_t number) {
    if (node_names_.empty()) {
      node_names_.resize(memory_.roster.last_node + 1);
      for (const auto& [name, of_name] : *memory_.roster.nodes) node_names_[of_name] = name;
    }
    return node_names_[number];
  }

  /// Returns whether there are too many claimants to be judged.
  bool add_shared(const IpAddress& address, std::vector<Identity>& list) {
    static_assert(kMaxClaimants == kube::kMostClaimants);
    const bool too_many = list.size() > kMaxClaimants;
    if (too_many) list.clear();
    std::vector<Identity> distinct;
    for (Identity claimant : list) {
      claimant.endpoint = 0;
      // Claimants for which every verdict is the same are judged once.
      if (std::find(distinct.begin(), distinct.end(), claimant) == distinct.end()) {
        distinct.push_back(claimant);
      }
    }
    Identity identity;
    identity.flags = Identity::kShared;
    identity.endpoint = shared_.number(distinct);
    made_.exact.push_back({address, identity});
    return too_many;
  }

  void warn_shared(const IpAddress& address, const Claim* begin, const Claim* nodes,
                   const Claim* end, bool too_many) {
    std::vector<std::string> names;
    for (const Claim* claim = begin; claim != nodes; ++claim) {
      names.push_back("pod " + pod(*claim).ns + "/" + pod(*claim).name);
    }
    for (const Claim* claim = nodes; claim != end; ++claim) {
      names.push_back("node " + node_name(claim->who));
    }
    std::string message = "claimed by " + join(names) + ": ";
    message += too_many ? "too many to judge, so nothing passes"
                        : "traffic passes only if it may for each of them";
    made_.warnings.push_back({kSharedAddress, address.text(), std::move(message)});
  }
  void warn_ambiguous(const IpAddress& address, const Claim* begin, const Claim* end) {
    std::vector<std::string> names;
    for (const Claim* claim = begin; claim != end; ++claim) {
      names.push_back(node_name(claim->who));
    }
    made_.warnings.push_back({kAmbiguousAddress, address.text(),
                              "claimed by nodes " + join(names) + ": it counts as none of them"});
  }

  const Memory& memory_;
  Kinds& kinds_;
  const kube::CowVector<const kube::Pod*>& endpoints_;
  SharedLists shared_;
  Addresses made_;
  uint32_t near_ = 0;
  std::vector<std::string> node_names_;
};

}  // namespace

Addresses identify(const Memory& memory, const kube::CowVector<const kube::Pod*>& endpoints,
                   const std::vector<std::vector<Identity>>* shared_before,
                   const std::vector<IpAddress>* addresses, bool intervals) {
  Identifier identifier(memory, endpoints, shared_before);
  const auto& all = memory.roster.claims;
  std::vector<Claim> claims;
  if (addresses != nullptr) {
    for (const IpAddress& address : *addresses) {
      claims.clear();
      for (auto at = all.lower_bound(Claim{address, false, 0});
           at != all.end() && at->first.address == address; ++at) {
        claims.push_back(at->first);
      }
      identifier.add(address, claims);
    }
    return std::move(identifier).finish(intervals);
  }
  for (auto at = all.begin(); at != all.end();) {
    const IpAddress address = at->first.address;
    claims.clear();
    for (; at != all.end() && at->first.address == address; ++at) claims.push_back(at->first);
    identifier.add(address, claims);
  }
  return std::move(identifier).finish(intervals);
}

}  // namespace rampart::compile
