// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "control/kube/decode.hpp"
#include "tests/unit/ctl/run_program.hpp"
#include "tools/rampartctl/session.hpp"

// The commands that send objects, against answers as docs/api.md shows them.
namespace rampart::ctl {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

constexpr const char* kPod = R"(apiVersion: v1
kind: Pod
metadata: {namespace: web, name: a, labels: {app: web}}
spec: {nodeName: n1}
status: {podIP: 10.0.0.1, phase: Running}
)";
constexpr const char* kPolicy = R"(apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {namespace: web, name: allow}
spec:
  podSelector: {}
  ingress:
  - ports: [{port: 80}]
)";

std::string both() {
  return std::string(kPod) + "---\n" + kPolicy;
}
std::string accepted() {
  return api_example("PUT and PATCH");
}
std::string problem() {
  return api_example("Problem document");
}

class Sending : public testing::Test {
 protected:
  void SetUp() override {
    std::string name = testing::TempDir() + "rampartctl-XXXXXX";
    ASSERT_NE(mkdtemp(name.data()), nullptr);
    dir_ = name;
  }
  void TearDown() override { std::filesystem::remove_all(dir_); }
  std::string write(const std::string& name, const std::string& text) {
    std::ofstream(dir_ + "/" + name) << text;
    return dir_ + "/" + name;
  }
  std::string dir_;
};

TEST_F(Sending, ApplyPutsOneListOfEverything) {
  const Stand stand(accepted());
  const Outcome outcome = stand.run({"apply", "-f", write("pod.yaml", kPod), "-f", "-"}, kPolicy);
  EXPECT_EQ(outcome.status, kDone) << outcome.err;
  ASSERT_THAT(stand.calls(), ElementsAre("PUT /v1/snapshot"));
  const auto asked = stand.asked()[0];
  EXPECT_EQ(asked.header("Content-Type"), "application/json");
  EXPECT_EQ(asked.header("If-Match"), "");
  const auto state = kube::decode_snapshot(asked.body);
  ASSERT_TRUE(state) << state.error().text();
  EXPECT_EQ(state->state.pods.size(), 1U);
  EXPECT_EQ(state->state.policies.size(), 1U);
}

TEST_F(Sending, ApplySaysWhatIsInForceNow) {
  const Stand stand(accepted());
  const Outcome outcome = stand.run({"apply", "-f", "-"}, both());
  EXPECT_EQ(outcome.out,
            "revision 7 is in force on every worker\n"
            "  objects   3 namespaces, 9 pods, 3 nodes, 2 policies\n"
            "  compiled  12 addresses in 5 classes, 3 subjects, 6 rules\n"
            "  took      decode 0.4 ms, compile 1.2 ms, swap 0.1 ms\n"
            "  skipped   4 ConfigMap (policy does not speak of them)\n");
  EXPECT_EQ(outcome.err, "warning: ClusterNetworkPolicy deny: \xE2\x80\xA6 (unsupported-policy)\n");
}

TEST_F(Sending, ApplySaysThatNothingChanged) {
  std::string body = accepted();
  body.replace(body.find("true"), 4, "false");
  const Stand stand(body);
  EXPECT_THAT(stand.run({"apply", "-f", "-"}, both()).out,
              testing::StartsWith("nothing changed: revision 7 stays in force\n"));
}

TEST_F(Sending, WhatKubectlPrintsPassesUntouched) {
  const Stand stand(accepted());
  const std::string list =
      R"({"apiVersion": "v1", "items": [{"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a",)"
      R"( "namespace": "web"}, "status": {"podIP": "10.0.0.1"}, "n": 1.50}], "kind": "List"})";
  EXPECT_EQ(stand.run({"apply", "-f", "-"}, list).status, kDone);
  EXPECT_THAT(stand.asked()[0].body, HasSubstr(list));
}

TEST_F(Sending, JsonOutputIsTheAnswer) {
  const Stand stand(R"({"revision":7,"changed":true})");
  const Outcome outcome = stand.run({"apply", "-f", "-", "-o", "json"}, both());
  EXPECT_EQ(outcome.out, "{\n  \"revision\": 7,\n  \"changed\": true\n}\n");
}

