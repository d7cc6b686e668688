// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <optional>
#include <string_view>
#include <tuple>
#include <vector>

#include "control/compile/compile.hpp"
#include "control/compile/place.hpp"
#include "control/kube/evaluate.hpp"

namespace rampart::compile {

/// Who stands behind an address, as the tables have it; for the proof. One thread; what it was made
/// from must outlive it.
class Tables {
 public:
  explicit Tables(const Compiled& made) : made_(made) {}

  kube::End end(const IpAddress& address) const {
    kube::End end{address, {}, {}};
    const auto& claims = made_.memory->roster.claims;
    for (auto at = claims.lower_bound(Claim{address, false, 0});
         at != claims.end() && at->first.address == address; ++at) {
      if (at->first.is_node) {
        end.nodes.push_back(node_name(at->first.who));
      } else {
        end.pods.push_back(made_.endpoints[at->first.who - 1]);
      }
    }
    std::sort(end.pods.begin(), end.pods.end(), [](const kube::Pod* a, const kube::Pod* b) {
      if (a == nullptr || b == nullptr) return a < b;  // what Claimants is there for
      return std::tie(a->ns, a->name) < std::tie(b->ns, b->name);
    });
    std::sort(end.nodes.begin(), end.nodes.end());
    return end;
  }

  bool has_node(const IpAddress& address, std::string_view name) const {
    const Roster& roster = made_.memory->roster;
    const auto found = roster.nodes->find(name);
    return found != roster.nodes->end() &&
           roster.claims.count(Claim{address, true, found->second}) > 0;
  }

  /// The address after this one at which somebody stands; nothing after the last.
  std::optional<IpAddress> next(const IpAddress& address) const {
    const auto& claims = made_.memory->roster.claims;
    auto at = claims.lower_bound(Claim{address, false, 0});
    while (at != claims.end() && at->first.address == address) ++at;
    return at == claims.end() ? std::nullopt : std::optional(at->first.address);
  }

 private:
  std::string_view node_name(uint32_t number) const {
    if (node_names_.empty()) {
      node_names_.resize(made_.memory->roster.last_node + 1);
      for (const auto& [name, of_name] : *made_.memory->roster.nodes) node_names_[of_name] = name;
    }
    return node_names_[number];
  }

  const Compiled& made_;
  mutable std::vector<std::string_view> node_names_;  ///< made when the first is asked for
};

}  // namespace rampart::compile
