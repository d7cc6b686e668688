// SPDX-License-Identifier: Apache-2.0
//
// What a compilation says of itself, what it shares with the one before, and what it does when
// something does not fit.
#include "control/compile/compile.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rte_malloc.h>

#include <string>
#include <vector>

#include "control/compile/classes.hpp"
#include "control/compile/numbering.hpp"
#include "control/compile/place.hpp"
#include "control/compile/rules.hpp"
#include "control/compile/touched.hpp"
#include "tests/unit/compile/cluster.hpp"

namespace rampart {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

const std::string kWeb = R"("app":"web")", kDb = R"("app":"db")";
const std::string kFromWeb =
    R"("podSelector":{"matchLabels":{"app":"db"}},"ingress":[{"from":[{"podSelector":{"matchLabels":{"app":"web"}}}],"ports":[{"port":80},{"port":81}]}])";

Cluster web_and_db() {
  Cluster c;
  c.ns("x", "").node("n1", "172.16.0.1");
  c.pod("x/web", 1, kWeb, R"("nodeName":"n1")").pod("x/db", 2, kDb, R"("nodeName":"n1")");
  c.policy("x/p", kFromWeb);
  return c;
}

Revision changed_in(const compile::Compiled& c, const char* address) {
  return c.rules->addresses->changed_in(*IpAddress::parse(address));
}
const Identity& identity(const compile::Compiled& c, const char* address) {
  return *c.rules->addresses->find(*IpAddress::parse(address));
}

const AclTable* acl(const compile::Compiled& c) {
  return c.rules->parts.front().acl.get();
}

TEST(Compile, StartupRulesAnswerByModeAlone) {
  for (const auto mode : {RuleSet::Mode::kDropAll, RuleSet::Mode::kPassAll}) {
    const auto rules = compile::startup_rules(mode);
    EXPECT_EQ(rules->mode, mode);
    EXPECT_EQ(rules->revision, 0U);
    ASSERT_NE(rules->addresses, nullptr);
    ASSERT_NE(rules->subjects, nullptr);
  }
}

TEST(Compile, AnEmptyClusterAllowsEverything) {
  Cluster c;
  c.ns("x", "");
  EXPECT_TRUE(c.allows("192.0.2.1", "192.0.2.2", "GRE"));
  EXPECT_TRUE(c.allows("2001:db8::1", "2001:db8::2"));
  EXPECT_EQ(c.compiled().rules->mode, RuleSet::Mode::kByTables);
  EXPECT_EQ(c.compiled().acl_rules, 0U);
  EXPECT_EQ(c.compiled().addresses, 0U);
  EXPECT_TRUE(c.compiled().warnings.empty());
}

TEST(Compile, CountsWhatItMade) {
  Cluster c = web_and_db();
  const compile::Compiled& made = c.compiled();
  EXPECT_EQ(made.addresses, 5U);  // two pods of two addresses, a node
  EXPECT_EQ(made.classes, 2U);    // x/web and the rest
  EXPECT_EQ(made.subjects, 1U);   // x/db
  EXPECT_EQ(made.policy_entries, 2U);
  EXPECT_EQ(made.acl_rules, 2U);
  EXPECT_EQ(made.rules->revision, 1U);
  ASSERT_EQ(compile::policy_facts(made).size(), 1U);
  EXPECT_EQ(compile::policy_facts(made)[0], (compile::PolicyFacts{{"x", "p"}, 1, 2, ""}));
  ASSERT_EQ(made.origins->entries(), 2U);
  EXPECT_EQ(made.origins->find(2)->port_path(), "spec.ingress[0].ports[1]");
  const Verdict v = support::ask(*made.rules, *IpAddress::parse("10.0.0.1"),
                                 *IpAddress::parse("10.0.0.2"), 6, 81);
  EXPECT_EQ(v.ingress_rule, 2U);
  EXPECT_EQ(v.egress_rule, 0U);
  EXPECT_EQ(made.endpoints[identity(made, "10.0.0.2").endpoint - 1]->name, "db");
  EXPECT_EQ(made.endpoints[identity(made, "fd00::2").endpoint - 1]->name, "db");
}

TEST(Compile, WarnsOfWhatItDoesNotEnforce) {
  Cluster c = web_and_db();
  c.policy(
      "x/future",
      R"("podSelector":{"matchLabels":{"app":"web"}},"ingress":[{"from":[{"bodySelector":{}}]}])");
  c.item(
      R"({"apiVersion":"policy.networking.k8s.io/v1alpha1","kind":"AdminNetworkPolicy","metadata":{"name":"all"},"spec":{}})");
  EXPECT_FALSE(c.allows("x/db", "x/web"));  // isolated, and nothing is allowed
  EXPECT_TRUE(c.allows("x/web", "x/db"));
  std::vector<std::string> seen;
  for (const auto& w : c.compiled().warnings) seen.push_back(w.code + " " + w.object);
  EXPECT_THAT(seen, ElementsAre("policy-fails-closed NetworkPolicy x/future",
                                "unsupported-policy AdminNetworkPolicy all"));
  EXPECT_THAT(c.compiled().warnings[0].message, HasSubstr("bodySelector"));
  EXPECT_FALSE(compile::policy_facts(c.compiled())[0].fails_closed.empty());
  EXPECT_TRUE(compile::policy_facts(c.compiled())[1].fails_closed.empty());
}

TEST(Stability, APodOfAKnownKindChangesAddressesOnly) {
  Cluster c = web_and_db();
  const auto before = c.share();
  c.pod("x/web-2", 7, kWeb + R"(,"pod-template-hash":"abc")", R"("nodeName":"n1")").apply("ADDED");
  const compile::Compiled& after = c.compiled();
  EXPECT_TRUE(c.allows("x/web-2", "x/db"));
  EXPECT_FALSE(c.allows("x/web-2", "x/db", "TCP/82"));
  EXPECT_EQ(after.rules->revision, 2U);
  EXPECT_EQ(after.rules->policy_changed_in, 1U);
  EXPECT_EQ(acl(after), acl(*before));
  EXPECT_EQ(after.origins, before->origins);
  EXPECT_EQ(changed_in(after, "10.0.0.7"), 2U);
  EXPECT_EQ(changed_in(after, "10.0.0.1"), 1U);
  EXPECT_EQ(identity(after, "10.0.0.1"), identity(*before, "10.0.0.1"));
  // Two shards changed, one for each address.
  EXPECT_EQ(after.rules->addresses->shards_shared_with(*before->rules->addresses),
            2 * AddressMap::kShardsPerFamily - 2);
  c.apply("DELETED");
  EXPECT_FALSE(c.allows("10.0.0.7", "x/db"));
  EXPECT_EQ(c.compiled().rules->policy_changed_in, 1U);
  EXPECT_EQ(c.compiled().endpoints.size(), 3U);
  EXPECT_EQ(c.compiled().endpoints[2], nullptr);
}

TEST(Stability, TheLastPodOfAKindLeavesItsClassBehind) {
  Cluster c = web_and_db();
  const auto before = c.share();
  c.pod("x/web", 1, kWeb, R"("nodeName":"n1")").apply("DELETED");
  EXPECT_FALSE(c.allows("10.0.0.1", "x/db"));
  EXPECT_EQ(c.compiled().rules->policy_changed_in, 1U);
  c.apply("ADDED");
  EXPECT_TRUE(c.allows("x/web", "x/db"));
  EXPECT_EQ(c.compiled().rules->policy_changed_in, 1U);
  EXPECT_EQ(acl(c.compiled()), acl(*before));
}

TEST(Stability, APodThatWaitsForItsAddressIsKnownAlready) {
  Cluster c = web_and_db();
  c.item(
      R"({"apiVersion":"v1","kind":"Pod","metadata":{"namespace":"x","name":"late","labels":{"app":"cache"}},)"
      R"("spec":{"containers":[{"name":"c","image":"i"}]},"status":{"phase":"Pending"}})");
  c.policy(
      "x/q",
      R"("podSelector":{"matchLabels":{"app":"cache"}},"ingress":[{"from":[{"podSelector":{"matchLabels":{"app":"cache"}}}]}])");
  c.compiled();
  c.pod("x/late", 9, R"("app":"cache")").apply();
  EXPECT_FALSE(c.allows("x/web", "x/late"));
  EXPECT_EQ(c.compiled().rules->policy_changed_in, 1U);
}

TEST(Stability, ANodeThatComesChangesNobodyElse) {
  Cluster c = web_and_db();
  const auto before = c.share();
  c.node("n0", "172.16.0.9").apply("ADDED");
  EXPECT_EQ(c.compiled().rules->policy_changed_in, 1U);
  for (const char* address : {"10.0.0.1", "10.0.0.2", "172.16.0.1"}) {
    EXPECT_EQ(identity(c.compiled(), address), identity(*before, address)) << address;
  }
  EXPECT_EQ(changed_in(c.compiled(), "172.16.0.9"), 2U);
}

TEST(Stability, ANamespaceThatNobodySelectsSharesTheAcl) {
  Cluster c = web_and_db();
  const auto before = c.share();
  c.ns("y", R"("team":"blue")").apply("ADDED");
  EXPECT_EQ(c.compiled().rules->policy_changed_in, 1U);
  EXPECT_EQ(acl(c.compiled()), acl(*before));
}

TEST(Stability, ABlockThatMovesConcernsWhomItsPolicySelects) {
  const auto spec = [](const std::string& cidr) {
    return R"("podSelector":{"matchLabels":{"app":"db"}},"ingress":[{"from":[{"ipBlock":{"cidr":")" +
           cidr + R"("}}]}])";
  };
  Cluster c = web_and_db();
  c.policy("x/q", spec("192.0.2.0/24"));
  const auto before = c.share();
  EXPECT_TRUE(c.allows("192.0.2.1", "x/db"));
  // The same classes and ACL, only elsewhere.
  c.policy("x/q", spec("192.0.3.0/24")).apply();
  EXPECT_FALSE(c.allows("192.0.2.1", "x/db"));
  EXPECT_TRUE(c.allows("192.0.3.1", "x/db"));
  EXPECT_EQ(acl(c.compiled()), acl(*before));
  EXPECT_EQ(c.compiled().rules->policy_changed_in, 1U);
  EXPECT_EQ(changed_in(c.compiled(), "10.0.0.2"), 2U);
  EXPECT_EQ(changed_in(c.compiled(), "10.0.0.1"), 1U);
}

