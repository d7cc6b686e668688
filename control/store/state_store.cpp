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

#include <cerrno>
#include <cinttypes>
#include <cstdio>
#include <filesystem>
#include <string_view>
#include <utility>

#include "control/kube/decode.hpp"
#include "control/kube/encode.hpp"
#include "control/store/files.hpp"
#include "control/store/journal.hpp"

namespace rampart::store {
namespace {

constexpr const char* kFile = "state";
constexpr const char* kUnfinished = "state.new";
constexpr const char* kLock = "lock";
constexpr size_t kLongestHeader = 256;
/// Changes may be as large as this and the state itself before the state is written anew.
constexpr size_t kManyChanges = size_t{4} << 20;

std::string head_of(Revision revision, int64_t accepted_ms) {
  return std::to_string(revision) + " " + std::to_string(accepted_ms) + "\n";
}

}  // namespace

struct StateStore::Files {
  std::string path;
  Descriptor directory, lock;

  std::mutex writing;  ///< held while the state file is written; taken before `changing`
  Revision in_file = 0;

  mutable std::mutex changing;  ///< for what follows
  std::optional<Journal> journal;
  size_t journal_bytes = 0;  ///< of all journals
  size_t file_bytes = 0;

  std::string where() const {
    return "state file " + (std::filesystem::path(path) / kFile).string();
  }
  Result<void> write(const Stored& stored);
};

StateStore::StateStore(std::unique_ptr<Files> files) : files_(std::move(files)) {}
StateStore::StateStore(StateStore&& other) noexcept = default;
StateStore& StateStore::operator=(StateStore&& other) noexcept = default;
StateStore::~StateStore() = default;

std::string StateStore::path() const {
  return (std::filesystem::path(files_->path) / kFile).string();
}

Result<StateStore> StateStore::open(const std::string& directory) {
  const std::string where = "state directory " + directory;
  auto files = std::make_unique<Files>();
  files->path = directory;
  std::error_code error;
  const auto parent = std::filesystem::absolute(directory, error).parent_path();
  if (!error) std::filesystem::create_directories(parent, error);
  if (error) return Error{ErrorCode::kIo, error.message(), where};
  if (mkdir(directory.c_str(), 0700) != 0 && errno != EEXIST) return failed("mkdir", where);
  files->directory = Descriptor(::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!files->directory) return failed("open", where);
  files->lock =
      Descriptor(openat(files->directory.get(), kLock, O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  if (!files->lock) return failed("open lock", where);
  if (flock(files->lock.get(), LOCK_EX | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK) return failed("flock", where);
    return Error{ErrorCode::kConflict, "another rampartd uses it", where};
  }
  if (unlinkat(files->directory.get(), kUnfinished, 0) != 0 && errno != ENOENT) {
    return failed("unlink", where);
  }
  return StateStore(std::move(files));
}

Result<std::optional<Stored>> StateStore::load() const {
  const std::lock_guard writing(files_->writing);
  const Descriptor file(openat(files_->directory.get(), kFile, O_RDONLY | O_CLOEXEC));
  if (!file) {
    if (errno == ENOENT) return std::optional<Stored>{};
    return failed("open", "state file " + path());
  }
  std::string content;
  if (!read_all(file.get(), content)) return failed("read", "state file " + path());

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
  if (checksum(head_of(stored.revision, accepted_ms), body) != crc) {
    return damaged(path(), "its checksum does not fit");
  }
  kube::Limits limits;
  limits.bytes = bytes;
  auto decoded = kube::decode_snapshot(body, limits);
  if (!decoded) return damaged(path(), "cannot be read: " + decoded.error().text());
  stored.accepted = time_of(accepted_ms);
  stored.state = std::move(decoded->state);
  files_->in_file = stored.revision;
  files_->file_bytes = content.size();
  content = {};
  const auto changes = replay(files_->directory.get(), files_->path, stored);
  if (!changes) return changes.error();
  files_->journal_bytes = *changes;
  return std::optional<Stored>(std::move(stored));
}

/// The state file alone. `writing` is held.
Result<void> StateStore::Files::write(const Stored& stored) {
  const std::string body = kube::encode_snapshot(stored.state);
  const int64_t accepted_ms = milliseconds_of(stored.accepted);
  char header[kLongestHeader];
  const int length = std::snprintf(header, sizeof header,
                                   "rampart-state 1 revision=%" PRIu64 " accepted_ms=%" PRId64
                                   " bytes=%zu crc64=%016" PRIx64 "\n",
                                   stored.revision, accepted_ms, body.size(),
                                   checksum(head_of(stored.revision, accepted_ms), body));
  {
    const Descriptor file(openat(directory.get(), kUnfinished,
                                 O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600));
    if (!file) return failed("create", where());
    if (!write_all(file.get(), {header, static_cast<size_t>(length)}) ||
        !write_all(file.get(), body)) {
      return failed("write", where());
    }
    if (fsync(file.get()) != 0) return failed("fsync", where());
  }
  if (renameat(directory.get(), kUnfinished, directory.get(), kFile) != 0) {
    return failed("rename", where());
  }
  if (fsync(directory.get()) != 0) return failed("fsync of the directory", where());
  in_file = stored.revision;
  const std::lock_guard counting(changing);
  file_bytes = body.size();
  return {};
}

Result<void> StateStore::save(const Stored& stored) {
  const std::lock_guard writing(files_->writing);
  if (auto written = files_->write(stored); !written) return written;
  const std::lock_guard lock(files_->changing);
  files_->journal.reset();
  files_->journal_bytes = 0;
  remove_journals(files_->directory.get(), std::nullopt);
  return {};
}

Result<void> StateStore::save_change(const kube::ClusterState& before, Revision revision_before,
                                     const Stored& stored) {
  size_t most = kManyChanges;
  {
    const std::lock_guard lock(files_->changing);
    most += files_->file_bytes / 4;
  }
  if (const auto events = kube::encode_changes(before, stored.state, most)) {
    const std::lock_guard lock(files_->changing);
    if (!files_->journal) {
      auto opened = Journal::open(files_->directory.get(), files_->path, revision_before);
      if (!opened) return std::move(opened).error();
      files_->journal = std::move(*opened);
    }
    const size_t bytes = files_->journal->bytes();
    auto saved = files_->journal->append(revision_before, stored, *events);
    files_->journal_bytes += files_->journal->bytes() - bytes;
    return saved;
  }
  return save(stored);
}

bool StateStore::wants_rewrite() const {
  const std::lock_guard lock(files_->changing);
  return files_->journal_bytes > kManyChanges + files_->file_bytes;
}

void StateStore::begin_rewrite() {
  const std::lock_guard lock(files_->changing);
  files_->journal.reset();
}

Result<void> StateStore::rewrite(const Stored& stored) {
  const std::lock_guard writing(files_->writing);
  if (files_->in_file >= stored.revision) return {};
  if (auto written = files_->write(stored); !written) return written;
  const std::lock_guard lock(files_->changing);
  remove_journals(files_->directory.get(), stored.revision);
  files_->journal_bytes = files_->journal ? files_->journal->bytes() : 0;
  return {};
}

Result<std::string> StateStore::keep_beside(const std::string& name,
                                            const std::string& text) const {
  std::string where = (std::filesystem::path(files_->path) / name).string();
  const Descriptor file(openat(files_->directory.get(), name.c_str(),
                               O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!file) return failed("create", where);
  if (!write_all(file.get(), text) || fsync(file.get()) != 0) return failed("write", where);
  return where;
}

}  // namespace rampart::store
