// SPDX-License-Identifier: Apache-2.0
#include "dataplane/worker/flow_file.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <string_view>

#include "dataplane/flow/tracker.hpp"

namespace rampart {
namespace {

constexpr size_t kBuffer = 1U << 20;
constexpr size_t kLongestWires = 16384;
constexpr const char* kUnfinished = ".new";

Error failed(const char* call, const std::string& path) {
  return {ErrorCode::kIo, std::string(call) + ": " + std::strerror(errno), path};
}
Error bad(const std::string& path, std::string what) {
  return {ErrorCode::kInvalid, std::move(what), "flow file " + path};
}

std::string padded(const std::string& wires) {
  std::string text = wires;
  text.resize((text.size() + kCacheLine - 1) / kCacheLine * kCacheLine, '\0');
  return text;
}

bool is_normalised(const FlowKeyV4& k) {
  const uint64_t a = uint64_t{k.address[0].host()} << 16 | k.port[0].host();
  const uint64_t b = uint64_t{k.address[1].host()} << 16 | k.port[1].host();
  return a <= b;
}
bool is_normalised(const FlowKeyV6& k) {
  const int order = std::memcmp(k.address[0], k.address[1], 16);
  return order < 0 || (order == 0 && k.port[0].host() <= k.port[1].host());
}

/// What the rest of the appliance takes for granted of a flow.
template <typename Key>
bool is_sane(const FlowCopy<Key>& flow, unsigned wires) {
  const FlowFacts& f = flow.facts;
  const Key& k = flow.key;
  return f.opener_end <= 1 && f.opener_port <= 1 && f.condemned == 0 && is_normalised(k) &&
         k.zone >> 24 < wires && (k.reserved[0] | k.reserved[1] | k.reserved[2]) == 0 &&
         is_state_of(f.state, static_cast<IpProtocol>(k.protocol));
}

template <typename Key>
bool all_sane(std::span<const FlowCopy<Key>> flows, unsigned wires) {
  return std::all_of(flows.begin(), flows.end(),
                     [wires](const FlowCopy<Key>& flow) { return is_sane(flow, wires); });
}

}  // namespace

void FlowFileSum::add(const void* data, size_t bytes) noexcept {
  const auto* p = static_cast<const std::byte*>(data);
  for (; bytes >= 8; p += 8, bytes -= 8) {
    sum_ = detail::mix(detail::load64(p) ^ sum_, 0x9E3779B97F4A7C15);
  }
}

uint64_t FlowFileSum::of(const FlowFileHead& head) const noexcept {
  FlowFileSum all = *this;
  all.add(&head, offsetof(FlowFileHead, sum));
  return all.sum_;
}

Result<FlowFileWriter> FlowFileWriter::create(const std::string& path, const std::string& wires) {
  FlowFileWriter w;
  w.path_ = path;
  const std::string unfinished = path + kUnfinished;
  w.fd_ = open(unfinished.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  if (w.fd_ < 0) return failed("open", unfinished);
  w.buffer_.reserve(kBuffer);
  const std::string text = padded(wires);
  w.head_.wires_bytes = static_cast<uint32_t>(wires.size());
  w.sum_.add(text.data(), text.size());
  w.buffer_.resize(sizeof(FlowFileHead) + text.size());
  std::memcpy(w.buffer_.data() + sizeof(FlowFileHead), text.data(), text.size());
  return w;
}

FlowFileWriter& FlowFileWriter::operator=(FlowFileWriter&& other) noexcept {
  std::swap(path_, other.path_);
  std::swap(fd_, other.fd_);
  std::swap(head_, other.head_);
  std::swap(sum_, other.sum_);
  std::swap(buffer_, other.buffer_);
  return *this;
}

FlowFileWriter::~FlowFileWriter() {
  if (fd_ < 0) return;
  close(fd_);
  unlink((path_ + kUnfinished).c_str());
}

Result<void> FlowFileWriter::flush() {
  const std::byte* p = buffer_.data();
  size_t left = buffer_.size();
  while (left > 0) {
    const ssize_t n = write(fd_, p, left);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return failed("write", path_ + kUnfinished);
    p += n;
    left -= static_cast<size_t>(n);
  }
  buffer_.clear();
  return {};
}

template <typename Flow>
Result<void> FlowFileWriter::append(const Flow& flow) {
  sum_.add(&flow, sizeof flow);
  const size_t at = buffer_.size();
  buffer_.resize(at + sizeof flow);
  std::memcpy(buffer_.data() + at, &flow, sizeof flow);
  if (buffer_.size() + sizeof flow <= kBuffer) return {};
  return flush();
}

Result<void> FlowFileWriter::add(const FlowCopy<FlowKeyV4>& flow) {
  ++head_.v4;
  return append(flow);
}

Result<void> FlowFileWriter::add(const FlowCopy<FlowKeyV6>& flow) {
  ++head_.v6;
  return append(flow);
}

Result<void> FlowFileWriter::finish(uint64_t now_ms) {
  if (Result<void> r = flush(); !r) return r;
  head_.saved_ms = now_ms;
  head_.sum = sum_.of(head_);
  const std::string unfinished = path_ + kUnfinished;
  if (pwrite(fd_, &head_, sizeof head_, 0) != ssize_t{sizeof head_}) {
    return failed("write", unfinished);
  }
  if (close(std::exchange(fd_, -1)) != 0) return failed("close", unfinished);
  if (rename(unfinished.c_str(), path_.c_str()) != 0) return failed("rename", unfinished);
  return {};
}

Result<FlowFile> FlowFile::open(const std::string& path, const std::string& wires,
                                unsigned wire_count) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) {
    if (errno == ENOENT) return Error{ErrorCode::kNotFound, "there is none", "flow file " + path};
    return failed("open", path);
  }
  struct stat there {};
  const bool known = fstat(fd, &there) == 0;
  FlowFile file;
  file.bytes_ = known ? static_cast<size_t>(there.st_size) : 0;
  if (file.bytes_ >= sizeof(FlowFileHead)) {
    void* map = mmap(nullptr, file.bytes_, PROT_READ, MAP_PRIVATE | MAP_POPULATE, fd, 0);
    if (map != MAP_FAILED) file.map_ = map;
  }
  close(fd);
  if (!known || (file.map_ == nullptr && file.bytes_ >= sizeof(FlowFileHead))) {
    return failed("mmap", path);
  }
  if (file.map_ == nullptr) return bad(path, "it is cut short");

