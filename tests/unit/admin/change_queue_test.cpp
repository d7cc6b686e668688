// SPDX-License-Identifier: Apache-2.0
#include <map>

#include "tests/unit/admin/admin_test.hpp"

namespace rampart::admin {
namespace {

std::string pod_event(const std::string& name) {
  return R"({"type":"ADDED","object":{"apiVersion":"v1","kind":"Pod","metadata":{"namespace":"web","name":")" +
         name + "\"}}}";
}

std::string snapshot_of(const std::string& name) {
  return R"({"apiVersion":"v1","kind":"List","items":[{"apiVersion":"v1","kind":"Pod",)"
         R"("metadata":{"namespace":"web","name":")" +
         name + "\"}}]}";
}

/// Changes come, and are carried out when work() says so.
class ChangeQueueTest : public AdminTest {
 protected:
  void come(const std::string& who, const std::string& method, const std::string& body,
            const std::string& reason = {}) {
    http::Request request;
    request.method = method;
    request.user_agent = who;
    if (!reason.empty()) request.query.emplace("reason", reason);
    const auto match = router_.find(method, "/v1/snapshot");
    request.body_reader = match.route->body_reader();
    request.body_reader->put(body);
    match.route->queue.submit(request, [this, who](const http::Response& answer) {
      EXPECT_FALSE(answers_.contains(who)) << who << " is answered twice";
      answers_.emplace(who, answer);
    });
  }
  void work() { router_.find("PUT", "/v1/snapshot").route->queue.work(); }
  Document answer_to(const std::string& who, unsigned status) {
    EXPECT_TRUE(answers_.contains(who)) << who;
    EXPECT_EQ(answers_[who].status, status) << answers_[who].body;
    return Document::parse(answers_[who].body);
  }

  std::map<std::string, http::Response> answers_;
};

TEST_F(ChangeQueueTest, WhatWaitsBecomesOneRevisionThatNamesAllSenders) {
  put_cluster();
  come("a", "PATCH", pod_event("a"));
  come("bad", "PATCH", pod_event("B_"));
  come("b", "PATCH", pod_event("b"), "because");
  come("c", "PATCH", pod_event("c"));
  EXPECT_EQ(answers_.size(), 1U);  // what cannot be read is refused at once
  EXPECT_EQ(answer_to("bad", 422)["object"], "web/B_ (line 1)");
  work();
  for (const auto* who : {"a", "b", "c"}) EXPECT_EQ(answer_to(who, 200)["revision"], 2);
  EXPECT_EQ(applier_->in_force()->revision, 2U);
  const Document newest = get("/v1/history")["revisions"][0];
  EXPECT_EQ(newest["revision"], 2);
  EXPECT_EQ(newest["by"]["agent"], "c");
  ASSERT_EQ(newest["others"].size(), 2U);
  EXPECT_EQ(newest["others"][0]["by"]["agent"], "a");
  EXPECT_EQ(newest["others"][1]["by"]["agent"], "b");
  EXPECT_EQ(newest["others"][1]["reason"], "because");
  work();  // once for each: the others find nothing to do
  EXPECT_EQ(applier_->in_force()->revision, 2U);
}

TEST_F(ChangeQueueTest, ALaterSnapshotTakesThePlaceOfOneThatWaits) {
  put_cluster();
  come("first", "PUT", snapshot_of("first"));
  come("event", "PATCH", pod_event("event"));
  EXPECT_TRUE(answers_.empty());
  come("second", "PUT", snapshot_of("second"));
  const Document told = answer_to("first", 409);
  EXPECT_EQ(told["code"], "superseded");
  EXPECT_EQ(told["revision"], 1);
  come("later", "PATCH", pod_event("later"));
  work();
  for (const auto* who : {"event", "second", "later"}) {
    EXPECT_EQ(answer_to(who, 200)["revision"], 2);
  }
  const auto& pods = applier_->in_force()->compiled->state->pods;
  EXPECT_EQ(pods.size(), 2U);
  EXPECT_TRUE(pods.contains({"web", "second"}) && pods.contains({"web", "later"}));
}

TEST_F(ChangeQueueTest, ASnapshotThatCannotBeReadSupersedesNothing) {
  put_cluster();
  come("first", "PUT", snapshot_of("first"));
  come("broken", "PUT", snapshot_of("second") + "x");
  answer_to("broken", 422);
  work();
  EXPECT_EQ(answer_to("first", 200)["revision"], 2);
}

TEST_F(ChangeQueueTest, ADryRunRefusesAtOnceWhatItCannotRead) {
  put_cluster();
  const auto match = router_.find("POST", "/v1/validate");
  const auto try_out = [&](const std::string& who, const std::string& body) {
    http::Request request;
    request.method = "POST";
    request.body_reader = match.route->body_reader();
    request.body_reader->put(body);
    match.route->queue.submit(
        request, [this, who](const http::Response& answer) { answers_.emplace(who, answer); });
  };
  try_out("bad", snapshot_of("B_"));
  try_out("good", snapshot_of("good"));
  EXPECT_EQ(answers_.size(), 1U);
  answer_to("bad", 422);
  match.route->queue.work();  // that of the one that was refused
  EXPECT_EQ(answers_.size(), 1U);
  match.route->queue.work();
  EXPECT_EQ(answer_to("good", 200)["changed"], true);
  EXPECT_EQ(applier_->in_force()->revision, 1U);
}

}  // namespace
}  // namespace rampart::admin
