// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>

#include "control/kube/model.hpp"
#include "tools/rampartctl/session.hpp"

/// The desired state that rampartd has in force, for commands that compare or compute with it.
namespace rampart::ctl {

/// Fetches and reads it; an empty one before the first snapshot. Nothing if it cannot be had; then
/// that has been said.
std::optional<kube::ClusterState> state_in_force(Session& session);

}  // namespace rampart::ctl
