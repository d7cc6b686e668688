// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <vector>

#include "control/compile/compile.hpp"
#include "control/compile/place.hpp"

namespace rampart::compile {

/// The addresses of all whose connections changes of policies and namespaces may concern: pods of a
/// namespace that changed, pods that a policy which changed selects, or did. Pods that changed
/// themselves are not looked for. Nothing: it may be anybody.
std::optional<std::vector<IpAddress>> touched_by_policy(const Compiled& before,
                                                        const kube::ClusterState& after,
                                                        const Changes& changes,
                                                        const Origins& origins);

}  // namespace rampart::compile
