// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <mutex>
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

/// The accepted desired state in a directory of its own, which one process holds at a time: a file
/// with all of it, and behind that the changes since (journal.hpp). After a crash at any moment
/// what is there is the old state or the new one, whole.
///
/// Control threads; calls serialise themselves, but for rewrite(), which stands in the way of
/// save() only.
class StateStore {
 public:
  /// Makes the directory (0700) if it is not there, and takes its lock: kConflict if another
  /// process has it. Removes what a crash left half written.
  static Result<StateStore> open(const std::string& directory);

  StateStore(StateStore&& other) noexcept;
  StateStore& operator=(StateStore&& other) noexcept;
  ~StateStore();

  /// Reads what is there; nothing is no error. A file that is cut short, changed or of a later
  /// version is: the message names it and what an operator can do. A change that a crash has left
  /// half written was never acknowledged, and is removed.
  Result<std::optional<Stored>> load() const;
  /// Replaces it; when this returns it is on the disk (fsync of file and directory).
  Result<void> save(const Stored& stored);
  /// The same for a state that came of `before`, which is what was stored last: only what is other
  /// is written, if that is little.
  Result<void> save_change(const kube::ClusterState& before, Revision revision_before,
                           const Stored& stored);
  /// Whether the changes have become so many that rewrite() would be good.
  bool wants_rewrite() const;
  /// What is saved from now on goes into a journal of its own.
  void begin_rewrite();
  /// Writes all of `stored` anew, which is what was stored at begin_rewrite(), and drops the
  /// changes that it holds. Changes can be saved meanwhile. Nothing is done if the file has a later
  /// one.
  Result<void> rewrite(const Stored& stored);

  /// Writes something else into the directory, over what had this name. Returns its path.
  Result<std::string> keep_beside(const std::string& name, const std::string& text) const;

  std::string path() const;

 private:
  struct Files;
  explicit StateStore(std::unique_ptr<Files> files);
  std::unique_ptr<Files> files_;
};

}  // namespace rampart::store
