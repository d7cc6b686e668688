// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "dataplane/base/result.hpp"

namespace rampart {

struct EalParams {
  unsigned memory_mib = 512;  ///< DPDK's heap
  unsigned huge_mib = 0;      ///< the same in huge pages, if that is less; 0: it is not
  /// The CPU of each worker, in order; a CPU may stand here more than once.
  std::vector<unsigned> cpus;
  std::vector<std::string>
      pci_devices;    ///< full addresses (0000:3b:02.0); all others are left alone
  std::string extra;  ///< more EAL arguments, separated by spaces, passed last
  /// The widest vectors that may be used, in bits: 128, 256 or 512; 0: as wide as the CPU has them.
  /// Without a word DPDK stops at 256.
  unsigned simd_bits = 0;
};

/// DPDK's environment layer: memory, lcores, buses. One a process, and only once in its life. All
/// methods are for the thread that called start (the main lcore); it must also be the one to
/// destroy the Eal, after everything that was made with it.
///
/// The calling thread afterwards runs on the allowed CPUs that no worker has (on all of them if
/// none is left), and so do the threads that it starts later. DPDK's own threads take no signals,
/// its messages from warnings up go to stderr, it leaves no files behind, not even when killed.
class Eal {
 public:
  /// Errors: kConflict when it was started before, kInvalid for CPUs or arguments that cannot be
  /// had, kNoMemory, kDenied, kIo.
  static Result<Eal> start(const EalParams& params);
  Eal(Eal&& other) noexcept;
  Eal& operator=(Eal&&) = delete;
  ~Eal();

  /// The lcore of a worker, for rte_eal_remote_launch.
  static unsigned worker_lcore(unsigned worker) { return 1 + worker; }
  /// The CPUs that the calling thread may use, ascending. Ask before start, which narrows them.
  static std::vector<unsigned> allowed_cpus();

  bool huge_pages() const noexcept { return huge_pages_; }
  unsigned memory_mib() const noexcept { return memory_mib_; }
  /// How rte_acl classifies (choose_acl_algorithm).
  const char* acl_algorithm() const noexcept { return acl_algorithm_; }
  /// One line for people where something is not as it should be on a production machine (ordinary
  /// memory, workers that share CPUs); empty otherwise.
  const std::string& note() const noexcept { return note_; }

 private:
  Eal() = default;

  bool running_ = true;
  bool huge_pages_ = false;
  unsigned memory_mib_ = 0;
  const char* acl_algorithm_ = "unknown";
  std::string note_;
  std::string runtime_dir_;  // removed at the end; empty: not ours
};

}  // namespace rampart
