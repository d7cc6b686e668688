// SPDX-License-Identifier: Apache-2.0
#include "tests/unit/admin/admin_test.hpp"

#include <filesystem>
#include <fstream>
#include <regex>

#include "control/admin/documents.hpp"

namespace rampart::admin {

using ::testing::HasSubstr;

const std::string kCluster = R"({"apiVersion":"v1","kind":"List","items":[
  {"apiVersion":"v1","kind":"Namespace","metadata":{"name":"web","labels":{"t":"x"}}},
  {"apiVersion":"v1","kind":"Node","metadata":{"name":"n1"},
   "status":{"addresses":[{"type":"InternalIP","address":"192.0.2.1"}]}},
  {"apiVersion":"v1","kind":"Pod","metadata":{"name":"a","namespace":"web","labels":{"app":"a"}},
   "spec":{"nodeName":"n1"},
   "status":{"podIP":"10.0.0.1","podIPs":[{"ip":"10.0.0.1"},{"ip":"fd00::1"}]}},
  {"apiVersion":"v1","kind":"Pod","metadata":{"name":"b","namespace":"web","labels":{"app":"b"}},
   "status":{"podIP":"10.0.0.2","podIPs":[{"ip":"10.0.0.2"},{"ip":"fd00::2"}]}},
  {"apiVersion":"v1","kind":"Pod","metadata":{"name":"c","namespace":"other"},
   "status":{"podIP":"10.0.0.3"}},
  {"apiVersion":"v1","kind":"Pod","metadata":{"name":"done","namespace":"web"},
   "status":{"podIP":"10.0.0.4","phase":"Succeeded"}},
  {"apiVersion":"v1","kind":"Pod","metadata":{"name":"host","namespace":"web"},
   "spec":{"hostNetwork":true,"nodeName":"n1"},"status":{"podIP":"192.0.2.1"}},
  {"apiVersion":"v1","kind":"Pod","metadata":{"name":"new","namespace":"web"}},
  {"apiVersion":"v1","kind":"Pod","metadata":{"name":"twin1","namespace":"other"},
   "status":{"podIP":"10.0.0.9"}},
  {"apiVersion":"v1","kind":"Pod","metadata":{"name":"twin2","namespace":"other"},
   "status":{"podIP":"10.0.0.9"}},
  {"apiVersion":"networking.k8s.io/v1","kind":"NetworkPolicy",
   "metadata":{"name":"allow","namespace":"web"},
   "spec":{"podSelector":{"matchLabels":{"app":"b"}},
     "ingress":[{"from":[{"podSelector":{"matchLabels":{"none":"such"}}},
                         {"podSelector":{"matchLabels":{"app":"a"}}}],
                 "ports":[{"port":80}]}]}},
  {"apiVersion":"networking.k8s.io/v1","kind":"NetworkPolicy",
   "metadata":{"name":"out","namespace":"web"},
   "spec":{"podSelector":{"matchLabels":{"app":"a"}},"policyTypes":["Egress"],"egress":[{"to":[
     {"ipBlock":{"cidr":"10.0.0.2/32"}}]}]}},
  {"apiVersion":"networking.k8s.io/v1","kind":"NetworkPolicy",
   "metadata":{"name":"future","namespace":"web"},
   "spec":{"podSelector":{"matchLabels":{"app":"f"}},"ingress":[{"from":[{"galaxy":"far"}]}]}},
  {"apiVersion":"policy.networking.k8s.io/v1alpha2","kind":"ClusterNetworkPolicy",
   "metadata":{"name":"deny"},"spec":{}},
  {"apiVersion":"v1","kind":"Secret","metadata":{"name":"s"}}]})";

