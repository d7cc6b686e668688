// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "dataplane/base/result.hpp"
#include "dataplane/worker/dataplane.hpp"

namespace rampart {

/// Packets that a ring between two workers holds.
inline constexpr uint32_t kHandoffRing = 2048;
/// The same for the ring from a worker to itself, which it empties some times in each loop.
inline constexpr uint32_t kOwnRing = 512;

/// How much of everything there will be.
struct Sizing {
  uint32_t flows_per_worker = 0;
  uint32_t datagrams_per_worker = 0;  ///< in pieces
  uint32_t held_per_worker = 0;       ///< packet buffers with fragments that wait
  uint32_t mbufs = 0;
  uint16_t data_room = 0;   ///< of a packet buffer, bytes
  uint32_t memory_mib = 0;  ///< DPDK's heap
  uint32_t huge_mib = 0;    ///< the same in huge pages, where packet buffers take less
};

/// Computes what the parameters leave open. `mtu`: the largest of all ports. Errors: kInvalid for
/// figures that cannot work, with the least that would.
Result<Sizing> size_up(const DataplaneParams& params, uint32_t mtu);

}  // namespace rampart
