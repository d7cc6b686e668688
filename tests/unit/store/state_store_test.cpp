// SPDX-License-Identifier: Apache-2.0
#include "control/store/state_store.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "control/kube/decode.hpp"

namespace rampart::store {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
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
