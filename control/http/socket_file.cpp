// SPDX-License-Identifier: Apache-2.0
#include "control/http/socket_file.hpp"

#include <grp.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <cstring>
#include <filesystem>
#include <vector>

namespace rampart::http {
namespace {

Error failed(const char* call, int error) {
  return {ErrorCode::kIo, std::strerror(error), call};
}

sockaddr_un address_of(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  path.copy(address.sun_path, sizeof address.sun_path - 1);
  return address;
}

Result<gid_t> find_group(const std::string& group) {
  if (group.empty()) return getegid();
  gid_t number = 0;
  const auto [end, error] = std::from_chars(group.data(), group.data() + group.size(), number);
  if (error == std::errc{} && end == group.data() + group.size()) return number;
  std::vector<char> buffer(65536);
  ::group entry{};
  ::group* found = nullptr;
  getgrnam_r(group.c_str(), &entry, buffer.data(), buffer.size(), &found);
  if (found == nullptr) return Error{ErrorCode::kNotFound, "there is no group " + group, {}};
  return entry.gr_gid;
}

/// Removes what a dead process left. Anything else in the way is an error.
Result<void> clear_the_way(const std::string& path) {
  struct stat there {};
  if (lstat(path.c_str(), &there) != 0) {
    if (errno == ENOENT) return {};
    return failed("lstat", errno);
  }
  if (!S_ISSOCK(there.st_mode)) {
    return Error{ErrorCode::kConflict, "exists and is no socket", {}};
  }
  const int probe = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (probe < 0) return failed("socket", errno);
  const sockaddr_un address = address_of(path);
  const int rc = connect(probe, reinterpret_cast<const sockaddr*>(&address), sizeof address);
  const int error = rc == 0 ? 0 : errno;
  close(probe);
  if (error == 0 || error == EAGAIN) {
    return Error{ErrorCode::kConflict, "somebody answers there: another rampartd is running", {}};
  }
  if (error != ECONNREFUSED) return failed("connect", error);
  if (unlink(path.c_str()) != 0 && errno != ENOENT) return failed("unlink", errno);
  return {};
}

}  // namespace

Result<SocketFile> SocketFile::listen(const std::string& path, const std::string& group) {
  if (path.size() >= sizeof(sockaddr_un{}.sun_path)) {
    return Error{ErrorCode::kTooLarge, "the path is longer than 107 bytes", "socket " + path};
  }
  const std::string where = "socket " + path;
  SocketFile file;
  file.path_ = path;
  const auto gid = find_group(group);
  if (!gid) return Error(gid.error()).within(where);
  file.group_ = *gid;
  std::error_code error;
  const auto folder = std::filesystem::path(path).parent_path();
  if (!folder.empty()) std::filesystem::create_directories(folder, error);
  if (error) return Error{ErrorCode::kIo, error.message(), "socket folder " + folder.string()};
  if (auto clear = clear_the_way(path); !clear) return std::move(clear).error().within(where);
  if (auto done = file.bind_and_listen(); !done) return std::move(done).error().within(where);
  return file;
}

Result<void> SocketFile::bind_and_listen() {
  fd_ = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd_ < 0) return failed("socket", errno);
  // Until chmod nobody else can connect: the umask takes the others' right to write away.
  const mode_t before = umask(0177);
  const sockaddr_un address = address_of(path_);
  const int rc = bind(fd_, reinterpret_cast<const sockaddr*>(&address), sizeof address);
  const int error = errno;
  umask(before);
  if (rc != 0) return failed("bind", error);
  struct stat made {};
  if (lstat(path_.c_str(), &made) != 0) return failed("lstat", errno);
  device_ = made.st_dev;
  inode_ = made.st_ino;
  if (made.st_gid != group_ && chown(path_.c_str(), static_cast<uid_t>(-1), group_) != 0) {
    return failed("chown", errno);
  }
  if (chmod(path_.c_str(), 0660) != 0) return failed("chmod", errno);
  if (::listen(fd_, 128) != 0) return failed("listen", errno);
  return {};
}

SocketFile& SocketFile::operator=(SocketFile&& other) noexcept {
  if (this == &other) return *this;
  release();
  path_ = std::move(other.path_);
  fd_ = std::exchange(other.fd_, -1);
  group_ = other.group_;
  device_ = other.device_;
  inode_ = std::exchange(other.inode_, 0);
  return *this;
}

SocketFile::~SocketFile() {
  release();
}

void SocketFile::release() noexcept {
  struct stat there {};
  if (inode_ != 0 && lstat(path_.c_str(), &there) == 0 && there.st_dev == device_ &&
      there.st_ino == inode_) {
    unlink(path_.c_str());
  }
  inode_ = 0;
  if (fd_ >= 0) close(fd_);
  fd_ = -1;
}

}  // namespace rampart::http
