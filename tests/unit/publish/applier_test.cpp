// SPDX-License-Identifier: Apache-2.0
#include "control/publish/applier.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <filesystem>
#include <fstream>
#include <functional>
#include <future>
#include <thread>

#include "control/kube/events.hpp"
#include "tests/support/fake_dataplane.hpp"

namespace rampart::publish {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
namespace fs = std::filesystem;

std::string list(std::string_view items) {
  return R"({"apiVersion":"v1","kind":"List","items":[)" + std::string(items) + "]}";
}

std::string pod(const std::string& name, const std::string& address) {
  return R"({"apiVersion":"v1","kind":"Pod","metadata":{"name":")" + name +
         R"(","namespace":"web"},"status":{"podIP":")" + address + "\"}}";
}

const std::string kDeny =
    R"({"apiVersion":"networking.k8s.io/v1","kind":"NetworkPolicy",)"
    R"("metadata":{"name":"deny","namespace":"web"},"spec":{"podSelector":{}}})";
const std::string kTwoPods = list(pod("a", "10.0.0.1") + "," + pod("b", "10.0.0.2"));
const std::string kTwoPodsDenied =
    list(pod("a", "10.0.0.1") + "," + pod("b", "10.0.0.2") + "," + kDeny);

class ApplierTest : public ::testing::Test {
 protected:
  ApplierTest() {
    char folder[] = "/tmp/rampart-applier-XXXXXX";
    folder_ = mkdtemp(folder);
    reopen();
  }
  ~ApplierTest() override {
    applier_.reset();
    fs::remove_all(folder_);
  }

  /// As after a restart.
  void reopen() {
    applier_.reset();
    store_.reset();
    dataplane_ = std::make_unique<test::FakeDataplane>();
    auto store = store::StateStore::open(state_dir());
    ASSERT_TRUE(store) << store.error().text();
    store_.emplace(*std::move(store));
    Applier::Parts parts{*dataplane_, *store_, kube::Limits{},
                         [this](const std::string& line) { log_.push_back(line); }};
    parts.compile = [this](auto state, Revision revision, const compile::Compiled* previous) {
      if (compile_error_) {
        return Result<std::shared_ptr<const compile::Compiled>>(*compile_error_);
      }
      ++compiled_;
      if (while_compiling_) while_compiling_();
      if (!bad_pod_.empty() && state->pods.contains({"web", bad_pod_})) {
        return Result<std::shared_ptr<const compile::Compiled>>(
            Error{ErrorCode::kNoMemory, "does not fit", {}});
      }
      auto made = compile::compile(std::move(state), revision, previous);
      if (!forgets_isolation_ || !made) return made;
      // A bug: no pod is isolated any more.
      auto wrong = std::make_shared<compile::Compiled>(**made);
      auto rules = std::make_shared<RuleSet>(*wrong->rules);
      rules->addresses = *AddressMap::build({}, {}, {}, revision, nullptr);
      wrong->rules = std::move(rules);
      return Result<std::shared_ptr<const compile::Compiled>>(std::move(wrong));
    };
    applier_ = std::make_unique<Applier>(std::move(parts));
  }
  std::string state_dir() const { return folder_ + "/state"; }

  Accepted accept(const Outcome& outcome) {
    if (const auto* refused = std::get_if<Refused>(&outcome)) {
      ADD_FAILURE() << refused->refusal.text();
      return {applier_->in_force(), false, {}, {}};
    }
    return std::get<Accepted>(outcome);
  }
  Refused refuse(const Outcome& outcome) {
    const auto* refused = std::get_if<Refused>(&outcome);
    EXPECT_NE(refused, nullptr) << "it was accepted";
    return refused != nullptr ? *refused : Refused{};
  }
  /// What the rule set that workers use says of a connection between the two pods.
  bool passes() const {
    const auto rules = dataplane_->rules();
    if (rules->mode != RuleSet::Mode::kByTables) return rules->mode == RuleSet::Mode::kPassAll;
    const Question question{rules->addresses->find(*IpAddress::parse("10.0.0.1")),
                            rules->addresses->find(*IpAddress::parse("10.0.0.2")), 6, 80};
    Verdict verdict;
    judge(*rules, &question, 1, &verdict);
    return verdict.outcome == rampart::Outcome::kAllow;
  }

