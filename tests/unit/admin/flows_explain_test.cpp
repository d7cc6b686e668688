// SPDX-License-Identifier: Apache-2.0
#include "control/kube/decode.hpp"
#include "control/kube/encode.hpp"
#include "tests/unit/admin/admin_test.hpp"

namespace rampart::admin {
namespace {

using ::testing::HasSubstr;

FlowRecord flow_of_a_and_b(Revision revision) {
  FlowRecord flow;
  flow.source = *IpAddress::parse("10.0.0.1");
  flow.destination = *IpAddress::parse("10.0.0.2");
  flow.source_port = 40000;
  flow.destination_port = 80;
  flow.protocol = 6;
  flow.wire = 1;
  flow.opened_on = "b";
  flow.outer_vlan = 100;
  flow.state = "established";
  flow.worker = 1;
  flow.revision = revision;
  flow.egress_rule = flow.ingress_rule = 0;
  flow.packets[0] = 3;
  flow.packets[1] = 2;
  flow.bytes[0] = 200;
  flow.bytes[1] = 150;
  flow.idle_ms = 10;
  flow.expires_in_ms = 7999000;
  return flow;
}

TEST_F(AdminTest, FlowFilters) {
  get("/v1/flows");
  EXPECT_EQ(dataplane_.asked.limit, 1000U);
  EXPECT_FALSE(dataplane_.asked.address || dataplane_.asked.port || dataplane_.asked.protocol ||
               dataplane_.asked.rules);
  EXPECT_TRUE(dataplane_.asked.addresses.empty());
  EXPECT_EQ(dataplane_.asked.states, kAllFlowStates);
  get("/v1/flows?address=fd00::1&port=443&protocol=udp&state=replied&limit=7");
  EXPECT_EQ(dataplane_.asked.address, *IpAddress::parse("fd00::1"));
  EXPECT_EQ(dataplane_.asked.port, 443);
  EXPECT_EQ(dataplane_.asked.protocol, 17);
  EXPECT_EQ(dataplane_.asked.states, flow_states_named("replied"));
  EXPECT_EQ(dataplane_.asked.limit, 7U);
  get("/v1/flows?protocol=47&limit=100000");
  EXPECT_EQ(dataplane_.asked.protocol, 47);
  for (const char* bad : {"address=web/a", "address=", "port=65536", "port=x", "port=", "port=-1",
                          "protocol=tpc", "protocol=256", "limit=0", "limit=100001", "limit=x",
                          "adress=10.0.0.1", "state=", "state=open", "all=true"}) {
    const auto problem = get("/v1/flows?" + std::string(bad), 400);
    EXPECT_EQ(problem["code"], "bad-request") << bad;
    EXPECT_EQ(problem["field"], std::string(bad).substr(0, std::string(bad).find('='))) << bad;
  }
}

TEST_F(AdminTest, FlowsOfAPod) {
  EXPECT_EQ(get("/v1/flows?pod=web/a", 409)["code"], "conflict") << "no snapshot that knows it";
  put_cluster();
  get("/v1/flows?pod=web/a&address=10.0.0.2");
  EXPECT_EQ(dataplane_.asked.addresses,
            (std::vector{*IpAddress::parse("10.0.0.1"), *IpAddress::parse("fd00::1")}));
  EXPECT_EQ(dataplane_.asked.address, *IpAddress::parse("10.0.0.2"));
  EXPECT_EQ(get("/v1/flows?pod=web/nobody", 404)["detail"], "pod: there is no pod web/nobody");
  // An address that is not the pod's alone would be a filter of others' flows.
  for (const char* bad : {"a", "", "web/host", "web/done", "web/new", "other/twin1"}) {
    EXPECT_EQ(get("/v1/flows?pod=" + std::string(bad), 400)["field"], "pod") << bad;
  }
}

TEST_F(AdminTest, FlowsOfAPolicy) {
  EXPECT_EQ(get("/v1/flows?policy=web/out", 409)["code"], "conflict");
  put_cluster();
  get("/v1/flows?policy=web/out");
  const auto& compiled = *applier_->in_force()->compiled;
  ASSERT_TRUE(dataplane_.asked.rules);
  const RuleFilter& rules = *dataplane_.asked.rules;
  const RuleFilter before = rules;
  const size_t wanted = compiled.origins->of({"web", "out"})->entries->size();
  EXPECT_GT(wanted, 0U);
  EXPECT_EQ(before.size(), wanted);
  for (const uint32_t rule : before) {
    ASSERT_NE(compiled.origins->find(rule), nullptr) << rule;
    EXPECT_EQ(compiled.origins->find(rule)->policy.name, "out");
  }
  get("/v1/flows?policy=web/future");
  EXPECT_TRUE(dataplane_.asked.rules->empty()) << "it allows nothing";
  // Another change does not touch its numbers.
  ASSERT_EQ(call("PATCH", "/v1/snapshot",
                 R"({"type":"DELETED","object":{"apiVersion":"v1","kind":"Pod",)"
                 R"("metadata":{"name":"c","namespace":"other"}}})")
                .status,
            200U);
  get("/v1/flows?policy=web/out");
  EXPECT_EQ(*dataplane_.asked.rules, before);
  EXPECT_EQ(get("/v1/flows?policy=web/none", 404)["detail"], "policy: there is no policy web/none");
  EXPECT_EQ(get("/v1/flows?policy=out", 400)["field"], "policy");
}

TEST_F(AdminTest, FlowsAreCutByFilterOrAllOfThem) {
  put_cluster();
  dataplane_.flows_now.resize(3);
  auto response = call("DELETE", "/v1/flows?address=10.0.0.1&port=80&pod=web/b&policy=web/allow");
  EXPECT_EQ(response.status, 200U) << response.body;
  EXPECT_EQ(Document::parse(response.body), Document::parse(R"({"cut":3})"));
  EXPECT_EQ(dataplane_.asked.address, *IpAddress::parse("10.0.0.1"));
  EXPECT_EQ(dataplane_.asked.port, 80);
  EXPECT_EQ(dataplane_.asked.addresses.size(), 2U);
  EXPECT_TRUE(dataplane_.asked.rules);
  EXPECT_EQ(call("DELETE", "/v1/flows?all=true").status, 200U);
  EXPECT_FALSE(dataplane_.asked.address || dataplane_.asked.port || dataplane_.asked.rules);
  EXPECT_EQ(dataplane_.cuts, 2U);
  const auto field = [this](const std::string& query) {
    const auto refused = call("DELETE", "/v1/flows" + query);
    EXPECT_EQ(refused.status, 400U) << query;
    EXPECT_EQ(refused.content_type, "application/problem+json");
    return Document::parse(refused.body)["field"].get<std::string>();
  };
  EXPECT_EQ(field(""), "all");
  EXPECT_EQ(field("?all=false"), "all");
  EXPECT_EQ(field("?all="), "all");
  EXPECT_EQ(field("?all=true&port=80"), "all");
  EXPECT_EQ(field("?limit=5"), "limit");
  EXPECT_EQ(field("?port=80&limit=5"), "limit");
  EXPECT_EQ(field("?state="), "state");
  EXPECT_EQ(field("?address="), "address");
  EXPECT_EQ(field("?colour=red"), "colour");
  EXPECT_EQ(dataplane_.cuts, 2U) << "nothing that is refused reaches the data path";
  dataplane_.flows_error = Error{ErrorCode::kIo, "it does not answer", "worker 1"};
  EXPECT_EQ(call("DELETE", "/v1/flows?all=true").status, 500U);
}

TEST_F(AdminTest, ValidateSaysWhichLiveFlowsItWouldCut) {
  put_cluster();
  FlowRecord allowed = flow_of_a_and_b(1);
  FlowRecord other_port = allowed;
  other_port.destination_port = 443;
  FlowRecord back = allowed;  // b may open anything to c, whom nothing isolates
  back.source = *IpAddress::parse("10.0.0.2");
  back.destination = *IpAddress::parse("10.0.0.3");
  dataplane_.flows_now = {allowed, other_port, back};
  dataplane_.status_now.workers[0].flows = 5000;
  const auto validated = [&](const std::string& body) {
    const auto response = call("POST", "/v1/validate?flows=true", body);
    EXPECT_EQ(response.status, 200U) << response.body;
    return Document::parse(response.body)["flows"];
  };
  const auto same = validated(kCluster);
  EXPECT_EQ(same["live"], 3);
  EXPECT_EQ(same["cut"], 1) << "b takes port 80 only";
  ASSERT_EQ(same["examples"].size(), 1U);
  EXPECT_EQ(same["examples"][0]["destination_port"], 443);
  EXPECT_GT(dataplane_.asked.limit, 5000U) << "all that there are, not the usual thousand";
  EXPECT_EQ(dataplane_.asked.states & flow_states_named("cut"), 0U);
  std::string locked = kCluster;
  const std::string rule = R"("ports":[{"port":80}])";
  locked.replace(locked.find(rule), rule.size(), R"("ports":[{"port":443}])");
  EXPECT_EQ(validated(locked)["examples"][0]["destination_port"], 80);
  EXPECT_EQ(get("/v1/status")["revision"], 1) << "nothing is in force of it";
  EXPECT_FALSE(Document::parse(call("POST", "/v1/validate", kCluster).body).contains("flows"));
  EXPECT_EQ(call("POST", "/v1/validate?flows=1", kCluster).status, 400U);
  EXPECT_EQ(call("POST", "/v1/validate?flow=true", kCluster).status, 400U);
  EXPECT_EQ(call("POST", "/v1/validate?flows=true", "{").status, 422U);
  dataplane_.flows_error = Error{ErrorCode::kIo, "it does not answer", "worker 1"};
  EXPECT_EQ(call("POST", "/v1/validate?flows=true", kCluster).status, 500U);
}

TEST_F(AdminTest, HistoryAndTheWayBack) {
  EXPECT_EQ(get("/v1/history"), Document::parse(R"({"revisions":[]})"));
  ASSERT_EQ(call("PUT", "/v1/snapshot?reason=the%20first", kCluster).status, 200U);
  ASSERT_EQ(call("PATCH", "/v1/snapshot",
                 R"({"type":"DELETED","object":{"apiVersion":"networking.k8s.io/v1",)"
                 R"("kind":"NetworkPolicy","metadata":{"name":"allow","namespace":"web"}}})")
                .status,
            200U);
  EXPECT_EQ(call("PUT", "/v1/snapshot", "{").status, 422U);
  dataplane_.status_now.workers[0].flows_cut = 3;
  auto revisions = get("/v1/history")["revisions"];
  ASSERT_EQ(revisions.size(), 2U) << "what was refused is no revision";
  EXPECT_EQ(revisions[0]["revision"], 2);
  EXPECT_EQ(revisions[0]["action"], "delta");
  EXPECT_EQ(revisions[0]["policies"], Document({"- NetworkPolicy web/allow"}));
  EXPECT_EQ(revisions[0]["flows_cut"], 3);
  EXPECT_TRUE(revisions[0]["reason"].is_null());
  EXPECT_EQ(revisions[1]["reason"], "the first");
  EXPECT_EQ(revisions[1]["changed"]["NetworkPolicy"]["added"], 3);
  dataplane_.flows_now.resize(2);
  dataplane_.status_now.workers[0].flows_cut = 5;
  ASSERT_EQ(call("DELETE", "/v1/flows?all=true").status, 200U);
  EXPECT_EQ(get("/v1/history")["revisions"][0]["flows_cut"], 3) << "not the two ended by hand";

  const auto back = call("POST", "/v1/history/1/rollback?reason=undo");
  EXPECT_EQ(back.status, 200U) << back.body;
  EXPECT_EQ(Document::parse(back.body)["revision"], 3);
  EXPECT_EQ(Document::parse(call("GET", "/v1/snapshot").body).dump(),
            Document::parse(kube::encode_snapshot(kube::decode_snapshot(kCluster)->state)).dump());
  revisions = get("/v1/history")["revisions"];
  EXPECT_EQ(revisions[0]["action"], "rollback to 1");
  EXPECT_EQ(revisions[0]["reason"], "undo");
  EXPECT_EQ(Document::parse(call("POST", "/v1/history/3/rollback").body)["changed"], false);
  EXPECT_EQ(call("POST", "/v1/history/4/rollback").status, 404U);
  EXPECT_EQ(call("POST", "/v1/history/x/rollback").status, 400U);
  EXPECT_EQ(call("POST", "/v1/history/1/rollback?force=true").status, 400U);
  EXPECT_EQ(call("PUT", "/v1/snapshot?reason=" + std::string(1001, 'x'), kCluster).status, 400U);
  EXPECT_EQ(call("PUT", "/v1/snapshot?because=x", kCluster).status, 400U);
}

TEST_F(AdminTest, FlowsAreSpelledOut) {
  put_cluster();
  const auto& origins = *applier_->in_force()->compiled->origins;
  FlowRecord flow = flow_of_a_and_b(1);
  for (uint32_t rule = 1; rule < origins.next(); ++rule) {
    (origins.find(rule)->policy.name == "out" ? flow.egress_rule : flow.ingress_rule) = rule;
  }
  dataplane_.flows_now = {flow};
  dataplane_.flows_truncated = true;
  EXPECT_EQ(get("/v1/flows"), Document::parse(R"({"flows":[{"source":"10.0.0.1",
    "source_port":40000,"destination":"10.0.0.2","destination_port":80,"protocol":"TCP",
    "state":"established","opened_on":"b","wire":1,"vlans":[100],"worker":1,"revision":1,
    "egress_rule":"web/out egress[0]","ingress_rule":"web/allow ingress[0]","packets":[3,2],
    "bytes":[200,150],"idle_ms":10,"expires_in_ms":7999000,"source_pod":"web/a",
    "destination_pod":"web/b"}],"truncated":true})"));
}