AdminTest::AdminTest() {
  char folder[] = "/tmp/rampart-admin-XXXXXX";
  folder_ = mkdtemp(folder);
  auto store = store::StateStore::open(folder_ + "/state");
  if (store) store_.emplace(*std::move(store));
  applier_ = std::make_unique<publish::Applier>(publish::Applier::Parts{
      dataplane_, *store_, kube::Limits{}, [](const std::string&) {}, compile::compile});
  history_ = std::make_unique<history::History>(
      history::History::Parts{.directory = folder_ + "/state/history",
                              .log = [](const std::string&) {},
                              .cuts =
                                  [this] {
                                    uint64_t cuts = 0;
                                    for (const auto& worker : dataplane_.status_now.workers) {
                                      cuts += worker.flows_cut;
                                    }
                                    return cuts;
                                  }},
      0, nullptr);
  facts_ = {"9.8.7", std::chrono::system_clock::time_point(std::chrono::seconds(1767225600)),
            "drop",  "state",
            "drop",  "pass"};
  PortStatus a;
  a.name = "a";
  a.device = "iface:eth1";
  a.driver = "net_pcap";
  a.up = a.running = a.promiscuous = true;
  a.speed_mbps = 10000;
  a.mtu = 1500;
  a.mac = "02:00:00:00:00:01";
  a.rx_queues = 1;
  a.tx_queues = 2;
  a.rss = {"toeplitz", "symmetric", {"ipv4", "ipv4-tcp"}};
  a.peer = "b";
  PortStatus b = a;
  b.name = "b";
  b.peer = "a";
  b.rss = {};
  b.sources = {*IpPrefix::parse("10.0.0.0/8"), *IpPrefix::parse("fd00::/8")};
  dataplane_.status_now.ports = {a, b};
  WorkerStatus worker;
  worker.cpu = 1;
  worker.flows = 3;
  worker.handed_over = 8;
  worker.held_back = 9;
  dataplane_.status_now.workers = {worker, worker};
  dataplane_.status_now.memory_mib = 512;
  dataplane_.status_now.mbufs = 100;
  dataplane_.status_now.mbufs_free = 90;
  dataplane_.status_now.acl_algorithm = "avx2";
  dataplane_.status_now.max_flows = 4096;
  add_calls(router_, *applier_, dataplane_, *history_, facts_);
}

AdminTest::~AdminTest() {
  applier_.reset();
  std::filesystem::remove_all(folder_);
}

http::Response AdminTest::call(const std::string& method, const std::string& target,
                               std::string body, std::optional<std::string> if_match) {
  http::Request request;
  request.method = method;
  EXPECT_EQ(http::parse_target(target, request), "");
  request.if_match = std::move(if_match);
  const auto match = router_.find(method, request.path);
  if (match.route == nullptr) return {404, "", "", {}};
  request.parameter = match.parameter;
  if (match.route->body_reader) {
    request.body_reader = match.route->body_reader();
    request.body_reader->put(body);
  } else {
    request.body = std::move(body);
  }
  if (!match.route->queue.submit) return match.route->handler(request);
  http::Response response;
  match.route->queue.submit(request, [&](http::Response r) { response = std::move(r); });
  match.route->queue.work();
  return response;
}

Document AdminTest::get(const std::string& target, unsigned status) {
  const auto response = call("GET", target);
  EXPECT_EQ(response.status, status) << response.body;
  EXPECT_EQ(response.content_type, status == 200 ? "application/json" : "application/problem+json");
  return Document::parse(response.body);
}

void AdminTest::put_cluster() {
  const auto response = call("PUT", "/v1/snapshot", kCluster);
  ASSERT_EQ(response.status, 200U) << response.body;
}

