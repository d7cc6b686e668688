// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "tests/unit/ctl/run_program.hpp"
#include "tools/rampartctl/session.hpp"

// explain without a rampartd: the objects of files in its place.
namespace rampart::ctl {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

const std::string kManifests = R"(apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: shop}
spec:
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: c}]}
---
apiVersion: v1
kind: Pod
metadata: {name: db-0, namespace: shop, labels: {app: db}}
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: db, namespace: shop}
spec:
  podSelector: {matchLabels: {app: db}}
  ingress:
  - from:
    - podSelector: {matchLabels: {app: web}}
    ports:
    - port: 5432
)";

Outcome explain(const std::string& from, const std::string& to, const std::string& service,
                const std::string& manifests = kManifests) {
  return run_program({"explain", "--socket", "/nope", "-f", "-", "--exit-code", from, to, service},
                     manifests);
}

TEST(ExplainFiles, WorkloadsAndPodsWithoutAddresses) {
  const Outcome allowed = explain("shop/deployment/web", "shop/db-0", "TCP/5432");
  EXPECT_EQ(allowed.status, kDone) << allowed.err;
  EXPECT_EQ(allowed.out,
            "allow: shop/deployment/web may reach shop/db-0 on TCP/5432\n"
            "  allowed by shop/db spec.ingress[0] (peer 0, port 0)\n"
            "\n"
            "egress of shop/deployment/web: allowed\n"
            "  isolated by  no policy\n"
            "  no policy isolates shop/deployment/web for egress\n"
            "\n"
            "ingress of shop/db-0: allowed\n"
            "  isolated by  shop/db\n"
            "  admitted by  shop/db, spec.ingress[0]: peer spec.ingress[0].from[0], port "
            "spec.ingress[0].ports[0]\n"
            "               pods with app=web of namespace shop, TCP 5432\n");
  const Outcome denied = explain("192.0.2.7", "shop/db-0", "TCP/80");
  EXPECT_EQ(denied.status, 3);
  EXPECT_THAT(
      denied.out,
      HasSubstr("  nearest miss shop/db, spec.ingress[0]: would pass if the source were one "
                "of pods with app=web of namespace shop (192.0.2.7 is no pod's address); "
                "and port 5432 is allowed, 80 is not\n"));
}

TEST(ExplainFiles, ATemplateWhosePodsAreThereIsNoPodOfItsOwn) {
  const std::string running =
      kManifests +
      "---\napiVersion: v1\nkind: Pod\n"
      "metadata: {name: web-1, namespace: shop, labels: {app: web, role: front}}\n";
  EXPECT_THAT(explain("shop/deployment/web", "shop/db-0", "TCP/5432", running).err,
              HasSubstr("there is no pod shop/deployment/web"));
  EXPECT_EQ(explain("shop/web-1", "shop/db-0", "TCP/5432", running).status, kDone);
}

TEST(ExplainFiles, OtherAddressesAndPodsThatHaveEndedAreSpokenOf) {
  const std::string manifests =
      "apiVersion: v1\nkind: Pod\nmetadata: {name: a, namespace: shop}\n"
      "status: {podIPs: [{ip: 10.0.0.1}, {ip: 'fd00::1'}]}\n"
      "---\napiVersion: v1\nkind: Pod\nmetadata: {name: b, namespace: shop, labels: {app: b}}\n"
      "status: {podIPs: [{ip: 10.0.0.2}, {ip: 'fd00::2'}]}\n"
      "---\napiVersion: v1\nkind: Pod\nmetadata: {name: over, namespace: shop}\n"
      "status: {phase: Succeeded, podIP: 10.0.0.3}\n"
      "---\napiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\n"
      "metadata: {name: b, namespace: shop}\n"
      "spec: {podSelector: {matchLabels: {app: b}}, ingress: [{from: [{ipBlock: {cidr: "
      "'fd00::/8'}}]}]}\n";
  const Outcome differ = explain("shop/a", "shop/b", "TCP/80", manifests);
  EXPECT_EQ(differ.status, 3) << "the first addresses decide";
  EXPECT_THAT(differ.out, HasSubstr("\n  but allowed from fd00::1 to fd00::2: allowed by shop/b "
                                    "spec.ingress[0] (peer 0, all ports)\n"));
  EXPECT_THAT(explain("shop/b", "shop/a", "IP/47", manifests).out,
              HasSubstr("\n  also allowed from fd00::2 to fd00::1\n"));
  EXPECT_THAT(explain("shop/over", "shop/b", "TCP/80", manifests).out,
              HasSubstr("\n  shop/over has ended, and is no pod to any policy any more\n"));
  EXPECT_EQ(explain("shop/a", "shop/b", "IP/256", manifests).status, kUsage);
  EXPECT_THAT(explain("nowhere/a", "shop/b", "TCP/80", manifests).err,
              HasSubstr("there is no pod nowhere/a: there is no namespace nowhere"));
}