TEST(Stability, APolicyConcernsWhomItSelectsOrDid) {
  Cluster c = web_and_db();
  c.pod("x/cache", 3, R"("app":"cache")").pod("y/db", 4, kDb);
  const auto before = c.share();
  ASSERT_EQ(before->origins->entries(), 2U);
  const compile::PolicyPlace place = *before->origins->of({"x", "p"});
  const auto stamps = [&] {
    std::vector<Revision> all;
    for (int i = 1; i <= 4; ++i) {
      all.push_back(changed_in(c.compiled(), ("10.0.0." + std::to_string(i)).c_str()));
    }
    return all;
  };
  c.policy("x/q", R"("podSelector":{"matchLabels":{"app":"cache"}},"policyTypes":["Egress"])")
      .apply("ADDED");
  EXPECT_FALSE(c.allows("x/cache", "y/db"));
  EXPECT_THAT(stamps(), ElementsAre(1, 1, 2, 1));
  // It selects others now.
  c.policy("x/q", R"("podSelector":{"matchLabels":{"app":"web"}},"policyTypes":["Egress"])")
      .apply();
  EXPECT_TRUE(c.allows("x/cache", "y/db"));
  EXPECT_FALSE(c.allows("x/web", "y/db"));
  EXPECT_THAT(stamps(), ElementsAre(3, 1, 3, 1));
  c.policy("x/q", R"("podSelector":{})").apply("DELETED");
  EXPECT_THAT(stamps(), ElementsAre(4, 1, 3, 1));
  EXPECT_EQ(c.compiled().rules->policy_changed_in, 1U);
  EXPECT_EQ(*c.compiled().origins->of({"x", "p"}), place)
      << "the other policy's rules keep their numbers";
}

