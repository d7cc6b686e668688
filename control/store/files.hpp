// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

#include "dataplane/base/result.hpp"

/// What the files of the store have in common.
namespace rampart::store {

/// Closes at the end of its life.
class Descriptor {
 public:
  explicit Descriptor(int descriptor = -1) : fd_(descriptor) {}
  Descriptor(Descriptor&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Descriptor& operator=(Descriptor&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  ~Descriptor();
  int get() const { return fd_; }
  explicit operator bool() const { return fd_ >= 0; }

 private:
  int fd_;
};

/// Names the call that has just failed, with errno's words.
Error failed(const char* call, const std::string& path);
/// A file that cannot be what was written; says what an operator can do.
Error damaged(const std::string& path, const std::string& how);

bool write_all(int fd, std::string_view bytes);
bool read_all(int fd, std::string& out);

/// CRC-64/XZ over a line of numbers and what follows it.
uint64_t checksum(const std::string& head, std::string_view body);

int64_t milliseconds_of(std::chrono::system_clock::time_point time);
std::chrono::system_clock::time_point time_of(int64_t milliseconds);

}  // namespace rampart::store
