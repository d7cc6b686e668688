// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <utility>

#include "control/kube/model.hpp"
#include "dataplane/base/ids.hpp"
#include "dataplane/base/result.hpp"

namespace rampart::store {

/// What is kept of an accepted desired state.
struct Stored {
  Revision revision = 0;
  std::chrono::system_clock::time_point accepted;  ///< kept to the millisecond
  kube::ClusterState state;
};

/// The accepted desired state in a directory of its own, which one process holds at a time. After
/// a crash at any moment the file is the old one or the new one, whole.
///
/// Control threads, one at a time.
class StateStore {
 public:
  /// Makes the directory (0700) if it is not there, and takes its lock: kConflict if another
  /// process has it. Removes what a crash left half written.
  static Result<StateStore> open(const std::string& directory);

  StateStore(StateStore&& other) noexcept { *this = std::move(other); }
  StateStore& operator=(StateStore&& other) noexcept;
  ~StateStore();

  /// Reads what is there; nothing is no error. A file that is cut short, changed or of a later
  /// version is: the message names it and what an operator can do.
  Result<std::optional<Stored>> load() const;
  /// Replaces it; when this returns it is on the disk (fsync of file and directory).
  Result<void> save(const Stored& stored);

  std::string path() const;

 private:
  StateStore() = default;
  void release() noexcept;

  std::string directory_;
  int directory_fd_ = -1;
  int lock_fd_ = -1;
};

}  // namespace rampart::store
