// SPDX-License-Identifier: Apache-2.0
#include "control/history/history.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstdio>
#include <filesystem>
#include <optional>
#include <utility>

#include "control/store/files.hpp"

namespace rampart::history {
namespace {

namespace fs = std::filesystem;

Result<std::string> content_of(const std::string& path) {
  const store::Descriptor file(open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!file) return store::failed("open", path);
  std::string text;
  if (!store::read_all(file.get(), text)) return store::failed("read", path);
  return text;
}

/// The files "REVISION" of a directory, the newest first; others are not ours.
std::vector<Revision> revisions_in(const std::string& directory) {
  std::vector<Revision> found;
  std::error_code error;
  for (fs::directory_iterator it(directory, error), end; !error && it != end; it.increment(error)) {
    const std::string name = it->path().filename().string();
    Revision revision = 0;
    const auto [at, bad] = std::from_chars(name.data(), name.data() + name.size(), revision);
    if (bad == std::errc{} && at == name.data() + name.size()) found.push_back(revision);
  }
  std::sort(found.rbegin(), found.rend());
  return found;
}

}  // namespace

History::History(Parts parts, Revision revision, State state)
    : parts_(std::move(parts)), revision_(revision), state_(std::move(state)) {
  if (state_ == nullptr) state_ = std::make_shared<const kube::ClusterState>();
  if (mkdir(parts_.directory.c_str(), 0700) != 0 && errno != EEXIST) {
    parts_.log(store::failed("mkdir", "history " + parts_.directory).text());
  }
  fingerprint_ = fingerprint(*state_);
  read_all();
  if (!kept_.empty()) cuts_earlier_ = kept_.back().entry.cut;
  cuts_base_ = parts_.cuts();
}

std::string History::path_of(Revision first) const {
  return parts_.directory + "/" + std::to_string(first);
}

void History::read_all() {
  uint64_t expected = fingerprint_;
  for (const Revision name : revisions_in(parts_.directory)) {
    const std::string path = path_of(name);
    if (name > revision_) {  // of a state that never reached the disk
      std::remove(path.c_str());
      continue;
    }
    const auto text = content_of(path);
    auto entry = text ? read(*text) : Result<Entry>(text.error());
    if (!entry) {
      parts_.log("history file " + path + ": " + entry.error().text() +
                 "; it and what is older is ignored");
      return;
    }
    if (entry->policies_after != expected) {
      parts_.log("history file " + path + ": the policies have changed since, and what did that " +
                 "is missing; it and what is older is ignored");
      return;
    }
    expected = entry->policies_before;
    kept_.push_front({*std::move(entry), false, text->size()});
  }
}

/// Brings the last entry's count of cut flows up to now.
void History::settle() {
  if (kept_.empty()) return;
  const uint64_t cut = cut_until(parts_.cuts());
  Kept& last = kept_.back();
  if (cut == last.entry.cut) return;
  last.entry.cut = cut;
  last.unsaved = true;
}

void History::note(Entry entry, State state, uint64_t cuts_before) {
  const std::lock_guard lock(mutex_);
  if (entry.last <= revision_) return;
  entry.first = revision_ + 1;
  entry.policies_before = fingerprint_;
  note_changes(*state_, *state, entry);
  fingerprint_ = entry.policies_after;
  state_ = std::move(state);
  revision_ = entry.last;
  const bool quiet = !entry.changes_policies() && entry.reason.empty() && entry.others.empty();
  const bool together = quiet && !kept_.empty() && !kept_.back().entry.changes_policies() &&
                        kept_.back().entry.reason.empty() && kept_.back().entry.others.empty() &&
                        kept_.back().entry.by.uid == entry.by.uid &&
                        kept_.back().entry.by.agent == entry.by.agent &&
                        kept_.back().entry.action == entry.action;
  if (together) {
    Entry& last = kept_.back().entry;
    last.last = entry.last;
    last.when = entry.when;
    last.by = entry.by;
    for (const auto& [kind, count] : entry.counts) {
      Count& sum = last.counts[kind];
      sum.added += count.added;
      sum.changed += count.changed;
      sum.removed += count.removed;
    }
    kept_.back().unsaved = true;
    return;
  }
  if (!kept_.empty()) {
    Kept& last = kept_.back();
    const uint64_t cut = cut_until(cuts_before);
    if (cut != last.entry.cut || last.unsaved) {
      last.entry.cut = cut;
      write(last);
    }
  }
  cuts_base_ = cuts_before;
  cuts_earlier_ = 0;
  kept_.push_back({std::move(entry), true, 0});
  if (!quiet) write(kept_.back());
  drop_old();
}

void History::discount(uint64_t cut) {
  const std::lock_guard lock(mutex_);
  cuts_base_ += cut;
}

void History::write(Kept& kept) {
  const std::string text = written(kept.entry), path = path_of(kept.entry.first),
                    unfinished = path + ".new";
  std::optional<Error> error;
  {
    const store::Descriptor file(
        open(unfinished.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600));
    if (!file) {
      error = store::failed("create", path);
    } else if (!store::write_all(file.get(), text)) {
      error = store::failed("write", path);
    }
  }
  if (!error && std::rename(unfinished.c_str(), path.c_str()) != 0) {
    error = store::failed("rename", path);
  }
  kept.unsaved = false;
  kept.bytes = text.size();
  if (error) parts_.log("history: " + error->text());
}

void History::drop_old() {
  size_t bytes = 0;
  for (const Kept& kept : kept_) bytes += kept.bytes;
  while (kept_.size() > parts_.most_entries || (bytes > parts_.most_bytes && kept_.size() > 1)) {
    bytes -= kept_.front().bytes;
    std::remove(path_of(kept_.front().entry.first).c_str());
    kept_.pop_front();
  }
}

void History::save() {
  const std::lock_guard lock(mutex_);
  settle();
  for (Kept& kept : kept_) {
    if (kept.unsaved) write(kept);
  }
}

std::vector<Entry> History::entries() const {
  const std::lock_guard lock(mutex_);
  std::vector<Entry> all;
  for (auto kept = kept_.rbegin(); kept != kept_.rend(); ++kept) {
    Entry entry = kept->entry;
    entry.undo = {};
    if (kept == kept_.rbegin()) entry.cut = cut_until(parts_.cuts());
    all.push_back(std::move(entry));
  }
  return all;
}

/// Flows that the last entry has cut, by a count of all.
uint64_t History::cut_until(uint64_t count) const {
  return cuts_earlier_ + (count > cuts_base_ ? count - cuts_base_ : 0);
}

Result<kube::ClusterState> History::policies_of(Revision target) const {
  const std::lock_guard lock(mutex_);
  const auto refuse = [](std::string why) {
    return Error{ErrorCode::kNotFound, std::move(why), {}};
  };
  if (target > revision_) {
    return refuse("there is no revision " + std::to_string(target) + " yet");
  }
  const Revision oldest = kept_.empty() ? revision_ : kept_.front().entry.first - 1;
  if (target < std::max<Revision>(oldest, 1)) {
    return refuse("revision " + std::to_string(target) + " is not kept; the oldest is " +
                  std::to_string(std::max<Revision>(oldest, 1)));
  }
  kube::ClusterState state = *state_;
  for (auto kept = kept_.rbegin(); kept != kept_.rend() && kept->entry.last > target; ++kept) {
    undo(kept->entry, state);
  }
  return state;
}

}  // namespace rampart::history