TEST_F(Sending, ARefusalNamesTheReasonAndThePlace) {
  const Stand stand(problem(), 422);
  const std::string pod = write("pod.yaml", kPod);
  const std::string policy = write("policy.yaml", std::string("# none\n---\n") + kPolicy);
  const Outcome outcome = stand.run({"apply", "-f", dir_});
  EXPECT_EQ(outcome.status, kFailed);
  EXPECT_EQ(outcome.out, "");
  EXPECT_EQ(
      outcome.err,
      "error: NetworkPolicy web/allow: spec.ingress[0].ports[1].endPort: must not be below port "
      "(90)\n  in " +
          policy + ":3\n");
  const Outcome json = stand.run({"apply", "-f", dir_, "-o", "json"});
  EXPECT_EQ(json.status, kFailed);
  EXPECT_THAT(json.out, HasSubstr(R"("code": "invalid")"));
}

TEST_F(Sending, AnObjectThatStandsTwiceIsNamedTwice) {
  const Stand stand(problem(), 422);
  const std::string one = write("1.yaml", kPolicy), two = write("2.yaml", kPolicy);
  EXPECT_THAT(stand.run({"apply", "-f", one, "-f", two}).err,
              HasSubstr("  in " + one + ":1 and " + two + ":1\n"));
}

TEST_F(Sending, AnAnswerThatIsNoProblemDocument) {
  const Stand stand("<html>", 502);
  const Outcome outcome = stand.run({"apply", "-f", "-"}, both());
  EXPECT_EQ(outcome.status, kFailed);
  EXPECT_EQ(outcome.err, "error: refused with HTTP status 502\n");
}

TEST_F(Sending, NothingIsSentOfBrokenInput) {
  const Stand stand(accepted());
  const std::string bad = write("z.yaml", "a: [1\n");
  const Outcome outcome = stand.run({"apply", "-f", write("pod.yaml", kPod), "-f", bad});
  EXPECT_EQ(outcome.status, kFailed);
  EXPECT_THAT(outcome.err, testing::StartsWith("error: " + bad + ":2:1: "));
  EXPECT_THAT(stand.calls(), ElementsAre());
}

TEST_F(Sending, AnEmptyStateMustBeMeant) {
  for (const std::string input :
       {"", "# nothing\n", "{\"apiVersion\": \"v1\", \"kind\": \"List\", \"items\": []}",
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: x}\n"}) {
    const Stand stand(accepted());
    const Outcome outcome = stand.run({"apply", "-f", "-"}, input);
    EXPECT_EQ(outcome.status, kFailed) << input;
    EXPECT_THAT(outcome.err, HasSubstr("--allow-empty")) << input;
    EXPECT_THAT(stand.calls(), ElementsAre()) << input;
    EXPECT_EQ(stand.run({"apply", "-f", "-", "--allow-empty"}, input).status, kDone) << input;
    EXPECT_THAT(stand.calls(), ElementsAre("PUT /v1/snapshot")) << input;
  }
}

TEST_F(Sending, AStateThatProtectsNothingIsPointedOut) {
  const Stand stand(accepted());
  EXPECT_THAT(stand.run({"apply", "-f", "-"}, kPolicy).err, HasSubstr("there is no Pod among"));
  EXPECT_THAT(stand.run({"apply", "-f", "-"}, kPod).err,
              HasSubstr("there is no NetworkPolicy among"));
  EXPECT_THAT(stand.run({"apply", "-f", "-"}, both()).err, Not(HasSubstr("there is no")));
}

TEST_F(Sending, IfMatchIsAHeader) {
  const Stand stand(accepted());
  EXPECT_EQ(stand.run({"apply", "-f", "-", "--if-match", "7"}, both()).status, kDone);
  EXPECT_EQ(stand.run({"delta", "-f", "-", "--if-match=8"}, kPod).status, kDone);
  ASSERT_EQ(stand.asked().size(), 2U);
  EXPECT_EQ(stand.asked()[0].header("If-Match"), "\"7\"");
  EXPECT_EQ(stand.asked()[1].header("If-Match"), "\"8\"");
}