TEST(ExplainFiles, JsonIsTheDocumentOfTheSocket) {
  const Outcome outcome = run_program(
      {"explain", "-o", "json", "-f", "-", "shop/db-0", "192.0.2.7", "ICMP"}, kManifests);
  EXPECT_EQ(outcome.status, kDone) << outcome.err;
  EXPECT_THAT(outcome.out, HasSubstr("\"verdict\": \"allow\""));
  EXPECT_THAT(outcome.out, Not(HasSubstr("revision")));
}

TEST(ExplainFiles, WhatIsWrongHasItsPlace) {
  const std::string wrong = kManifests + "    - port: 90\n      endPort: 80\n";
  const Outcome refused = explain("shop/web", "shop/db-0", "TCP/80", wrong);
  EXPECT_EQ(refused.status, kFailed);
  EXPECT_THAT(refused.err, HasSubstr("standard input:13: NetworkPolicy shop/db: "
                                     "spec.ingress[0].ports[1].endPort: "));
  EXPECT_THAT(explain("shop/nobody", "shop/db-0", "TCP/80").err,
              HasSubstr("from: there is no pod shop/nobody"));
  EXPECT_EQ(explain("shop/db-0", "shop/db-0", "TCP/x").status, kUsage);
  EXPECT_EQ(explain("10.0.0.1:80", "shop/db-0", "TCP/80").status, kUsage) << "no live flows here";
  EXPECT_EQ(run_program({"explain", "-f", "/nope", "a/b", "a/c", "ICMP"}).status, kFailed);
}

TEST(ExplainFlows, EndsAsFlowsListsThem) {
  const Stand stand(
      R"({"revision":7,"from":{"address":"10.0.0.2"},"to":{"address":"10.0.0.1"},"protocol":"TCP",)"
      R"("port":40000,"verdict":"deny","denied_by":"egress","egress":{"allowed":false},)"
      R"("ingress":{"allowed":true},"tables_agree":true,"flows":[{"source":"10.0.0.1",)"
      R"("source_port":40000,"destination":"10.0.0.2","destination_port":80,"protocol":"TCP",)"
      R"("state":"established","revision":6,"egress_rule":null,)"
      R"("ingress_rule":"web/allow ingress[0]","answer":true}]})");
  const Outcome outcome = stand.run({"explain", "10.0.0.2:80", "10.0.0.1:40000", "TCP"});
  EXPECT_THAT(stand.calls(),
              ElementsAre("GET /v1/explain?from=10.0.0.2&to=10.0.0.1&protocol=TCP&port=40000&"
                          "from_port=80"));
  EXPECT_THAT(outcome.out,
              HasSubstr("\nlive flow    TCP 10.0.0.1:40000 to 10.0.0.2:80, established, judged "
                        "under revision 6\n"
                        "  admitted by  web/allow ingress[0]\n"
                        "  this would be an answer in it, and answers pass whatever the policies "
                        "above say\n"));
  stand.run({"explain", "[fd00::1]:40000", "web/b", "TCP/80"});
  stand.run({"explain", "fd00::1", "web/b", "TCP/80", "--flows"});
  EXPECT_EQ(stand.calls()[1],
            "GET /v1/explain?from=fd00%3A%3A1&to=web%2Fb&protocol=TCP&port=80&from_port=40000");
  EXPECT_EQ(stand.calls()[2],
            "GET /v1/explain?from=fd00%3A%3A1&to=web%2Fb&protocol=TCP&port=80&flows=true");
  EXPECT_EQ(stand.run({"explain", "10.0.0.2:x", "10.0.0.1:40000", "TCP"}).status, kUsage);
}

}  // namespace
}  // namespace rampart::ctl
