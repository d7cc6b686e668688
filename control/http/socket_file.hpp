// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <sys/types.h>

#include <string>
#include <utility>

#include "dataplane/base/result.hpp"

namespace rampart::http {

/// A listening Unix socket and its file, mode 0660. The file goes with the object, if it is still
/// the one that the object made.
class SocketFile {
 public:
  /// Makes the folder if it is not there. A socket file that a dead process left is replaced; one
  /// behind which somebody answers, and a file that is no socket, are errors. `group`: name or
  /// number, empty: the process's own.
  static Result<SocketFile> listen(const std::string& path, const std::string& group);

  SocketFile(SocketFile&& other) noexcept { *this = std::move(other); }
  SocketFile& operator=(SocketFile&& other) noexcept;
  ~SocketFile();

  const std::string& path() const { return path_; }
  int descriptor() const { return fd_; }
  gid_t group() const { return group_; }

 private:
  SocketFile() = default;
  Result<void> bind_and_listen();
  void release() noexcept;

  std::string path_;
  int fd_ = -1;
  gid_t group_ = 0;
  dev_t device_ = 0;
  ino_t inode_ = 0;  ///< 0: no file yet
};

}  // namespace rampart::http
