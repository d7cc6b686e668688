// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <rte_ethdev.h>

#include <cstdint>

#include "dataplane/base/result.hpp"
#include "dataplane/dpdk/ethdev.hpp"

namespace rampart {

/// What set_up_ethdev settled with the driver.
struct EthDevSetup {
  uint16_t rx_queues = 0, tx_queues = 0;
  unsigned rss_entries = 0;  ///< as rss_entries()
  uint64_t rx_offloads = 0;  ///< RTE_ETH_RX_OFFLOAD_… bits
};

/// Configures a stopped ethdev and sets up its queues. Part of EthDev; control thread.
/// Errors (without a place): kNoMemory, kUnsupported, kIo.
Result<EthDevSetup> set_up_ethdev(PortId port, const EthDevParams& params);

}  // namespace rampart