namespace {

Document names_of(const Document& list, const char* member) {
  Document out = Document::array();
  for (const auto& one : list) out.push_back(one.at(member));
  return out;
}

TEST_F(AdminTest, PutAnswers) {
  const auto response = call("PUT", "/v1/snapshot", kCluster, "\"0\"");
  ASSERT_EQ(response.status, 200U) << response.body;
  EXPECT_EQ(response.headers.front(), (std::pair<std::string, std::string>("ETag", "\"1\"")));
  const auto d = Document::parse(response.body);
  EXPECT_EQ(d["revision"], 1);
  EXPECT_EQ(d["changed"], true);
  EXPECT_EQ(d["objects"],
            Document({{"namespaces", 2}, {"pods", 8}, {"nodes", 1}, {"policies", 3}}));
  EXPECT_EQ(d["skipped"], Document::parse(R"([{"kind":"Secret","count":1}])"));
  EXPECT_EQ(names_of(d["warnings"], "code"),
            Document({"policy-fails-closed", "shared-address", "unsupported-policy"}));
  EXPECT_GT(d["milliseconds"]["compile"], 0.0);
  EXPECT_EQ(d["addresses"], applier_->in_force()->compiled->addresses);
  EXPECT_EQ(d["rules"], applier_->in_force()->compiled->acl_rules);
}

TEST_F(AdminTest, RefusalsAreProblemDocuments) {
  put_cluster();
  auto response = call("PUT", "/v1/snapshot", R"({"apiVersion":"v1","kind":"List","items":[
    {"apiVersion":"networking.k8s.io/v1","kind":"NetworkPolicy",
     "metadata":{"name":"allow","namespace":"web"},
     "spec":{"podSelector":{},"ingress":[{"ports":[{"port":90,"endPort":80}]}]}}]})");
  EXPECT_EQ(response.status, 422U);
  EXPECT_EQ(Document::parse(response.body), Document::parse(R"x({"type":"about:blank",
    "title":"Invalid object","status":422,"code":"invalid","kind":"NetworkPolicy",
    "object":"web/allow","field":"spec.ingress[0].ports[0].endPort",
    "reason":"must not be below port (90)","revision":1,
    "detail":"NetworkPolicy web/allow: spec.ingress[0].ports[0].endPort: must not be below port (90)"})x"));
  response = call("PUT", "/v1/snapshot", "{");
  EXPECT_EQ(response.status, 422U);
  EXPECT_FALSE(Document::parse(response.body).contains("kind"));
  response = call("PUT", "/v1/snapshot", kCluster, "\"7\"");
  EXPECT_EQ(response.status, 412U);
  EXPECT_EQ(Document::parse(response.body)["code"], "precondition-failed");
  EXPECT_EQ(Document::parse(response.body)["revision"], 1);
  for (const char* bad : {"W/\"1\"", "\"one\"", "", "\"1", "*"}) {
    EXPECT_EQ(call("PUT", "/v1/snapshot", kCluster, bad).status, 400U) << bad;
  }
  EXPECT_EQ(call("PUT", "/v1/snapshot?dry=1", kCluster).status, 400U);
}

TEST_F(AdminTest, PatchAndValidate) {
  EXPECT_EQ(call("PATCH", "/v1/snapshot", "{\"type\":\"BOOKMARK\"}").status, 409U);
  put_cluster();
  const std::string gone = R"({"type":"DELETED","object":{"apiVersion":"v1","kind":"Namespace",)"
                           R"("metadata":{"name":"web"}}})";
  auto response = call("PATCH", "/v1/snapshot", gone, "\"1\"");
  EXPECT_EQ(response.status, 200U) << response.body;
  EXPECT_EQ(Document::parse(response.body)["objects"]["policies"], 0);
  response = call("POST", "/v1/validate", kCluster);
  EXPECT_EQ(response.status, 200U);
  EXPECT_EQ(Document::parse(response.body)["changed"], true);
  EXPECT_EQ(Document::parse(response.body)["objects"]["policies"], 3);
  EXPECT_EQ(get("/v1/status")["revision"], 2);
  EXPECT_EQ(call("POST", "/v1/validate", "[]").status, 422U);
}

TEST_F(AdminTest, SnapshotComesBack) {
  EXPECT_EQ(get("/v1/snapshot", 404)["code"], "not-found");
  put_cluster();
  const auto response = call("GET", "/v1/snapshot");
  EXPECT_EQ(response.headers.front().second, "\"1\"");
  const auto again = call("PUT", "/v1/snapshot", response.body);
  EXPECT_EQ(Document::parse(again.body)["changed"], false) << again.body;
}

