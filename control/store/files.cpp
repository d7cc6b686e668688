// SPDX-License-Identifier: Apache-2.0
#include "control/store/files.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <array>
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

namespace {

/// The remainders of a byte that eight, seven … one bytes follow, for the CRC-64 of ECMA-182 with
/// its bits in reverse, as in .xz files ("Novel Table Lookup-Based Algorithms for High-Performance
/// CRC Generation", Kounavis and Berry, 2008: slicing by eight).
using Slices = std::array<std::array<uint64_t, 256>, 8>;

constexpr Slices make_slices() {
  constexpr uint64_t kPolynomial = 0xC96C5795D7870F42;
  Slices made{};
  for (uint32_t byte = 0; byte < 256; ++byte) {
    uint64_t crc = byte;
    for (int bit = 0; bit < 8; ++bit) crc = (crc & 1) != 0 ? crc >> 1 ^ kPolynomial : crc >> 1;
    made[0][byte] = crc;
  }
  for (size_t slice = 1; slice < 8; ++slice) {
    for (uint32_t byte = 0; byte < 256; ++byte) {
      const uint64_t crc = made[slice - 1][byte];
      made[slice][byte] = crc >> 8 ^ made[0][crc & 0xFF];
    }
  }
  return made;
}

uint64_t add_to(uint64_t crc, std::string_view bytes) {
  static constexpr Slices kSlices = make_slices();
  for (; bytes.size() >= 8; bytes.remove_prefix(8)) {
    uint64_t word = 0;
    std::memcpy(&word, bytes.data(), sizeof word);
    word ^= crc;
    crc = 0;
    for (size_t i = 0; i < 8; ++i) crc ^= kSlices[7 - i][word >> 8 * i & 0xFF];
  }
  for (const char c : bytes) crc = crc >> 8 ^ kSlices[0][(crc ^ static_cast<uint8_t>(c)) & 0xFF];
  return crc;
}

}  // namespace

uint64_t checksum(const std::string& head, std::string_view body) {
  return ~add_to(add_to(~uint64_t{0}, head), body);
}

int64_t milliseconds_of(std::chrono::system_clock::time_point time) {
  return std::chrono::duration_cast<std::chrono::milliseconds>(time.time_since_epoch()).count();
}

std::chrono::system_clock::time_point time_of(int64_t milliseconds) {
  return std::chrono::system_clock::time_point(std::chrono::milliseconds(milliseconds));
}

}  // namespace rampart::store
