// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <optional>
#include <string>

#include "control/store/files.hpp"
#include "control/store/state_store.hpp"

/// The changes since the state file was written: files `changes-REVISION`, each with those that
/// came after that revision. A record is one line about what follows, and watch events:
///
///   rampart-change 1 from=7 to=8 accepted_ms=1767225605000 bytes=1234 crc64=… head64=…
///   {"type":"MODIFIED","object":{ …
///
/// A record that is cut short, or whose end are zeros, is what a crash leaves of one that nobody
/// was told of; anything else that is wrong with one is damage.
namespace rampart::store {

class Journal {
 public:
  /// Goes on with `changes-BASE` in the directory, or begins it. Its name is on the disk then.
  static Result<Journal> open(int directory_fd, const std::string& directory, Revision base);

  /// Adds a record; when this returns it is on the disk. After a failure the file is as it was
  /// before.
  Result<void> append(Revision from, const Stored& stored, const std::string& events);
  size_t bytes() const { return bytes_; }
  Revision base() const { return base_; }

 private:
  Journal() = default;
  Descriptor file_;
  std::string path_;
  Revision base_ = 0;
  size_t bytes_ = 0;
};

/// Applies the records of all journals in the directory to `stored`, and removes what a crash has
/// left half written. Returns how many bytes the records have. Errors as of StateStore::load().
Result<size_t> replay(int directory_fd, const std::string& directory, Stored& stored);

/// Removes journals whose records are all in the state file: those that begin before a revision, or
/// all.
void remove_journals(int directory_fd, std::optional<Revision> before);

}  // namespace rampart::store