/// Validates everything and has `snapshot` in force; 404 if that is empty.
SocketServer::Handler with_snapshot(std::string snapshot) {
  return [snapshot = std::move(snapshot)](const SocketServer::Asked& asked) {
    if (asked.method == "POST") return SocketServer::answer(200, accepted());
    if (snapshot.empty()) return SocketServer::answer(404, R"({"detail":"no snapshot yet"})");
    return SocketServer::answer(200, snapshot);
  };
}

TEST_F(Sending, TheReasonGoesWithTheChange) {
  const Stand stand(accepted());
  stand.run({"apply", "-f", "-", "--reason", "a & b"}, both());
  stand.run({"delta", "-f", "-", "--reason=c"}, kPod);
  EXPECT_THAT(stand.calls(),
              ElementsAre("PUT /v1/snapshot?reason=a%20%26%20b", "PATCH /v1/snapshot?reason=c"));
}

TEST_F(Sending, DryRunShowsWhatWouldChange) {
  const Stand stand(
      with_snapshot(R"({"apiVersion":"v1","kind":"List","items":[)"
                    R"({"apiVersion":"v1","kind":"Namespace","metadata":{"name":"old"}},)"
                    R"({"apiVersion":"v1","kind":"Pod","metadata":{"namespace":"web","name":"a"},)"
                    R"("spec":{"nodeName":"n2"},"status":{"podIP":"10.0.0.1"}}]})"));
  const Outcome outcome = stand.run({"apply", "--dry-run", "-f", "-"}, both());
  EXPECT_EQ(outcome.status, 1) << "something opens or closes: " << outcome.err;
  EXPECT_THAT(outcome.out,
              testing::StartsWith("+ NetworkPolicy web/allow\n~ Pod web/a\n- Namespace old\n"
                                  "accepted; would add 1, change 1, remove 1 (dry run: nothing was "
                                  "changed)\n"));
  EXPECT_THAT(stand.calls(), ElementsAre("POST /v1/validate?flows=true", "GET /v1/snapshot"));
  const Outcome json = stand.run({"apply", "--dry-run", "-f", "-", "-o", "json"}, both());
  EXPECT_THAT(json.out, AllOf(HasSubstr("\"validation\": {"),
                              HasSubstr("\"added\": [\n      \"NetworkPolicy web/allow\"\n    ]")));
}

TEST_F(Sending, DryRunShowsWhatOpensClosesAndIsCut) {
  const Stand stand([](const SocketServer::Asked& asked) {
    if (asked.method == "POST") {
      return SocketServer::answer(
          200, R"({"changed":true,"flows":{"live":120,"cut":12,"truncated":false,"examples":[)"
               R"({"protocol":"TCP","source":"10.0.0.9","source_port":40000,"source_pod":null,)"
               R"("destination":"10.0.0.1","destination_port":80,"destination_pod":"web/a",)"
               R"("state":"established"}]}})");
    }
    return SocketServer::answer(
        200,
        R"({"apiVersion":"v1","kind":"List","items":[{"apiVersion":"v1","kind":"Pod","metadata":{"namespace":"web","name":"a","labels":{"app":"web"}},"spec":{"nodeName":"n1"},"status":{"podIP":"10.0.0.1"}}]})");
  });
  const Outcome outcome = stand.run({"apply", "--dry-run", "-f", "-"}, both());
  EXPECT_EQ(outcome.status, 1) << "something opens or closes: " << outcome.err;
  EXPECT_THAT(outcome.out,
              AllOf(HasSubstr("\nreachability: 2 pairs differ: 0 open, 2 close\n"
                              "- web/a, all addresses \xE2\x86\x92 web/a: all but TCP 80\n"),
                    HasSubstr("\n12 live flows of 120 would be cut:\n"
                              "  TCP 10.0.0.9 port 40000 to web/a (10.0.0.1) port 80, established\n"
                              "  \xE2\x80\xA6 and 2 more\n")));
  const Outcome json = stand.run({"apply", "--dry-run", "-f", "-", "-o", "json"}, both());
  EXPECT_THAT(json.out, AllOf(HasSubstr("\"reachability\": {"), HasSubstr("\"same\": false")));
  EXPECT_EQ(json.status, 1);
}

