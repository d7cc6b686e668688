// SPDX-License-Identifier: Apache-2.0
//
// The file is one line about what follows, and the state as a v1 List:
//
//   rampart-state 1 revision=7 accepted_ms=1767225605000 bytes=1234 crc64=0123456789abcdef
//   {"apiVersion":"v1","kind":"List","items":[ …
//
// The checksum (CRC-64/XZ) covers revision and time too, by running over their text first.
#include "control/store/state_store.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <boost/crc.hpp>
#include <cerrno>
#include <cinttypes>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <string_view>

#include "control/kube/decode.hpp"
#include "control/kube/encode.hpp"

namespace rampart::store {
namespace {

constexpr const char* kFile = "state";
constexpr const char* kUnfinished = "state.new";
constexpr const char* kLock = "lock";
constexpr size_t kLongestHeader = 256;

Error failed(const char* call, const std::string& path) {
  return {ErrorCode::kIo, std::string(call) + ": " + std::strerror(errno), path};
}

/// Closes at the end of the scope.
struct Descriptor {
  explicit Descriptor(int descriptor) : fd(descriptor) {}
  ~Descriptor() {
    if (fd >= 0) close(fd);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  const int fd;
};

bool write_all(int fd, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t n = write(fd, bytes.data(), bytes.size());
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return false;
    bytes.remove_prefix(static_cast<size_t>(n));
  }
  return true;
}

bool read_all(int fd, std::string& out) {
  struct stat there {};
  if (fstat(fd, &there) == 0) out.reserve(static_cast<size_t>(there.st_size) + 1);
  for (;;) {
    char chunk[65536];
    const ssize_t n = read(fd, chunk, sizeof chunk);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return n == 0;
    out.append(chunk, static_cast<size_t>(n));
  }
}

uint64_t checksum(uint64_t revision, int64_t accepted_ms, std::string_view body) {
  using Crc64 = boost::crc_optimal<64, 0x42F0E1EBA9EA3693, ~uint64_t{0}, ~uint64_t{0}, true, true>;
  Crc64 crc;
  const std::string head = std::to_string(revision) + " " + std::to_string(accepted_ms) + "\n";
  crc.process_bytes(head.data(), head.size());
  crc.process_bytes(body.data(), body.size());
  return crc.checksum();
}

int64_t milliseconds_of(std::chrono::system_clock::time_point time) {
  return std::chrono::duration_cast<std::chrono::milliseconds>(time.time_since_epoch()).count();
}

Error damaged(const std::string& path, const std::string& how) {
  return {ErrorCode::kInvalid,
          how + "; restore the file, or move it away to start without a desired state",
          "state file " + path};
}

}  // namespace

std::string StateStore::path() const {
  return (std::filesystem::path(directory_) / kFile).string();
}

Result<StateStore> StateStore::open(const std::string& directory) {
  const std::string where = "state directory " + directory;
  StateStore store;
  store.directory_ = directory;
  std::error_code error;
  const auto parent = std::filesystem::absolute(directory, error).parent_path();
  if (!error) std::filesystem::create_directories(parent, error);
  if (error) return Error{ErrorCode::kIo, error.message(), where};
  if (mkdir(directory.c_str(), 0700) != 0 && errno != EEXIST) return failed("mkdir", where);
  store.directory_fd_ = ::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (store.directory_fd_ < 0) return failed("open", where);
  store.lock_fd_ = openat(store.directory_fd_, kLock, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (store.lock_fd_ < 0) return failed("open lock", where);
  if (flock(store.lock_fd_, LOCK_EX | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK) return failed("flock", where);
    return Error{ErrorCode::kConflict, "another rampartd uses it", where};
  }
  if (unlinkat(store.directory_fd_, kUnfinished, 0) != 0 && errno != ENOENT) {
    return failed("unlink", where);
  }
  return store;
}

Result<std::optional<Stored>> StateStore::load() const {
  const Descriptor file(openat(directory_fd_, kFile, O_RDONLY | O_CLOEXEC));
  if (file.fd < 0) {
    if (errno == ENOENT) return std::optional<Stored>{};
    return failed("open", "state file " + path());
  }
  std::string content;
  if (!read_all(file.fd, content)) return failed("read", "state file " + path());

  const size_t line = content.substr(0, kLongestHeader).find('\n');
  unsigned version = 0;
  if (line == std::string::npos ||
      std::sscanf(content.c_str(), "rampart-state %u ", &version) != 1) {
    return damaged(path(), "its first line is not ours");
  }
  if (version != 1) {
    return damaged(path(), "it has format " + std::to_string(version) + ", this version knows 1");
  }
  Stored stored;
  int64_t accepted_ms = 0;
  uint64_t bytes = 0, crc = 0;
  if (std::sscanf(content.c_str(),
                  "rampart-state 1 revision=%" SCNu64 " accepted_ms=%" SCNd64 " bytes=%" SCNu64
                  " crc64=%" SCNx64 "\n",
                  &stored.revision, &accepted_ms, &bytes, &crc) != 4) {
    return damaged(path(), "its first line is damaged");
  }
  const std::string_view body = std::string_view(content).substr(line + 1);
  if (body.size() != bytes) {
    return damaged(path(), "it has " + std::to_string(body.size()) + " bytes instead of " +
                               std::to_string(bytes));
  }
  if (checksum(stored.revision, accepted_ms, body) != crc) {
    return damaged(path(), "its checksum does not fit");
  }
  kube::Limits limits;
  limits.bytes = bytes;
  auto decoded = kube::decode_snapshot(body, limits);
  if (!decoded) return damaged(path(), "cannot be read: " + decoded.error().text());
  stored.accepted = std::chrono::system_clock::time_point(std::chrono::milliseconds(accepted_ms));
  stored.state = std::move(decoded->state);
  return std::optional<Stored>(std::move(stored));
}

Result<void> StateStore::save(const Stored& stored) {
  const std::string where = "state file " + path();
  const std::string body = kube::encode_snapshot(stored.state);
  const int64_t accepted_ms = milliseconds_of(stored.accepted);
  char header[kLongestHeader];
  const int length = std::snprintf(header, sizeof header,
                                   "rampart-state 1 revision=%" PRIu64 " accepted_ms=%" PRId64
                                   " bytes=%zu crc64=%016" PRIx64 "\n",
                                   stored.revision, accepted_ms, body.size(),
                                   checksum(stored.revision, accepted_ms, body));
  {
    const Descriptor file(openat(directory_fd_, kUnfinished,
                                 O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600));
    if (file.fd < 0) return failed("create", where);
    if (!write_all(file.fd, {header, static_cast<size_t>(length)}) || !write_all(file.fd, body)) {
      return failed("write", where);
    }
    if (fsync(file.fd) != 0) return failed("fsync", where);
  }
  if (renameat(directory_fd_, kUnfinished, directory_fd_, kFile) != 0) {
    return failed("rename", where);
  }
  if (fsync(directory_fd_) != 0) return failed("fsync of the directory", where);
  return {};
}

StateStore& StateStore::operator=(StateStore&& other) noexcept {
  if (this == &other) return *this;
  release();
  directory_ = std::move(other.directory_);
  directory_fd_ = std::exchange(other.directory_fd_, -1);
  lock_fd_ = std::exchange(other.lock_fd_, -1);
  return *this;
}

StateStore::~StateStore() {
  release();
}

void StateStore::release() noexcept {
  if (lock_fd_ >= 0) close(lock_fd_);
  if (directory_fd_ >= 0) close(directory_fd_);
  lock_fd_ = directory_fd_ = -1;
}

}  // namespace rampart::store