  std::string folder_;
  std::unique_ptr<test::FakeDataplane> dataplane_;
  std::optional<store::StateStore> store_;
  std::optional<Error> compile_error_;
  std::function<void()> while_compiling_;
  std::string bad_pod_;  ///< what has it does not compile
  int compiled_ = 0;
  bool forgets_isolation_ = false;
  std::vector<std::string> log_;
  std::unique_ptr<Applier> applier_;
};

TEST_F(ApplierTest, NothingIsInForceAtFirst) {
  EXPECT_EQ(applier_->in_force()->revision, 0U);
  EXPECT_EQ(applier_->in_force()->compiled, nullptr);
  ASSERT_TRUE(applier_->restore());
  EXPECT_EQ(dataplane_->published, 0U);
}

TEST_F(ApplierTest, PutsASnapshotInForce) {
  const Accepted first = accept(applier_->put(kTwoPods, {}));
  EXPECT_TRUE(first.changed);
  EXPECT_EQ(first.in_force->revision, 1U);
  EXPECT_EQ(first.in_force, applier_->in_force());
  EXPECT_EQ(dataplane_->rules()->revision, 1U);
  EXPECT_TRUE(passes());
  EXPECT_EQ(accept(applier_->put(kTwoPodsDenied, {})).in_force->revision, 2U);
  EXPECT_FALSE(passes());
  EXPECT_THAT(log_.back(), HasSubstr("revision 2 is in force: 2 pods, 1 policies"));
}

TEST_F(ApplierTest, TheSameContentIsNoNewRevision) {
  accept(applier_->put(kTwoPods, {}));
  const Accepted again =
      accept(applier_->put(list(pod("b", "10.0.0.2") + "," + pod("a", "10.0.0.1") +
                                R"(,{"apiVersion":"v1","kind":"Secret"})"),
                           {}));
  EXPECT_FALSE(again.changed);
  EXPECT_EQ(again.in_force->revision, 1U);
  EXPECT_THAT(again.skipped, ElementsAre(kube::SkippedKind{"Secret", 1}));
  EXPECT_EQ(dataplane_->published, 1U);
}

TEST_F(ApplierTest, AnEmptySnapshotIsARevisionToo) {
  EXPECT_EQ(accept(applier_->put(list(""), {})).in_force->revision, 1U);
  EXPECT_TRUE(passes()) << "no policy isolates anything";
}

TEST_F(ApplierTest, EventsChangeIt) {
  accept(applier_->put(kTwoPods, {}));
  const Accepted changed =
      accept(applier_->patch("{\"type\":\"ADDED\",\"object\":" + kDeny + "}\n" +
                                 "{\"type\":\"DELETED\",\"object\":" + pod("a", "10.0.0.1") + "}\n",
                             {}));
  EXPECT_EQ(changed.in_force->revision, 2U) << "all of a request is one revision";
  EXPECT_EQ(changed.in_force->compiled->state->pods.size(), 1U);
  EXPECT_FALSE(passes());
  EXPECT_FALSE(accept(applier_->patch("{\"type\":\"BOOKMARK\",\"object\":{}}", {})).changed);
}

TEST_F(ApplierTest, EventsNeedASnapshot) {
  const Refused refused = refuse(applier_->patch("{\"type\":\"BOOKMARK\",\"object\":{}}", {}));
  EXPECT_EQ(refused.why, Refused::Why::kNoSnapshotYet);
  EXPECT_EQ(refused.refusal.code, ErrorCode::kConflict);
}

TEST_F(ApplierTest, OnlyOnTopOfTheExpectedRevision) {
  EXPECT_EQ(refuse(applier_->put(kTwoPods, 1)).why, Refused::Why::kWrongRevision);
  EXPECT_EQ(accept(applier_->put(kTwoPods, 0)).in_force->revision, 1U);
  const Refused refused = refuse(applier_->put(kTwoPodsDenied, 7));
  EXPECT_EQ(refused.why, Refused::Why::kWrongRevision);
  EXPECT_EQ(refused.in_force, 1U);
  EXPECT_TRUE(passes());
  EXPECT_EQ(refuse(applier_->patch("{\"type\":\"BOOKMARK\",\"object\":{}}", 2)).why,
            Refused::Why::kWrongRevision);
  EXPECT_EQ(accept(applier_->put(kTwoPodsDenied, 1)).in_force->revision, 2U);
}