TEST_F(AdminTest, StatusBeforeTheFirstSnapshot) {
  const auto d = get("/v1/status");
  EXPECT_EQ(d["version"], "9.8.7");
  EXPECT_EQ(d["started"], "2026-01-01T00:00:00Z");
  EXPECT_EQ(d["revision"], 0);
  EXPECT_TRUE(d["accepted"].is_null());
  EXPECT_EQ(d["objects"]["pods"], 0);
  EXPECT_EQ(d["warnings"][0]["code"], "no-snapshot");
  EXPECT_THAT(d["warnings"][0]["message"].get<std::string>(), HasSubstr("nothing passes"));
  facts_.startup = "pass";
  EXPECT_THAT(get("/v1/status")["warnings"][0]["message"].get<std::string>(),
              HasSubstr("everything passes"));
}

TEST_F(AdminTest, Status) {
  put_cluster();
  const auto d = get("/v1/status");
  EXPECT_EQ(d["revision"], 1);
  EXPECT_TRUE(std::regex_match(d["accepted"].get<std::string>(),
                               std::regex(R"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ)")));
  EXPECT_EQ(d["memory"],
            Document::parse(R"({"huge_pages":false,"mib":512,"mbufs":100,"mbufs_free":90})"));
  EXPECT_EQ(d["acl_algorithm"], "avx2");
  EXPECT_EQ(d["flows"], Document::parse(R"({"live":6,"max":4096})"));
  EXPECT_EQ(d["settings"],
            Document::parse(R"({"checksum":"state","non_ip":"drop","tunnels":"pass"})"));
  EXPECT_EQ(d["ports"][0], Document::parse(R"({"name":"a","device":"iface:eth1","driver":"net_pcap",
    "up":true,"running":true,"speed_mbps":10000,"promiscuous":true,"mtu":1500,
    "mac":"02:00:00:00:00:01","rx_queues":1,"tx_queues":2,
    "rss":{"function":"toeplitz","key":"symmetric","types":["ipv4","ipv4-tcp"]},"wire":"b","sources":"any","resets":0})"));
  EXPECT_EQ(d["ports"][1]["rss"], Document::parse(R"({"function":"none","key":null,"types":[]})"));
  EXPECT_EQ(d["ports"][1]["sources"], Document({"10.0.0.0/8", "fd00::/8"}));
  EXPECT_EQ(d["workers"][1],
            Document::parse(R"({"worker":1,"cpu":1,"revision":0,"flows":3,"handed_over":8,
      "heap_bytes":0})"));
  EXPECT_EQ(names_of(d["warnings"], "code"),
            Document({"policy-fails-closed", "shared-address", "unsupported-policy"}));
}

TEST_F(AdminTest, StandingWarnings) {
  put_cluster();
  dataplane_.status_now.tunnelled = 5;
  dataplane_.status_now.workers[1].heap_bytes = 64;
  dataplane_.status_now.workers[0].challenging = true;
  dataplane_.status_now.workers[0].half_open = 77;
  dataplane_.status_now.ports[1].mtu = 1400;
  std::filesystem::create_directory(folder_ + "/state/changes-1");
  call(
      "PATCH", "/v1/snapshot",
      R"({"type":"DELETED","object":{"apiVersion":"v1","kind":"Namespace","metadata":{"name":"web"}}})");
  const auto d = get("/v1/status");
  EXPECT_EQ(names_of(d["warnings"], "code"),
            Document({"not-stored", "shared-address", "unsupported-policy", "tunnels",
                      "mtu-differs", "syn-flood", "worker-allocates"}));
  EXPECT_EQ(d["warnings"][4]["object"], "port b");
  EXPECT_EQ(d["warnings"][5]["object"], "worker 0");
  EXPECT_EQ(d["warnings"][6]["object"], "worker 1");
  facts_.tunnels = "drop";
  EXPECT_EQ(get("/v1/status")["warnings"].size(), 6U) << "they are dropped: nothing to warn of";
}

