// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "dataplane/base/result.hpp"
#include "dataplane/flow/flow_entry.hpp"

namespace rampart {

/// Flows on their way through a restart: a file that one process writes when it ends and the next
/// one reads when it starts. In this machine's byte order, for this machine alone:
///
///   64 bytes    FlowFileHead
///   n bytes     the wires that zones and ends of wires are counted by, as text, padded to 64
///   96 bytes a flow of IPv4, then 120 bytes a flow of IPv6: FlowCopy, in which last_seen stands
///               for the milliseconds that the flow had been idle
///
/// What is not whole, of another version or about other wires is refused by name. Control threads.
struct FlowFileHead {
  static constexpr uint64_t kMagic = 0x53574f4c46504d52;  // "RMPFLOWS"
  static constexpr uint32_t kVersion = 1;
  uint64_t magic = kMagic;
  uint32_t version = kVersion;
  uint32_t wires_bytes = 0;
  uint64_t saved_ms = 0;    ///< wall clock, milliseconds since 1970
  uint64_t v4 = 0, v6 = 0;  ///< how many flows
  uint64_t sum = 0;         ///< over the wires and all records, and the fields above
  uint64_t reserved[2] = {};
};
static_assert(sizeof(FlowFileHead) == 64);
static_assert(sizeof(FlowCopy<FlowKeyV4>) == 96 && sizeof(FlowCopy<FlowKeyV6>) == 120);

/// A sum that tells a file that was damaged (not one that was forged) from a whole one.
class FlowFileSum {
 public:
  /// `bytes`: a multiple of eight.
  void add(const void* data, size_t bytes) noexcept;
  uint64_t of(const FlowFileHead& head) const noexcept;

 private:
  uint64_t sum_ = 0x6a09e667f3bcc908;
};

class FlowFileWriter {
 public:
  /// Writes beside `path` (path + ".new") until finish() puts the file in its place.
  static Result<FlowFileWriter> create(const std::string& path, const std::string& wires);
  FlowFileWriter(FlowFileWriter&& other) noexcept { *this = std::move(other); }
  FlowFileWriter& operator=(FlowFileWriter&& other) noexcept;
  /// What was not finished is removed.
  ~FlowFileWriter();

  /// All flows of IPv4 come before the first of IPv6.
  Result<void> add(const FlowCopy<FlowKeyV4>& flow);
  Result<void> add(const FlowCopy<FlowKeyV6>& flow);
  /// The file is in its place when this returns.
  Result<void> finish(uint64_t now_ms);

 private:
  FlowFileWriter() = default;
  template <typename Flow>
  Result<void> append(const Flow& flow);
  Result<void> flush();

  std::string path_;
  int fd_ = -1;
  FlowFileHead head_;
  FlowFileSum sum_;
  std::vector<std::byte> buffer_;
};

class FlowFile {
 public:
  /// Opens and checks the whole file. Errors: kNotFound; kInvalid with what is wrong with it; kIo.
  static Result<FlowFile> open(const std::string& path, const std::string& wires,
                               unsigned wire_count);
  FlowFile(FlowFile&& other) noexcept { *this = std::move(other); }
  FlowFile& operator=(FlowFile&& other) noexcept;
  ~FlowFile();

  uint64_t saved_ms() const { return head_.saved_ms; }
  std::span<const FlowCopy<FlowKeyV4>> v4() const { return v4_; }
  std::span<const FlowCopy<FlowKeyV6>> v6() const { return v6_; }

 private:
  FlowFile() = default;

  void* map_ = nullptr;
  size_t bytes_ = 0;
  FlowFileHead head_;
  std::span<const FlowCopy<FlowKeyV4>> v4_;
  std::span<const FlowCopy<FlowKeyV6>> v6_;
};

}  // namespace rampart
