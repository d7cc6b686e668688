// SPDX-License-Identifier: Apache-2.0
#include "control/store/state_store.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <boost/crc.hpp>
#include <filesystem>
#include <fstream>
#include <vector>

#include "control/kube/decode.hpp"
#include "control/store/files.hpp"

namespace rampart::store {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;
namespace fs = std::filesystem;

class StateStoreTest : public ::testing::Test {
 protected:
  StateStoreTest() {
    char folder[] = "/tmp/rampart-store-XXXXXX";
    folder_ = mkdtemp(folder);
    directory_ = folder_ + "/state-dir";
  }
  ~StateStoreTest() override { fs::remove_all(folder_); }

  StateStore open() {
    auto store = StateStore::open(directory_);
    EXPECT_TRUE(store) << store.error().text();
    return *std::move(store);
  }
  std::string file() const { return directory_ + "/state"; }
  std::string content() const {
    std::ifstream in(file(), std::ios::binary);
    return {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
  }
  void overwrite(const std::string& text) {
    std::ofstream(file(), std::ios::binary | std::ios::trunc) << text;
  }
  std::string load_error() {
    const auto loaded = open().load();
    return loaded ? "loaded" : loaded.error().text();
  }

  std::string folder_, directory_;
};

/// A state with one pod of the given name.
Stored stored(Revision revision, const std::string& pod) {
  const auto decoded =
      kube::decode_snapshot(R"({"apiVersion":"v1","kind":"Pod","metadata":{"name":")" + pod +
                            R"(","namespace":"web"},)" + R"("status":{"podIP":"10.0.0.1"}})");
  EXPECT_TRUE(decoded) << decoded.error().text();
  return {revision, std::chrono::system_clock::time_point(std::chrono::milliseconds(1767225605123)),
          decoded->state};
}

TEST(Checksum, IsTheCrc64OfXzFiles) {
  EXPECT_EQ(checksum("123456789", {}), 0x995DC9BBDF1939FAU);  // the check value of CRC-64/XZ
  EXPECT_EQ(checksum("1234", "56789"), 0x995DC9BBDF1939FAU);
  std::string text;
  for (unsigned length = 0; length < 100; ++length) {
    boost::crc_optimal<64, 0x42F0E1EBA9EA3693, ~uint64_t{0}, ~uint64_t{0}, true, true> crc;
    crc.process_bytes(text.data(), text.size());
    ASSERT_EQ(checksum({}, text), crc.checksum()) << length;
    text += static_cast<char>(length * 37 + 200);
  }
}

TEST_F(StateStoreTest, NothingAtFirst) {
  const auto loaded = open().load();
  ASSERT_TRUE(loaded) << loaded.error().text();
  EXPECT_FALSE(loaded->has_value());
}

TEST_F(StateStoreTest, ReturnsTheLastOneSaved) {
  {
    StateStore store = open();
    ASSERT_TRUE(store.save(stored(6, "before")));
    ASSERT_TRUE(store.save(stored(7, "after")));
  }
  const auto loaded = open().load();
  ASSERT_TRUE(loaded) << loaded.error().text();
  ASSERT_TRUE(loaded->has_value());
  EXPECT_EQ((*loaded)->revision, 7U);
  EXPECT_EQ((*loaded)->accepted, stored(7, "after").accepted);
  EXPECT_TRUE(kube::same((*loaded)->state, stored(7, "after").state));
}

TEST_F(StateStoreTest, OnlyTheOwnerMayLook) {
  StateStore store = open();
  ASSERT_TRUE(store.save(stored(1, "p")));
  struct stat there {};
  ASSERT_EQ(stat(directory_.c_str(), &there), 0);
  EXPECT_EQ(there.st_mode & 07777, 0700U);
  ASSERT_EQ(stat(file().c_str(), &there), 0);
  EXPECT_EQ(there.st_mode & 07777, 0600U);
}

TEST_F(StateStoreTest, OneProcessAtATime) {
  const StateStore first = open();
  const auto second = StateStore::open(directory_);
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code, ErrorCode::kConflict);
  EXPECT_THAT(second.error().text(), HasSubstr("another rampartd uses it"));
}

