// SPDX-License-Identifier: Apache-2.0
#include "control/store/files.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace rampart::store {

Descriptor::~Descriptor() {
  if (fd_ >= 0) close(fd_);
}

Error failed(const char* call, const std::string& path) {
  return {ErrorCode::kIo, std::string(call) + ": " + std::strerror(errno), path};
}

Error damaged(const std::string& path, const std::string& how) {
  return {ErrorCode::kInvalid,
          how + "; restore the file, or move it away to start without a desired state",
          "state file " + path};
}

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

uint64_t checksum(const std::string& head, std::string_view body) {
  using Crc64 = boost::crc_optimal<64, 0x42F0E1EBA9EA3693, ~uint64_t{0}, ~uint64_t{0}, true, true>;
  Crc64 crc;
  crc.process_bytes(head.data(), head.size());
  crc.process_bytes(body.data(), body.size());
  return crc.checksum();
}

int64_t milliseconds_of(std::chrono::system_clock::time_point time) {
  return std::chrono::duration_cast<std::chrono::milliseconds>(time.time_since_epoch()).count();
}

std::chrono::system_clock::time_point time_of(int64_t milliseconds) {
  return std::chrono::system_clock::time_point(std::chrono::milliseconds(milliseconds));
}

}  // namespace rampart::store
