// SPDX-License-Identifier: Apache-2.0
//
// What came nearest to admitting a connection: each sentence beside the change that it speaks of,
// which must indeed let the connection through.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "control/explain/document.hpp"
#include "control/kube/decode.hpp"

namespace rampart::explain {
namespace {

using ::testing::HasSubstr;

/// A cluster of pods `client` and `server` in `shop`, `probe` in `tools`, and policies.
kube::ClusterState cluster(const std::string& policies, const std::string& client_labels,
                           const std::string& server_ports = "") {
  const std::string json =
      R"({"apiVersion":"v1","kind":"List","items":[
  {"apiVersion":"v1","kind":"Namespace","metadata":{"name":"tools","labels":{"team":"ops"}}},
  {"apiVersion":"v1","kind":"Pod","metadata":{"name":"client","namespace":"shop","labels":{)" +
      client_labels + R"(}},"status":{"podIP":"10.1.0.1"}},
  {"apiVersion":"v1","kind":"Pod","metadata":{"name":"probe","namespace":"tools","labels":{"app":"web"}},
   "status":{"podIP":"10.2.0.1"}},
  {"apiVersion":"v1","kind":"Pod","metadata":{"name":"server","namespace":"shop","labels":{"app":"db"}},
   "spec":{"containers":[{"name":"c","ports":[)" +
      server_ports + R"(]}]},"status":{"podIP":"10.1.0.2"}})" + policies + "]}";
  auto decoded = kube::decode_snapshot(json);
  EXPECT_TRUE(decoded) << decoded.error().text();
  return decoded ? std::move(decoded->state) : kube::ClusterState{};
}

std::string ingress(const std::string& rules, const std::string& name = "allow") {
  return R"(,{"apiVersion":"networking.k8s.io/v1","kind":"NetworkPolicy","metadata":{"name":")" +
         name +
         R"(","namespace":"shop"},"spec":{"podSelector":{"matchLabels":{"app":"db"}},"ingress":[)" +
         rules + "]}}";
}

Json ask(const kube::ClusterState& state, Query query) {
  query.emplace("to", "shop/server");
  query.emplace("from", "shop/client");
  query.emplace("port", "5432");
  const auto question = read_question(query, state);
  EXPECT_TRUE(question) << question.error().text();
  return answer(*question, kube::Evaluator(state)).json;
}

struct Case {
  std::string rules, labels;
  Query query;
  std::string what;
  // The change that the sentence speaks of; what is empty stays.
  std::string labels_then;
  Query query_then;
};

TEST(NearestMiss, SaysWhatWouldLetItPassAndThatIsTrue) {
  const std::string web = R"("app":"web")", api = R"("app":"api")";
  const std::vector<Case> cases{
      {R"({"from":[{"podSelector":{"matchLabels":{"app":"web"}}}]})",
       api,
       {},
       "would pass if the source had label app=web (it has app=api)",
       web,
       {}},
      {R"({"from":[{"podSelector":{"matchLabels":{"app":"web"}}}]})",
       "",
       {},
       "would pass if the source had label app=web",
       web,
       {}},
      {R"({"from":[{"podSelector":{"matchExpressions":[{"key":"app","operator":"In","values":["web","ui"]}]}}]})",
       api,
       {},
       "would pass if the source had label app in (ui, web) (it has app=api)",
       R"("app":"ui")",
       {}},
      {R"({"from":[{"podSelector":{"matchExpressions":[{"key":"app","operator":"NotIn","values":["api"]}]}}]})",
       api,
       {},
       "would pass if the source had no label app=api",
       web,
       {}},
      {R"({"from":[{"podSelector":{"matchExpressions":[{"key":"app","operator":"NotIn","values":["api","web"]}]}}]})",
       api,
       {},
       "would pass if the source had no label app in (api, web) (it has app=api)",
       R"("app":"ui")",
       {}},
      {R"({"from":[{"podSelector":{"matchExpressions":[{"key":"app","operator":"In","values":["api","ui","web"]},)"
       R"({"key":"app","operator":"NotIn","values":["api","ui"]}]}}]})",
       api,
       {},
       "would pass if the source had label app=web (it has app=api)",
       web,
       {}},
      {R"({"from":[{"podSelector":{"matchExpressions":[{"key":"app","operator":"Exists"},)"
       R"({"key":"app","operator":"NotIn","values":["api"]}]}}]})",
       api,
       {},
       "would pass if the source had a label app other than app=api",
       web,
       {}},
      {R"({"from":[{"podSelector":{"matchExpressions":[{"key":"tier","operator":"Exists"}]}}]})",
       api,
       {},
       "would pass if the source had a label tier",
       R"("tier":"x")",
       {}},
      {R"({"from":[{"podSelector":{"matchExpressions":[{"key":"app","operator":"DoesNotExist"}]}}]})",
       api,
       {},
       "would pass if the source had no label app=api",
       R"("tier":"x")",
       {}},
      {R"({"from":[{"podSelector":{"matchLabels":{"app":"web","tier":"front"}}}]})",
       web,
       {},
       "would pass if the source had label tier=front",
       R"("app":"web","tier":"front")",
       {}},
      {R"({"ports":[{"port":8080}]})",
       web,
       {{"port", "80"}},
       "port 8080 is allowed, 80 is not",
       "",
       {{"port", "8080"}}},
      {R"({"ports":[{"port":8080},{"port":90,"endPort":99}]})",
       web,
       {{"port", "80"}},
       "ports 8080 and 90-99 are allowed, 80 is not",
       "",
       {{"port", "99"}}},
      {R"({"ports":[{"port":53}]})",
       web,
       {{"protocol", "UDP"}, {"port", "53"}},
       "TCP 53 is allowed, UDP 53 is not",
       "",
       {{"protocol", "TCP"}, {"port", "53"}}},
      {R"({"ports":[{"port":53}]})",
       web,
       {{"protocol", "ICMP"}},
       "TCP 53 is allowed, ICMP is not (only a rule without ports allows it)",
       "",
       {{"port", "53"}}},
      {R"({"ports":[{"port":"sql"}]})",
       web,
       {{"port", "80"}},
       "port sql (5432) is allowed, 80 is not",
       "",
       {{"port", "5432"}}},
      {R"({"from":[{"podSelector":{"matchLabels":{"app":"web"}}}],"ports":[{"port":8080}]})",
       api,
       {{"port", "80"}},
       "would pass if the source had label app=web (it has app=api); and port 8080 is allowed, 80 "
       "is not",
       web,
       {{"port", "8080"}}},
      {R"({"from":[{"podSelector":{"matchLabels":{"app":"web"}}}]})",
       "",
       {{"from", "tools/probe"}},
       "would pass if the source were in namespace shop",
       web,
       {{"from", "shop/client"}}},
      {R"({"from":[{"namespaceSelector":{"matchLabels":{"team":"ops"}}}]})",
       web,
       {},
       "would pass if the source were in a namespace that had label team=ops",
       "",
       {{"from", "tools/probe"}}},
      {R"({"from":[{"ipBlock":{"cidr":"192.0.2.0/24","except":["192.0.2.128/25"]}}]})",
       web,
       {{"from", "192.0.2.200"}},
       "would pass if the source were not in 192.0.2.128/25, which is excepted from 192.0.2.0/24",
       "",
       {{"from", "192.0.2.1"}}},
      {R"({"from":[{"ipBlock":{"cidr":"192.0.2.0/24","except":["192.0.2.192/26","192.0.2.128/25"]}}]})",
       web,
       {{"from", "192.0.2.200"}},
       "would pass if the source were not in 192.0.2.128/25, which is excepted from 192.0.2.0/24",
       "",
       {{"from", "192.0.2.1"}}},
      {R"({"from":[{"ipBlock":{"cidr":"192.0.2.0/24"}}]})",
       web,
       {{"from", "198.51.100.1"}},
       "would pass if the source had an address in 192.0.2.0/24",
       "",
       {{"from", "192.0.2.9"}}},
      {R"({"from":[{"podSelector":{"matchLabels":{"app":"web"}}}]})",
       web,
       {{"from", "198.51.100.1"}},
       "would pass if the source were one of pods with app=web of namespace shop (198.51.100.1 is "
       "no pod's address)",
       "",
       {{"from", "shop/client"}}}};
  const std::string sql = R"({"name":"sql","containerPort":5432})";
  for (const Case& one : cases) {
    SCOPED_TRACE(one.what);
    const Json denied = ask(cluster(ingress(one.rules), one.labels, sql), one.query);
    ASSERT_EQ(denied["verdict"], "deny");
    EXPECT_EQ(denied["denied_by"], "ingress");
    ASSERT_FALSE(denied["ingress"]["nearest"].empty());
    EXPECT_EQ(denied["ingress"]["nearest"][0]["what"], one.what);
    const Json allowed = ask(
        cluster(ingress(one.rules), one.labels_then.empty() ? one.labels : one.labels_then, sql),
        one.query_then);
    EXPECT_EQ(allowed["verdict"], "allow") << "with the change, " << allowed["why"];
    EXPECT_EQ(allowed["ingress"]["nearest"], Json::array()) << "nothing is missing";
  }
}

TEST(NearestMiss, NearestFirstAndNoMoreThanThree) {
  const std::string rules =
      R"({"from":[{"ipBlock":{"cidr":"192.0.2.0/24"}}]},
         {"from":[{"podSelector":{"matchLabels":{"app":"web"}}}],"ports":[{"port":80}]},
         {"from":[{"ipBlock":{"cidr":"198.51.100.0/24"}},{"podSelector":{"matchLabels":{"app":"web"}}}]},
         {"ports":[{"port":80}]})";
  const Json denied = ask(cluster(ingress(rules), R"("app":"api")"), {});
  const Json& nearest = denied["ingress"]["nearest"];
  ASSERT_EQ(nearest.size(), 3U);
  EXPECT_EQ(nearest[0]["path"], "spec.ingress[2]");
  EXPECT_EQ(nearest[0]["peer"], "spec.ingress[2].from[1]") << "of its peers the nearer one";
  EXPECT_TRUE(nearest[0]["port"].is_null()) << "it names none, so they fit";
  EXPECT_EQ(nearest[1]["path"], "spec.ingress[3]");
  EXPECT_TRUE(nearest[1]["peer"].is_null());
  EXPECT_EQ(nearest[1]["port"], "spec.ingress[3].ports[0]");
  EXPECT_EQ(nearest[2]["path"], "spec.ingress[1]");
}

TEST(NearestMiss, PoliciesThatAllowNothing) {
  const Json none = ask(cluster(ingress("", "deny-all"), R"("app":"web")"), {});
  EXPECT_EQ(none["ingress"]["nearest"][0]["what"], "has no rules for ingress: it allows nothing");
  EXPECT_EQ(none["ingress"]["nearest"][0]["path"], "spec.ingress");
  const Json closed = ask(cluster(ingress(R"({"from":[{"galaxy":"far"}]})"), R"("app":"web")"), {});
  EXPECT_THAT(closed["ingress"]["nearest"][0]["what"].get<std::string>(),
              HasSubstr("allows nothing because "));
  const Json beside = ask(
      cluster(ingress("", "deny-all") + ingress(R"({"ports":[{"port":80}]})"), R"("app":"web")"),
      {});
  EXPECT_EQ(beside["ingress"]["nearest"][0]["policy"], "shop/allow")
      << "a rule is nearer than none at all";
}

TEST(NearestMiss, PeersThatSelectNobodyAreNoAdvice) {
  const std::string rules =
      R"({"from":[{"podSelector":{"matchLabels":{"app":"web"},)"
      R"("matchExpressions":[{"key":"app","operator":"NotIn","values":["web"]}]}}]},)"
      R"({"from":[{"podSelector":{"matchExpressions":[{"key":"tier","operator":"Exists"},)"
      R"({"key":"tier","operator":"DoesNotExist"}]}}]},)"
      R"({"from":[{"ipBlock":{"cidr":"192.0.2.0/24"}}]})";
  const Json denied = ask(cluster(ingress(rules), R"("app":"web")"), {});
  const Json& nearest = denied["ingress"]["nearest"];
  ASSERT_EQ(nearest.size(), 3U);
  EXPECT_EQ(nearest[0]["path"], "spec.ingress[2]") << "an address can be had, these labels cannot";
  EXPECT_EQ(nearest[1]["what"],
            "its peer selects nobody: pods with app=web, app!=web of namespace shop contradicts "
            "itself");
  EXPECT_EQ(nearest[2]["what"],
            "its peer selects nobody: pods with tier, !tier of namespace shop contradicts itself");
}

/// Two pods of two addresses each, and a policy that lets in whoever comes from `block`.
kube::ClusterState dual_stack(const std::string& block) {
  auto decoded = kube::decode_snapshot(
      R"({"apiVersion":"v1","kind":"List","items":[
    {"apiVersion":"v1","kind":"Pod","metadata":{"name":"client","namespace":"shop"},
     "status":{"podIPs":[{"ip":"10.1.0.1"},{"ip":"fd00::1"}]}},
    {"apiVersion":"v1","kind":"Pod","metadata":{"name":"server","namespace":"shop","labels":{"app":"db"}},
     "status":{"podIPs":[{"ip":"10.1.0.2"},{"ip":"fd00::2"}]}})" +
      ingress(R"({"from":[{"ipBlock":{"cidr":")" + block + R"("}}],"ports":[{"port":5432}]})") +
      "]}");
  EXPECT_TRUE(decoded) << decoded.error().text();
  return decoded ? std::move(decoded->state) : kube::ClusterState{};
}

TEST(Explain, SaysWhatBecomesOfTheOtherAddresses) {
  const auto state = dual_stack("fd00::/64");
  const Json made = ask(state, {});
  EXPECT_EQ(made["verdict"], "deny") << "10.1.0.1 to 10.1.0.2, the first of one family";
  EXPECT_EQ(made["ingress"]["nearest"][0]["what"],
            "would pass if the source used its address fd00::1, which is in fd00::/64");
  ASSERT_EQ(made["other_addresses"].size(), 1U);
  EXPECT_EQ(made["other_addresses"][0]["from"], "fd00::1");
  EXPECT_EQ(made["other_addresses"][0]["to"], "fd00::2");
  EXPECT_EQ(made["other_addresses"][0]["verdict"], "allow");
  EXPECT_EQ(ask(state, {{"from", "fd00::1"}, {"to", "fd00::2"}})["verdict"], "allow");
  EXPECT_EQ(ask(dual_stack("10.1.0.0/24"), {})["other_addresses"][0]["verdict"], "deny");
  const Json ping = ask(dual_stack("10.1.0.0/24"), {{"protocol", "ICMP"}});
  EXPECT_THAT(ping["other_addresses"][0]["why"].get<std::string>(), HasSubstr("on ICMPv6"));
  EXPECT_EQ(ask(cluster("", ""), {})["other_addresses"], Json::array());
}

TEST(Explain, SaysWhichPodsNoPolicyLooksAt) {
  auto decoded = kube::decode_snapshot(R"({"apiVersion":"v1","kind":"List","items":[
    {"apiVersion":"v1","kind":"Pod","metadata":{"name":"over","namespace":"shop"},
     "status":{"phase":"Failed","podIP":"10.1.0.8"}},
    {"apiVersion":"v1","kind":"Pod","metadata":{"name":"host","namespace":"shop"},
     "spec":{"hostNetwork":true},"status":{"podIP":"192.0.2.1"}},
    {"apiVersion":"v1","kind":"Pod","metadata":{"name":"server","namespace":"shop"},
     "status":{"podIP":"10.1.0.2"}}]})");
  ASSERT_TRUE(decoded);
  const auto note = [&](const char* pod) {
    return ask(decoded->state, {{"from", std::string("shop/") + pod}})["from"]["note"];
  };
  EXPECT_EQ(note("over"), "has ended, and is no pod to any policy any more");
  EXPECT_EQ(note("host"),
            "is on the host's network: its traffic is its node's, and no policy selects it");
  EXPECT_TRUE(note("server").is_null());
}

TEST(Explain, EgressBlocksBeforeIngressIsAsked) {
  const std::string locked =
      R"(,{"apiVersion":"networking.k8s.io/v1","kind":"NetworkPolicy","metadata":{"name":"locked",)"
      R"("namespace":"shop"},"spec":{"podSelector":{"matchLabels":{"app":"web"}},"policyTypes":["Egress"]}})";
  const Json both = ask(cluster(locked + ingress(""), R"("app":"web")"), {});
  EXPECT_EQ(both["denied_by"], "egress");
  EXPECT_THAT(both["ingress"]["why"].get<std::string>(),
              HasSubstr("egress of the source blocks it before ingress is asked; ingress would "
                        "deny it too: shop/server is isolated for ingress by shop/allow"));
  EXPECT_EQ(both["ingress"]["nearest"].size(), 1U) << "what would come next is told as well";
  const Json one = ask(cluster(locked, R"("app":"web")"), {});
  EXPECT_THAT(one["ingress"]["why"].get<std::string>(), HasSubstr("ingress would allow it: "));
  const Json fine = ask(cluster("", R"("app":"web")"), {});
  EXPECT_EQ(fine["verdict"], "allow");
  EXPECT_THAT(fine["ingress"]["why"].get<std::string>(), testing::Not(HasSubstr("before")));
}

TEST(StandInAddresses, OnlyForPodsThatCouldHaveOne) {
  auto decoded = kube::decode_snapshot(R"({"apiVersion":"v1","kind":"List","items":[
    {"apiVersion":"v1","kind":"Pod","metadata":{"name":"new"}},
    {"apiVersion":"v1","kind":"Pod","metadata":{"name":"newer"}},
    {"apiVersion":"v1","kind":"Pod","metadata":{"name":"there"},"status":{"podIP":"10.0.0.1"}},
    {"apiVersion":"v1","kind":"Pod","metadata":{"name":"over"},"status":{"phase":"Failed"}},
    {"apiVersion":"v1","kind":"Pod","metadata":{"name":"host"},"spec":{"hostNetwork":true}}]})");
  ASSERT_TRUE(decoded);
  give_stand_in_addresses(decoded->state);
  const auto addresses = [&](const char* name) {
    return decoded->state.pods.at({"default", name})->addresses;
  };
  EXPECT_EQ(addresses("new"),
            (std::vector{*IpAddress::parse("0.0.0.1"), *IpAddress::parse("100::1")}));
  EXPECT_EQ(addresses("newer"),
            (std::vector{*IpAddress::parse("0.0.0.2"), *IpAddress::parse("100::2")}));
  EXPECT_EQ(addresses("there"), std::vector{*IpAddress::parse("10.0.0.1")});
  EXPECT_TRUE(addresses("over").empty());
  EXPECT_TRUE(addresses("host").empty());
  EXPECT_TRUE(is_stand_in(*IpAddress::parse("0.0.0.2")));
  EXPECT_FALSE(is_stand_in(*IpAddress::parse("10.0.0.1")));
  const auto question =
      read_question({{"from", "default/new"}, {"to", "10.9.9.9"}, {"port", "80"}}, decoded->state);
  ASSERT_TRUE(question);
  const Json said = answer(*question, kube::Evaluator(decoded->state)).json;
  EXPECT_TRUE(said["from"]["address"].is_null()) << "it is none, and is not shown as one";
  EXPECT_EQ(said["from"]["pod"], "default/new");
}

}  // namespace
}  // namespace rampart::explain
