// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

namespace rampart::test {

/// Brings up DPDK's environment layer for this process, on ordinary memory, away from every other
/// one (no PCI, no telemetry, no shared configuration, a run-time folder of its own), with two
/// lcores that float over all allowed CPUs. Called once, before anything of DPDK. Returns false
/// (and says why on stderr) if that fails.
bool start_eal(unsigned memory_mib = 512);

/// Ends it again and removes the run-time folder.
void stop_eal();

/// The widest vectors that DPDK may use from now on, in bits: 64 (none), 128, 256 (DPDK's own
/// default) or 512. Contexts of rte_acl take it when they are made. Main thread, EAL up.
void limit_vectors(uint16_t bits);

}  // namespace rampart::test