TEST_F(StateStoreTest, WhatACrashLeftHalfWrittenDoesNotCount) {
  ASSERT_TRUE(open().save(stored(7, "p")));
  std::ofstream(directory_ + "/state.new") << "rampart-state 1 revision=8 acc";
  const auto loaded = open().load();
  ASSERT_TRUE(loaded && loaded->has_value());
  EXPECT_EQ((*loaded)->revision, 7U);
  EXPECT_FALSE(fs::exists(directory_ + "/state.new"));
}

TEST_F(StateStoreTest, EverySingleChangedByteIsSeen) {
  ASSERT_TRUE(open().save(stored(7, "p")));
  const std::string good = content();
  for (size_t i = 0; i < good.size(); ++i) {
    std::string bad = good;
    bad[i] = static_cast<char>(bad[i] ^ 1);
    overwrite(bad);
    EXPECT_THAT(load_error(), AllOf(HasSubstr("state file " + file()), HasSubstr("move it away")))
        << "byte " << i;
  }
}

TEST_F(StateStoreTest, EveryTruncationIsSeen) {
  ASSERT_TRUE(open().save(stored(7, "p")));
  const std::string good = content();
  for (size_t size = 0; size < good.size(); ++size) {
    overwrite(good.substr(0, size));
    EXPECT_THAT(load_error(), HasSubstr("state file " + file())) << "cut to " << size;
  }
  overwrite(good + "x");
  EXPECT_THAT(load_error(), HasSubstr("bytes instead of"));
  overwrite(good);
  EXPECT_EQ(load_error(), "loaded");
}

/// `revisions` states, each of which has one pod more; the first in the state file.
std::vector<Stored> growing(size_t revisions) {
  std::vector<Stored> states{stored(1, "p1")};
  for (Revision revision = 2; revision <= revisions; ++revision) {
    Stored next = states.back();
    next.revision = revision;
    const std::string name = "p" + std::to_string(revision);
    next.state.pods[{"web", name}] = stored(revision, name).state.pods.at({"web", name});
    states.push_back(std::move(next));
  }
  return states;
}

void save_all(StateStore& store, const std::vector<Stored>& states) {
  ASSERT_TRUE(store.save(states[0]));
  for (size_t i = 1; i < states.size(); ++i) {
    const auto saved = store.save_change(states[i - 1].state, states[i - 1].revision, states[i]);
    ASSERT_TRUE(saved) << saved.error().text();
  }
}

TEST_F(StateStoreTest, ChangesAreKeptBesideTheState) {
  const auto states = growing(4);
  {
    StateStore store = open();
    save_all(store, states);
  }
  EXPECT_THAT(content(), Not(HasSubstr("p2"))) << "only what is other is written";
  const auto loaded = open().load();
  ASSERT_TRUE(loaded && loaded->has_value()) << loaded.error().text();
  EXPECT_EQ((*loaded)->revision, 4U);
  EXPECT_EQ((*loaded)->accepted, states[3].accepted);
  EXPECT_TRUE(kube::same((*loaded)->state, states[3].state));
}

TEST_F(StateStoreTest, ChangesGoOnAfterARestart) {
  const auto states = growing(4);
  {
    StateStore store = open();
    save_all(store, {states[0], states[1], states[2]});
  }
  {
    StateStore store = open();
    ASSERT_EQ((*store.load())->revision, 3U);
    ASSERT_TRUE(store.save_change(states[2].state, 3, states[3]));
  }
  EXPECT_TRUE(kube::same((*open().load())->state, states[3].state));
}

TEST_F(StateStoreTest, ACrashWhileAChangeIsWrittenLeavesTheOneBefore) {
  const auto states = growing(3);
  {
    StateStore store = open();
    save_all(store, states);
  }
  const std::string journal = directory_ + "/changes-1";
  const size_t whole = fs::file_size(journal);
  size_t cut_back = 0;
  for (size_t size = 0; size < whole; ++size) {
    fs::resize_file(journal, whole);
    {
      StateStore store = open();
      save_all(store, states);
    }
    fs::resize_file(journal, size);
    if (size % 2 != 0) fs::resize_file(journal, whole);  // some file systems leave zeros
    StateStore store = open();
    const auto loaded = store.load();
    ASSERT_TRUE(loaded && loaded->has_value()) << "cut to " << size << loaded.error().text();
    const Revision revision = (*loaded)->revision;
    ASSERT_LT(revision, 3U) << "cut to " << size;
    cut_back += revision == 2;
    EXPECT_TRUE(kube::same((*loaded)->state, states[revision - 1].state));
    // And on it goes from there.
    ASSERT_TRUE(store.save_change(states[revision - 1].state, revision, states[2]));
    EXPECT_TRUE(kube::same((*store.load())->state, states[2].state)) << "cut to " << size;
  }
  EXPECT_GT(cut_back, whole / 3);
}

