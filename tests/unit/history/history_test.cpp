// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <string>
#include <vector>

#include "control/history/history.hpp"
#include "control/kube/decode.hpp"
#include "control/kube/encode.hpp"

namespace rampart::history {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

std::string pod(const std::string& name) {
  return R"({"apiVersion":"v1","kind":"Pod","metadata":{"name":")" + name +
         R"(","namespace":"web"},"status":{"podIP":"10.0.0.1"}})";
}

std::string policy(const std::string& name, int port) {
  return R"({"apiVersion":"networking.k8s.io/v1","kind":"NetworkPolicy","metadata":{"name":")" +
         name + R"(","namespace":"web"},"spec":{"podSelector":{},"ingress":[{"ports":[{"port":)" +
         std::to_string(port) + "}]}]}}";
}

const std::string kUnsupported =
    R"({"apiVersion":"policy.networking.k8s.io/v1alpha2","kind":"ClusterNetworkPolicy",)"
    R"("metadata":{"name":"deny"},"spec":{}})";

History::State state(const std::vector<std::string>& objects) {
  std::string json = R"({"apiVersion":"v1","kind":"List","items":[)";
  for (const std::string& object : objects) json += (json.back() == '[' ? "" : ",") + object;
  auto decoded = kube::decode_snapshot(json + "]}");
  EXPECT_TRUE(decoded) << decoded.error().text();
  return std::make_shared<const kube::ClusterState>(std::move(decoded->state));
}

class HistoryTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string name = testing::TempDir() + "history-XXXXXX";
    ASSERT_NE(mkdtemp(name.data()), nullptr);
    folder_ = name;
    start(0, nullptr);
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  void start(Revision revision, History::State in_force) {
    log_.clear();
    history_ = std::make_unique<History>(
        History::Parts{.directory = folder_ + "/history",
                       .log = [this](const std::string& line) { log_ += line + "\n"; },
                       .cuts = [this] { return cuts_; },
                       .most_entries = most_},
        revision, std::move(in_force));
  }
  void note(Revision revision, const History::State& now, const std::string& reason = {}) {
    Entry entry;
    entry.last = revision;
    entry.when = std::chrono::system_clock::time_point(std::chrono::seconds(1767225600 + revision));
    entry.by = {0, "root", 4711, "rampartctl", "rampartctl/0.1.0"};
    entry.others = others_;
    entry.action = "apply";
    entry.reason = reason;
    history_->note(std::move(entry), now, cuts_);
  }
  std::vector<std::string> revisions() const {
    std::vector<std::string> all;
    for (const Entry& entry : history_->entries()) {
      all.push_back(std::to_string(entry.first) + "-" + std::to_string(entry.last));
    }
    return all;
  }
  std::string policies_of(Revision revision) const {
    const auto found = history_->policies_of(revision);
    return found ? kube::encode_snapshot(*found) : found.error().text();
  }
  std::string file(Revision first) const { return folder_ + "/history/" + std::to_string(first); }

  std::string folder_, log_;
  std::vector<Sender> others_;
  uint64_t cuts_ = 0;
  size_t most_ = 100;
  std::unique_ptr<History> history_;
};

TEST_F(HistoryTest, EachRevisionHasItsLine) {
  note(1, state({pod("a"), policy("p", 80)}), "the first");
  cuts_ = 5;
  note(2, state({pod("a"), policy("p", 81), policy("q", 1), kUnsupported}));
  cuts_ = 7;
  note(3, state({pod("a"), policy("p", 81)}));
  cuts_ = 8;
  const auto entries = history_->entries();
  ASSERT_EQ(entries.size(), 3U);
  EXPECT_THAT(
      entries[0].policies,
      ElementsAre("- NetworkPolicy web/q", "- ClusterNetworkPolicy.policy.networking.k8s.io deny"));
  EXPECT_EQ(entries[0].cut, 1U) << "so far";
  EXPECT_THAT(entries[1].policies,
              ElementsAre("~ NetworkPolicy web/p", "+ NetworkPolicy web/q",
                          "+ ClusterNetworkPolicy.policy.networking.k8s.io deny"));
  EXPECT_EQ(entries[1].cut, 2U);
  EXPECT_EQ(entries[1].counts.at("NetworkPolicy"), (Count{1, 1, 0}));
  EXPECT_EQ(entries[2].cut, 5U);
  EXPECT_EQ(entries[2].reason, "the first");
  EXPECT_EQ(entries[2].by, (Caller{0, "root", 4711, "rampartctl", "rampartctl/0.1.0"}));
  EXPECT_EQ(entries[2].counts.at("Pod"), (Count{1, 0, 0}));
  note(3, state({pod("a")}));
  EXPECT_EQ(history_->entries().size(), 3U) << "a revision that is known already is no new one";
}

TEST_F(HistoryTest, FlowsEndedByHandAreNoRevisionsDoing) {
  note(1, state({policy("p", 80)}));
  cuts_ = 10;
  history_->discount(9);
  EXPECT_EQ(history_->entries()[0].cut, 1U);
}

TEST_F(HistoryTest, PodsAreOneLineUntilAPolicyChanges) {
  note(1, state({pod("a"), policy("p", 80)}));
  note(2, state({pod("a"), pod("b"), policy("p", 80)}));
  note(3, state({pod("b"), policy("p", 80)}));
  note(4, state({pod("b"), policy("p", 81)}));
  note(5, state({pod("c"), policy("p", 81)}));
  EXPECT_THAT(revisions(), ElementsAre("5-5", "4-4", "2-3", "1-1"));
  EXPECT_EQ(history_->entries()[2].counts.at("Pod"), (Count{1, 0, 1}));
}

TEST_F(HistoryTest, GoesBackToThePoliciesOfARevisionAndNotToItsPods) {
  const auto first = state({pod("a"), policy("p", 80), kUnsupported});
  note(1, first);
  note(2, state({pod("b"), policy("p", 81), policy("q", 1)}));
  note(3, state({pod("c")}));
  EXPECT_EQ(policies_of(1),
            kube::encode_snapshot(*state({pod("c"), policy("p", 80), kUnsupported})));
  EXPECT_EQ(policies_of(2),
            kube::encode_snapshot(*state({pod("c"), policy("p", 81), policy("q", 1)})));
  EXPECT_EQ(policies_of(3), kube::encode_snapshot(*state({pod("c")})));
  EXPECT_EQ(policies_of(4), "there is no revision 4 yet");
  EXPECT_EQ(policies_of(0), "revision 0 is not kept; the oldest is 1");
}

TEST_F(HistoryTest, SurvivesARestart) {
  note(1, state({pod("a"), policy("p", 80)}), "why not");
  const auto last = state({pod("a"), policy("p", 81)});
  cuts_ = 4;
  others_ = {{{7, "ci", 12, "curl", "curl/8"}, "delta", "why"}};
  note(2, last);
  others_.clear();
  cuts_ = 6;
  history_->save();
  const auto before = history_->entries();
  cuts_ = 0;  // counters start anew
  start(2, last);
  EXPECT_THAT(log_, IsEmpty());
  const auto after = history_->entries();
  ASSERT_EQ(after.size(), 2U);
  for (size_t i = 0; i < 2; ++i) {
    EXPECT_EQ(after[i].policies, before[i].policies);
    EXPECT_EQ(after[i].counts, before[i].counts);
    EXPECT_EQ(after[i].when, before[i].when);
    EXPECT_EQ(after[i].by, before[i].by);
    EXPECT_EQ(after[i].others.size(), i == 0 ? 1U : 0U);
    EXPECT_EQ(after[i].others, before[i].others);
    EXPECT_EQ(after[i].cut, before[i].cut) << i;
    EXPECT_EQ(after[i].reason, before[i].reason);
  }
  EXPECT_EQ(policies_of(1), kube::encode_snapshot(*state({pod("a"), policy("p", 80)})));
  cuts_ = 1;
  note(3, state({pod("a")}));
  EXPECT_EQ(history_->entries()[1].cut, before[0].cut + 1);
  EXPECT_EQ(policies_of(1), kube::encode_snapshot(*state({pod("a"), policy("p", 80)})));
}

TEST_F(HistoryTest, ADamagedFileIsNamedAndIgnoredWithWhatIsOlder) {
  note(1, state({policy("p", 80)}));
  note(2, state({policy("p", 81)}));
  const auto last = state({policy("p", 82)});
  note(3, last);
  history_->save();
  const std::string whole = [&] {
    std::ifstream in(file(2));
    return std::string{std::istreambuf_iterator<char>(in), {}};
  }();
  for (const auto& [text, why] : std::vector<std::pair<std::string, std::string>>{
           {"", "its first line is not ours"},
           {whole.substr(0, whole.size() - 1), "bytes instead of"},
           {whole.substr(0, whole.size() - 1) + "x", "its checksum does not fit"},
           {"rampart-history 2 bytes=0 crc64=0\n", "it is of another version"}}) {
    std::ofstream(file(2)) << text;
    start(3, last);
    EXPECT_THAT(log_, HasSubstr("history file " + file(2) + ": ")) << why;
    EXPECT_THAT(log_, HasSubstr(why));
    EXPECT_THAT(revisions(), ElementsAre("3-3"));
    EXPECT_EQ(policies_of(1), "revision 1 is not kept; the oldest is 2");
  }
  std::ofstream(file(2)) << whole;
  start(3, last);
  EXPECT_THAT(revisions(), ElementsAre("3-3", "2-2", "1-1"));
}

TEST_F(HistoryTest, AMissingEntryBreaksTheWayBackAndIsNoticed) {
  note(1, state({policy("p", 80)}));
  note(2, state({policy("p", 81)}));
  const auto last = state({policy("p", 82)});
  note(3, last);
  std::filesystem::remove(file(2));
  start(3, last);
  EXPECT_THAT(log_, HasSubstr("history file " + file(1) + ": the policies have changed since"));
  EXPECT_THAT(revisions(), ElementsAre("3-3"));
}

TEST_F(HistoryTest, PodsThatACrashForgetsBreakNothing) {
  note(1, state({pod("a"), policy("p", 80)}));
  note(2, state({pod("a"), policy("p", 81)}));
  const auto last = state({pod("b"), policy("p", 81)});
  note(3, last);
  start(3, last);  // without save(): the line about the pods is lost
  EXPECT_THAT(log_, IsEmpty());
  EXPECT_THAT(revisions(), ElementsAre("2-2", "1-1"));
  EXPECT_EQ(policies_of(1), kube::encode_snapshot(*state({pod("b"), policy("p", 80)})));
}

TEST_F(HistoryTest, AFutureThatIsGoneIsForgotten) {
  const auto first = state({policy("p", 80)});
  note(1, first);
  note(2, state({policy("p", 81)}));
  start(1, first);  // revision 2 never reached the state file
  EXPECT_THAT(revisions(), ElementsAre("1-1"));
  EXPECT_FALSE(std::filesystem::exists(file(2)));
}

TEST_F(HistoryTest, OnlySoManyAreKept) {
  most_ = 3;
  start(0, nullptr);
  for (int i = 1; i <= 5; ++i) note(static_cast<Revision>(i), state({policy("p", i)}));
  EXPECT_THAT(revisions(), ElementsAre("5-5", "4-4", "3-3"));
  EXPECT_FALSE(std::filesystem::exists(file(2)));
  EXPECT_TRUE(std::filesystem::exists(file(3)));
  EXPECT_EQ(policies_of(1), "revision 1 is not kept; the oldest is 2");
  EXPECT_EQ(policies_of(2), kube::encode_snapshot(*state({policy("p", 2)})));
}

TEST_F(HistoryTest, ADirectoryThatCannotBeMadeIsALineInTheLog) {
  folder_ += "/no/such";
  start(0, nullptr);
  EXPECT_THAT(log_, HasSubstr("history " + folder_ + "/history: mkdir: "));
  note(1, state({policy("p", 80)}));
  EXPECT_EQ(revisions().size(), 1U) << "it is remembered all the same";
}

}  // namespace
}  // namespace rampart::history