TEST_F(AdminTest, FlowsWithoutPodsRulesOrSnapshot) {
  FlowRecord flow = flow_of_a_and_b(0);
  flow.protocol = 47;
  flow.outer_vlan = flow.inner_vlan = 0;
  flow.ingress_rule = 1;
  dataplane_.flows_now = {flow};
  auto d = get("/v1/flows")["flows"][0];
  EXPECT_EQ(d["protocol"], "47");
  EXPECT_EQ(d["vlans"], Document::array());
  EXPECT_TRUE(d["source_pod"].is_null());
  EXPECT_TRUE(d["ingress_rule"].is_null());
  put_cluster();
  flow.ingress_rule = 1000;
  flow.source = *IpAddress::parse("10.0.0.9");
  flow.destination = *IpAddress::parse("192.0.2.1");
  dataplane_.flows_now = {flow};
  d = get("/v1/flows")["flows"][0];
  EXPECT_TRUE(d["source_pod"].is_null()) << "two pods claim it";
  EXPECT_TRUE(d["destination_pod"].is_null()) << "a node";
  EXPECT_TRUE(d["ingress_rule"].is_null()) << "a rule that is gone";
}

TEST_F(AdminTest, WorkersThatDoNotAnswer) {
  dataplane_.flows_error = Error{ErrorCode::kIo, "worker 1 does not answer", "flows"};
  EXPECT_EQ(get("/v1/flows", 500)["detail"], "flows: worker 1 does not answer");
}

