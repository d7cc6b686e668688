// SPDX-License-Identifier: Apache-2.0
//
// Faults of every kind that a compiler could have are planted into what it has made, one at a time:
// the proof must notice each that changes the verdict on anything.
#include "control/compile/prove.hpp"

#include <gtest/gtest.h>

#include <functional>
#include <set>
#include <string>
#include <vector>

#include "control/compile/place.hpp"
#include "tests/unit/compile/cluster.hpp"

namespace rampart {
namespace {

using compile::Compiled;
using compile::Proof;
using namespace std::chrono_literals;

/// Enough for everything that is drawn; a proof ends with the first disagreement.
constexpr std::chrono::microseconds kLong = 5s;

Cluster three_tiers(const std::string& database_ports = R"({"port":5432})") {
  Cluster c;
  c.ns("shop", R"("team":"a")").ns("other", R"("team":"b")").node("n1", "192.168.0.1");
  c.with_ports(R"({"name":"web","containerPort":8080})");
  c.pod("shop/front", 1, R"("tier":"front")", R"("nodeName":"n1")", R"("hostIP":"192.168.0.1")");
  c.pod("shop/back", 2, R"("tier":"back")");
  c.pod("shop/data", 3, R"("tier":"data")");
  c.pod("other/guest", 4, R"("tier":"front")");
  c.pod("other/friend", 5, R"("tier":"back")");
  c.policy("shop/back", R"("podSelector":{"matchLabels":{"tier":"back"}},"policyTypes":["Ingress"],
      "ingress":[{"from":[{"podSelector":{"matchLabels":{"tier":"front"}}},
                          {"ipBlock":{"cidr":"172.16.0.0/16","except":["172.16.5.0/24"]}}],
                  "ports":[{"port":"web"},{"protocol":"UDP","port":100,"endPort":200}]}])");
  c.policy("shop/data", R"("podSelector":{"matchLabels":{"tier":"data"}},
      "policyTypes":["Ingress","Egress"],
      "ingress":[{"from":[{"podSelector":{"matchLabels":{"tier":"back"}}},
                          {"namespaceSelector":{"matchLabels":{"team":"b"}},
                           "podSelector":{"matchLabels":{"tier":"back"}}}],
                  "ports":[)" +
                            database_ports + R"(]}],
      "egress":[{"to":[{"podSelector":{}}]}])");
  c.policy("shop/front", R"("podSelector":{"matchLabels":{"tier":"front"}},"policyTypes":["Egress"],
      "egress":[{"to":[{"podSelector":{"matchLabels":{"tier":"back"}}}],"ports":[{"port":8080}]}])");
  return c;
}

using Fault = std::function<void(Compiled&, RuleSet&)>;
struct Planted {
  std::string what;
  Fault plant;
};

std::shared_ptr<const Compiled> plant(const Compiled& good, const Fault& fault) {
  auto made = std::make_shared<Compiled>(good);
  auto rules = std::make_shared<RuleSet>(*good.rules);
  fault(*made, *rules);
  made->rules = std::move(rules);
  return made;
}

void rebuild_acl(RuleSet& rules, const std::function<void(std::vector<AclRule>&)>& change) {
  auto changed = rules.parts[0].acl->rules();
  change(changed);
  auto acl = AclTable::build(changed, rules.parts[0].acl->plan());
  ASSERT_TRUE(acl) << acl.error().text();
  rules.parts[0].acl = *acl;
}

void add_acl_faults(const Compiled& good, std::vector<Planted>& all) {
  const auto rule = [&](const std::string& what, size_t i, std::function<void(AclRule&)> change) {
    all.push_back({what + " of rule " + std::to_string(i), [i, change](Compiled&, RuleSet& rules) {
                     rebuild_acl(rules, [&](auto& list) { change(list[i]); });
                   }});
  };
  const auto& rules = good.rules->parts[0].acl->rules();
  for (size_t i = 0; i < rules.size(); ++i) {
    all.push_back({"rule " + std::to_string(i) + " is missing", [i](Compiled&, RuleSet& set) {
                     rebuild_acl(set, [&](auto& list) {
                       list.erase(list.begin() + static_cast<ptrdiff_t>(i));
                     });
                   }});
    if (rules[i].port_last < 65535) {
      rule("one port more", i, [](AclRule& r) { ++r.port_last; });
      rule("one port less at the end", i,
           [](AclRule& r) { r.port_first < r.port_last ? --r.port_last : ++r.port_last; });
    }
    if (rules[i].port_first > 0) rule("one port before", i, [](AclRule& r) { --r.port_first; });
    rule("one peer more", i, [](AclRule& r) {
      if (r.peer_last != 0xFFFFFFFF) ++r.peer_last;
    });
    rule("one peer before", i, [](AclRule& r) {
      if (r.peer_first > 0) --r.peer_first;
    });
    rule("all peers", i, [](AclRule& r) { r.peer_first = 0, r.peer_last = 0xFFFFFFFF; });
    rule("one subject more", i, [](AclRule& r) { ++r.subject_last; });
    rule("any protocol", i, [](AclRule& r) { r.any_protocol = true; });
    rule("another protocol", i, [](AclRule& r) {
      if (!r.any_protocol) r.protocol = r.protocol == 6 ? 17 : 6;
    });
    rule("another number", i,
         [&](AclRule& r) { r.rule = r.rule % static_cast<uint32_t>(good.origins->entries()) + 1; });
  }
}

void add_address_faults(const Compiled& good, std::vector<Planted>& all) {
  const auto identity = [&](const std::string& what, const IpAddress& address,
                            const std::function<void(Identity&)>& change) {
    all.push_back({what + " of " + address.text(), [address, change](Compiled&, RuleSet& rules) {
                     Identity now = *rules.addresses->find(address);
                     change(now);
                     rules.addresses =
                         AddressMap::change(*rules.addresses, {{address, now}}, {}, rules.revision);
                   }});
  };
  const auto subjects = [&](const std::string& what, const IpAddress& address,
                            const std::function<void(Subjects&)>& change) {
    all.push_back({what + " of " + address.text(), [address, change](Compiled&, RuleSet& rules) {
                     auto now = std::make_shared<std::vector<Subjects>>(*rules.subjects);
                     change((*now)[rules.addresses->find(address)->class_id]);
                     rules.subjects = std::move(now);
                   }});
  };
  for (const auto& [key, pod] : good.state->pods) {
    for (const IpAddress& address : pod->addresses) {
      all.push_back({"no entry of " + address.text(), [address](Compiled&, RuleSet& rules) {
                       rules.addresses = AddressMap::change(*rules.addresses, {}, {address}, 1);
                     }});
      subjects("not isolated for egress", address, [](Subjects& s) { s.egress.number = 0; });
      subjects("not isolated for ingress", address, [](Subjects& s) { s.ingress.number = 0; });
      subjects("shut for ingress", address, [](Subjects& s) { s.ingress.number = 1; });
      for (uint32_t n = 0; n < good.classes; ++n) {
        all.push_back({"peer number " + std::to_string(n) + " of " + address.text(),
                       [address, n](Compiled&, RuleSet& rules) {
                         auto peers =
                             std::make_shared<std::vector<uint32_t>>(*rules.parts[0].peers);
                         (*peers)[rules.addresses->find(address)->class_id] = n;
                         rules.parts[0].peers = std::move(peers);
                       }});
      }
      identity("no node", address, [](Identity& i) { i.node = 0; });
      for (uint32_t n = 0; n < good.rules->subjects->size(); ++n) {
        identity("class " + std::to_string(n), address, [n](Identity& i) { i.class_id = n; });
      }
    }
  }
}

void add_interval_faults(const Compiled& good, std::vector<Planted>& all) {
  // The map is made again from what it says, with one boundary moved.
  std::vector<IpAddress> cuts{IpAddress::v4(0)};
  for (const auto& [key, policy] : good.state->policies) {
    for (const auto& rule : policy->ingress) {
      for (const auto& peer : rule.peers) {
        if (!peer.ip_block) continue;
        for (const auto& prefix : {peer.ip_block->cidr, peer.ip_block->except.front()}) {
          cuts.push_back(prefix.first());
          cuts.push_back(successor(prefix.last()));
        }
      }
    }
  }
  std::sort(cuts.begin(), cuts.end());
  for (size_t moved = 1; moved < cuts.size(); ++moved) {
    for (const bool up : {false, true}) {
      all.push_back({"the boundary " + cuts[moved].text() + (up ? " is late" : " is early"),
                     [cuts, moved, up](Compiled& made, RuleSet& rules) {
                       std::vector<AddressMap::Interval> v4;
                       for (size_t i = 0; i < cuts.size(); ++i) {
                         const IpAddress at = i != moved ? cuts[i]
                                              : up       ? successor(cuts[i])
                                                         : predecessor(cuts[i]);
                         v4.push_back({at, *rules.addresses->find(cuts[i])});
                       }
                       std::vector<AddressMap::Entry> exact;
                       for (const auto& [key, pod] : made.state->pods) {
                         for (const IpAddress& a : pod->addresses) {
                           exact.push_back({a, *rules.addresses->find(a)});
                         }
                       }
                       const IpAddress node = *IpAddress::parse("192.168.0.1");
                       exact.push_back({node, *rules.addresses->find(node)});
                       const std::vector<AddressMap::Interval> v6{
                           {IpAddress::v6({}), *rules.addresses->find(IpAddress::v6({}))}};
                       rules.addresses = *AddressMap::build(exact, v4, v6, 1, nullptr);
                     }});
    }
  }
}

std::vector<Planted> faults(const Compiled& good) {
  std::vector<Planted> all;
  add_acl_faults(good, all);
  add_address_faults(good, all);
  add_interval_faults(good, all);
  return all;
}

/// Every verdict that can differ, by asking about everything.
std::vector<std::string> verdicts(const Compiled& made) {
  std::set<IpAddress> ends{*IpAddress::parse("192.168.0.1"), *IpAddress::parse("8.8.8.8")};
  for (const auto& [key, pod] : made.state->pods) {
    ends.insert(pod->addresses.begin(), pod->addresses.end());
  }
  for (const char* text : {"172.16.0.0", "172.16.255.255", "172.16.5.0", "172.16.5.255"}) {
    const IpAddress a = *IpAddress::parse(text);
    ends.insert({predecessor(a), a, successor(a)});
  }
  std::vector<std::string> all;
  for (const IpAddress& from : ends) {
    for (const IpAddress& to : ends) {
      if (from.family() != to.family()) continue;
      for (const unsigned port :
           {0U, 79U, 99U, 100U, 101U, 199U, 200U, 201U, 5431U, 5432U, 5433U, 8079U, 8080U, 8081U}) {
        for (const uint8_t protocol : {1, 6, 17}) {
          const Verdict v =
              support::ask(*made.rules, from, to, protocol, static_cast<L4Port>(port));
          all.push_back(std::to_string(static_cast<int>(v.outcome)) + " " +
                        std::to_string(v.egress_rule) + " " + std::to_string(v.ingress_rule));
        }
      }
    }
  }
  return all;
}

TEST(Prove, HasNothingToSayOfWhatIsRight) {
  Cluster c = three_tiers();
  const Proof proof = compile::prove(c.compiled(), nullptr, 100ms, 1);
  EXPECT_EQ(proof.wrong, "");
  EXPECT_GT(proof.probes, 100U);
  for (int i = 0; i < 12; ++i) {
    c.pod("other/copy-" + std::to_string(i), 6, R"("tier":"copy")").apply("ADDED");
  }
  EXPECT_EQ(compile::prove(c.compiled(), nullptr, 100ms, 1).wrong, "");
}

TEST(Prove, NoticesEveryFaultThatChangesAVerdict) {
  Cluster c = three_tiers();
  const Compiled& good = c.compiled();
  const auto right = verdicts(good);
  size_t planted = 0;
  std::set<std::string> kinds;
  for (const Planted& fault : faults(good)) {
    const auto bad = plant(good, fault.plant);
    if (verdicts(*bad) == right) continue;
    ++planted;
    kinds.insert(fault.what.substr(0, 8));
    EXPECT_NE(compile::prove(*bad, nullptr, kLong, planted).wrong, "") << fault.what;
  }
  EXPECT_GT(planted, 80U);
  EXPECT_GT(kinds.size(), 10U);
}

TEST(Prove, LooksAtThePolicyThatChanged) {
  const auto before = three_tiers().share();
  const auto changed = compile::compile(
      three_tiers(R"({"port":5432},{"port":6000,"endPort":6009})").share()->state, 2, before.get());
  ASSERT_TRUE(changed);
  const Compiled& good = **changed;
  EXPECT_EQ(compile::prove(good, before.get(), kLong, 1).wrong, "");
  size_t planted = 0;
  for (size_t i = 0; i < good.rules->parts[0].acl->rules().size(); ++i) {
    const AclRule rule = good.rules->parts[0].acl->rules()[i];
    if (rule.port_first != 6000) continue;
    for (const Fault& fault : std::vector<Fault>{
             [i](Compiled&, RuleSet& set) {
               rebuild_acl(set, [&](auto& l) { l.erase(l.begin() + static_cast<ptrdiff_t>(i)); });
             },
             [i](Compiled&, RuleSet& set) { rebuild_acl(set, [&](auto& l) { ++l[i].port_last; }); },
             [i](Compiled&, RuleSet& set) {
               rebuild_acl(set, [&](auto& l) { --l[i].port_first; });
             },
             [i](Compiled&, RuleSet& set) {
               rebuild_acl(set, [&](auto& l) { l[i].protocol = 17; });
             },
         }) {
      ++planted;
      EXPECT_NE(compile::prove(*plant(good, fault), before.get(), kLong, 1).wrong, "")
          << "rule " << i;
    }
  }
  EXPECT_GE(planted, 4U);
}

TEST(Prove, LooksForFlowsThatWouldKeepAVerdictThatIsGone) {
  const auto before = three_tiers().share();
  const auto good =
      compile::compile(three_tiers(R"({"port":5433})").share()->state, 2, before.get());
  ASSERT_TRUE(good);
  EXPECT_EQ(compile::prove(**good, before.get(), kLong, 1).wrong, "");
  // Nothing seems to have changed since: its policy's pods are not marked.
  auto later = std::make_shared<RuleSet>(*before->rules);
  later->revision = 2;
  Compiled unmarked = *before;
  unmarked.rules = later;
  EXPECT_NE(compile::prove(**good, &unmarked, kLong, 1).wrong.find("would not be judged again"),
            std::string::npos);
}

TEST(Prove, LooksAtThePodsThatChanged) {
  const auto before = three_tiers().share();
  auto state = std::make_shared<kube::ClusterState>(*before->state);
  const kube::Pod was = *state->pods.at({"shop", "back"});
  kube::Pod moved = was;
  moved.addresses = {*IpAddress::parse("10.0.0.77"), *IpAddress::parse("fd00::77")};
  state->pods[{"shop", "back"}] = std::make_shared<const kube::Pod>(moved);
  const auto good = compile::compile(state, 2, before.get());
  ASSERT_TRUE(good);
  EXPECT_EQ(compile::prove(**good, before.get(), kLong, 1).wrong, "");

  const auto wrong = [&](const Fault& fault) {
    return compile::prove(*plant(**good, fault), before.get(), kLong, 1).wrong;
  };
  EXPECT_NE(wrong([&](Compiled&, RuleSet& rules) { rules.addresses = before->rules->addresses; }),
            "")
      << "all of it is as before";
  for (const IpAddress& address : was.addresses) {
    const Identity identity = *before->rules->addresses->find(address);
    EXPECT_NE(
        wrong([&](Compiled&, RuleSet& rules) {
          rules.addresses = AddressMap::change(*rules.addresses, {{address, identity}}, {}, 2);
        }),
        "")
        << "it is at " << address.text() << " still";
  }
  // All of them are looked up before anything is asked.
  for (const IpAddress& address : moved.addresses) {
    const Identity right = *(*good)->rules->addresses->find(address);
    ASSERT_NE(right.node, 99U);
    Identity nobody = right, elsewhere = right, shared = right;
    nobody.endpoint = 0, elsewhere.node = 99, shared.flags |= Identity::kShared;
    for (const Identity& identity : {nobody, elsewhere, shared}) {
      const auto bad = plant(**good, [&](Compiled&, RuleSet& rules) {
        rules.addresses = AddressMap::change(*rules.addresses, {{address, identity}}, {}, 2);
      });
      const Proof proof = compile::prove(*bad, before.get(), kLong, 1);
      EXPECT_NE(proof.wrong, "") << address.text();
      EXPECT_EQ(proof.probes, 0U);
    }
  }
  // What the tables think of who is where.
  EXPECT_NE(wrong([&](Compiled& made, RuleSet&) {
              auto memory = std::make_shared<compile::Memory>(*made.memory);
              memory->roster.claims = before->memory->roster.claims;
              made.memory = memory;
            }),
            "");
}

}  // namespace
}  // namespace rampart
