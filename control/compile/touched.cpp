// SPDX-License-Identifier: Apache-2.0
#include "control/compile/touched.hpp"

#include <string>

namespace rampart::compile {

std::optional<std::vector<IpAddress>> touched_by_policy(const Compiled& before,
                                                        const kube::ClusterState& after,
                                                        const Changes& changes,
                                                        const Origins& origins) {
  // Room is shared between namespaces: that a policy found it, or lost it, is nobody's change.
  bool anybody = false;
  using Place = std::shared_ptr<const PolicyPlace>;
  kube::CowMap<kube::ObjectKey, Place>::for_each_difference(
      before.origins->failing(), origins.failing(),
      [&](const kube::ObjectKey& key, const Place* a, const Place* b) {
        if (a != nullptr && b != nullptr && (*a)->fails_closed == (*b)->fails_closed) return;
        const auto was = before.state->policies.find(key), is = after.policies.find(key);
        anybody |= was != before.state->policies.end() && is != after.policies.end() &&
                   *was->second == *is->second;
      });
  if (anybody) return std::nullopt;

  std::vector<IpAddress> touched;
  const auto touch = [&](const std::string& ns, const kube::LabelSelector* selector) {
    auto pod = after.pods.lower_bound({ns, {}});
    for (; pod != after.pods.end() && pod->first.ns == ns; ++pod) {
      if (selector != nullptr && !selector->matches(pod->second->labels)) continue;
      const auto& addresses = pod->second->addresses;
      touched.insert(touched.end(), addresses.begin(), addresses.end());
    }
  };
  for (const auto& [was, is] : changes.policies) {
    if (was != nullptr) touch(was->ns, &was->subject);
    if (is != nullptr) touch(is->ns, &is->subject);
  }
  for (const auto& [was, is] : changes.namespaces) {
    touch((was != nullptr ? was : is)->name, nullptr);
  }
  return touched;
}

}  // namespace rampart::compile