TEST_F(Sending, DryRunBeforeTheFirstSnapshotAddsEverything) {
  const Stand stand(with_snapshot(""));
  EXPECT_THAT(stand.run({"apply", "--dry-run", "-f", "-"}, both()).out,
              testing::StartsWith("+ Pod web/a\n+ NetworkPolicy web/allow\n"));
}

TEST_F(Sending, DryRunOfWhatIsInForceChangesNothing) {
  const Stand stand(with_snapshot(
      R"({"apiVersion":"v1","kind":"List","items":[{"apiVersion":"v1","kind":"Pod","metadata":)"
      R"({"namespace":"web","name":"a","labels":{"app":"web"}},"spec":{"nodeName":"n1"},)"
      R"("status":{"podIP":"10.0.0.1"}}]})"));
  const Outcome outcome = stand.run({"apply", "--dry-run", "-f", "-"}, kPod);
  EXPECT_THAT(outcome.out, testing::StartsWith("accepted; nothing would change"));
  EXPECT_EQ(outcome.status, kDone);
  EXPECT_EQ(stand.run({"apply", "--dry-run", "-f", "-"}, "kind: [").status, 2);
  EXPECT_EQ(run_program({"apply", "--dry-run", "-f", "-", "--socket", "/nope"}, kPod).status, 2);
}

TEST_F(Sending, DeltaSendsEventsALineEach) {
  const Stand stand(accepted());
  const Outcome outcome = stand.run({"delta", "-f", "-"},
                                    "{\"type\": \"ADDED\",\n \"object\": {\"kind\": "
                                    "\"Pod\"}}\n{\"type\":\"BOOKMARK\",\"object\":{}}");
  EXPECT_EQ(outcome.status, kDone) << outcome.err;
  EXPECT_THAT(outcome.out, HasSubstr("revision 7 is in force"));
  ASSERT_THAT(stand.calls(), ElementsAre("PATCH /v1/snapshot"));
  EXPECT_EQ(stand.asked()[0].body,
            "{\"type\":\"ADDED\",\"object\":{\"kind\":\"Pod\"}}\n"
            "{\"type\":\"BOOKMARK\",\"object\":{}}\n");
}

TEST_F(Sending, DeltaMakesEventsOfObjects) {
  const Stand stand(accepted());
  const std::string list = "kind: List\nitems:\n- {kind: Pod, v: 1}\n- {kind: Pod, v: 2}\n";
  EXPECT_EQ(stand.run({"delta", "-f", "-"}, list).status, kDone);
  EXPECT_EQ(stand.run({"delta", "-f", "-", "--delete"}, "kind: Pod\n").status, kDone);
  ASSERT_EQ(stand.asked().size(), 2U);
  EXPECT_EQ(stand.asked()[0].body,
            "{\"type\":\"MODIFIED\",\"object\":{\"kind\":\"Pod\",\"v\":1}}\n"
            "{\"type\":\"MODIFIED\",\"object\":{\"kind\":\"Pod\",\"v\":2}}\n");
  EXPECT_EQ(stand.asked()[1].body, "{\"type\":\"DELETED\",\"object\":{\"kind\":\"Pod\"}}\n");
}

TEST_F(Sending, DeltaRefusesWhatIsNeither) {
  const Stand stand(accepted());
  const Outcome outcome = stand.run({"delta", "-f", "-"}, "kind: Pod\n---\na: 1\n");
  EXPECT_EQ(outcome.status, kFailed);
  EXPECT_THAT(outcome.err, HasSubstr("standard input:3: is neither a watch event"));
  EXPECT_EQ(stand.run({"delta", "-f", "-"}, "").status, kFailed);
  EXPECT_THAT(stand.calls(), ElementsAre());
}

TEST_F(Sending, ARefusedEventIsFoundByItsLine) {
  const Stand stand(
      R"json({"detail":"Pod web/b (line 2): x","kind":"Pod","object":"web/b (line 2)"})json", 422);
  const Outcome outcome =
      stand.run({"delta", "-f", "-"}, "kind: Pod\n---\nkind: Pod\n---\nkind: Pod\n");
  EXPECT_EQ(outcome.status, kFailed);
  EXPECT_EQ(outcome.err, "error: Pod web/b (line 2): x\n  in standard input:3\n");
}

}  // namespace
}  // namespace rampart::ctl
