// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "dataplane/packet/burst.hpp"
#include "dataplane/state/worker_state.hpp"

namespace rampart {

/// Whether packet i's transport checksum is right. What the NIC has verified is not verified again.
bool l4_is_right(const Burst& b, unsigned i) noexcept;

/// The same before packet i changes a state: true as well with --checksum off, and with
/// --checksum all, where parse has seen to it.
inline bool may_change_state(const Burst& b, unsigned i, const WorkerState& w) noexcept {
  return w.checksum != ChecksumMode::kState || l4_is_right(b, i);
}

}  // namespace rampart
