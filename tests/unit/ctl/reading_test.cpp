// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <string>

#include "tests/unit/ctl/run_program.hpp"
#include "tools/rampartctl/session.hpp"

// The commands that only ask, against the answers that docs/api.md shows.
namespace rampart::ctl {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

TEST(Status, ShowsWhatIsInForce) {
  const Stand stand(api_example("GET /v1/status"));
  const Outcome outcome = stand.run({"status"});
  EXPECT_EQ(outcome.status, kDone) << outcome.err;
  EXPECT_THAT(stand.calls(), ElementsAre("GET /v1/status"));
  EXPECT_THAT(
      outcome.out,
      StartsWith(
          "rampartd   0.1.0, running for 12 s (since 2026-01-01T00:00:00Z)\n"
          "revision   7, accepted 2026-01-01T00:00:05Z\n"
          "objects    3 namespaces, 9 pods, 3 nodes, 2 policies\n"
          "compiled   12 addresses in 5 classes, 3 subjects, 6 rules\n"
          "flows      10 of 524288\n"
          "memory     512 MiB, no huge pages, 16000 of 16384 packet buffers free\n"
          "classifier rte_acl avx512x32\n"
          "settings   checksum state, non_ip drop, tunnels pass\n"
          "\n"
          "PORT  DEVICE      DRIVER    LINK      SPEED   MTU  MAC   PROMISC  QUEUES  RSS         "
          "   WIRE  SOURCES  RESETS\n"
          "a     iface:eth1  net_pcap  up    10 Gbit/s  1500  02:"));
  EXPECT_THAT(outcome.out, HasSubstr("  2/2     symmetric key  b     any           0\n"));
  EXPECT_THAT(outcome.out, HasSubstr("\nWORKER  CPU  REVISION  FLOWS  HANDED OVER  HEAP BYTES\n"
                                     "     0    1         7     10            0           0\n"));
  EXPECT_THAT(outcome.out, HasSubstr("\nwarning: \xE2\x80\xA6: \xE2\x80\xA6 (\xE2\x80\xA6)\n"));
}

TEST(Status, BeforeTheFirstSnapshot) {
  const Stand stand(R"({"version":"0.1.0","state":"running","revision":0,"startup":"drop",)"
                    R"("warnings":[{"code":"no-snapshot","object":"","message":"none yet"}]})");
  EXPECT_THAT(stand.run({"status"}).out,
              AllOf(HasSubstr("none yet: no snapshot has been accepted, all IP traffic is dropped"),
                    HasSubstr("\nwarning: none yet (no-snapshot)\n"), Not(HasSubstr("compiled"))));
}

std::string status_with(unsigned in_force, unsigned worker0, unsigned worker1) {
  return R"({"revision":)" + std::to_string(in_force) + R"(,"workers":[{"worker":0,"revision":)" +
         std::to_string(worker0) + R"(},{"worker":1,"revision":)" + std::to_string(worker1) + "}]}";
}

TEST(Status, WaitsUntilEveryWorkerHasTheRevision) {
  std::atomic<unsigned> looks{0};
  const Stand stand([&](const SocketServer::Asked&) {
    const unsigned look = looks++;
    return SocketServer::answer(
        200, status_with(look == 0 ? 6 : 7, look <= 1 ? 6 : 7, look <= 2 ? 6 : 8));
  });
  const Outcome outcome = stand.run({"status", "--wait", "7"});
  EXPECT_EQ(outcome.status, kDone) << outcome.err;
  EXPECT_EQ(outcome.out, "revision 7 is in force on every worker\n");
  EXPECT_EQ(looks, 4U);
  EXPECT_THAT(stand.run({"status", "--wait", "7", "-o", "json"}).out, HasSubstr("\"workers\""));
}

TEST(Status, WaitingEndsWithTheTimeOrWithRampartd) {
  const Stand stand(status_with(7, 7, 6));
  const Outcome late = stand.run({"status", "--wait", "7", "--timeout", "1"});
  EXPECT_EQ(late.status, kFailed);
  EXPECT_THAT(late.err, HasSubstr("revision 7 is not in force on every worker after 1 s: revision "
                                  "7 is in force, and worker 1 still uses 6\n"));
  EXPECT_EQ(run_program({"--socket", "/nope/s", "status", "--wait", "7"}).status, kFailed);
  for (const std::vector<std::string>& line : {std::vector<std::string>{"status", "--wait"},
                                               {"status", "--wait", "x"},
                                               {"status", "--wait", "0"},
                                               {"status", "--wait", "7", "--timeout", "0"}}) {
    EXPECT_EQ(stand.run(line).status, kUsage) << testing::PrintToString(line);
  }
}

TEST(Status, HowPortsSpreadWhatTheyReceive) {
  for (const auto& [rss, words] : std::vector<std::pair<std::string, std::string>>{
           {R"({"function":"none","key":null})", "one queue"},
           {R"({"function":"driver","key":null})", "driver's own"},
           {R"({"function":"symmetric_toeplitz","key":"driver"})", "symmetric function"},
           {R"({"function":"toeplitz","key":"symmetric"})", "symmetric key"},
           {R"({"function":"toeplitz","key":"driver"})", "toeplitz"}}) {
    const Stand stand(R"({"ports":[{"wire":"b","rss":)" + rss + "}]}");
    EXPECT_THAT(stand.run({"status"}).out, HasSubstr("  " + words + "  b  ")) << rss;
  }
}

TEST(Status, JsonIsTheAnswerItself) {
  const Stand stand(R"({"revision":7,"x":[1.50]})");
  EXPECT_EQ(stand.run({"status", "-o", "json"}).out,
            "{\n  \"revision\": 7,\n  \"x\": [\n    1.50\n  ]\n}\n");
}

TEST(Endpoints, OneLineAPod) {
  const Stand stand(api_example("GET /v1/endpoints"));
  EXPECT_EQ(stand.run({"endpoints", "--labels"}).out,
            "POD             ADDRESSES  NODE  STATE    INGRESS    EGRESS  CLASS  LABELS\n"
            "web/frontend-0  10.0.0.1   n1    subject  web/allow  -           3  app=web\n");
  EXPECT_THAT(stand.run({"endpoints", "-n", "web"}).out, HasSubstr("web/frontend-0"));
  const Outcome other = stand.run({"endpoints", "-n", "we"});
  EXPECT_EQ(other.out, "");
  EXPECT_EQ(other.err, "no pods in namespace we\n");
}

TEST(Policies, OneLineAPolicy) {
  const Stand stand(api_example("GET /v1/policies"));
  const Outcome outcome = stand.run({"policies"});
  EXPECT_EQ(outcome.out,
            "POLICY     ISOLATES  PODS  INGRESS RULES  EGRESS RULES  COMPILED  NOTE\n"
            "web/allow  Ingress      4              2             0         3\n");
  EXPECT_THAT(outcome.err, HasSubstr("is not enforced"));
  const Stand closed(
      R"({"policies":[{"policy":"a/b","types":["Egress"],"pods":1,"fails_closed":"unknown field x"}]})");
  EXPECT_THAT(closed.run({"policies"}).out, HasSubstr("fails closed: unknown field x"));
}

TEST(Flows, OneLineAFlow) {
  const Stand stand(api_example("GET /v1/flows"));
  const Outcome outcome = stand.run({"flows"});
  EXPECT_EQ(outcome.status, kDone) << outcome.err;
  const std::string titles =
      "PROTO  OPENED BY       TO           STATE         IDLE  EXPIRES  PACKETS    BYTES  FROM POD "
      " "
      "TO POD  EGRESS RULE        INGRESS RULE";
  const std::string flow =
      "TCP    10.0.0.1:40000  10.0.0.2:80  established  10 ms    2h13m      3/2  200/150  web/a    "
      " "
      "web/b   web/out egress[0]  web/allow ingress[0]";
  EXPECT_EQ(outcome.out, titles + "\n" + flow + "\n");
  EXPECT_EQ(stand.run({"flows", "--wide"}).out, titles +
                                                    "          ON PORT  VLANS  WORKER  REVISION\n" +
                                                    flow + "  a        100    0       7\n");
}

TEST(Flows, CutEndsThoseThatFit) {
  const Stand stand(R"({"cut":2})");
  EXPECT_EQ(stand.run({"flows", "--cut", "--pod", "web/a", "--policy", "web/out"}).out,
            "2 flows were cut\n");
  EXPECT_EQ(stand.run({"flows", "--cut", "--all", "-o", "json"}).out, "{\n  \"cut\": 2\n}\n");
  EXPECT_EQ(Stand(R"({"cut":1})").run({"flows", "--cut", "--port", "0"}).out, "1 flow was cut\n");
  EXPECT_THAT(stand.calls(), ElementsAre("DELETE /v1/flows?pod=web%2Fa&policy=web%2Fout",
                                         "DELETE /v1/flows?all=true"));
  const Stand refusing(R"({"detail":"pod: there is no pod web/a"})", 404);
  const Outcome refused = refusing.run({"flows", "--cut", "--pod", "web/a"});
  EXPECT_EQ(refused.status, kFailed);
  EXPECT_EQ(refused.err, "error: pod: there is no pod web/a\n");
}

TEST(Flows, CutMustSayWhichAndNothingElse) {
  const Stand stand(R"({"cut":2})");
  for (const std::vector<std::string>& words : {std::vector<std::string>{"--cut"},
                                                {"--cut", "--all", "--port", "80"},
                                                {"--cut", "--port", "80", "--limit", "5"},
                                                {"--cut", "--all", "--wide"},
                                                {"--all"},
                                                {"--cut", "--port", "http"}}) {
    std::vector<std::string> line{"flows"};
    line.insert(line.end(), words.begin(), words.end());
    EXPECT_EQ(stand.run(line).status, kUsage) << testing::PrintToString(words);
  }
  EXPECT_THAT(stand.calls(), ElementsAre());
}

TEST(Flows, FiltersBecomeTheQuery) {
  const Stand stand(R"({"flows":[{"source":"fd00::1","source_port":9}],"truncated":true})");
  const Outcome outcome =
      stand.run({"flows", "--address", "fd00::1", "--port", "80", "--protocol", "TCP", "--state",
                 "syn sent", "--pod", "web/a", "--policy", "web/b", "--limit", "1"});
  EXPECT_THAT(stand.calls(), ElementsAre("GET /v1/flows?address=fd00%3A%3A1&port=80&protocol=TCP"
                                         "&state=syn%20sent&pod=web%2Fa&policy=web%2Fb&limit=1"));
  EXPECT_THAT(outcome.out, HasSubstr("[fd00::1]:9"));
  EXPECT_THAT(outcome.err, HasSubstr("there are more"));
  EXPECT_EQ(Stand(R"({"flows":[]})").run({"flows"}).err, "no flows\n");
}

TEST(Stats, CountersAddUp) {
  const Stand stand(api_example("GET /v1/stats"));
  EXPECT_EQ(
      stand.run({"stats"}).out,
      "PORT  RECEIVED  FORWARDED  DROPPED  ORIGINATED  HELD  SENT\n"
      "a           10          9        1           0     0     9\n"
      "\n"
      "DROPPED AS      ON a  TOTAL  BECAUSE\n"
      "denied_ingress     1      2  an ingress policy isolates the destination and none allows it\n"
      "\n"
      "WORKER  CPU  BUSY LOOPS  RECEIVED  FORWARDED  DROPPED  HANDED OVER  HELD BACK  FLOW HITS  "
      "MISSES  "
      "CREATED  "
      "EXPIRED  CUT  RECYCLED  REJUDGED  FLOWS\n"
      "     0    1         10%        20         18        2            0          0         14    "
      "   6       "
      " 4  "
      "      0    0         0         0      4\n"
      "\n"
      "in total: received 20 + originated 0 = sent 18 + dropped 2 + held 0\n"
      "of these: 4 passed without judgement (ARP, neighbour discovery and the like), 0 "
      "encapsulated\n"
      "hint: port a: 12 frames with a wrong L4 checksum: \xE2\x80\xA6\n");
}

TEST(Stats, WatchShowsRates) {
  std::atomic<int> reading = 0;
  const Stand stand([&](const SocketServer::Asked&) {
    const int n = reading++;
    return SocketServer::answer(
        200, R"({"ports":[{"name":"a","received":)" + std::to_string(1000 + n * 1'000'000) + "}]}");
  });
  const Outcome outcome = stand.run({"stats", "--watch", "1", "--count", "2"});
  EXPECT_EQ(outcome.status, kDone);
  EXPECT_EQ(stand.calls().size(), 2U);
  EXPECT_THAT(outcome.out, HasSubstr("PORT  RECEIVED  /S  MBIT/S"));
  EXPECT_THAT(outcome.out, HasSubstr("a         1000   -"));
  // A rate is there the second time; how large it is depends on the clock.
  EXPECT_THAT(outcome.out, testing::ContainsRegex("a      1001000  [1-9][0-9]*  "));
  const Outcome json = stand.run({"stats", "-w1", "--count", "1", "-o", "json"});
  EXPECT_EQ(json.out, "{\"ports\":[{\"name\":\"a\",\"received\":2001000}]}\n");
}

TEST(Reasons, OneLineAReason) {
  const Stand stand(R"({"reasons":[{"reason":"runt","meaning":"too short"},)"
                    R"({"reason":"no_flow","meaning":"belongs to no known flow"}]})");
  EXPECT_EQ(stand.run({"reasons"}).out,
            "REASON   MEANING\n"
            "runt     too short\n"
            "no_flow  belongs to no known flow\n");
  EXPECT_THAT(stand.calls(), ElementsAre("GET /v1/reasons"));
  EXPECT_THAT(stand.run({"reasons", "-o", "json"}).out, HasSubstr("\"reason\": \"no_flow\""));
}

TEST(Explain, ADenialReadsAsASentence) {
  const Stand stand(api_example("GET /v1/explain"));
  const Outcome outcome = stand.run({"explain", "web/a", "10.9.9.9", "TCP/80"});
  EXPECT_EQ(outcome.status, kDone);
  EXPECT_THAT(stand.calls(),
              ElementsAre("GET /v1/explain?from=web%2Fa&to=10.9.9.9&protocol=TCP&port=80"));
  EXPECT_EQ(outcome.out,
            "deny: web/a (10.0.0.1) may not reach 10.9.9.9 on TCP/80 (revision 7)\n"
            "  \xE2\x80\xA6one sentence\xE2\x80\xA6\n"
            "\n"
            "egress of web/a (10.0.0.1): denied\n"
            "  isolated by  web/out\n"
            "  admitted by  no rule\n"
            "  nearest miss web/out, spec.egress[0]: would pass if the destination had an address "
            "in 10.0.0.2/32\n"
            "\n"
            "ingress of 10.9.9.9: allowed\n"
            "  (egress of the source blocks it before ingress is asked)\n"
            "  isolated by  no policy\n");
  EXPECT_EQ(stand.run({"explain", "web/a", "10.9.9.9", "TCP/80", "--exit-code"}).status, 3);
  EXPECT_EQ(
      stand.run({"explain", "web/a", "10.9.9.9", "TCP/80", "--exit-code", "-o", "json"}).status, 3);
}

TEST(Explain, AnAdmissionNamesItsRule) {
  const Stand stand(
      R"({"revision":7,"from":{"address":"10.0.0.1","pod":"web/a"},"to":{"address":"10.0.0.2","pod":"web/b"},)"
      R"("protocol":"TCP","port":80,"verdict":"allow","why":"","egress":{"isolated":false,"allowed":true},)"
      R"("ingress":{"isolated":true,"allowed":true,"policies":["web/x","web/y"],"rule":{"policy":"web/x",)"
      R"("path":"spec.ingress[0]","peer":"spec.ingress[0].from[1]","port":null}},"tables_agree":true})");
  const Outcome outcome = stand.run({"explain", "web/a", "web/b", "80/tcp", "--exit-code"});
  EXPECT_EQ(outcome.status, kDone);
  EXPECT_THAT(
      outcome.out,
      AllOf(StartsWith("allow: web/a (10.0.0.1) may reach web/b (10.0.0.2) on TCP/80"),
            HasSubstr("  isolated by  web/x, web/y\n"
                      "  admitted by  web/x, spec.ingress[0]: peer spec.ingress[0].from[1], any "
                      "port\n")));
  EXPECT_THAT(stand.calls()[0], HasSubstr("protocol=TCP&port=80"));
}

TEST(Explain, ProtocolsWithoutPorts) {
  const Stand stand(R"({"verdict":"deny","protocol":"ICMP","port":0})");
  EXPECT_THAT(stand.run({"explain", "a/b", "c/d", "icmp"}).out, HasSubstr("on ICMP\n"));
  EXPECT_THAT(stand.calls(), ElementsAre("GET /v1/explain?from=a%2Fb&to=c%2Fd&protocol=ICMP"));
}

TEST(Explain, TablesThatDisagreeAreAFailure) {
  const Stand stand(R"({"verdict":"allow","tables_agree":false})");
  const Outcome outcome = stand.run({"explain", "a/b", "c/d", "TCP/80"});
  EXPECT_EQ(outcome.status, kFailed);
  EXPECT_THAT(outcome.err, HasSubstr("a bug in rampartd"));
}

TEST(History, ALineARevision) {
  const Stand stand(api_example("GET /v1/history"));
  EXPECT_EQ(stand.run({"history"}).out,
            "revision 7  2026-01-01T00:00:05Z  delta by root, rampartctl (4711)\n"
            "  changed  ~1 NetworkPolicy, cut 3 flows\n"
            "  ~ NetworkPolicy web/allow\n");
  EXPECT_THAT(stand.calls(), ElementsAre("GET /v1/history"));
  EXPECT_EQ(stand.run({"history", "--limit", "0"}).status, kUsage);
  const Stand many(R"({"revisions":[{"first":3,"revision":9,"reason":"x","by":{"uid":7},)"
                   R"("others":[{"action":"delta","by":{"uid":8},"reason":"y"}]},)"
                   R"({"first":2,"revision":2}]})");
  const std::string said = many.run({"history", "--limit", "1"}).out;
  EXPECT_THAT(
      said,
      AllOf(HasSubstr("revision 3-9 "), HasSubstr("by uid 7 (-)"), HasSubstr("  because  x\n"),
            HasSubstr("  with     delta by uid 8 (-), y\n"), Not(HasSubstr("revision 2"))));
  EXPECT_THAT(Stand(R"({"revisions":[]})").run({"history"}).err,
              HasSubstr("no revision is remembered"));
}

TEST(Rollback, SaysWhatItHasPutBack) {
  const Stand stand(api_example("PUT and PATCH"));
  const Outcome outcome = stand.run({"rollback", "5", "--reason", "cut off"});
  EXPECT_EQ(outcome.status, kDone) << outcome.err;
  EXPECT_THAT(stand.calls(), ElementsAre("POST /v1/history/5/rollback?reason=cut%20off"));
  EXPECT_THAT(outcome.out, AllOf(StartsWith("revision 7 is in force on every worker\n"),
                                 HasSubstr("  policies  are those of revision 5; ")));
  EXPECT_EQ(stand.run({"rollback", "x"}).status, kUsage);
  EXPECT_EQ(stand.run({"rollback"}).status, kUsage);
  EXPECT_EQ(Stand(api_example("Problem document"), 404).run({"rollback", "5"}).status, kFailed);
}

TEST(Snapshot, IsJsonUnlessATableIsWanted) {
  const Stand stand(
      R"({"kind":"List","items":[{"kind":"Pod","metadata":{"namespace":"web","name":"a"}},)"
      R"({"kind":"Node","metadata":{"name":"n1"}}]})");
  EXPECT_THAT(stand.run({"snapshot"}).out, StartsWith("{\n  \"kind\": \"List\",\n"));
  EXPECT_EQ(stand.run({"snapshot", "-o", "table"}).out,
            "KIND  NAMESPACE  NAME\nPod   web        a\nNode  -          n1\n");
}

TEST(Snapshot, ARefusalIsNotWrittenInItsPlace) {
  const Stand stand(R"({"detail":"none yet"})", 404);
  EXPECT_EQ(stand.run({"snapshot"}).out, "");
  EXPECT_EQ(stand.run({"snapshot", "-o", "json"}).out, "{\n  \"detail\": \"none yet\"\n}\n");
}

TEST(Metrics, ComeAsTheyAre) {
  const Stand stand("# HELP x\nx{a=\"b\"} 1\n");
  EXPECT_EQ(stand.run({"metrics"}).out, "# HELP x\nx{a=\"b\"} 1\n");
  EXPECT_THAT(stand.calls(), ElementsAre("GET /metrics"));
}

TEST(ResetPort, NamesThePort) {
  const Stand stand("{}");
  EXPECT_EQ(stand.run({"reset-port", "a/b"}).out, "port a/b was reset\n");
  EXPECT_THAT(stand.calls(), ElementsAre("POST /v1/ports/a%2Fb/reset"));
  const Stand none(R"({"detail":"there is no port x"})", 404);
  const Outcome outcome = none.run({"reset-port", "x"});
  EXPECT_EQ(outcome.status, kFailed);
  EXPECT_EQ(outcome.err, "error: there is no port x\n");
}

TEST(CompletionWords, NamesOrSilence) {
  EXPECT_EQ(Stand(api_example("GET /v1/status")).run({"completion", "words", "ports"}).out, "a\n");
  EXPECT_EQ(Stand(api_example("GET /v1/endpoints")).run({"completion", "words", "pods"}).out,
            "web/frontend-0\n");
  EXPECT_EQ(Stand(api_example("GET /v1/policies")).run({"completion", "words", "policies"}).out,
            "web/allow\n");
  EXPECT_EQ(run_program({"completion", "words", "nonsense"}).status, kUsage);
  const Outcome nobody = run_program({"completion", "words", "pods"}, "", "/nowhere");
  EXPECT_EQ(nobody.status, kFailed);
  EXPECT_EQ(nobody.out + nobody.err, "");
}

TEST(EveryCommand, SurvivesAnAnswerItDoesNotKnow) {
  const Stand stand(
      R"({"ports":7,"flows":"x","endpoints":[1,null],"policies":{},"workers":[[]],"items":1})");
  for (const char* name :
       {"status", "endpoints", "policies", "flows", "stats", "reasons", "snapshot"}) {
    EXPECT_EQ(stand.run({name, "-o", "table"}).status, kDone) << name;
  }
  const Stand text("no JSON at all");
  for (const char* name :
       {"status", "endpoints", "policies", "flows", "stats", "reasons", "snapshot"}) {
    const Outcome outcome = text.run({name});
    EXPECT_EQ(outcome.status, kFailed) << name;
    EXPECT_THAT(outcome.err, HasSubstr("the answer is not JSON")) << name;
  }
}

TEST(EveryCommand, TheSocketOptionWinsOverTheEnvironment) {
  const Stand stand("{}");
  EXPECT_EQ(stand.run({"status", "--socket", "/nowhere/at/all"}).status, kFailed);
  EXPECT_THAT(stand.calls(), ElementsAre());
  EXPECT_EQ(stand.run({"status"}).status, kDone);
}

}  // namespace
}  // namespace rampart::ctl
