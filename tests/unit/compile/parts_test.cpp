// SPDX-License-Identifier: Apache-2.0
//
// A large cluster changes a little: what is compiled again then, and that those who come later
// find their place in what was compiled before. (Verdicts at large: the property test.)
#include <gtest/gtest.h>

#include <string>

#include "control/compile/advance.hpp"
#include "control/compile/compile.hpp"
#include "control/compile/place.hpp"
#include "tests/unit/compile/cluster.hpp"

namespace rampart {
namespace {

using compile::Compiled;

const std::string kWeb = R"("app":"web")", kDb = R"("app":"db")";

std::string from(const std::string& subject, const std::string& peer,
                 const std::string& ports = R"({"port":80})") {
  return R"("podSelector":{"matchLabels":{)" + subject + R"(}},"ingress":[{"from":[)" + peer +
         R"(],"ports":[)" + ports + "]}]";
}
std::string pods(const std::string& labels) {
  return R"({"podSelector":{"matchLabels":{)" + labels + "}}}";
}
std::string anywhere(const std::string& labels) {
  return R"({"namespaceSelector":{},"podSelector":{"matchLabels":{)" + labels + "}}}";
}
std::string in_namespaces(const std::string& labels) {
  return R"({"namespaceSelector":{"matchLabels":{)" + labels + "}}}";
}
std::string block(const std::string& cidr) {
  return R"({"ipBlock":{"cidr":")" + cidr + "\"}}";
}

/// x and y each have a db that their own web may reach, and that of x webs of all namespaces.
Cluster two_namespaces() {
  Cluster c;
  c.ns("x", "").ns("y", "");
  c.pod("x/web", 1, kWeb).pod("x/db", 2, kDb).pod("y/web", 3, kWeb).pod("y/db", 4, kDb);
  c.policy("x/p", from(kDb, anywhere(kWeb))).policy("y/p", from(kDb, pods(kWeb)));
  c.compiled();
  c.in_parts();
  return c;
}

const AclTable* acl(const Compiled& c, size_t part) {
  return c.rules->parts.at(part).acl.get();
}
size_t parts_in_use(const Compiled& c) {
  size_t count = 0;
  for (const RulePart& part : c.rules->parts) count += part.acl != nullptr;
  return count;
}
Revision changed_in(const Compiled& c, const char* address) {
  return c.rules->addresses->changed_in(*IpAddress::parse(address));
}

TEST(Parts, APolicyThatChangesMovesItsNamespace) {
  Cluster c = two_namespaces();
  const auto before = c.share();
  ASSERT_EQ(parts_in_use(*before), 1U);
  c.policy("y/p", from(kDb, pods(kWeb), R"({"port":90})")).apply();
  EXPECT_FALSE(c.allows("y/web", "y/db", "TCP/80"));
  EXPECT_TRUE(c.allows("y/web", "y/db", "TCP/90"));
  EXPECT_TRUE(c.allows("x/web", "x/db", "TCP/80"));
  EXPECT_TRUE(c.allows("y/web", "x/db", "TCP/80"));
  EXPECT_EQ(parts_in_use(c.compiled()), 2U);
  EXPECT_EQ(acl(c.compiled(), 0), acl(*before, 0));
  EXPECT_EQ(c.compiled().rules->policy_changed_in, 1U);
  EXPECT_EQ(changed_in(c.compiled(), "10.0.0.4"), 2U);
  EXPECT_EQ(changed_in(c.compiled(), "10.0.0.2"), 1U);
  EXPECT_EQ(c.compiled().acl_rules, before->acl_rules);
  EXPECT_EQ(c.compiled().subjects, before->subjects);
  // What x was compiled to is not needed any more when x moves, too.
  c.policy("x/p", from(kDb, anywhere(kWeb), R"({"port":90})")).apply();
  EXPECT_FALSE(c.allows("y/web", "x/db", "TCP/80"));
  EXPECT_TRUE(c.allows("y/web", "x/db", "TCP/90"));
  EXPECT_EQ(parts_in_use(c.compiled()), 1U);
  // And nothing is, when no policy is left.
  c.policy("x/p", "").apply("DELETED");
  c.policy("y/p", "").apply("DELETED");
  EXPECT_TRUE(c.allows("x/web", "y/db", "TCP/1"));
  EXPECT_EQ(parts_in_use(c.compiled()), 0U);
  EXPECT_EQ(c.compiled().acl_rules, 0U);
  EXPECT_EQ(c.compiled().subjects, 0U);
}

TEST(Parts, AKindOfPodsThatIsLikeAnotherTakesItsPlace) {
  Cluster c = two_namespaces();
  c.policy("y/q", from(R"("tier":"t")", pods(kWeb))).apply("ADDED");  // a key that counts now
  const auto before = c.share();
  // To all policies this is a web of x, and yet it is told apart.
  c.pod("x/web-2", 5, kWeb + R"(,"tier":"none")").apply("ADDED");
  EXPECT_TRUE(c.allows("x/web-2", "x/db"));
  EXPECT_FALSE(c.allows("x/web-2", "y/db"));
  c.pod("x/db-2", 6, kDb + R"(,"tier":"none")").apply("ADDED");
  EXPECT_TRUE(c.allows("x/web", "x/db-2"));
  EXPECT_FALSE(c.allows("x/db", "x/db-2"));
  for (size_t part = 0; part < before->rules->parts.size(); ++part) {
    EXPECT_EQ(acl(c.compiled(), part), acl(*before, part)) << part;
  }
  EXPECT_EQ(changed_in(c.compiled(), "10.0.0.1"), 1U);
}

TEST(Parts, AKindOfPodsThatNoRuleWasWrittenForGetsOne) {
  Cluster c;
  c.ns("x", "").ns("y", "").ns("z", "");
  c.pod("x/db", 1, kDb).pod("y/db", 2, kDb).pod("z/db", 3, kDb);
  c.policy("x/p", from(kDb, anywhere(R"("app":"late")")));
  c.policy("y/p", from(kDb, anywhere(R"("tier":"late")")));
  c.policy("z/p", from(kDb, pods(kDb)));
  c.compiled();
  c.in_parts();
  const auto before = c.share();
  c.pod("y/both", 4, R"("app":"late","tier":"late")").apply("ADDED");
  EXPECT_TRUE(c.allows("y/both", "x/db"));
  EXPECT_TRUE(c.allows("y/both", "y/db"));
  EXPECT_FALSE(c.allows("y/both", "z/db"));
  EXPECT_EQ(acl(c.compiled(), 0), acl(*before, 0)) << "z stays where it is";
  c.pod("z/one", 5, R"("app":"late")").apply("ADDED");
  EXPECT_TRUE(c.allows("z/one", "x/db"));
  EXPECT_FALSE(c.allows("z/one", "y/db"));
  EXPECT_FALSE(c.allows("z/one", "z/db"));
  // As subjects: a kind that two policies select where no pod was selected by both.
  c.policy("z/q", from(R"("tier":"t")", pods(kDb), R"({"port":90})")).apply("ADDED");
  c.pod("z/db-2", 6, kDb + R"(,"tier":"t")").apply("ADDED");
  EXPECT_TRUE(c.allows("z/db", "z/db-2", "TCP/80"));
  EXPECT_TRUE(c.allows("z/db", "z/db-2", "TCP/90"));
  EXPECT_FALSE(c.allows("z/db-2", "z/db", "TCP/90"));
}

/// Six namespaces have a db that all of mon may reach. x's is for the prom of mon alone, y's for
/// its web, z's for whoever is late. There is no pod in mon but a prom that is late.
Cluster many_that_speak_of_one() {
  Cluster c;
  c.ns("mon", R"("name":"mon")").pod("mon/prom", 1, R"("app":"prom","tier":"late")");
  int number = 2;
  for (const std::string ns : {"a", "b", "c", "d", "e", "f"}) {
    c.ns(ns, "").pod(ns + "/db", number++, kDb);
    c.policy(ns + "/p", from(kDb, in_namespaces(R"("name":"mon")")));
  }
  const auto in_mon = [](const std::string& labels) {
    return R"({"namespaceSelector":{"matchLabels":{"name":"mon"}},"podSelector":{"matchLabels":{)" +
           labels + "}}}";
  };
  c.ns("x", "").pod("x/db", number++, kDb).policy("x/p", from(kDb, in_mon(R"("app":"prom")")));
  c.ns("y", "").pod("y/db", number++, kDb).policy("y/p", from(kDb, in_mon(kWeb)));
  c.ns("z", "").pod("z/db", number++, kDb);
  c.policy("z/p", from(kDb, anywhere(R"("tier":"late")")));
  c.compiled();
  c.in_parts();
  return c;
}

TEST(Parts, AKindOfPodsInWhatManyNamespacesSpeakOfTakesASpareClass) {
  Cluster c = many_that_speak_of_one();
  const auto before = c.share();
  c.pod("mon/other", 20, R"("app":"other")").apply("ADDED");
  for (const char* db : {"a/db", "b/db", "f/db"}) EXPECT_TRUE(c.allows("mon/other", db)) << db;
  EXPECT_FALSE(c.allows("mon/other", "x/db"));
  EXPECT_FALSE(c.allows("mon/other", "y/db"));
  EXPECT_FALSE(c.allows("a/db", "b/db"));
  EXPECT_EQ(acl(c.compiled(), 0), acl(*before, 0));
  EXPECT_EQ(parts_in_use(c.compiled()), 1U) << "no policy was compiled again";
  // One of them speaks of it alone: that one is compiled again, and no other.
  c.pod("mon/web", 21, kWeb).apply("ADDED");
  for (const char* db : {"a/db", "f/db", "y/db"}) EXPECT_TRUE(c.allows("mon/web", db)) << db;
  EXPECT_FALSE(c.allows("mon/web", "x/db"));
  EXPECT_FALSE(c.allows("mon/other", "y/db"));
  EXPECT_EQ(acl(c.compiled(), 0), acl(*before, 0));
  ASSERT_EQ(parts_in_use(c.compiled()), 2U);
  EXPECT_EQ(acl(c.compiled(), 1)->rules().size(), 1U);
  // Nobody's class is not a spare one.
  c.pod("a/late", 22, R"("tier":"late")").apply("ADDED");
  EXPECT_TRUE(c.allows("a/late", "z/db"));
  for (const char* db : {"a/db", "b/db", "x/db", "y/db"}) EXPECT_FALSE(c.allows("a/late", db));
}

TEST(Parts, APodWhoseNamedPortAloneBecomesAnotherIsOfAnotherKind) {
  Cluster c;
  c.ns("x", "");
  c.with_ports(R"({"name":"web","containerPort":80})");
  c.pod("x/db", 1, kDb).pod("x/web", 2, kWeb);
  c.policy("x/p", from(kDb, pods(kWeb), R"({"port":"web"})"));
  c.compiled();
  c.in_parts();
  EXPECT_TRUE(c.allows("x/web", "x/db", "TCP/80"));
  c.with_ports(R"({"name":"web","containerPort":81})").pod("x/db", 1, kDb).apply();
  EXPECT_FALSE(c.allows("x/web", "x/db", "TCP/80"));
  EXPECT_TRUE(c.allows("x/web", "x/db", "TCP/81"));
}

TEST(Parts, ANamedPortMayHaveANumberThatIsNew) {
  Cluster c;
  c.ns("x", "").ns("y", "");
  c.with_ports(R"({"name":"web","containerPort":80})");
  c.pod("x/db", 1, kDb).pod("y/web", 2, kWeb);
  c.policy("x/p", from(kDb, in_namespaces(""), R"({"port":"web"})"));
  c.policy(
      "y/out",
      R"("podSelector":{},"policyTypes":["Egress"],"egress":[{"to":[{"namespaceSelector":{}}],"ports":[{"port":"web"}]}])");
  c.compiled();
  c.in_parts();
  EXPECT_TRUE(c.allows("y/web", "x/db", "TCP/80"));
  c.with_ports(R"({"name":"web","containerPort":8080})");
  c.pod("x/db-2", 3, kDb).apply("ADDED");
  EXPECT_TRUE(c.allows("y/web", "x/db-2", "TCP/8080"));
  EXPECT_FALSE(c.allows("y/web", "x/db-2", "TCP/80"));
  EXPECT_FALSE(c.allows("y/web", "x/db", "TCP/8080"));
}

TEST(Parts, AKeyThatNoPolicyMentionedMakesKindsOfPods) {
  Cluster c = two_namespaces();
  c.pod("y/blue", 5, kWeb + R"(,"colour":"blue")").apply("ADDED");
  const auto before = c.share();
  EXPECT_TRUE(c.allows("y/blue", "y/db"));
  c.policy("x/q", from(kDb, anywhere(R"("colour":"blue")"), R"({"port":90})")).apply("ADDED");
  EXPECT_TRUE(c.allows("y/blue", "x/db", "TCP/90"));
  EXPECT_FALSE(c.allows("y/web", "x/db", "TCP/90"));
  EXPECT_TRUE(c.allows("y/blue", "x/db", "TCP/80"));
  EXPECT_TRUE(c.allows("y/blue", "y/db"));
  EXPECT_EQ(acl(c.compiled(), 0), acl(*before, 0));
}

TEST(Parts, ABlockDividesZones) {
  Cluster c = two_namespaces();
  const auto before = c.share();
  c.policy("x/q", from(kDb, block("10.0.0.0/30") + "," + block("192.0.2.0/24"), R"({"port":90})"))
      .apply("ADDED");
  EXPECT_TRUE(c.allows("10.0.0.1", "10.0.0.2", "TCP/90"));
  EXPECT_TRUE(c.allows("10.0.0.3", "10.0.0.2", "TCP/90"));
  EXPECT_FALSE(c.allows("10.0.0.4", "10.0.0.2", "TCP/90"));
  EXPECT_TRUE(c.allows("192.0.2.255", "10.0.0.2", "TCP/90"));
  EXPECT_FALSE(c.allows("192.0.3.0", "10.0.0.2", "TCP/90"));
  EXPECT_TRUE(c.allows("10.0.0.3", "10.0.0.2", "TCP/80")) << "a web still";
  EXPECT_TRUE(c.allows("10.0.0.3", "10.0.0.4", "TCP/80"));
  EXPECT_EQ(acl(c.compiled(), 0), acl(*before, 0));
  c.policy("y/q", from(kDb, R"({"ipBlock":{"cidr":"192.0.2.0/24","except":["192.0.2.7/32"]}})"))
      .apply("ADDED");
  EXPECT_TRUE(c.allows("192.0.2.6", "10.0.0.4"));
  EXPECT_FALSE(c.allows("192.0.2.7", "10.0.0.4"));
  EXPECT_TRUE(c.allows("192.0.2.7", "10.0.0.2", "TCP/90"));
}

TEST(Parts, ANamespaceWithOtherLabelsIsAnotherPeer) {
  Cluster c;
  c.ns("x", "").ns("y", "").ns("z", R"("team":"blue")");
  c.pod("x/db", 1, kDb).pod("y/web", 2, kWeb).pod("z/web", 3, kWeb);
  c.policy("x/p", from(kDb, in_namespaces(R"("team":"blue")")));
  c.compiled();
  c.in_parts();
  const auto before = c.share();
  EXPECT_FALSE(c.allows("y/web", "x/db"));
  c.ns("y", R"("team":"blue")").apply();
  EXPECT_TRUE(c.allows("y/web", "x/db"));
  EXPECT_EQ(changed_in(c.compiled(), "10.0.0.2"), 2U);
  EXPECT_EQ(acl(c.compiled(), 0), acl(*before, 0));
  c.ns("z", "").apply();
  EXPECT_FALSE(c.allows("z/web", "x/db"));
  EXPECT_EQ(acl(c.compiled(), 0), acl(*before, 0));
}

TEST(Parts, WhoGoesOnFromBeforeARefusedRevisionBeginsAnew) {
  Cluster c = two_namespaces();
  const auto before = c.share();
  const compile::Effort effort{0};
  const auto with_block = [&](const char* cidr) {
    auto state = std::make_shared<kube::ClusterState>(*before->state);
    auto policy = *state->policies.at({"y", "p"});
    policy.ingress[0].peers[0] = {{}, {}, kube::IpBlock{*IpPrefix::parse(cidr), {}}};
    state->policies[{"y", "p"}] = std::make_shared<const kube::NetworkPolicy>(policy);
    return state;
  };
  const auto ask = [](const Compiled& made, const char* source) {
    return support::ask(*made.rules, *IpAddress::parse(source), *IpAddress::parse("10.0.0.4"), 6,
                        80)
               .outcome == Outcome::kAllow;
  };
  const auto refused = compile::compile_with(effort, with_block("10.0.0.1/32"), 2, before.get());
  ASSERT_TRUE(refused);
  EXPECT_TRUE(ask(**refused, "10.0.0.1"));
  EXPECT_EQ(parts_in_use(**refused), 2U);
  // As if the first had never been.
  const auto next = compile::compile_with(effort, with_block("10.0.0.0/31"), 2, before.get());
  ASSERT_TRUE(next);
  EXPECT_TRUE(ask(**next, "10.0.0.1"));
  EXPECT_FALSE(ask(**next, "10.0.0.3"));
  EXPECT_EQ(parts_in_use(**next), 1U);
  // And who has it goes on by himself.
  EXPECT_TRUE(ask(**refused, "10.0.0.1"));
  EXPECT_FALSE(ask(**refused, "10.0.0.0"));
}

/// Rules enough that no other namespace joins them.
std::string long_list(unsigned first) {
  std::string ports;
  for (unsigned i = 0; i < 420; ++i) {
    ports += (i == 0 ? "" : ",") + (R"({"port":)" + std::to_string(first + 2 * i) + "}");
  }
  return ports;
}

TEST(Parts, WhenThereAreTooManyAllBecomesOneAgain) {
  Cluster c;
  const auto name = [](unsigned n) { return "n" + std::to_string(n); };
  for (unsigned n = 0; n <= kMaxParts; ++n) {
    c.ns(name(n), "").pod(name(n) + "/db", static_cast<int>(n + 1), kDb);
    c.policy(name(n) + "/p", from(kDb, block("192.0.2.0/24"), long_list(1000)));
  }
  c.compiled();
  c.in_parts();
  for (unsigned n = 1; n <= kMaxParts; ++n) {
    c.policy(name(n) + "/p", from(kDb, block("192.0.2.0/24"), long_list(1001))).apply();
    EXPECT_EQ(parts_in_use(c.compiled()), n < kMaxParts ? n + 1 : 1) << n;
  }
  EXPECT_TRUE(c.allows("192.0.2.1", "10.0.0.1", "TCP/1000"));
  EXPECT_FALSE(c.allows("192.0.2.1", "10.0.0.1", "TCP/1001"));
}

}  // namespace
}  // namespace rampart
