// SPDX-License-Identifier: Apache-2.0
#include "control/store/journal.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <cinttypes>
#include <cstdio>
#include <filesystem>
#include <limits>
#include <string_view>
#include <utility>
#include <vector>

#include "control/kube/events.hpp"

namespace rampart::store {
namespace {

constexpr std::string_view kPrefix = "changes-";
constexpr size_t kLongestHeader = 256;

std::string name_of(Revision base) {
  return std::string(kPrefix) + std::to_string(base);
}

std::string path_in(const std::string& directory, const std::string& name) {
  return (std::filesystem::path(directory) / name).string();
}

/// The revisions that journals in the directory begin at, rising.
std::vector<Revision> journals_in(int directory_fd) {
  std::vector<Revision> bases;
  const int fd = dup(directory_fd);
  DIR* listing = fd < 0 ? nullptr : fdopendir(fd);
  if (listing == nullptr) return bases;
  rewinddir(listing);
  while (const dirent* entry = readdir(listing)) {
    const std::string_view name = entry->d_name;
    if (!name.starts_with(kPrefix)) continue;
    Revision base = 0;
    const char* end = name.data() + name.size();
    const auto [parsed, error] = std::from_chars(name.data() + kPrefix.size(), end, base);
    if (error == std::errc{} && parsed == end) bases.push_back(base);
  }
  closedir(listing);
  std::sort(bases.begin(), bases.end());
  return bases;
}

/// A record's first line; `of_body` is the checksum of what follows. It ends with its own checksum,
/// for what it says of the length decides whether a record is all there.
std::string header_of(Revision from, Revision to, int64_t accepted_ms, uint64_t bytes,
                      uint64_t of_body) {
  char text[kLongestHeader];
  const int length = std::snprintf(text, sizeof text,
                                   "rampart-change 1 from=%" PRIu64 " to=%" PRIu64
                                   " accepted_ms=%" PRId64 " bytes=%" PRIu64 " crc64=%016" PRIx64,
                                   from, to, accepted_ms, bytes, of_body);
  std::string header(text, static_cast<size_t>(length));
  std::snprintf(text, sizeof text, " head64=%016" PRIx64 "\n", checksum(header, {}));
  return header + text;
}

/// One journal's content, record by record.
class Reader {
 public:
  Reader(std::string path, std::string_view content) : path_(std::move(path)), left_(content) {}

  /// How many of the bytes are records.
  size_t whole() const { return whole_; }

  Result<void> apply(Stored& stored) {
    const size_t size = left_.size();
    while (!left_.empty()) {
      Record record;
      const auto there = next(record);
      if (!there) return there.error();
      if (!*there) return {};
      whole_ = size - left_.size();
      if (record.to <= stored.revision) continue;  // the state file has it
      if (record.from != stored.revision) {
        return damaged(path_, "it has a change of revision " + std::to_string(record.from) +
                                  ", but what comes before it ends with " +
                                  std::to_string(stored.revision));
      }
      kube::Limits limits;
      limits.bytes = limits.objects = std::numeric_limits<size_t>::max();
      auto changed = kube::apply_events(stored.state, record.events, limits);
      if (!changed) return damaged(path_, "cannot be read: " + changed.error().text());
      stored.state = std::move(changed->state);
      stored.revision = record.to;
      stored.accepted = time_of(record.accepted_ms);
    }
    return {};
  }

 private:
  struct Record {
    Revision from = 0, to = 0;
    int64_t accepted_ms = 0;
    std::string_view events;
  };

