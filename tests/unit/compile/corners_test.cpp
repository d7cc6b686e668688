// SPDX-License-Identifier: Apache-2.0
//
// The places of the policy language where implementations go wrong, a few tests each, in the order
// lists and defaults, selectors, ports, blocks, who is who. (That a denial is a silent drop is the
// packet path's to keep.)
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "tests/unit/compile/cluster.hpp"

namespace rampart {
namespace {

const std::string kWeb = R"("app":"web")", kDb = R"("app":"db")";
const std::string kIngress = R"("policyTypes":["Ingress"])",
                  kEgress = R"("policyTypes":["Egress"])";

/// x/web and x/db, y/web, and addresses of nobody.
Cluster three_pods() {
  Cluster c;
  c.ns("x", R"("team":"red")").ns("y", R"("team":"blue")");
  c.pod("x/web", 1, kWeb).pod("x/db", 2, kDb).pod("y/web", 3, kWeb);
  return c;
}

TEST(Corner01, PeersAndPortsThatAreEmptyMeanAll) {
  for (const std::string empty : {"", R"("from":null,"ports":null)", R"("from":[],"ports":[])"}) {
    Cluster c = three_pods();
    c.policy("x/p", R"("podSelector":{},"ingress":[{)" + empty + "}]");
    EXPECT_TRUE(c.allows("y/web", "x/db", "TCP/1"));
    EXPECT_TRUE(c.allows("192.0.2.1", "x/db", "UDP/65535"));
    EXPECT_TRUE(c.allows("2001:db8::1", "x/db", "GRE"));
  }
}

TEST(Corner01, RulesThatAreEmptyMeanNone) {
  for (const std::string none : {"", R"(,"ingress":null)", R"(,"ingress":[])"}) {
    Cluster c = three_pods();
    c.policy("x/p", R"("podSelector":{})" + none);
    EXPECT_FALSE(c.allows("x/web", "x/db"));
    EXPECT_FALSE(c.allows("192.0.2.1", "x/db"));
    EXPECT_TRUE(c.allows("x/db", "y/web"));
  }
  Cluster c = three_pods();
  c.policy("x/p", R"("podSelector":{},"egress":[],)" + kEgress);
  EXPECT_FALSE(c.allows("x/db", "y/web"));
  EXPECT_TRUE(c.allows("y/web", "x/db"));
}

TEST(Corner02, TypesDefaultToIngressAndToEgressIfThereAreEgressRules) {
  Cluster c = three_pods();
  c.policy("x/p", R"("podSelector":{},"egress":[{"to":[{"podSelector":{}}]}])");
  EXPECT_FALSE(c.allows("y/web", "x/web"));  // Ingress is always meant
  EXPECT_FALSE(c.allows("x/web", "y/web"));  // and Egress, since there is a rule
  Cluster without = three_pods();
  without.policy("x/p", R"("podSelector":{},"egress":[])");
  EXPECT_TRUE(without.allows("x/web", "y/web"));
}

TEST(Corner02, ARuleOfATypeThatIsNotListedDoesNothing) {
  Cluster c = three_pods();
  c.policy("x/p", R"("podSelector":{},"ingress":[{"from":[{"podSelector":{}}]}],"egress":[{}],)" +
                      kEgress);
  EXPECT_TRUE(c.allows("y/web", "x/web"));
  c = three_pods();
  c.policy("x/p", R"("podSelector":{},"ingress":[{}],"egress":[],)" + kIngress);
  EXPECT_TRUE(c.allows("x/web", "y/web"));
}

TEST(Corner03, AnEmptyPodSelectorIsTheWholeNamespace) {
  for (const std::string all : {"", R"("podSelector":null,)", R"("podSelector":{},)",
                                R"("podSelector":{"matchLabels":null},)"}) {
    Cluster c = three_pods();
    c.policy("x/p", all + R"("ingress":[])");
    EXPECT_FALSE(c.allows("y/web", "x/web")) << all;
    EXPECT_FALSE(c.allows("y/web", "x/db")) << all;
    EXPECT_TRUE(c.allows("x/web", "y/web")) << all;
  }
}

TEST(Corner04, AProtocolIsTcpUnlessItSaysOtherwise) {
  Cluster c = three_pods();
  c.policy("x/p", R"("podSelector":{},"ingress":[{"ports":[{"port":80},{"protocol":"UDP"}]}])");
  EXPECT_TRUE(c.allows("y/web", "x/web", "TCP/80"));
  EXPECT_FALSE(c.allows("y/web", "x/web", "SCTP/80"));
  EXPECT_FALSE(c.allows("y/web", "x/web", "TCP/81"));
  EXPECT_TRUE(c.allows("y/web", "x/web", "UDP/1"));
  EXPECT_TRUE(c.allows("y/web", "x/web", "UDP/65535"));
  EXPECT_FALSE(c.allows("y/web", "x/web", "ICMP"));  // ports were named: nothing without ports
}

TEST(Corner04, ARuleForSctpIsolatesTcp) {
  Cluster c = three_pods();
  c.policy("x/p", R"("podSelector":{},"ingress":[{"ports":[{"protocol":"SCTP","port":7}]}])");
  EXPECT_TRUE(c.allows("y/web", "x/web", "SCTP/7"));
  EXPECT_FALSE(c.allows("y/web", "x/web", "TCP/7"));
}

TEST(Corner04, ARuleWithoutPortsIsEveryProtocol) {
  Cluster c = three_pods();
  c.policy("x/p", R"("podSelector":{},"ingress":[{"from":[{"namespaceSelector":{}}]}])");
  for (const char* service : {"TCP/0", "UDP/1", "SCTP/2", "ICMP", "GRE"}) {
    EXPECT_TRUE(c.allows("y/web", "x/web", service)) << service;
  }
  EXPECT_FALSE(c.allows("192.0.2.1", "x/web", "ICMP"));
}

TEST(Corner05, WhomAPeerMeans) {
  const auto from = [](const std::string& peers) {
    Cluster c = three_pods();
    c.pod("y/db", 4, kDb);
    c.policy("x/p", R"("podSelector":{},"ingress":[{"from":[)" + peers + "]}]");
    return c;
  };
  const std::string web = R"("podSelector":{"matchLabels":{"app":"web"}})";
  const std::string blue = R"("namespaceSelector":{"matchLabels":{"team":"blue"}})";
  Cluster own = from("{" + web + "}");
  EXPECT_TRUE(own.allows("x/web", "x/db"));
  EXPECT_FALSE(own.allows("y/web", "x/db"));
  Cluster spaces = from("{" + blue + "}");
  EXPECT_TRUE(spaces.allows("y/web", "x/db"));
  EXPECT_TRUE(spaces.allows("y/db", "x/db"));
  EXPECT_FALSE(spaces.allows("x/web", "x/db"));
  Cluster all_spaces = from(R"({"namespaceSelector":{}})");
  EXPECT_TRUE(all_spaces.allows("y/web", "x/db"));
  EXPECT_FALSE(all_spaces.allows("192.0.2.1", "x/db"));  // never an outside address
  EXPECT_FALSE(all_spaces.allows("10.0.0.77", "x/db"));
  Cluster both = from("{" + web + "," + blue + "}");
  EXPECT_TRUE(both.allows("y/web", "x/db"));
  EXPECT_FALSE(both.allows("y/db", "x/db"));
  EXPECT_FALSE(both.allows("x/web", "x/db"));
  Cluster either = from("{" + web + "},{" + blue + "}");
  EXPECT_TRUE(either.allows("y/db", "x/db"));
  EXPECT_TRUE(either.allows("x/web", "x/db"));
  EXPECT_FALSE(either.allows("192.0.2.1", "x/db"));
}

TEST(Corner06, NegativeOperatorsHoldWhereTheKeyIsMissing) {
  const auto reaches = [](const std::string& expression, const char* from) {
    Cluster c;
    c.pod("x/a", 1, R"("k":"v")").pod("x/empty", 2, R"("k":"")").pod("x/none", 3);
    c.pod("x/target", 4, R"("target":"")");
    c.policy("x/p", R"("podSelector":{"matchLabels":{"target":""}},"ingress":[{"from":[)"
                    R"({"podSelector":{"matchExpressions":[{"key":"k",)" +
                        expression + "}]}}]}]");
    return c.allows(from, "x/target");
  };
  const auto all = [&](const std::string& expression) {
    std::string who;
    for (const char* from : {"x/a", "x/empty", "x/none"}) {
      if (reaches(expression, from)) who += std::string(from) + " ";
    }
    return who;
  };
  EXPECT_EQ(all(R"("operator":"NotIn","values":["v"])"), "x/empty x/none ");
  EXPECT_EQ(all(R"("operator":"DoesNotExist")"), "x/none ");
  EXPECT_EQ(all(R"("operator":"In","values":[""])"), "x/empty ");
  EXPECT_EQ(all(R"("operator":"In","values":["","v"])"), "x/a x/empty ");
  EXPECT_EQ(all(R"("operator":"Exists")"), "x/a x/empty ");
}

TEST(Corner07, NamespacesCarryTheirName) {
  Cluster c = three_pods();  // their objects do not say so
  c.pod("z/web", 5, kWeb);   // and this namespace has no object
  c.policy("x/p",
           R"("podSelector":{},"ingress":[{"from":[{"namespaceSelector":{"matchExpressions":)"
           R"([{"key":"kubernetes.io/metadata.name","operator":"In","values":["y","z"]}]}}]}])");
  EXPECT_TRUE(c.allows("y/web", "x/db"));
  EXPECT_TRUE(c.allows("z/web", "x/db"));
  EXPECT_FALSE(c.allows("x/web", "x/db"));
}

Cluster named_ports() {
  Cluster c;
  c.with_ports(
      R"({"name":"http","containerPort":80},{"name":"dns","containerPort":53,"protocol":"UDP"})");
  c.pod("x/one", 1, R"("app":"server")");
  c.with_ports(R"({"name":"http","containerPort":8080})").pod("x/two", 2, R"("app":"server")");
  c.with_ports(R"({"name":"http","containerPort":80,"protocol":"UDP"})")
      .pod("x/udp", 3, R"("app":"server")");
  c.with_ports("").pod("x/client", 4);
  return c;
}

TEST(Corner08, ANamedPortIsTheDestinationsForIngress) {
  Cluster c = named_ports();
  c.policy(
      "x/p",
      R"("podSelector":{"matchLabels":{"app":"server"}},"ingress":[{"ports":[{"port":"http"}]}])");
  EXPECT_TRUE(c.allows("x/client", "x/one", "TCP/80"));
  EXPECT_FALSE(c.allows("x/client", "x/one", "TCP/8080"));
  EXPECT_TRUE(c.allows("x/client", "x/two", "TCP/8080"));
  EXPECT_FALSE(c.allows("x/client", "x/two", "TCP/80"));
  EXPECT_FALSE(c.allows("x/client", "x/udp", "TCP/80"));  // its http is UDP
  EXPECT_FALSE(c.allows("x/client", "x/udp", "UDP/80"));
  EXPECT_FALSE(c.allows("x/client", "x/one", "UDP/53"));
  EXPECT_EQ(c.compiled().acl_rules, 2U);  // a rule for each number it has
}

TEST(Corner08, ANamedPortIsTheDestinationsForEgress) {
  Cluster c = named_ports();
  c.policy(
      "x/p",
      R"("podSelector":{},"egress":[{"ports":[{"port":"http"},{"protocol":"UDP","port":"dns"}]}],)" +
          kEgress);
  EXPECT_TRUE(c.allows("x/client", "x/one", "TCP/80"));
  EXPECT_TRUE(c.allows("x/client", "x/two", "TCP/8080"));
  EXPECT_FALSE(c.allows("x/client", "x/two", "TCP/80"));
  EXPECT_TRUE(c.allows("x/client", "x/one", "UDP/53"));
  EXPECT_FALSE(c.allows("x/client", "x/two", "UDP/53"));
  // It is never the source's, and matches nothing on addresses that are no pod's.
  EXPECT_FALSE(c.allows("x/one", "x/client", "TCP/80"));
  EXPECT_FALSE(c.allows("x/client", "192.0.2.1", "TCP/80"));
  EXPECT_FALSE(c.allows("x/client", "2001:db8::1", "TCP/80"));
}

TEST(Corner08, ANamedPortOnABlockMeansThePodsInIt) {
  Cluster c = named_ports();
  c.policy(
      "x/p",
      R"("podSelector":{},"egress":[{"to":[{"ipBlock":{"cidr":"10.0.0.0/24","except":["10.0.0.2/32"]}}],)"
      R"("ports":[{"port":"http"}]}],)" +
          kEgress);
  EXPECT_TRUE(c.allows("10.0.0.4", "10.0.0.1", "TCP/80"));
  EXPECT_FALSE(c.allows("10.0.0.4", "10.0.0.2", "TCP/8080"));
  EXPECT_FALSE(c.allows("10.0.0.4", "10.0.0.50", "TCP/80"));
}

TEST(Corner09, EndPortIsInclusive) {
  Cluster c = three_pods();
  c.policy(
      "x/p",
      R"("podSelector":{},"ingress":[{"ports":[{"port":80,"endPort":90},{"port":7,"endPort":7}]}])");
  EXPECT_FALSE(c.allows("y/web", "x/web", "TCP/79"));
  EXPECT_TRUE(c.allows("y/web", "x/web", "TCP/80"));
  EXPECT_TRUE(c.allows("y/web", "x/web", "TCP/90"));
  EXPECT_FALSE(c.allows("y/web", "x/web", "TCP/91"));
  EXPECT_TRUE(c.allows("y/web", "x/web", "TCP/7"));
  EXPECT_FALSE(c.allows("y/web", "x/web", "TCP/8"));
}

TEST(Corner09, EndPortThatMakesNoSenseIsRefused) {
  for (const char* port :
       {R"("endPort":90)", R"("port":"http","endPort":90)", R"("port":91,"endPort":90)"}) {
    Cluster c = three_pods();
    c.policy("x/p", std::string(R"("podSelector":{},"ingress":[{"ports":[{)") + port + "}]}]");
    EXPECT_THAT(c.refusal(), ::testing::HasSubstr("NetworkPolicy x/p: spec.ingress[0].ports[0]"))
        << port;
  }
}

TEST(Corner10, AnExceptionNarrowsItsOwnBlockOnly) {
  Cluster c = three_pods();
  const std::string narrowed =
      R"({"from":[{"ipBlock":{"cidr":"192.0.2.0/24","except":["192.0.2.128/25"]}}]})";
  c.policy("x/p", R"("podSelector":{},"ingress":[)" + narrowed + "]");
  EXPECT_TRUE(c.allows("192.0.2.127", "x/web"));
  EXPECT_FALSE(c.allows("192.0.2.128", "x/web"));
  EXPECT_FALSE(c.allows("192.0.3.0", "x/web"));
  Cluster wider = three_pods();
  wider.policy("x/p", R"("podSelector":{},"ingress":[)" + narrowed + "]");
  wider.policy("x/q",
               R"("podSelector":{},"ingress":[{"from":[{"ipBlock":{"cidr":"192.0.2.200/32"}}]}])");
  EXPECT_TRUE(wider.allows("192.0.2.200", "x/web"));
  EXPECT_FALSE(wider.allows("192.0.2.201", "x/web"));
  Cluster v6 = three_pods();
  v6.policy(
      "x/p",
      R"("podSelector":{},"ingress":[{"from":[{"ipBlock":{"cidr":"2001:db8::/32","except":["2001:db8:8000::/33"]}}]}])");
  EXPECT_TRUE(v6.allows("2001:db8:7fff:ffff::", "x/web"));
  EXPECT_FALSE(v6.allows("2001:db8:8000::", "x/web"));
  EXPECT_FALSE(v6.allows("2001:db9::", "x/web"));
}

TEST(Corner11, ABlockMatchesPodsAndIgnoresHostBits) {
  Cluster c = three_pods();
  c.policy(
      "x/p",
      R"("podSelector":{"matchLabels":{"app":"db"}},"ingress":[{"from":[{"ipBlock":{"cidr":"10.0.0.3/31"}}]}])");
  EXPECT_TRUE(c.allows("10.0.0.3", "10.0.0.2"));   // y/web, in 10.0.0.2/31
  EXPECT_FALSE(c.allows("10.0.0.1", "10.0.0.2"));  // x/web
  EXPECT_FALSE(c.allows("10.0.0.4", "10.0.0.2"));
}

TEST(Corner12, ABlockIsOfOneFamilyAndAPodOfBoth) {
  Cluster c = three_pods();
  c.policy("x/p", R"("podSelector":{},"ingress":[{"from":[{"ipBlock":{"cidr":"0.0.0.0/0"}}]}])");
  EXPECT_TRUE(c.allows("192.0.2.1", "x/web"));
  EXPECT_TRUE(c.allows("10.0.0.3", "x/web"));
  EXPECT_FALSE(c.allows("2001:db8::1", "x/web"));
  EXPECT_FALSE(c.allows("fd00::3", "x/web"));
  Cluster pods = three_pods();
  pods.policy(
      "x/p",
      R"("podSelector":{},"ingress":[{"from":[{"namespaceSelector":{"matchLabels":{"team":"blue"}}}]}])");
  EXPECT_TRUE(pods.allows("y/web", "x/web"));  // by both addresses
}

TEST(Corner13, PodsThatHaveEndedAreNobody) {
  for (const char* phase : {"Succeeded", "Failed"}) {
    Cluster c = three_pods();
    const std::string ended = std::string(R"("phase":")") + phase + "\"";
    c.pod("x/ended", 9, kDb, "", ended);
    c.policy(
        "x/p",
        R"("podSelector":{},"ingress":[{"from":[{"podSelector":{"matchLabels":{"app":"db"}}}]}])");
    EXPECT_TRUE(c.allows("y/web", "x/ended"));   // not isolated
    EXPECT_FALSE(c.allows("x/ended", "x/web"));  // no peer
    EXPECT_TRUE(c.allows("x/db", "x/web"));
  }
  // Its address is somebody else's by now.
  Cluster reused = three_pods();
  reused.pod("x/ended", 1, kDb, "", R"("phase":"Succeeded")");
  reused.policy("x/p", R"("podSelector":{"matchLabels":{"app":"db"}},"ingress":[])");
  EXPECT_TRUE(reused.allows("y/web", "x/web"));
  EXPECT_TRUE(reused.compiled().warnings.empty());
}

TEST(Corner13, ATerminatingPodStillCounts) {
  Cluster c = three_pods();
  c.pod("x/going", 9, kDb, "", "", R"("deletionTimestamp":"2026-01-01T00:00:00Z")");
  c.policy("x/p", R"("podSelector":{"matchLabels":{"app":"db"}},"ingress":[])");
  EXPECT_FALSE(c.allows("y/web", "x/going"));
}

TEST(Corner13, APodWithoutAnAddressIsNobodyUntilItHasOne) {
  Cluster c = three_pods();
  c.item(
      R"({"apiVersion":"v1","kind":"Pod","metadata":{"namespace":"x","name":"late","labels":{"app":"db"}},)"
      R"("spec":{"containers":[{"name":"c","image":"i"}]},"status":{"phase":"Pending"}})");
  c.policy("x/p", R"("podSelector":{"matchLabels":{"app":"db"}},"ingress":[])");
  EXPECT_TRUE(c.allows("y/web", "10.0.0.9"));
  c.pod("x/late", 9, kDb).apply();
  EXPECT_FALSE(c.allows("y/web", "x/late"));
}

TEST(Corner13, OfTwoPodsWithOneAddressBothMustBeAllowed) {
  Cluster c = three_pods();
  c.pod("x/other", 2, kWeb);  // the address of x/db
  c.policy("x/p",
           R"("podSelector":{"matchLabels":{"app":"db"}},"ingress":[{"ports":[{"port":80}]}])");
  c.policy(
      "x/q",
      R"("podSelector":{"matchLabels":{"app":"web"}},"ingress":[{"ports":[{"port":80},{"port":81}]}])");
  EXPECT_TRUE(c.allows("y/web", "x/db", "TCP/80"));
  EXPECT_FALSE(c.allows("y/web", "x/db", "TCP/81"));  // x/other may, x/db may not
  EXPECT_TRUE(c.allows("y/web", "x/web", "TCP/81"));
  ASSERT_EQ(c.compiled().warnings.size(), 2U);  // one for each family
  EXPECT_EQ(c.compiled().warnings[0].code, "shared-address");
  EXPECT_EQ(c.compiled().warnings[0].object, "10.0.0.2");
  EXPECT_THAT(c.compiled().warnings[0].message, ::testing::HasSubstr("pod x/db, pod x/other"));
}

TEST(Corner14, MembershipFollowsLabelsAndAddresses) {
  Cluster c = three_pods();
  c.policy(
      "x/p",
      R"("podSelector":{"matchLabels":{"app":"db"}},"ingress":[{"from":[{"namespaceSelector":{"matchLabels":{"team":"blue"}},"podSelector":{"matchLabels":{"app":"web"}}}]}])");
  EXPECT_TRUE(c.allows("y/web", "x/db"));
  c.pod("y/web", 3, kDb).apply();
  EXPECT_FALSE(c.allows("y/web", "x/db"));  // relabelled
  c.pod("y/web", 3, kWeb).apply();
  EXPECT_TRUE(c.allows("y/web", "x/db"));
  c.ns("y", R"("team":"green")").apply();
  EXPECT_FALSE(c.allows("y/web", "x/db"));
  c.ns("y", R"("team":"blue")").apply();
  EXPECT_TRUE(c.allows("y/web", "x/db"));
  c.pod("y/web", 3, kWeb).apply("DELETED");
  EXPECT_FALSE(c.allows("10.0.0.3", "x/db"));
  c.pod("y/web", 33, kWeb).apply("ADDED");  // born again under another address
  EXPECT_TRUE(c.allows("y/web", "x/db"));
  EXPECT_FALSE(c.allows("10.0.0.3", "x/db"));
}

TEST(Corner15, BothSidesMustAllow) {
  Cluster c = three_pods();
  c.policy(
      "x/in",
      R"("podSelector":{"matchLabels":{"app":"db"}},"ingress":[{"ports":[{"port":80},{"port":81}]}])");
  c.policy("y/out",
           R"("podSelector":{},"egress":[{"ports":[{"port":81},{"port":82}]}],)" + kEgress);
  EXPECT_FALSE(c.allows("y/web", "x/db", "TCP/80"));
  EXPECT_TRUE(c.allows("y/web", "x/db", "TCP/81"));
  EXPECT_FALSE(c.allows("y/web", "x/db", "TCP/82"));
  EXPECT_TRUE(c.allows("x/web", "x/db", "TCP/80"));
  EXPECT_TRUE(c.allows("y/web", "x/web", "TCP/82"));
}

TEST(Corner16, APodAndItsOwnNodeAlwaysMay) {
  Cluster c;
  c.node("n1", "172.16.0.1").node("n2", "172.16.0.2");
  c.pod("x/a", 1, "", R"("nodeName":"n1")", R"("hostIP":"172.16.1.1")");
  c.pod("x/host", 7, "", R"("nodeName":"n1","hostNetwork":true)");
  c.policy("x/p", R"("podSelector":{},"policyTypes":["Ingress","Egress"])");
  for (const char* own : {"172.16.0.1", "172.16.1.1", "10.0.0.7"}) {
    EXPECT_TRUE(c.allows(own, "10.0.0.1")) << own;
    EXPECT_TRUE(c.allows("10.0.0.1", own, "ICMP")) << own;
  }
  EXPECT_TRUE(c.allows("fd00::7", "fd00::1"));
  EXPECT_FALSE(c.allows("172.16.0.2", "10.0.0.1"));  // another node is an ordinary address
  EXPECT_FALSE(c.allows("10.0.0.1", "172.16.0.2"));
  EXPECT_EQ(c.compiled().acl_rules, 0U);  // and none of this takes a rule
}

TEST(Corner16, HostNetworkPodsAreNotSelected) {
  Cluster c = three_pods();
  c.pod("x/host", 7, kDb, R"("nodeName":"n1","hostNetwork":true)");
  c.policy("x/p", R"("podSelector":{},"ingress":[{"from":[{"podSelector":{}}]}])");
  EXPECT_TRUE(c.allows("y/web", "x/host"));   // not isolated
  EXPECT_FALSE(c.allows("x/host", "x/web"));  // not a peer
}

TEST(Corner16, AnAddressOfTwoNodesIsNeithers) {
  Cluster c;
  c.node("n1", "172.16.0.1").node("n2", "172.16.0.1");
  c.pod("x/a", 1, "", R"("nodeName":"n1")");
  c.policy("x/p", R"("podSelector":{},"ingress":[])");
  EXPECT_FALSE(c.allows("172.16.0.1", "10.0.0.1"));
  ASSERT_EQ(c.compiled().warnings.size(), 1U);
  EXPECT_EQ(c.compiled().warnings[0].code, "ambiguous-node-address");
  EXPECT_EQ(c.compiled().warnings[0].object, "172.16.0.1");
  EXPECT_THAT(c.compiled().warnings[0].message, ::testing::HasSubstr("nodes n1, n2"));
}

TEST(Corner17, APodIsNeverDeniedToItself) {
  Cluster c = three_pods();
  c.policy("x/p", R"("podSelector":{},"policyTypes":["Ingress","Egress"])");
  EXPECT_TRUE(c.allows("x/web", "x/web"));
  EXPECT_FALSE(c.allows("x/db", "x/web"));
}

}  // namespace
}  // namespace rampart
