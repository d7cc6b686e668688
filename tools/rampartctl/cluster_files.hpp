// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "control/kube/model.hpp"
#include "tools/rampartctl/session.hpp"

/// The cluster that files describe, for the commands that need no rampartd.
namespace rampart::ctl {

/// Reads what `paths` name (as apply does, with directories below directories) as one desired
/// state; what rampartd would refuse is refused, with its place in the input. Beyond what rampartd
/// knows, the pod template of a Deployment, StatefulSet, DaemonSet, ReplicaSet, Job or CronJob
/// becomes a pod "NAMESPACE/deployment/NAME", unless pods with its labels are there; and pods that
/// have no address yet get a stand-in (explain::give_stand_in_addresses). Nothing if it cannot be
/// read: then that has been said.
std::optional<kube::ClusterState> cluster_from_files(Session& session,
                                                     const std::vector<std::string>& paths);

/// Names the policies of kinds that are not enforced: an answer without them looks as if they were
/// part of it.
void warn_of_unsupported(Session& session, const kube::ClusterState& state);

}  // namespace rampart::ctl