  FlowFileHead& head = file.head_;
  std::memcpy(&head, file.map_, sizeof head);
  if (head.magic != FlowFileHead::kMagic) return bad(path, "it is no flow file");
  if (head.version != FlowFileHead::kVersion) {
    return bad(path, "it is of version " + std::to_string(head.version) + ", and only " +
                         std::to_string(FlowFileHead::kVersion) + " is known here");
  }
  const auto* bytes = static_cast<const std::byte*>(file.map_);
  constexpr uint64_t kMost = uint64_t{1} << 32;
  const size_t text_bytes = (size_t{head.wires_bytes} + kCacheLine - 1) / kCacheLine * kCacheLine;
  if (head.wires_bytes > kLongestWires || head.v4 > kMost || head.v6 > kMost ||
      file.bytes_ != sizeof head + text_bytes + head.v4 * sizeof(FlowCopy<FlowKeyV4>) +
                         head.v6 * sizeof(FlowCopy<FlowKeyV6>)) {
    return bad(path, "its length is not what it says: cut short or damaged");
  }
  FlowFileSum sum;
  sum.add(bytes + sizeof head, file.bytes_ - sizeof head);
  if (sum.of(head) != head.sum) return bad(path, "its checksum is wrong: it is damaged");
  const std::string_view its_wires(reinterpret_cast<const char*>(bytes + sizeof head),
                                   head.wires_bytes);
  if (its_wires != wires) {
    return bad(path, "it is about other wires: " + std::string(its_wires));
  }
  const std::byte* records = bytes + sizeof head + text_bytes;
  file.v4_ = {reinterpret_cast<const FlowCopy<FlowKeyV4>*>(records), head.v4};
  records += file.v4_.size_bytes();
  file.v6_ = {reinterpret_cast<const FlowCopy<FlowKeyV6>*>(records), head.v6};
  if (!all_sane(file.v4_, wire_count) || !all_sane(file.v6_, wire_count)) {
    return bad(path, "it holds a flow that cannot be");
  }
  return file;
}

FlowFile& FlowFile::operator=(FlowFile&& other) noexcept {
  std::swap(map_, other.map_);
  std::swap(bytes_, other.bytes_);
  std::swap(head_, other.head_);
  std::swap(v4_, other.v4_);
  std::swap(v6_, other.v6_);
  return *this;
}

FlowFile::~FlowFile() {
  if (map_ != nullptr) munmap(map_, bytes_);
}

}  // namespace rampart