TEST_F(ApplierTest, WhatIsRefusedChangesNothing) {
  accept(applier_->put(kTwoPodsDenied, {}));
  const auto before = applier_->in_force();
  const Refused refused =
      refuse(applier_->put(list(pod("a", "10.0.0.1") + "," + pod("b", "not-an-address")), {}));
  EXPECT_EQ(refused.why, Refused::Why::kRefused);
  EXPECT_EQ(refused.refusal.object, "web/b");
  EXPECT_EQ(refused.in_force, 1U);
  EXPECT_EQ(refuse(applier_->put("{", {})).in_force, 1U);
  EXPECT_EQ(refuse(applier_->patch("{\"type\":\"ERROR\",\"object\":{}}", {})).in_force, 1U);
  EXPECT_EQ(applier_->in_force(), before);
  EXPECT_EQ(dataplane_->published, 1U);
  EXPECT_FALSE(passes());
  EXPECT_THAT(log_.back(), HasSubstr("revision 1 is in force: "));
  reopen();
  ASSERT_TRUE(applier_->restore());
  EXPECT_EQ(applier_->in_force()->revision, 1U);
}

TEST_F(ApplierTest, ARuleSetThatDoesNotFitChangesNothing) {
  accept(applier_->put(kTwoPodsDenied, {}));
  compile_error_ = Error{ErrorCode::kNoMemory, "DPDK's heap is too small", "acl"};
  const Refused refused = refuse(applier_->put(kTwoPods, {}));
  EXPECT_EQ(refused.refusal.code, ErrorCode::kNoMemory);
  EXPECT_EQ(refused.refusal.text(), "acl: DPDK's heap is too small");
  EXPECT_EQ(applier_->in_force()->revision, 1U);
  EXPECT_FALSE(passes());
  compile_error_.reset();
  EXPECT_EQ(accept(applier_->put(kTwoPods, {})).in_force->revision, 2U);
}