TEST(Stability, ANamespaceConcernsItsPods) {
  Cluster c = web_and_db();
  c.ns("y", "").pod("y/web", 3, kWeb);
  c.policy(
      "x/q",
      R"("podSelector":{"matchLabels":{"app":"db"}},"ingress":[{"from":[{"namespaceSelector":{"matchLabels":{"team":"blue"}}}]}])");
  c.compiled();
  EXPECT_FALSE(c.allows("y/web", "x/db"));
  c.ns("y", R"("team":"blue")").apply("MODIFIED");
  EXPECT_TRUE(c.allows("y/web", "x/db"));
  EXPECT_EQ(changed_in(c.compiled(), "10.0.0.3"), 2U);
  EXPECT_EQ(changed_in(c.compiled(), "10.0.0.1"), 1U);
  EXPECT_EQ(c.compiled().rules->policy_changed_in, 1U);
}

TEST(Stability, AKindOfPodsThatNobodyHasSeenConcernsNobodyElse) {
  Cluster c = web_and_db();
  c.compiled();
  c.pod("x/db-2", 3, kDb + R"(,"app.kubernetes.io/name":"db")", R"("nodeName":"n1")")
      .apply("ADDED");
  c.pod("x/cache", 4, R"("app":"cache")", R"("nodeName":"n1")").apply("ADDED");
  EXPECT_EQ(c.compiled().rules->policy_changed_in, 1U);
  EXPECT_EQ(changed_in(c.compiled(), "10.0.0.1"), 1U);
  EXPECT_EQ(changed_in(c.compiled(), "10.0.0.2"), 1U);
}