TEST_F(AdminTest, ExplainsADenial) {
  put_cluster();
  const auto d = get("/v1/explain?from=web/a&to=10.9.9.9&protocol=TCP&port=80");
  EXPECT_EQ(d["revision"], 1);
  EXPECT_EQ(d["from"],
            Document::parse(R"({"text":"web/a","address":"10.0.0.1","pod":"web/a","note":null})"));
  EXPECT_EQ(d["to"],
            Document::parse(R"({"text":"10.9.9.9","address":"10.9.9.9","pod":null,"note":null})"));
  EXPECT_EQ(d["protocol"], "TCP");
  EXPECT_EQ(d["port"], 80);
  EXPECT_EQ(d["verdict"], "deny");
  EXPECT_EQ(d["denied_by"], "egress");
  EXPECT_EQ(d["egress"]["policies"], Document({"web/out"}));
  EXPECT_TRUE(d["egress"]["rule"].is_null());
  EXPECT_EQ(d["ingress"]["isolated"], false);
  EXPECT_EQ(d["tables_agree"], true);
  EXPECT_THAT(d["why"].get<std::string>(), HasSubstr("web/a is isolated for egress by web/out"));
}

TEST_F(AdminTest, ExplainsAnAdmission) {
  put_cluster();
  const auto d = get("/v1/explain?from=10.0.0.1&to=web%2Fb&port=80");
  EXPECT_EQ(d["from"]["pod"], "web/a") << "the pod behind the address";
  EXPECT_EQ(d["verdict"], "allow");
  EXPECT_TRUE(d["denied_by"].is_null());
  EXPECT_EQ(d["ingress"]["rule"], Document::parse(R"({"policy":"web/allow",
    "path":"spec.ingress[0]","peer":"spec.ingress[0].from[1]","port":"spec.ingress[0].ports[0]",
    "admits":"pods with app=a of namespace web, TCP 80"})"));
  EXPECT_EQ(d["egress"]["rule"]["admits"], "10.0.0.2/32, any port of any protocol");
  EXPECT_EQ(d["ingress"]["nearest"], Document::array());
  EXPECT_TRUE(d["egress"]["rule"]["port"].is_null()) << "the rule names no ports";
  EXPECT_EQ(d["tables_agree"], true);
  EXPECT_EQ(get("/v1/explain?from=web/a&to=web/b&port=81")["denied_by"], "ingress");
}