TEST_F(AdminTest, AWorkerThatDoesNotAnswerIsNamedWhereverItsFiguresAre) {
  const auto says = [&] {
    const auto stats = get("/v1/stats"), status = get("/v1/status");
    return Document({stats["workers"][0]["silent"], stats["workers"][1]["silent"],
                     stats["hints"].size(), status["warnings"].size()});
  };
  put_cluster();
  const size_t others = get("/v1/status")["warnings"].size();
  EXPECT_EQ(says(), Document({false, false, 0, others}));
  dataplane_.status_now.workers[1].silent = true;
  EXPECT_EQ(says(), Document({false, true, 1, others + 1}));
  const auto warning = get("/v1/status")["warnings"].back();
  EXPECT_EQ(warning["code"], "worker-silent");
  EXPECT_EQ(warning["object"], "worker 1");
  const auto hint = get("/v1/stats")["hints"][0].get<std::string>();
  EXPECT_THAT(hint, HasSubstr("worker 1: has not answered for three seconds"));
  const std::string metrics = call("GET", "/metrics").body;
  EXPECT_THAT(metrics, HasSubstr("rampart_worker_silent{worker=\"0\"} 0\n"));
  EXPECT_THAT(metrics, HasSubstr("rampart_worker_silent{worker=\"1\"} 1\n"));
}

TEST_F(AdminTest, StatsAddUp) {
  auto& ports = dataplane_.status_now.ports;
  ports[0].counters.received = 10;
  ports[0].counters.forwarded = 7;
  ports[0].counters.held = 1;
  ports[0].counters.drops[static_cast<unsigned>(DropReason::kDeniedIngress)] = 2;
  ports[1].counters.received = 4;
  ports[1].counters.sent = 7;
  ports[1].counters.drops[static_cast<unsigned>(DropReason::kDeniedIngress)] = 3;
  ports[1].counters.drops[static_cast<unsigned>(DropReason::kL4Checksum)] = 1;
  dataplane_.status_now.passed_always = 4;
  dataplane_.status_now.workers[0].flow_hits = 14;
  const auto d = get("/v1/stats");
  EXPECT_EQ(d["ports"][0]["drops"], Document::parse(R"({"denied_ingress":2})"));
  EXPECT_EQ(d["total"], Document::parse(R"({"received":14,"originated":0,"sent":7,"held":1,
    "dropped":6,"drops":{"denied_ingress":5,"l4_checksum":1}})"));
  EXPECT_EQ(d["workers"][0]["flow_hits"], 14);
  EXPECT_EQ(d["workers"][0]["held_back"], 9);
  EXPECT_EQ(d["passed_always"], 4);
  ASSERT_EQ(d["hints"].size(), 1U);
  EXPECT_THAT(d["hints"][0].get<std::string>(),
              HasSubstr("port b: 1 frames with a wrong L4 checksum: "));
}

TEST_F(AdminTest, StagesAreShownIfTheyAreCounted) {
  EXPECT_FALSE(get("/v1/stats")["workers"][0].contains("stages"));
  StageCycles<true>& stages = dataplane_.status_now.workers[0].stages.emplace();
  stages.start(100);
  stages.lap(Stage::kRx, 130);
  stages.lap(Stage::kTrack, 190);
  stages.count(3);
  const auto d = get("/v1/stats")["workers"][0]["stages"];
  EXPECT_EQ(d["packets"], 3);
  EXPECT_EQ(d["cycles"].size(), kStages);
  EXPECT_EQ(d["cycles"]["rx"], 30);
  EXPECT_EQ(d["cycles"]["track"], 60);
  EXPECT_EQ(d["cycles"]["parse"], 0);
}

TEST_F(AdminTest, EveryReasonHasItsLine) {
  const auto d = get("/v1/reasons");
  ASSERT_EQ(d["reasons"].size(), kDropReasons - 1) << "all but `none`";
  for (unsigned i = 1; i < kDropReasons; ++i) {
    EXPECT_EQ(d["reasons"][i - 1], Document({{"reason", kDropReasonTexts[i].name},
                                             {"meaning", kDropReasonTexts[i].meaning}}));
  }
}