  /// False: what is left is the beginning of a record, or room for one.
  Result<bool> next(Record& record) {
    if (ends_in_zeros(left_)) return false;
    const size_t line = left_.substr(0, kLongestHeader).find('\n');
    if (line == std::string_view::npos) {
      if (left_.size() < kLongestHeader) return false;
      return damaged(path_, "a record does not begin as ours do");
    }
    const std::string header(left_.substr(0, line + 1));
    uint64_t bytes = 0, crc = 0;
    if (std::sscanf(header.c_str(),
                    "rampart-change 1 from=%" SCNu64 " to=%" SCNu64 " accepted_ms=%" SCNd64
                    " bytes=%" SCNu64 " crc64=%" SCNx64,
                    &record.from, &record.to, &record.accepted_ms, &bytes, &crc) != 5 ||
        header != header_of(record.from, record.to, record.accepted_ms, bytes, crc)) {
      return damaged(path_, "the first line of a record is damaged");
    }
    const std::string_view body = left_.substr(line + 1);
    if (body.size() < bytes) return false;
    record.events = body.substr(0, bytes);
    if (checksum({}, record.events) != crc) {
      return damaged(path_, "the checksum of the change to revision " + std::to_string(record.to) +
                                " does not fit");
    }
    left_ = body.substr(bytes);
    return true;
  }
  /// No record has a zero in it, so the last one is not all there.
  bool ends_in_zeros(std::string_view text) const {
    return text.find('\0') != std::string_view::npos && text.back() == '\0' && is_last(text);
  }
  /// Whether the first record of a text reaches to its zeros.
  static bool is_last(std::string_view text) {
    const size_t zeros = text.find_last_not_of('\0') + 1;
    const size_t again = text.substr(0, zeros).find("\nrampart-change ");
    return again == std::string_view::npos;
  }

  const std::string path_;
  std::string_view left_;
  size_t whole_ = 0;
};

}  // namespace

Result<Journal> Journal::open(int directory_fd, const std::string& directory, Revision base) {
  Journal journal;
  journal.path_ = path_in(directory, name_of(base));
  journal.base_ = base;
  journal.file_ = Descriptor(openat(directory_fd, name_of(base).c_str(),
                                    O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0600));
  const std::string where = "state file " + journal.path_;
  if (!journal.file_) return failed("create", where);
  struct stat there {};
  if (fstat(journal.file_.get(), &there) != 0) return failed("fstat", where);
  journal.bytes_ = static_cast<size_t>(there.st_size);
  if (fsync(directory_fd) != 0) return failed("fsync of the directory", where);
  return journal;
}

Result<void> Journal::append(Revision from, const Stored& stored, const std::string& events) {
  const std::string where = "state file " + path_;
  const std::string record = header_of(from, stored.revision, milliseconds_of(stored.accepted),
                                       events.size(), checksum({}, events)) +
                             events;
  if (!write_all(file_.get(), record) || fdatasync(file_.get()) != 0) {
    Error error = failed("write", where);
    if (ftruncate(file_.get(), static_cast<off_t>(bytes_)) != 0) {
      error.what += ", and what was written cannot be taken back";
    }
    return error;
  }
  bytes_ += record.size();
  return {};
}

Result<size_t> replay(int directory_fd, const std::string& directory, Stored& stored) {
  size_t bytes = 0;
  for (const Revision base : journals_in(directory_fd)) {
    const std::string path = path_in(directory, name_of(base));
    const Descriptor file(openat(directory_fd, name_of(base).c_str(), O_RDWR | O_CLOEXEC));
    std::string content;
    if (!file) return failed("open", "state file " + path);
    if (!read_all(file.get(), content)) return failed("read", "state file " + path);
    Reader reader(path, content);
    if (auto applied = reader.apply(stored); !applied) return std::move(applied).error();
    bytes += reader.whole();
    if (reader.whole() == content.size()) continue;
    if (ftruncate(file.get(), static_cast<off_t>(reader.whole())) != 0 || fsync(file.get()) != 0) {
      return failed("truncate", "state file " + path);
    }
  }
  return bytes;
}

void remove_journals(int directory_fd, std::optional<Revision> before) {
  for (const Revision base : journals_in(directory_fd)) {
    if (!before || base < *before) unlinkat(directory_fd, name_of(base).c_str(), 0);
  }
}

}  // namespace rampart::store
