// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string_view>

#include "control/kube/decode.hpp"

namespace rampart::kube {

/// Applies watch events, one JSON object a line ({"type": …, "object": {…}}), in their order, to
/// `before`, and returns what comes of it; objects that no event names are shared with `before`.
///
/// ADDED and MODIFIED create or replace; DELETED of what is not there is no error, and takes the
/// content of a Namespace along; BOOKMARK is ignored. ERROR, any other type and any bad object
/// refuse the batch; the refusal names the line ("line 3").
///
/// Any control thread; keeps nothing of `lines`.
Checked<Decoded> apply_events(const ClusterState& before, std::string_view lines,
                              const Limits& limits = {});

}  // namespace rampart::kube
