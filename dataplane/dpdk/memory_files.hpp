// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <vector>

namespace rampart {

/// Keeps the files of the EAL's memory open in spite of net_memif. One that lends its peer packet
/// buffers (zero-copy=yes) closes their descriptors as soon as the peer is there (memif_connect, in
/// DPDK 22.11 to 26.07), though they are the EAL's: a second such port closes the same numbers
/// again, whosever they are by then (seen: the API's, which never answered again), and a second
/// peer is handed nothing or somebody else's file.
///
/// Control thread. What net_memif closes, it closes on DPDK's interrupt thread at any time.
class MemoryFiles {
 public:
  /// Takes descriptors of its own for all files that there are now.
  MemoryFiles();
  ~MemoryFiles();
  MemoryFiles(const MemoryFiles&) = delete;
  MemoryFiles& operator=(const MemoryFiles&) = delete;

  /// Opens again what was closed, under the same numbers. A number that is somebody else's by now
  /// stays so. Returns how many it opened.
  unsigned restore() noexcept;

 private:
  struct File {
    int number;  ///< the EAL's
    int ours;
  };
  std::vector<File> files_;
};

}  // namespace rampart
