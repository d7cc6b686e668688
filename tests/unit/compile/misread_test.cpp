// SPDX-License-Identifier: Apache-2.0
//
// Each stage of the compiler takes something from the objects; here one of them has read one thing
// wrong: what is compiled is a state that differs in that from the one it is proved against. That
// must be noticed where all is compiled from nothing, and where the object in question is what has
// changed. (Faults in the tables themselves: prove_test.cpp.)
#include <gtest/gtest.h>

#include <chrono>
#include <functional>
#include <iostream>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "control/compile/prove.hpp"
#include "tests/unit/compile/cluster.hpp"

namespace rampart {
namespace {

using compile::Compiled;
using kube::ClusterState;
using kube::NetworkPolicy;
using kube::ObjectKey;
using kube::Pod;
using Op = kube::LabelRequirement::Op;
using Range = kube::PolicyPort::Range;
using namespace std::chrono_literals;

constexpr std::chrono::microseconds kLong = 5s;

std::shared_ptr<const ClusterState> cluster() {
  Cluster c;
  c.ns("shop", R"("team":"a")").ns("other", R"("team":"b")").ns("third", R"("team":"c")");
  c.node("n1", "192.168.0.1").node("n2", "192.168.0.2");
  c.with_ports(
      R"({"name":"web","containerPort":8080},{"name":"web","containerPort":53,"protocol":"UDP"})");
  c.pod("shop/front", 1, R"("tier":"front","run":"x")", R"("nodeName":"n1")");
  c.pod("shop/back", 2, R"("tier":"back")", R"("nodeName":"n1")", R"("hostIP":"192.168.0.9")");
  c.pod("shop/data", 3, R"("tier":"data")", R"("nodeName":"n2")");
  c.pod("other/guest", 4, R"("tier":"front")").pod("other/friend", 5, R"("tier":"back")");
  c.pod("third/guest", 6, R"("tier":"front")");
  c.pod("shop/over", 7, R"("tier":"back")", "", R"("phase":"Succeeded")");
  c.pod("shop/agent", 8, R"("tier":"back")", R"("nodeName":"n2","hostNetwork":true)");
  c.policy("shop/back", R"("podSelector":{"matchLabels":{"tier":"back"}},"policyTypes":["Ingress"],
      "ingress":[{"from":[{"podSelector":{"matchLabels":{"tier":"front"}}},
                          {"ipBlock":{"cidr":"172.16.0.0/16","except":["172.16.5.0/24"]}},
                          {"ipBlock":{"cidr":"fd01::/64","except":["fd01::100/120"]}}],
                  "ports":[{"port":"web"},{"protocol":"UDP","port":100,"endPort":200}]}])");
  c.policy("shop/data", R"("podSelector":{"matchLabels":{"tier":"data"}},
      "policyTypes":["Ingress","Egress"],
      "ingress":[{"from":[{"podSelector":{"matchLabels":{"tier":"back"}}},
                          {"namespaceSelector":{"matchLabels":{"team":"b"}},
                           "podSelector":{"matchLabels":{"tier":"back"}}}],
                  "ports":[{"port":5432}]},
                 {"from":[{"namespaceSelector":{"matchExpressions":[
                     {"key":"team","operator":"NotIn","values":["a","b"]}]}}]}],
      "egress":[{"to":[{"podSelector":{}}],"ports":[{"protocol":"SCTP"},{"port":"web","protocol":"UDP"}]}])");
  c.policy("shop/front", R"("podSelector":{"matchExpressions":[{"key":"run","operator":"Exists"}]},
      "policyTypes":["Egress"],
      "egress":[{"to":[{"podSelector":{"matchLabels":{"tier":"back"}}}],"ports":[{"port":8080}]}])");
  c.policy("other/deny", R"("podSelector":{},"policyTypes":["Ingress"],"ingress":[
      {"from":[{"podSelector":{"matchLabels":{"tier":"back"}}}]}])");
  return c.share()->state;
}

/// One thing of an object, read wrong.
struct Misreading {
  std::string stage, what;
  /// The object; policies and pods are also left out of the state before.
  enum class Kind { kPolicy, kPod, kNamespace, kNode } kind;
  ObjectKey key;
  std::function<void(ClusterState&)> misread;
};

template <typename T>
void change(ClusterState::Objects<T>& objects, const ObjectKey& key,
            const std::function<void(T&)>& how) {
  T object = *objects.at(key);
  how(object);
  objects[key] = std::make_shared<const T>(std::move(object));
}

Misreading policy(std::string stage, std::string what, const char* name,
                  std::function<void(NetworkPolicy&)> how, const char* ns = "shop") {
  const ObjectKey key{ns, name};
  return {std::move(stage), std::move(what), Misreading::Kind::kPolicy, key,
          [key, how = std::move(how)](ClusterState& state) { change(state.policies, key, how); }};
}
Misreading pod(std::string stage, std::string what, const char* ns, const char* name,
               std::function<void(Pod&)> how) {
  const ObjectKey key{ns, name};
  return {std::move(stage), std::move(what), Misreading::Kind::kPod, key,
          [key, how = std::move(how)](ClusterState& state) { change(state.pods, key, how); }};
}

std::vector<Misreading> misreadings() {
  using P = NetworkPolicy;
  return {
      // labels, groups: who is told apart from whom
      policy("labels", "a subject's key", "back",
             [](P& p) { p.subject.requirements[0].key = "run"; }),
      policy("labels", "a subject's value", "back",
             [](P& p) { p.subject.requirements[0].values = {"front"}; }),
      policy("labels", "Exists as DoesNotExist", "front",
             [](P& p) { p.subject.requirements[0].op = Op::kDoesNotExist; }),
      policy("labels", "NotIn as In", "data",
             [](P& p) { p.ingress[1].peers[0].namespace_selector->requirements[0].op = Op::kIn; }),
      policy(
          "labels", "one value of NotIn", "data",
          [](P& p) { p.ingress[1].peers[0].namespace_selector->requirements[0].values = {"a"}; }),
      policy("labels", "a peer's value", "front",
             [](P& p) { p.egress[0].peers[0].pod_selector->requirements[0].values = {"data"}; }),
      pod("groups", "a label's value", "shop", "front",
          [](Pod& p) { p.labels[1].second = "back"; }),
      pod("groups", "a label", "shop", "back", [](Pod& p) { p.labels.clear(); }),
      pod("groups", "the number of a named port", "shop", "back",
          [](Pod& p) { p.ports[0].number = 8081; }),
      pod("groups", "the protocol of a named port", "shop", "back",
          [](Pod& p) { std::swap(p.ports[0].protocol, p.ports[1].protocol); }),
      pod("groups", "a named port", "shop", "back", [](Pod& p) { p.ports.clear(); }),
      // zones: what blocks cut
      policy(
          "zones", "a block too long", "back",
          [](P& p) { p.ingress[0].peers[1].ip_block->cidr = *IpPrefix::parse("172.16.0.0/17"); }),
      policy(
          "zones", "a block too short", "back",
          [](P& p) { p.ingress[0].peers[1].ip_block->cidr = *IpPrefix::parse("172.16.0.0/15"); }),
      policy("zones", "no exception", "back",
             [](P& p) { p.ingress[0].peers[1].ip_block->except.clear(); }),
      policy("zones", "an exception too short", "back",
             [](P& p) {
               p.ingress[0].peers[1].ip_block->except = {*IpPrefix::parse("172.16.4.0/23")};
             }),
      policy("zones", "no exception of IPv6", "back",
             [](P& p) { p.ingress[0].peers[2].ip_block->except.clear(); }),
      policy("zones", "a block of IPv6 too long", "back",
             [](P& p) { p.ingress[0].peers[2].ip_block->cidr = *IpPrefix::parse("fd01::/65"); }),
      // demands: what policies ask for
      policy("demands", "a rule less", "data", [](P& p) { p.ingress.pop_back(); }),
      policy("demands", "a peer less", "data", [](P& p) { p.ingress[0].peers.pop_back(); }),
      policy(
          "demands", "no peers, which is all", "deny", [](P& p) { p.ingress[0].peers.clear(); },
          "other"),
      policy("demands", "one half of a combined selector", "data",
             [](P& p) { p.ingress[0].peers[1].pod_selector.reset(); }),
      policy("demands", "the other half of a combined selector", "data",
             [](P& p) { p.ingress[0].peers[1].namespace_selector.reset(); }),
      policy("demands", "not isolated for egress", "data",
             [](P& p) { p.isolates_egress = false, p.egress.clear(); }),
      policy("demands", "isolated for egress", "back", [](P& p) { p.isolates_egress = true; }),
      // boxes: ports
      policy("boxes", "endPort one more", "back",
             [](P& p) {
               p.ingress[0].ports[1].port = Range{100, 201};
             }),
      policy("boxes", "endPort one less", "back",
             [](P& p) {
               p.ingress[0].ports[1].port = Range{100, 199};
             }),
      policy("boxes", "port one more", "back",
             [](P& p) {
               p.ingress[0].ports[1].port = Range{101, 200};
             }),
      policy("boxes", "no endPort", "back",
             [](P& p) {
               p.ingress[0].ports[1].port = Range{100, 100};
             }),
      policy("boxes", "another protocol", "data",
             [](P& p) { p.ingress[0].ports[0].protocol = IpProtocol::kUdp; }),
      policy("boxes", "a protocol of any port less", "data",
             [](P& p) { p.egress[0].ports.erase(p.egress[0].ports.begin()); }),
      policy("boxes", "no ports, which is all", "data", [](P& p) { p.ingress[0].ports.clear(); }),
      // place, identify: who is behind an address
      pod("place", "an address less", "shop", "data", [](Pod& p) { p.addresses.pop_back(); }),
      pod("place", "another address", "shop", "data",
          [](Pod& p) { p.addresses[0] = *IpAddress::parse("10.0.0.77"); }),
      pod("place", "another one's address, too", "shop", "data",
          [](Pod& p) { p.addresses.push_back(*IpAddress::parse("10.0.0.5")); }),
      pod("place", "one that has ended", "shop", "over", [](Pod& p) { p.finished = false; }),
      pod("place", "one on the host's network", "shop", "agent",
          [](Pod& p) { p.host_network = false; }),
      pod("place", "no node", "shop", "back", [](Pod& p) { p.node_name.clear(); }),
      pod("place", "another node", "shop", "back", [](Pod& p) { p.node_name = "n2"; }),
      pod("place", "no hostIP", "shop", "back", [](Pod& p) { p.host_addresses.clear(); }),
      {"place",
       "a node's address is not known",
       Misreading::Kind::kNode,
       {{}, "n1"},
       [](ClusterState& state) {
         change<kube::Node>(state.nodes, {{}, "n1"}, [](kube::Node& n) { n.addresses.clear(); });
       }},
      {"place",
       "a node is at its old address still",
       Misreading::Kind::kNode,
       {{}, "n1"},
       [](ClusterState& state) {
         change<kube::Node>(state.nodes, {{}, "n1"}, [](kube::Node& n) {
           n.addresses.push_back(*IpAddress::parse("192.168.0.77"));
         });
       }},
      {"advance",
       "a namespace's labels",
       Misreading::Kind::kNamespace,
       {{}, "other"},
       [](ClusterState& state) {
         change<kube::Namespace>(state.namespaces, {{}, "other"},
                                 [](kube::Namespace& n) { n.labels.back().second = "z"; });
       }},
      {"advance",
       "a policy is there no more",
       Misreading::Kind::kPolicy,
       {"shop", "back"},
       [](ClusterState& state) {
         state.policies.erase({"shop", "back"});
       }},
      {"advance",
       "a pod is not there yet",
       Misreading::Kind::kPod,
       {"shop", "front"},
       [](ClusterState& state) {
         state.pods.erase({"shop", "front"});
       }},
  };
}

/// What the tables say of what the objects say otherwise, by asking about everything.
size_t wrong_verdicts(const Compiled& made, const ClusterState& truth) {
  std::vector<IpAddress> ends;
  for (const char* text : {"10.0.0.1",     "10.0.0.2",       "10.0.0.3",
                           "10.0.0.4",     "10.0.0.5",       "10.0.0.6",
                           "10.0.0.7",     "10.0.0.8",       "10.0.0.77",
                           "fd00::1",      "fd00::2",        "fd00::3",
                           "fd00::4",      "fd00::5",        "fd00::6",
                           "192.168.0.1",  "192.168.0.2",    "192.168.0.9",
                           "192.168.0.77", "172.16.0.0",     "172.15.255.255",
                           "172.17.0.0",   "172.16.255.255", "172.16.5.0",
                           "172.16.4.255", "172.16.5.255",   "172.16.6.0",
                           "fd01::",       "fd01::ff",       "fd01::100",
                           "fd01::1ff",    "fd01::200",      "fd01::ffff:ffff:ffff:ffff",
                           "fd01:0:0:1::"}) {
    ends.push_back(*IpAddress::parse(text));
  }
  const kube::Evaluator evaluator(truth);
  size_t wrong = 0;
  for (const IpAddress& from : ends) {
    for (const IpAddress& to : ends) {
      if (from.family() != to.family()) continue;
      for (const unsigned port : {53U, 99U, 100U, 101U, 199U, 200U, 201U, 5432U, 8080U, 8081U}) {
        for (const uint8_t protocol : {1, 6, 17, 132}) {
          const auto asked = static_cast<L4Port>(port);
          const bool allowed =
              support::ask(*made.rules, from, to, protocol, asked).outcome == Outcome::kAllow;
          wrong += allowed != evaluator.evaluate(from, to, protocol, asked).allowed;
        }
      }
    }
  }
  return wrong;
}

/// A compiler that has read `misread` where the truth is `truth`.
std::shared_ptr<const Compiled> compile_wrongly(const ClusterState& misread,
                                                const std::shared_ptr<const ClusterState>& truth,
                                                const Compiled* previous) {
  const auto made = compile::compile_with({0, 4}, std::make_shared<const ClusterState>(misread),
                                          previous == nullptr ? 1 : 2, previous);
  EXPECT_TRUE(made);
  auto wrong = std::make_shared<Compiled>(**made);
  wrong->state = truth;
  // It knows the pods by name; what it has read of them is another matter.
  for (size_t e = 0; e < wrong->endpoints.size(); ++e) {
    const Pod* pod = wrong->endpoints[e];
    if (pod == nullptr) continue;
    const auto found = truth->pods.find({pod->ns, pod->name});
    if (found != truth->pods.end()) wrong->endpoints.set(e, found->second.get());
  }
  return wrong;
}

/// The state before the object was what it is.
ClusterState before(const ClusterState& truth, const Misreading& one) {
  ClusterState state = truth;
  switch (one.kind) {
    case Misreading::Kind::kPolicy:
      state.policies.erase(one.key);
      break;
    case Misreading::Kind::kPod:
      state.pods.erase(one.key);
      break;
    default:
      one.misread(state);
  }
  return state;
}

TEST(Misread, IsNoticedWhereAllIsCompiledFromNothing) {
  const auto truth = cluster();
  for (const Misreading& one : misreadings()) {
    SCOPED_TRACE(one.stage + ": " + one.what);
    ClusterState state = *truth;
    one.misread(state);
    const auto made = compile_wrongly(state, truth, nullptr);
    EXPECT_GT(wrong_verdicts(*made, *truth), 0U) << "it is no fault";
    EXPECT_NE(compile::prove(*made, nullptr, kLong, 1).wrong, "");
  }
}

TEST(Misread, IsNoticedWhereItIsWhatHasChanged) {
  constexpr uint64_t kSeeds = 16;
  size_t noticed = 0, planted = 0;
  const auto truth = cluster();
  for (const Misreading& one : misreadings()) {
    SCOPED_TRACE(one.stage + ": " + one.what);
    const auto was = compile::compile_with(
        {0, 4}, std::make_shared<const ClusterState>(before(*truth, one)), 1, nullptr);
    ASSERT_TRUE(was);
    const auto right = compile::compile_with({0, 4}, truth, 2, was->get());
    ASSERT_TRUE(right);
    EXPECT_EQ(compile::prove(**right, was->get(), kLong, 1).wrong, "");
    ClusterState state = *truth;
    one.misread(state);
    const auto made = compile_wrongly(state, truth, was->get());
    EXPECT_GT(wrong_verdicts(*made, *truth), 0U) << "it is no fault";
    size_t of_it = 0;
    for (uint64_t seed = 1; seed <= kSeeds; ++seed) {
      of_it += !compile::prove(*made, was->get(), kLong, seed).wrong.empty();
    }
    EXPECT_GT(of_it, 0U);
    if (of_it < kSeeds)
      std::cout << of_it << " of " << kSeeds << ": " << one.stage << ": " << one.what << "\n";
    noticed += of_it;
    planted += kSeeds;
  }
  std::cout << noticed << " of " << planted << " noticed\n";
  EXPECT_GT(noticed * 100, planted * 90) << "what is asked is drawn by lot, and a pod's is little";
}

}  // namespace
}  // namespace rampart