TEST(Stability, APolicyThatLosesItsRoomMayConcernAnybody) {
  Cluster c = web_and_db();
  const auto before = c.share();
  compile::Origins origins = *before->origins;
  EXPECT_TRUE(compile::touched_by_policy(*before, *before->state, {}, origins));
  compile::PolicyPlace place = *origins.of({"x", "p"});
  place.fails_closed = "no room";
  origins.set({"x", "p"}, place);
  EXPECT_FALSE(compile::touched_by_policy(*before, *before->state, {}, origins));
}

TEST(Stability, ARenamedPolicyIsAnotherOne) {
  // The ACL may stay, but flows would be shown with the wrong name.
  Cluster c = web_and_db();
  const auto before = c.share();
  auto state = std::make_shared<kube::ClusterState>(*before->state);
  auto policy = *state->policies.begin()->second;
  policy.name = "renamed";
  state->policies.clear();
  state->policies[{"x", "renamed"}] = std::make_shared<const kube::NetworkPolicy>(policy);
  const auto after = compile::compile(state, 2, before.get());
  ASSERT_TRUE(after) << after.error().text();
  EXPECT_EQ(acl(**after), acl(*before));
  EXPECT_EQ(changed_in(**after, "10.0.0.2"), 2U);
  EXPECT_EQ(changed_in(**after, "10.0.0.1"), 1U);
  for (uint32_t rule = 1; rule < before->origins->next(); ++rule) {
    EXPECT_EQ((*after)->origins->find(rule), nullptr);
  }
  for (uint32_t rule = before->origins->next(); rule < (*after)->origins->next(); ++rule) {
    EXPECT_EQ((*after)->origins->find(rule)->policy.name, "renamed");
  }
}

TEST(Stability, ClaimantsOfAnAddressComeAndGo) {
  Cluster c = web_and_db();
  c.pod("x/web-2", 2, kWeb);  // the address of x/db
  EXPECT_TRUE(c.allows("x/web", "x/db"));
  EXPECT_FALSE(c.allows("172.16.0.9", "x/db"));
  c.pod("x/web-2", 2, kWeb).apply("DELETED");
  EXPECT_EQ(changed_in(c.compiled(), "10.0.0.2"), 2U);
  EXPECT_EQ(identity(c.compiled(), "10.0.0.2").flags, 0U);
  c.pod("x/web-3", 2, kDb).apply("ADDED");
  EXPECT_EQ(identity(c.compiled(), "10.0.0.2").flags, Identity::kShared);
  EXPECT_EQ(changed_in(c.compiled(), "10.0.0.2"), 3U);
  EXPECT_EQ(c.compiled().warnings.size(), 2U);
}