TEST_F(StateStoreTest, EverySingleChangedByteOfAChangeIsSeen) {
  {
    StateStore store = open();
    save_all(store, growing(3));
  }
  const std::string journal = directory_ + "/changes-1";
  std::ifstream in(journal, std::ios::binary);
  const std::string good{std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
  for (size_t i = 0; i < good.size(); ++i) {
    std::string bad = good;
    bad[i] = static_cast<char>(bad[i] ^ 1);
    std::ofstream(journal, std::ios::binary | std::ios::trunc) << bad;
    EXPECT_THAT(load_error(), AllOf(HasSubstr("state file " + journal), HasSubstr("move it away")))
        << "byte " << i;
  }
}

TEST_F(StateStoreTest, AChangeThatIsMissingIsDamage) {
  const auto states = growing(4);
  {
    StateStore store = open();
    save_all(store, {states[0], states[1]});
    ASSERT_TRUE(store.save_change(states[2].state, 3, states[3]));
  }
  EXPECT_THAT(load_error(),
              HasSubstr("a change of revision 3, but what comes before it ends with 2"));
}

TEST_F(StateStoreTest, WritingAnewDropsTheChangesItHolds) {
  const auto states = growing(5);
  StateStore store = open();
  save_all(store, {states[0], states[1], states[2]});
  EXPECT_FALSE(store.wants_rewrite()) << "it is little yet";
  store.begin_rewrite();
  ASSERT_TRUE(store.save_change(states[2].state, 3, states[3])) << "meanwhile";
  ASSERT_TRUE(store.rewrite(states[2]));
  EXPECT_FALSE(fs::exists(directory_ + "/changes-1"));
  EXPECT_TRUE(fs::exists(directory_ + "/changes-3"));
  EXPECT_THAT(content(), HasSubstr("p3"));
  ASSERT_TRUE(store.save_change(states[3].state, 4, states[4]));
  EXPECT_TRUE(kube::same((*store.load())->state, states[4].state));
  ASSERT_TRUE(store.save(states[4]));
  EXPECT_FALSE(fs::exists(directory_ + "/changes-3"));
  store.begin_rewrite();
  ASSERT_TRUE(store.rewrite(states[2])) << "of what is older than the file";
  EXPECT_EQ((*store.load())->revision, 5U);
}

TEST_F(StateStoreTest, ALaterFormatIsNamed) {
  fs::create_directory(directory_);
  overwrite("rampart-state 2 and whatever it holds\n{}");
  EXPECT_THAT(load_error(), HasSubstr("it has format 2, this version knows 1"));
}

TEST_F(StateStoreTest, ADirectoryThatIsGone) {
  StateStore store = open();
  fs::remove_all(directory_);
  const auto saved = store.save(stored(1, "p"));
  ASSERT_FALSE(saved);
  EXPECT_EQ(saved.error().code, ErrorCode::kIo);
  EXPECT_THAT(saved.error().text(), HasSubstr(file()));
}

TEST_F(StateStoreTest, AFileInTheWay) {
  std::ofstream(directory_) << "x";
  const auto store = StateStore::open(directory_);
  ASSERT_FALSE(store);
  EXPECT_THAT(store.error().text(), HasSubstr("state directory " + directory_));
}

TEST_F(StateStoreTest, AFailedSaveLeavesTheOldOne) {
  StateStore store = open();
  ASSERT_TRUE(store.save(stored(7, "p")));
  fs::create_directory(directory_ + "/state.new");
  ASSERT_FALSE(store.save(stored(8, "q")));
  const auto loaded = store.load();
  ASSERT_TRUE(loaded && loaded->has_value());
  EXPECT_EQ((*loaded)->revision, 7U);
}

}  // namespace
}  // namespace rampart::store