TEST_F(AdminTest, ExplainNamesTheNearestMissOfEachDirection) {
  put_cluster();
  const auto port = get("/v1/explain?from=web/a&to=web/b&port=81");
  EXPECT_EQ(port["ingress"]["nearest"], Document::parse(R"([{"policy":"web/allow",
    "path":"spec.ingress[0]","peer":null,"port":"spec.ingress[0].ports[0]",
    "what":"port 80 is allowed, 81 is not"}])"));
  const auto both = get("/v1/explain?from=web/a&to=10.0.0.3&port=80");
  EXPECT_EQ(both["egress"]["nearest"][0]["what"],
            "would pass if the destination had an address in 10.0.0.2/32");
  EXPECT_EQ(both["ingress"]["why"],
            "egress of the source blocks it before ingress is asked; ingress would allow it: no "
            "policy isolates other/c for ingress");
}

TEST_F(AdminTest, ExplainShowsTheLiveFlowsOfSuchAPacket) {
  put_cluster();
  FlowRecord flow = flow_of_a_and_b(1);
  FlowRecord other_port = flow;
  other_port.destination_port = 443;
  dataplane_.flows_now = {flow, other_port};
  EXPECT_TRUE(get("/v1/explain?from=web/a&to=web/b&port=80")["flows"].is_null());
  const auto forward = get("/v1/explain?from=web/a&to=web/b&port=80&flows=true")["flows"];
  ASSERT_EQ(forward.size(), 1U);
  EXPECT_EQ(forward[0]["destination_port"], 80);
  EXPECT_EQ(forward[0]["answer"], false);
  EXPECT_EQ(dataplane_.asked.address, *IpAddress::parse("10.0.0.1"));
  EXPECT_EQ(dataplane_.asked.addresses, std::vector{*IpAddress::parse("10.0.0.2")});
  EXPECT_EQ(dataplane_.asked.protocol, 6);
  // Nobody may open a connection from b to a's port 40000, and yet b's answers pass.
  const auto answer = get("/v1/explain?from=web/b&to=web/a&port=40000&from_port=80")["flows"];
  ASSERT_EQ(answer.size(), 1U);
  EXPECT_EQ(answer[0]["answer"], true);
  EXPECT_EQ(get("/v1/explain?from=web/b&to=web/a&port=40000&from_port=81")["flows"].size(), 0U);
  EXPECT_EQ(get("/v1/explain?from=web/a&to=web/b&port=80&from_port=40001")["flows"].size(), 0U);
  dataplane_.flows_error = Error{ErrorCode::kIo, "it does not answer", "worker 1"};
  get("/v1/explain?from=web/a&to=web/b&port=80&flows=true", 500);
}

