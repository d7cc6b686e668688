// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <optional>
#include <string>

#include "control/kube/model.hpp"

namespace rampart::kube {

/// Writes a desired state as a v1 List, an object a line. What decode_snapshot makes of it is the
/// same state: all that decides something is in it, and nothing else of what once came in.
///
/// Any control thread.
std::string encode_snapshot(const ClusterState& state);

/// Writes what turns `before` into `after` as watch events, one a line: apply_events(before, …)
/// makes a state that is the same as `after`. What the two share is not looked at. Nothing if that
/// takes more than `most` bytes, which is found out without writing many more.
///
/// Any control thread.
std::optional<std::string> encode_changes(const ClusterState& before, const ClusterState& after,
                                          size_t most = SIZE_MAX);

}  // namespace rampart::kube