TEST(Compile, TooManyClaimantsDenyAll) {
  Cluster c = web_and_db();
  for (int i = 0; i < 8; ++i) c.pod("x/copy-" + std::to_string(i), 50, kWeb);
  EXPECT_TRUE(c.allows("x/copy-1", "x/db"));
  EXPECT_THAT(c.compiled().warnings.at(0).message, HasSubstr("traffic passes only if"));
  c.pod("x/copy-8", 50, kWeb).apply("ADDED");
  EXPECT_FALSE(c.allows("x/copy-1", "x/db"));
  EXPECT_THAT(c.compiled().warnings.at(0).message, HasSubstr("and 1 more: too many to judge"));
  const kube::Explanation why = kube::evaluate(*c.compiled().state, IpAddress::v4(0x0A000032),
                                               IpAddress::v4(0xC0000201), 6, 80);
  EXPECT_EQ(why.why, "nothing passes: 10.0.0.50 is claimed by 9, too many to judge");
  Cluster many;
  for (int i = 0; i < 10; ++i) {
    many.pod("x/kind-" + std::to_string(i), 50, "", R"("nodeName":"n)" + std::to_string(i) + "\"");
  }
  EXPECT_FALSE(many.allows("192.0.2.1", "10.0.0.50"));
  EXPECT_THAT(many.compiled().warnings.at(0).message, HasSubstr("too many to judge"));
}

TEST(Limits, APolicyWithoutEndFailsClosedAndHurtsNobodyElse) {
  std::string peers, ports;
  for (int i = 0; i < 800; ++i) {
    const std::string comma = i == 0 ? "" : ",";
    peers += comma + R"({"ipBlock":{"cidr":"192.)" + std::to_string(i / 250) + "." +
             std::to_string(i % 250) + R"(.0/25"}})";
    ports += comma + R"({"port":)" + std::to_string(2 * i + 1) + "}";
  }
  Cluster c = web_and_db();
  c.pod("evil/a", 9, kWeb);
  c.policy("evil/huge",
           R"("podSelector":{},"ingress":[{"from":[)" + peers + R"(],"ports":[)" + ports + "]}]");
  c.policy("evil/small", R"("podSelector":{},"ingress":[{"ports":[{"port":22}]}])");
  EXPECT_GT(c.compiled().policy_entries, compile::kMaxEntries);
  EXPECT_FALSE(c.allows("192.0.0.1", "10.0.0.9", "TCP/1"));  // isolated, and allowed nothing
  EXPECT_TRUE(c.allows("192.0.0.1", "10.0.0.9", "TCP/22"));
  EXPECT_TRUE(c.allows("x/web", "x/db"));
  ASSERT_EQ(c.compiled().warnings.size(), 1U);
  EXPECT_EQ(c.compiled().warnings[0].object, "NetworkPolicy evil/huge");
  EXPECT_EQ(c.compiled().warnings[0].code, "policy-fails-closed");
}

/// The stages up to boxes, for those limits that take very large clusters to reach.
struct Stages {
  explicit Stages(const kube::ClusterState& state) : kinds(state) {
    for (uint32_t zone = 0; zone < kinds.zones.count(); ++zone) {
      kinds.atoms.add(zone, compile::kNone);
    }
    for (const auto& [key, pod] : state.pods) {
      for (const IpAddress& address : pod->addresses) {
        kinds.atoms.add(kinds.zones.zone_of(address), kinds.group(*pod));
      }
    }
    std::vector<const kube::NetworkPolicy*> policies;
    for (const auto& [key, policy] : state.policies) policies.push_back(policy.get());
    demands = compile::collect(policies, kinds);
    members = compile::find_members(demands, kinds);
    boxes = compile::make_boxes(demands, kinds, members);
  }
  compile::Kinds kinds;
  compile::Demands demands;
  compile::Members members;
  compile::Boxes boxes;
};