TEST_F(AdminTest, Endpoints) {
  EXPECT_EQ(get("/v1/endpoints"), Document::parse(R"({"endpoints":[],"revision":0})"));
  put_cluster();
  const auto d = get("/v1/endpoints");
  EXPECT_EQ(d["revision"], 1);
  EXPECT_EQ(names_of(d["endpoints"], "pod"),
            Document({"other/c", "other/twin1", "other/twin2", "web/a", "web/b", "web/done",
                      "web/host", "web/new"}));
  EXPECT_EQ(names_of(d["endpoints"], "state"),
            Document({"subject", "subject", "subject", "subject", "subject", "finished",
                      "host-network", "no-address"}));
  const auto& a = d["endpoints"][3];
  EXPECT_EQ(a["addresses"], Document({"10.0.0.1", "fd00::1"}));
  EXPECT_EQ(a["node"], "n1");
  EXPECT_EQ(a["labels"], Document::parse(R"({"app":"a"})"));
  EXPECT_EQ(a["ingress_policies"], Document::array());
  EXPECT_EQ(a["egress_policies"], Document({"web/out"}));
  EXPECT_EQ(d["endpoints"][4]["ingress_policies"], Document({"web/allow"}));
  EXPECT_NE(a["peer_class"], d["endpoints"][4]["peer_class"]);
  EXPECT_EQ(d["endpoints"][1]["peer_class"], d["endpoints"][0]["peer_class"])
      << "a claimant of a shared address has the class of its like";
  EXPECT_TRUE(d["endpoints"][7]["peer_class"].is_null());
}

TEST_F(AdminTest, Policies) {
  EXPECT_EQ(get("/v1/policies"),
            Document::parse(R"({"policies":[],"unsupported":[],"revision":0})"));
  put_cluster();
  const auto d = get("/v1/policies");
  EXPECT_EQ(names_of(d["policies"], "policy"), Document({"web/allow", "web/future", "web/out"}));
  EXPECT_EQ(d["policies"][0]["types"], Document({"Ingress"}));
  EXPECT_EQ(d["policies"][0]["pods"], 1);
  EXPECT_EQ(d["policies"][0]["ingress_rules"], 1);
  EXPECT_EQ(d["policies"][0]["egress_rules"], 0);
  EXPECT_GE(d["policies"][0]["acl_rules"], 1);
  EXPECT_EQ(d["policies"][0]["fails_closed"], "");
  EXPECT_THAT(d["policies"][1]["fails_closed"].get<std::string>(), HasSubstr("galaxy"));
  EXPECT_EQ(d["unsupported"],
            Document::parse(R"([{"kind":"ClusterNetworkPolicy","object":"deny"}])"));
}

TEST_F(AdminTest, PortReset) {
  auto response = call("POST", "/v1/ports/b/reset");
  EXPECT_EQ(response.status, 200U);
  EXPECT_EQ(Document::parse(response.body), Document::parse(R"({"port":"b","resets":1})"));
  response = call("POST", "/v1/ports/zz/reset");
  EXPECT_EQ(response.status, 404U);
  EXPECT_THAT(response.body, HasSubstr("port zz"));
}

TEST_F(AdminTest, CallsWithoutParametersRefuseThem) {
  for (const char* path : {"/v1/status", "/v1/stats", "/v1/reasons", "/v1/endpoints",
                           "/v1/policies", "/metrics", "/v1/snapshot"}) {
    EXPECT_EQ(call("GET", std::string(path) + "?x=1").status, 400U) << path;
  }
}

TEST(Answers, RulesThatAreWrongAreTheServersFault) {
  publish::Refused refused;
  refused.why = publish::Refused::Why::kWrongRules;
  refused.refusal = {ErrorCode::kUnsupported, {}, "the rules of revision 2", {}, "a bug: wrong"};
  refused.in_force = 1;
  const http::Response response = refused_response(refused);
  EXPECT_EQ(response.status, 500U);
  const Document problem = Document::parse(response.body);
  EXPECT_EQ(problem["code"], "wrong-rules");
  EXPECT_EQ(problem["detail"], "the rules of revision 2: a bug: wrong");
  EXPECT_EQ(problem["revision"], 1);
}

}  // namespace
}  // namespace rampart::admin
