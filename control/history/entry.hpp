// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <sys/types.h>

#include <chrono>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "control/kube/model.hpp"
#include "dataplane/base/ids.hpp"
#include "dataplane/base/result.hpp"

/// What is remembered of a revision.
namespace rampart::history {

/// Who asked for a change, as the kernel and the caller said.
struct Caller {
  uid_t uid = 0;
  std::string user;     ///< the name of uid; empty: the system knows none
  pid_t pid = 0;        ///< of the process that connected
  std::string process;  ///< its name, if it was still there when it was asked for
  std::string agent;    ///< User-Agent
  bool operator==(const Caller&) const = default;
};

/// Somebody whose change is in a revision.
struct Sender {
  Caller by;
  std::string action;  ///< "apply", "delta", "rollback to 5"
  std::string reason;  ///< in the caller's words; may be empty
  bool operator==(const Sender&) const = default;
};

/// How many objects of a kind came, changed and went.
struct Count {
  uint64_t added = 0, changed = 0, removed = 0;
  bool operator==(const Count&) const = default;
};

/// One line of the history: a revision, or several in a row that changed no policy.
struct Entry {
  Revision first = 0, last = 0;
  std::chrono::system_clock::time_point when;  ///< of the last; kept to the millisecond
  Caller by;                                   ///< of the last
  std::string action;                          ///< "apply", "delta", "rollback to 5"
  std::string reason;                          ///< in the caller's words; may be empty
  std::vector<Sender> others;                  ///< whose changes came just before and are in it too
  std::map<std::string, Count> counts;         ///< by kind, those of which anything changed
  /// "+ NetworkPolicy web/allow", "~ …", "- …", the first of them.
  std::vector<std::string> policies;
  uint64_t cut = 0;                                  ///< flows that were cut until the next entry
  uint64_t policies_before = 0, policies_after = 0;  ///< fingerprint() around it
  /// The policies that this revision changed or removed, as they were, and those that it added.
  struct Undo {
    kube::ClusterState restore;  ///< only `policies` and `unsupported`
    std::vector<kube::ObjectKey> remove, remove_unsupported;
  } undo;

  bool changes_policies() const { return !policies.empty(); }
};

/// An entry as the text of a file, and back. Error: the text is damaged or of another version.
std::string written(const Entry& entry);
Result<Entry> read(std::string_view text);

/// A number that tells one set of policies from another: that of a part of it, exclusive-or that of
/// the rest.
uint64_t fingerprint(const kube::ClusterState& state);

/// What `after` changes of `before`: counts, policies, undo and, from `policies_before`, the
/// fingerprint are filled in.
void note_changes(const kube::ClusterState& before, const kube::ClusterState& after, Entry& entry);
/// Takes the entry's changes of policies back.
void undo(const Entry& entry, kube::ClusterState& state);

}  // namespace rampart::history
