// SPDX-License-Identifier: Apache-2.0
#include "dataplane/worker/flow_file.hpp"

#include <gtest/gtest.h>

#include <cstring>
#include <filesystem>
#include <fstream>
#include <string>

namespace rampart {
namespace {

namespace fs = std::filesystem;

FlowCopy<FlowKeyV4> flow4(uint16_t n) {
  FlowCopy<FlowKeyV4> f{};
  f.key.address[0] = be32(0x0a000001);
  f.key.address[1] = be32(0x0a000002);
  f.key.port[0] = be16(n);
  f.key.port[1] = be16(443);
  f.key.protocol = 6;
  f.facts.state = FlowState::kTcpEstablished;
  f.facts.last_seen = 1000U + n;
  f.facts.opener_end = n % 2;
  f.facts.track.tcp.side[0].window = n;
  f.tally.count(Side::kReplier, n);
  return f;
}

FlowCopy<FlowKeyV6> flow6(uint16_t n) {
  FlowCopy<FlowKeyV6> f{};
  f.key.address[0][15] = 1;
  f.key.address[1][15] = 2;
  f.key.port[0] = be16(n);
  f.key.protocol = 17;
  f.facts.state = FlowState::kUdpReplied;
  return f;
}

template <typename Key>
bool same(const FlowCopy<Key>& a, const FlowCopy<Key>& b) {
  return std::memcmp(&a, &b, sizeof a) == 0;
}

class FlowFiles : public testing::Test {
 protected:
  FlowFiles() {
    std::string name = (fs::temp_directory_path() / "flow-file.XXXXXX").string();
    folder = mkdtemp(name.data());
    path = (folder / "flows").string();
  }
  ~FlowFiles() override { fs::remove_all(folder); }

  void write(unsigned v4, unsigned v6, const std::string& wires = kWires) {
    auto w = FlowFileWriter::create(path, wires);
    ASSERT_TRUE(w) << w.error().text();
    for (uint16_t n = 0; n < v4; ++n) ASSERT_TRUE(w->add(flow4(n)));
    for (uint16_t n = 0; n < v6; ++n) ASSERT_TRUE(w->add(flow6(n)));
    ASSERT_TRUE(w->finish(1234567));
  }
  /// Why it is refused.
  std::string refused(const std::string& wires = kWires, unsigned wire_count = 1) {
    const auto file = FlowFile::open(path, wires, wire_count);
    if (file) return "accepted";
    EXPECT_NE(file.error().text().find(path), std::string::npos) << file.error().text();
    return file.error().what;
  }
  std::string bytes() {
    std::ifstream in(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
  }
  void set_bytes(const std::string& all) { std::ofstream(path, std::ios::binary) << all; }

  static constexpr const char* kWires = "left,right";
  fs::path folder;
  std::string path;
};

TEST_F(FlowFiles, WhatWasWrittenIsReadAgain) {
  for (const auto& [v4, v6] : {std::pair{0U, 0U}, {1U, 0U}, {0U, 1U}, {30000U, 500U}}) {
    write(v4, v6);
    const auto file = FlowFile::open(path, kWires, 1);
    ASSERT_TRUE(file) << file.error().text();
    EXPECT_EQ(file->saved_ms(), 1234567U);
    ASSERT_EQ(file->v4().size(), v4);
    ASSERT_EQ(file->v6().size(), v6);
    for (uint16_t n = 0; n < v4; ++n) ASSERT_TRUE(same(file->v4()[n], flow4(n))) << n;
    for (uint16_t n = 0; n < v6; ++n) ASSERT_TRUE(same(file->v6()[n], flow6(n))) << n;
  }
}

TEST_F(FlowFiles, NothingIsLeftOfAFileThatIsNotFinished) {
  {
    auto w = FlowFileWriter::create(path, kWires);
    ASSERT_TRUE(w);
    ASSERT_TRUE(w->add(flow4(1)));
  }
  EXPECT_TRUE(fs::is_empty(folder));
  const auto file = FlowFile::open(path, kWires, 1);
  ASSERT_FALSE(file);
  EXPECT_EQ(file.error().code, ErrorCode::kNotFound);
}

TEST_F(FlowFiles, AnOlderFileStaysUntilTheNewOneIsWhole) {
  write(3, 0);
  {
    auto w = FlowFileWriter::create(path, kWires);
    ASSERT_TRUE(w->add(flow4(1)));
  }
  EXPECT_EQ(FlowFile::open(path, kWires, 1)->v4().size(), 3U);
}

TEST_F(FlowFiles, AFolderThatIsNotThereIsAnErrorWithItsName) {
  const auto w = FlowFileWriter::create((folder / "no" / "flows").string(), kWires);
  ASSERT_FALSE(w);
  EXPECT_NE(w.error().text().find("no/flows.new: open: No such file"), std::string::npos)
      << w.error().text();
}

TEST_F(FlowFiles, EveryDamagedByteIsNoticed) {
  write(3, 2);
  const std::string whole = bytes();
  for (size_t at = 0; at < whole.size(); ++at) {
    // Behind the checksum the head has sixteen bytes that mean nothing yet.
    if (at >= offsetof(FlowFileHead, reserved) && at < sizeof(FlowFileHead)) continue;
    std::string damaged = whole;
    damaged[at] = static_cast<char>(damaged[at] ^ 0x10);
    set_bytes(damaged);
    EXPECT_NE(refused(), "accepted") << "byte " << at;
  }
  set_bytes(whole);
  EXPECT_EQ(refused(), "accepted");
}

TEST_F(FlowFiles, ForeignFilesAreRefusedByName) {
  set_bytes("hello");
  EXPECT_EQ(refused(), "it is cut short");
  set_bytes(std::string(1000, 'x'));
  EXPECT_EQ(refused(), "it is no flow file");
  write(2, 0);
  const std::string whole = bytes();
  set_bytes(whole.substr(0, whole.size() - 1));
  EXPECT_EQ(refused(), "its length is not what it says: cut short or damaged");
  set_bytes(whole);
  EXPECT_EQ(refused("left,right more,others", 2), "it is about other wires: left,right");
  std::string later = whole;
  later[8] = 2;
  set_bytes(later);
  EXPECT_EQ(refused(), "it is of version 2, and only 1 is known here");
}

TEST_F(FlowFiles, FlowsThatCannotBeAreRefused) {
  const auto with = [this](auto change) {
    auto w = FlowFileWriter::create(path, kWires);
    FlowCopy<FlowKeyV4> f = flow4(5);
    change(f);
    EXPECT_TRUE(w->add(f));
    EXPECT_TRUE(w->finish(1));
    return refused();
  };
  const std::string no = "it holds a flow that cannot be";
  EXPECT_EQ(with([](auto&) {}), "accepted");
  EXPECT_EQ(with([](auto& f) { f.facts.opener_end = 2; }), no);
  EXPECT_EQ(with([](auto& f) { f.facts.opener_port = 2; }), no);
  EXPECT_EQ(with([](auto& f) { f.facts.state = FlowState::kCount; }), no);
  EXPECT_EQ(with([](auto& f) { f.facts.state = FlowState::kUdpReplied; }), no);
  EXPECT_EQ(with([](auto& f) { f.key.zone = 1U << 24; }), no);
  EXPECT_EQ(with([](auto& f) { std::swap(f.key.address[0], f.key.address[1]); }), no);
  EXPECT_EQ(with([](auto& f) { f.key.reserved[1] = 1; }), no);
}

}  // namespace
}  // namespace rampart
