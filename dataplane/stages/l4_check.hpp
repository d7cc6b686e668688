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

/// Of which of `count` packets of the key's family (at most a burst; their numbers stand in
/// `packets`) it is true: bit n, packets[n]. Others may be set.
template <typename Key>
uint64_t which_may_change_state(const Burst& b, const uint8_t* packets, unsigned count,
                                const WorkerState& w) noexcept;

}  // namespace rampart