/// Namespace "a" with one kind of pods, "b" with eight that overlapping policies tell apart.
Cluster greedy() {
  Cluster c;
  c.pod("a/only", 1, kDb).policy("a/p", kFromWeb);
  for (int i = 0; i < 8; ++i) {
    std::string labels;
    for (int bit = 0; bit < 3; ++bit) {
      if ((i >> bit & 1) != 0)
        labels += (labels.empty() ? "\"l" : ",\"l") + std::to_string(bit) + R"(":"")";
    }
    c.pod("b/pod-" + std::to_string(i), 10 + i, labels);
  }
  for (int bit = 0; bit < 3; ++bit) {
    const std::string n = std::to_string(bit);
    c.policy("b/p" + n, R"("podSelector":{"matchLabels":{"l)" + n +
                            R"(":""}},"ingress":[{"ports":[{"port":8)" + n + "}]}]");
  }
  return c;
}

TEST(Limits, SubjectClassesAreSharedFairly) {
  Cluster c = greedy();
  const Stages s(*c.compiled().state);
  const auto enough = compile::number_subjects(s.demands, s.kinds.groups, s.members, s.boxes);
  EXPECT_EQ(enough.count, 8U);  // seven kinds of b's that a policy isolates, and a's
  const auto few = compile::number_subjects(s.demands, s.kinds.groups, s.members, s.boxes, 6);
  const size_t in = static_cast<size_t>(kube::Direction::kIngress);
  const auto ns = [&](const char* name) { return s.kinds.namespace_numbers.at(name); };
  EXPECT_THAT(few.shut[in], ElementsAre(ns("b")));
  for (uint32_t g = 0; g < s.kinds.groups.size(); ++g) {
    const bool of_a = s.kinds.groups.ns(g) == ns("a");
    const uint16_t wanted = enough.of_group[in][g];
    if (of_a) {
      EXPECT_GE(few.of_group[in][g], compile::kFirstOpenClass);
    } else {
      EXPECT_EQ(few.of_group[in][g], wanted == 0 ? 0 : compile::kShutClass);
    }
  }
  EXPECT_EQ(few.count, 2U);
}

TEST(Limits, AclRulesAreSharedFairly) {
  Cluster c = greedy();
  const Stages s(*c.compiled().state);
  const auto subjects = compile::number_subjects(s.demands, s.kinds.groups, s.members, s.boxes);
  const auto peers = compile::number_peers(s.kinds.atoms.size(), s.boxes);
  const auto numbering = compile::number_boxes(s.boxes, subjects, peers);
  const auto all = compile::make_rules(s.demands, s.boxes, numbering);
  EXPECT_TRUE(all.without_room.empty());
  const auto few = compile::make_rules(s.demands, s.boxes, numbering, all.rules.size() - 1);
  ASSERT_EQ(few.without_room.size(), 1U);
  EXPECT_EQ(s.demands.policies[few.without_room[0]].policy->ns, "b");
  EXPECT_LT(few.rules.size(), all.rules.size());
  EXPECT_EQ(few.of_policy[few.without_room[0]], 0U);
}

TEST(Limits, ShortMemoryRefusesAndLeavesWhatThereIs) {
  Cluster c = web_and_db();
  const auto before = c.share();
  std::vector<void*> hog;
  for (size_t size = size_t{256} << 20; size >= 4096; size /= 2) {
    while (void* block = rte_malloc(nullptr, size, 0)) hog.push_back(block);
  }
  auto state = std::make_shared<kube::ClusterState>(*before->state);
  const kube::ObjectKey key = state->policies.begin()->first;
  auto policy = *state->policies.at(key);
  policy.ingress[0].ports[0].port = kube::PolicyPort::Range{90, 99};
  state->policies[key] = std::make_shared<const kube::NetworkPolicy>(policy);
  const auto refused = compile::compile(state, 2, before.get());
  for (void* block : hog) rte_free(block);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::kNoMemory);
  EXPECT_THAT(refused.error().text(), HasSubstr("ACL of 2 rules"));
  EXPECT_TRUE(c.allows("x/web", "x/db"));
  const auto now = compile::compile(state, 2, before.get());
  EXPECT_TRUE(now) << now.error().text();
}

}  // namespace
}  // namespace rampart
