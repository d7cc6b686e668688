// SPDX-License-Identifier: Apache-2.0
#pragma once

namespace rampart::test {

/// Brings up DPDK's environment layer for this process, on ordinary memory, away from every other
/// one (no PCI, no telemetry, no shared configuration, a run-time folder of its own), with two
/// lcores that float over all allowed CPUs. Called once, before anything of DPDK. Returns false
/// (and says why on stderr) if that fails.
bool start_eal(unsigned memory_mib = 512);

/// Ends it again and removes the run-time folder.
void stop_eal();

}  // namespace rampart::test
