// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "control/history/entry.hpp"

namespace rampart::history {

/// The last revisions: who made them, what they changed and cut, and how their changes of policies
/// are taken back. Kept in a directory, a file an entry.
///
/// Revisions in a row that change no policy are one entry, which reaches the disk with save(); the
/// others are written at once, without waiting for the disk. If one is missing after a crash, its
/// place is known by the fingerprints, and what is older is ignored.
///
/// Control threads; calls serialise themselves.
class History {
 public:
  struct Parts {
    std::string directory;                        ///< made (0700) if it is not there
    std::function<void(const std::string&)> log;  ///< one line each
    std::function<uint64_t()> cuts;               ///< flows cut since the start, of all workers
    size_t most_entries = 100;
    size_t most_bytes = size_t{64} << 20;  ///< of files
  };
  using State = std::shared_ptr<const kube::ClusterState>;

  /// Reads what is there. `revision` and `state` are what is in force (0 and null: nothing yet):
  /// entries of later revisions are of a future that is gone, and are removed. A file that is
  /// damaged is named in the log and ignored, with all that is older.
  History(Parts parts, Revision revision, State state);

  /// What is asked before a change: flows that are cut from here on are its doing.
  uint64_t cuts_before_change() const { return parts_.cuts(); }
  /// Notes a revision that is in force now. `entry` has when, by, action, reason and last; the rest
  /// is found out here. Revisions that are not new are no entries.
  void note(Entry entry, State state, uint64_t cuts_before);
  /// Flows that somebody ended by hand are no revision's doing.
  void discount(uint64_t cut);
  /// Writes what is not written yet.
  void save();

  /// The newest first, without their undo.
  std::vector<Entry> entries() const;

  /// The state in force with the policies that revision `target` had. kNotFound: it is not kept,
  /// with a reason.
  Result<kube::ClusterState> policies_of(Revision target) const;

 private:
  struct Kept {
    Entry entry;
    bool unsaved = false;
    size_t bytes = 0;  ///< of its file
  };
  void read_all();
  void write(Kept& kept);
  void drop_old();
  void settle();
  uint64_t cut_until(uint64_t count) const;
  std::string path_of(Revision first) const;

  const Parts parts_;
  mutable std::mutex mutex_;
  std::deque<Kept> kept_;  ///< by revision, without gaps
  Revision revision_ = 0;
  State state_;
  uint64_t fingerprint_ = 0;   ///< of state_
  uint64_t cuts_base_ = 0;     ///< the count when the last entry was made
  uint64_t cuts_earlier_ = 0;  ///< what a run before has counted for the last entry
};

}  // namespace rampart::history