TEST_F(AdminTest, ExplainPicksAddressesOfOneFamily) {
  put_cluster();
  const auto d = get("/v1/explain?from=web/a&to=fd00::2&protocol=icmp");
  EXPECT_EQ(d["from"]["address"], "fd00::1");
  EXPECT_EQ(d["protocol"], "ICMPv6");
  EXPECT_EQ(d["port"], 0);
  EXPECT_EQ(get("/v1/explain?from=other/c&to=fd00::2&port=1", 400)["field"], "to");
}

TEST_F(AdminTest, ExplainOfSharedAndOwnAddresses) {
  put_cluster();
  EXPECT_TRUE(get("/v1/explain?from=10.0.0.9&to=web/b&port=80")["from"]["pod"].is_null());
  const auto own = get("/v1/explain?from=web/a&to=web/a&port=80");
  EXPECT_EQ(own["verdict"], "allow");
  EXPECT_EQ(own["tables_agree"], true);
  const auto node = get("/v1/explain?from=192.0.2.1&to=web/a&port=80");
  EXPECT_EQ(node["verdict"], "allow");
  EXPECT_EQ(node["tables_agree"], true);
}

TEST_F(AdminTest, ExplainRefuses) {
  EXPECT_EQ(get("/v1/explain?from=web/a&to=web/b&port=80", 409)["code"], "conflict");
  put_cluster();
  EXPECT_EQ(get("/v1/explain?to=web/b&port=80", 400)["field"], "from");
  EXPECT_EQ(get("/v1/explain?from=web/a&port=80", 400)["field"], "to");
  EXPECT_EQ(get("/v1/explain?from=web/a&to=nonsense&port=80", 400)["field"], "to");
  EXPECT_EQ(get("/v1/explain?from=web/nobody&to=web/b&port=80", 404)["code"], "not-found");
  EXPECT_EQ(get("/v1/explain?from=web/new&to=web/b&port=80", 400)["field"], "from");
  EXPECT_EQ(get("/v1/explain?from=web/a&to=web/b", 400)["field"], "port");
  EXPECT_EQ(get("/v1/explain?from=web/a&to=web/b&port=65536", 400)["field"], "port");
  EXPECT_EQ(get("/v1/explain?from=web/a&to=web/b&protocol=tpc&port=1", 400)["field"], "protocol");
  EXPECT_EQ(get("/v1/explain?from=web/a&to=web/b&port=80&sport=1", 400)["field"], "sport");
  EXPECT_EQ(get("/v1/explain?from=web/a&to=web/b&port=80&flows=1", 400)["field"], "flows");
  EXPECT_EQ(get("/v1/explain?from=web/a&to=web/b&port=80&from_port=x", 400)["field"], "from_port");
}

}  // namespace
}  // namespace rampart::admin