TEST_F(ApplierTest, RulesThatDoNotSayWhatThePoliciesSayAreRefusedAndKept) {
  const Accepted first = accept(applier_->put(kTwoPods, {}));
  EXPECT_GT(first.in_force->probes, 0U);
  forgets_isolation_ = true;
  const Refused refused = refuse(applier_->put(kTwoPodsDenied, {}));
  EXPECT_EQ(refused.why, Refused::Why::kWrongRules);
  EXPECT_THAT(refused.refusal.text(), HasSubstr("the rules of revision 2: a bug: 10.0.0."));
  EXPECT_EQ(applier_->in_force(), first.in_force);
  EXPECT_EQ(dataplane_->published, 1U);
  EXPECT_EQ(applier_->counterexamples(), 1U);
  std::ifstream in(state_dir() + "/counterexample");
  const std::string kept{std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
  EXPECT_THAT(kept, HasSubstr(refused.refusal.text()));
  EXPECT_THAT(kept, HasSubstr(R"("kind":"NetworkPolicy","metadata":{"name":"deny")"));
  forgets_isolation_ = false;
  accept(applier_->put(kTwoPodsDenied, {}));
  EXPECT_EQ(applier_->counterexamples(), 1U);
  EXPECT_FALSE(passes());
}

TEST_F(ApplierTest, AFailedPublicationChangesNothing) {
  accept(applier_->put(kTwoPodsDenied, {}));
  dataplane_->publish_error = Error{ErrorCode::kIo, "a worker does not answer", {}};
  EXPECT_EQ(refuse(applier_->put(kTwoPods, {})).refusal.code, ErrorCode::kIo);
  EXPECT_EQ(applier_->in_force()->revision, 1U);
  reopen();
  ASSERT_TRUE(applier_->restore());
  EXPECT_FALSE(passes()) << "nor was it stored";
}

TEST_F(ApplierTest, AWorkerThatDoesNotAnswerIsToldOf) {
  accept(applier_->put(kTwoPodsDenied, {}));
  dataplane_->publish_error = Error{ErrorCode::kIo, "a worker does not answer", {}};
  dataplane_->publishes_all_the_same = true;
  const Refused refused = refuse(applier_->put(kTwoPods, {}));
  EXPECT_EQ(refused.refusal.code, ErrorCode::kIo);
  EXPECT_EQ(refused.in_force, 2U) << "what the other workers use";
  EXPECT_EQ(applier_->in_force()->revision, 2U);
  EXPECT_TRUE(passes());
}

Submission events(const std::string& name, std::optional<Revision> expected = {}) {
  kube::EventsDecoder decoder;
  decoder.put(R"({"type":"ADDED","object":)" + pod(name, "10.0.1." + std::to_string(name[0])) +
              "}");
  return {*std::move(decoder).finish(), 0, expected};
}

TEST_F(ApplierTest, ChangesInARowAreOneRevision) {
  accept(applier_->put(kTwoPods, {}));
  compiled_ = 0;
  std::vector<Submission> three;
  three.push_back(events("x"));
  three.push_back({*kube::decode_snapshot(kTwoPodsDenied), 0, {}});
  three.push_back(events("y"));
  const auto outcomes = applier_->apply(std::move(three));
  ASSERT_EQ(outcomes.size(), 3U);
  for (const auto& outcome : outcomes) {
    EXPECT_EQ(accept(outcome).in_force->revision, 2U);
    EXPECT_TRUE(accept(outcome).changed);
  }
  EXPECT_EQ(compiled_, 1);
  const auto& pods = applier_->in_force()->compiled->state->pods;
  EXPECT_FALSE(pods.contains({"web", "x"}));  // the snapshot after it does not have it
  EXPECT_TRUE(pods.contains({"web", "y"}));
  EXPECT_FALSE(passes());
}

TEST_F(ApplierTest, OneThatDoesNotFitSpoilsNoOther) {
  accept(applier_->put(kTwoPods, {}));
  bad_pod_ = "bad";
  std::vector<Submission> three;
  three.push_back(events("x"));
  three.push_back(events("bad"));
  three.push_back(events("y"));
  const auto outcomes = applier_->apply(std::move(three));
  EXPECT_EQ(accept(outcomes[0]).in_force->revision, 2U);
  EXPECT_EQ(refuse(outcomes[1]).refusal.reason, "does not fit");
  EXPECT_EQ(accept(outcomes[2]).in_force->revision, 3U);
  const auto& pods = applier_->in_force()->compiled->state->pods;
  EXPECT_TRUE(pods.contains({"web", "x"}) && pods.contains({"web", "y"}));
  EXPECT_FALSE(pods.contains({"web", "bad"}));
}

TEST_F(ApplierTest, AnExpectedRevisionBeginsOneOfItsOwn) {
  accept(applier_->put(kTwoPods, {}));
  std::vector<Submission> four;
  four.push_back(events("x", 1));
  four.push_back(events("y", 1));
  four.push_back(events("z", 2));
  four.push_back(events("w"));
  const auto outcomes = applier_->apply(std::move(four));
  EXPECT_EQ(accept(outcomes[0]).in_force->revision, 2U);
  EXPECT_EQ(refuse(outcomes[1]).why, Refused::Why::kWrongRevision);
  EXPECT_EQ(accept(outcomes[2]).in_force->revision, 3U);
  EXPECT_EQ(accept(outcomes[3]).in_force->revision, 3U);
}

TEST_F(ApplierTest, ValidationChangesNothing) {
  EXPECT_TRUE(accept(applier_->validate(kTwoPods)).changed);
  EXPECT_EQ(applier_->in_force()->revision, 0U);
  accept(applier_->put(kTwoPods, {}));
  const Accepted tried = accept(applier_->validate(kTwoPodsDenied));
  EXPECT_TRUE(tried.changed);
  EXPECT_EQ(tried.in_force->revision, 1U);
  EXPECT_EQ(tried.in_force->compiled->state->policies.size(), 1U);
  EXPECT_FALSE(accept(applier_->validate(kTwoPods)).changed);
  EXPECT_EQ(refuse(applier_->validate("[]")).in_force, 1U);
  EXPECT_EQ(applier_->in_force()->revision, 1U);
  EXPECT_EQ(dataplane_->published, 1U);
  EXPECT_TRUE(passes());
}

TEST_F(ApplierTest, IsInForceAgainAfterARestart) {
  accept(applier_->put(kTwoPods, {}));
  accept(applier_->put(kTwoPodsDenied, {}));
  const auto accepted = applier_->in_force()->accepted;
  reopen();
  EXPECT_FALSE(passes()) << "the fake drops before the first revision";
  ASSERT_TRUE(applier_->restore());
  EXPECT_EQ(dataplane_->rules()->revision, 2U);
  EXPECT_EQ(applier_->in_force()->revision, 2U);
  EXPECT_LT(accepted - applier_->in_force()->accepted, std::chrono::milliseconds(1));
  EXPECT_FALSE(accept(applier_->put(kTwoPodsDenied, {})).changed);
  EXPECT_EQ(accept(applier_->put(kTwoPods, {})).in_force->revision, 3U) << "numbers go on";
  EXPECT_TRUE(passes());
}

TEST_F(ApplierTest, ADamagedStateStopsTheStart) {
  accept(applier_->put(kTwoPods, {}));
  reopen();
  std::ofstream(state_dir() + "/state") << "rubbish";
  const auto restored = applier_->restore();
  ASSERT_FALSE(restored);
  EXPECT_THAT(restored.error().text(), HasSubstr(state_dir() + "/state"));
  EXPECT_EQ(dataplane_->published, 0U);
}

TEST_F(ApplierTest, AStateThatDoesNotFitAnyMoreStopsTheStart) {
  accept(applier_->put(kTwoPods, {}));
  reopen();
  compile_error_ = Error{ErrorCode::kNoMemory, "DPDK's heap is too small", "acl"};
  const auto restored = applier_->restore();
  ASSERT_FALSE(restored);
  EXPECT_THAT(restored.error().text(), AllOf(HasSubstr("state file"), HasSubstr("too small")));
}

TEST_F(ApplierTest, AFailingDiskDoesNotFreezePolicy) {
  accept(applier_->put(kTwoPods, {}));
  fs::create_directory(state_dir() + "/changes-1");
  fs::create_directory(state_dir() + "/state.new");
  const Accepted accepted = accept(applier_->put(kTwoPodsDenied, {}));
  EXPECT_FALSE(passes());
  EXPECT_THAT(accepted.in_force->not_stored, HasSubstr(state_dir()));
  applier_->save_again();
  EXPECT_FALSE(applier_->in_force()->not_stored.empty());
  fs::remove(state_dir() + "/state.new");
  fs::remove(state_dir() + "/changes-1");
  applier_->save_again();
  EXPECT_EQ(applier_->in_force()->not_stored, "");
  reopen();
  ASSERT_TRUE(applier_->restore());
  EXPECT_EQ(applier_->in_force()->revision, 2U);
}

TEST_F(ApplierTest, StoringAgainDoesNotWaitForAChange) {
  fs::create_directory(state_dir() + "/state.new");
  accept(applier_->put(kTwoPods, {}));
  ASSERT_NE(applier_->in_force()->not_stored, "");
  std::future<void> storing;
  auto ended = std::future_status::timeout;
  while_compiling_ = [&] {
    storing = std::async(std::launch::async, [&] { applier_->save_again(); });
    ended = storing.wait_for(std::chrono::seconds(10));
  };
  accept(applier_->put(kTwoPodsDenied, {}));
  EXPECT_EQ(ended, std::future_status::ready) << "it waited until the change was over";
}

TEST_F(ApplierTest, AChangeAfterOneThatCouldNotBeStoredIsNotLost) {
  accept(applier_->put(kTwoPods, {}));
  fs::create_directory(state_dir() + "/changes-1");
  EXPECT_NE(accept(applier_->put(kTwoPodsDenied, {})).in_force->not_stored, "");
  const std::string more = "{\"type\":\"ADDED\",\"object\":" + pod("c", "10.0.0.3") + "}";
  EXPECT_EQ(accept(applier_->patch(more, {})).in_force->not_stored, "");
  fs::remove(state_dir() + "/changes-1");
  reopen();
  ASSERT_TRUE(applier_->restore());
  EXPECT_EQ(applier_->in_force()->revision, 3U);
  EXPECT_EQ(applier_->in_force()->compiled->state->pods.size(), 3U);
  EXPECT_FALSE(passes());
}

TEST_F(ApplierTest, ChangesFromManyThreadsQueueUp) {
  accept(applier_->put(list(""), {}));
  std::vector<std::thread> threads;
  threads.reserve(4);
  std::atomic<unsigned> accepted = 0;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([this, t, &accepted] {
      for (int i = 0; i < 5; ++i) {
        const auto outcome =
            applier_->patch("{\"type\":\"ADDED\",\"object\":" +
                                pod("p" + std::to_string(t) + "-" + std::to_string(i),
                                    "10.1." + std::to_string(t) + "." + std::to_string(i)) +
                                "}",
                            {});
        accepted += std::holds_alternative<Accepted>(outcome);
      }
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(accepted, 20U);
  EXPECT_EQ(applier_->in_force()->revision, 21U);
  EXPECT_EQ(applier_->in_force()->compiled->state->pods.size(), 20U);
}

}  // namespace
}  // namespace rampart::publish
