// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "control/kube/decode.hpp"
#include "control/reach/difference.hpp"

namespace rampart::reach {
namespace {

using ::testing::ElementsAre;

constexpr auto kTcp = IpProtocol::kTcp, kUdp = IpProtocol::kUdp;

TEST(PortSet, AlgebraAndText) {
  const PortSet low = PortSet::of(kTcp, 0, 80), web = PortSet::of(kTcp, 80, 80);
  const PortSet next = PortSet::of(kTcp, 81, 90), dns = PortSet::of(kUdp, 53, 53);
  EXPECT_EQ(low.united(next), PortSet::of(kTcp, 0, 90)) << "neighbours become one range";
  EXPECT_EQ(low.intersected(PortSet::of(kTcp, 80, 65535)), web);
  EXPECT_EQ(low.intersected(dns), PortSet{});
  EXPECT_EQ(low.without(web), PortSet::of(kTcp, 0, 79));
  EXPECT_EQ(PortSet::all().without(PortSet::all()), PortSet{});
  EXPECT_EQ(PortSet::all().without(web).united(web), PortSet::all());
  EXPECT_TRUE(PortSet::all().contains(1, 0)) << "ICMP is one of all";
  EXPECT_FALSE(low.contains(17, 80));
  EXPECT_TRUE(low.contains(6, 0));
  EXPECT_FALSE(low.contains(6, 81));
  EXPECT_EQ(PortSet{}.text(), "nothing");
  EXPECT_EQ(PortSet::all().text(), "all");
  EXPECT_EQ(web.united(PortSet::of(kTcp, 8000, 8080)).united(dns).text(),
            "TCP 80,8000-8080, UDP 53");
  EXPECT_EQ(PortSet::all().without(PortSet::of(kTcp, 0, 65535)).text(), "all but TCP any port");
  EXPECT_EQ(PortSet::all().without(web).text(), "all but TCP 80");
}

std::string pod(const std::string& name, const std::string& address, const std::string& labels,
                const std::string& ns = "shop") {
  return R"({"apiVersion":"v1","kind":"Pod","metadata":{"name":")" + name + R"(","namespace":")" +
         ns + R"(","labels":{)" + labels + R"(}},"status":{"podIP":")" + address + R"("}})";
}

std::string ingress(const std::string& name, const std::string& app, const std::string& rules) {
  return R"({"apiVersion":"networking.k8s.io/v1","kind":"NetworkPolicy","metadata":{"name":")" +
         name + R"(","namespace":"shop"},"spec":{"podSelector":{"matchLabels":{"app":")" + app +
         R"("}},"ingress":[)" + rules + "]}}";
}

kube::ClusterState cluster(const std::vector<std::string>& objects) {
  std::string json = R"({"apiVersion":"v1","kind":"List","items":[)";
  for (const std::string& object : objects) json += (json.back() == '[' ? "" : ",") + object;
  auto decoded = kube::decode_snapshot(json + "]}");
  EXPECT_TRUE(decoded) << decoded.error().text();
  return decoded ? std::move(decoded->state) : kube::ClusterState{};
}

const std::string kWeb = R"("app":"web","hash":"1")", kWeb2 = R"("app":"web","hash":"2")",
                  kDb = R"("app":"db")";
const std::string kFromWeb =
    R"({"from":[{"podSelector":{"matchLabels":{"app":"web"}}}],"ports":[{"port":5432}]})";

std::vector<std::string> shop() {
  return {pod("web-0", "10.0.0.1", kWeb), pod("web-1", "10.0.0.2", kWeb2),
          pod("db-0", "10.0.0.3", kDb), pod("probe", "10.0.1.1", "", "tools"),
          ingress("db", "db", kFromWeb)};
}

std::vector<std::string> names(const std::vector<End>& ends) {
  std::vector<std::string> all;
  all.reserve(ends.size());
  for (const End& end : ends) all.push_back(end.name);
  return all;
}

/// "FROM > TO: PORTS" of all that goes from pods or to pods and is not everything.
std::vector<std::string> lines(const kube::ClusterState& state) {
  const Vocabulary vocabulary({&state});
  PortSets sets;
  const auto reach = Reach::of(state, vocabulary, sets);
  EXPECT_TRUE(reach);
  std::vector<std::string> all;
  for (size_t from = 0; from < reach->ends().size(); ++from) {
    for (size_t to = 0; to < reach->ends().size(); ++to) {
      if (reach->at(from, to) == PortSets::kAll) continue;
      all.push_back(reach->ends()[from].name + " > " + reach->ends()[to].name + ": " +
                    sets[reach->at(from, to)].text());
    }
  }
  return all;
}

TEST(Ends, PodsThatNoSelectorTellsApartAreOneKind) {
  const auto state = cluster(shop());
  const auto ends = ends_of(state, Vocabulary({&state}));
  EXPECT_THAT(names(ends),
              ElementsAre("shop/app=db", "shop/app=web", "tools/probe", "all addresses"));
  EXPECT_EQ(ends[1].pods.size(), 2U) << "nobody looks at their hash";
  EXPECT_THAT(
      lines(state),
      ElementsAre("shop/app=db > shop/app=db: nothing", "shop/app=web > shop/app=db: TCP 5432",
                  "tools/probe > shop/app=db: nothing", "all addresses > shop/app=db: nothing"));
}

TEST(Ends, BlocksAreCutWhereRulesTellAddressesApart) {
  const auto state =
      cluster({pod("db-0", "10.0.0.3", kDb), pod("new", "10.0.9.3", ""),
               ingress("a", "db",
                       R"({"from":[{"ipBlock":{"cidr":"10.0.0.0/8","except":["10.9.0.0/16"]}},)"
                       R"({"ipBlock":{"cidr":"192.0.2.0/24"}}]})"),
               ingress("b", "db",
                       R"({"from":[{"ipBlock":{"cidr":"10.1.0.0/16"}}],"ports":[{"port":80}]})")});
  const Vocabulary vocabulary({&state});
  EXPECT_THAT(names(ends_of(state, vocabulary)),
              ElementsAre("shop/new", "shop/app=db",
                          "10.0.0.0/8 except 10.1.0.0/16, 10.9.0.0/16; 192.0.2.0/24", "10.1.0.0/16",
                          "all other addresses"));
  const auto zone = [&](const char* address) {
    return vocabulary.zone_of(*IpAddress::parse(address));
  };
  EXPECT_EQ(zone("192.0.2.9"), zone("10.2.0.1")) << "every rule treats them alike";
  EXPECT_NE(zone("10.1.0.1"), zone("10.2.0.1"));
  EXPECT_EQ(zone("10.9.0.1"), zone("198.51.100.1")) << "what is excepted is like what is outside";
  EXPECT_EQ(zone("fd00::1"), zone("198.51.100.1"));
}

TEST(Ends, WhatIsFilledByBlocksLeavesNoRest) {
  const auto state = cluster(
      {pod("db-0", "10.0.0.3", kDb),
       ingress("a", "db", R"({"from":[{"ipBlock":{"cidr":"0.0.0.0/0"}}]})"),
       ingress("b", "db",
               R"({"from":[{"ipBlock":{"cidr":"::/1"}},{"ipBlock":{"cidr":"8000::/1"}}]})")});
  EXPECT_THAT(names(ends_of(state, Vocabulary({&state}))),
              ElementsAre("shop/app=db", "0.0.0.0/0", "::/1; 8000::/1"));
}

TEST(Reach, FamiliesThatDoNotMeet) {
  const auto state = cluster({pod("v4", "10.0.0.1", "", "a"), pod("v6", "fd00::1", "", "b")});
  EXPECT_THAT(lines(state), ElementsAre("a/v4 > b/v6: nothing", "b/v6 > a/v4: nothing"));
}

/// "FROM > TO: +OPENED -CLOSED" of every pair that differs.
std::vector<std::string> differences(const std::vector<std::string>& before,
                                     const std::vector<std::string>& after) {
  const auto old = cluster(before), now = cluster(after);
  PortSets sets;
  const auto difference = compare(old, now, sets);
  EXPECT_TRUE(difference);
  std::vector<std::string> all;
  for (const auto& pair : difference->pairs) {
    all.push_back(difference->parties[pair.from].name + " > " + difference->parties[pair.to].name +
                  ": +" + sets[pair.opened].text() + " -" + sets[pair.closed].text());
  }
  return all;
}

TEST(Difference, OfPoliciesIsWhatPacketsNotice) {
  EXPECT_THAT(differences(shop(), shop()), ElementsAre());
  auto other_words = shop();
  other_words.back() = ingress(
      "renamed", "db",
      R"({"from":[{"podSelector":{"matchExpressions":[{"key":"app","operator":"In","values":["web"]}]}}],)"
      R"("ports":[{"port":5432,"protocol":"TCP","endPort":5432}]})");
  EXPECT_THAT(differences(shop(), other_words), ElementsAre()) << "another text of the same";
  auto wider = shop();
  wider.back() = ingress("db", "db", R"({"ports":[{"port":5433}]})");
  EXPECT_THAT(differences(shop(), wider),
              ElementsAre("shop/app=db > shop/app=db: +TCP 5433 -nothing",
                          "shop/app=web > shop/app=db: +TCP 5433 -TCP 5432",
                          "tools/probe > shop/app=db: +TCP 5433 -nothing",
                          "all addresses > shop/app=db: +TCP 5433 -nothing"));
}

TEST(Difference, OfPodsThatComeAndGo) {
  auto scaled = shop();
  scaled[1] = pod("web-7", "10.0.0.9", R"("app":"web","hash":"3")");
  EXPECT_THAT(differences(shop(), scaled), ElementsAre()) << "one of many is no difference";
  auto relabelled = shop();
  relabelled[1] = pod("web-1", "10.0.0.2", R"("app":"api")");
  EXPECT_THAT(differences(shop(), relabelled),
              ElementsAre("shop/web-1, now shop/app=api (was shop/app=web) > shop/app=db: +nothing "
                          "-TCP 5432"));
  auto gone = shop();
  gone.erase(gone.begin() + 2);  // the only db
  EXPECT_THAT(differences(shop(), gone),
              ElementsAre("shop/app=db > shop/app=web: +nothing -all",
                          "shop/app=db > tools/probe: +nothing -all",
                          "shop/app=db > all addresses: +nothing -all",
                          "shop/app=web > shop/app=db: +nothing -TCP 5432"));
  EXPECT_EQ(differences(gone, shop()).size(), 4U);
}

TEST(Difference, OfAKindThatSpeaksAnotherFamilyNow) {
  const std::vector<std::string> before{pod("web-0", "10.0.0.1", ""),
                                        pod("probe", "fd00::1", "", "tools"),
                                        pod("web-1", "10.0.0.2", "")};
  auto after = before;
  after.push_back(pod("web-2", "fd00::2", ""));
  EXPECT_THAT(differences(before, after), ElementsAre("shop/* > tools/probe: +all -nothing",
                                                      "tools/probe > shop/*: +all -nothing"));
}

/// Namespaces of one pod each, more than a matrix of all of them can have.
std::vector<std::string> crowd() {
  std::vector<std::string> objects;
  for (size_t i = 0; i <= 6000; ++i) {
    objects.push_back(pod("p", "10.0.0.1", "", "ns" + std::to_string(i)));
  }
  return objects;
}

TEST(Reach, TooManyPairsAreRefused) {
  const auto state = cluster(crowd());
  const Vocabulary vocabulary({&state});
  PortSets sets;
  const auto refused = Reach::of(state, vocabulary, sets);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::kTooLarge);
  EXPECT_THAT(refused.error().what,
              testing::HasSubstr("6002 kinds of pods and address blocks make 36024004 pairs"));
}

TEST(Reach, OfSomeEndsWithAllOthers) {
  auto objects = crowd();
  for (std::string& object : shop()) objects.push_back(std::move(object));
  const auto state = cluster(objects);
  auto ends = ends_of(state, Vocabulary({&state}));
  std::vector<bool> wanted;
  wanted.reserve(ends.size());
  for (const End& end : ends) wanted.push_back(end.key.ns == "shop");
  PortSets sets;
  const auto reach = Reach::of(state, std::move(ends), std::move(wanted), sets);
  ASSERT_TRUE(reach) << reach.error().text();
  std::vector<std::string> all;
  for (const size_t from : reach->pairs().chosen()) {
    for (size_t to = 0; to < reach->ends().size(); ++to) {
      if (reach->at(from, to) == PortSets::kAll) continue;
      all.push_back(reach->ends()[from].name + " > " + reach->ends()[to].name + ": " +
                    sets[reach->at(from, to)].text());
    }
  }
  EXPECT_THAT(all, ElementsAre("shop/app=db > shop/app=db: nothing",
                               "shop/app=web > shop/app=db: TCP 5432"));
  const size_t other = 17, db = reach->pairs().chosen().front();
  ASSERT_TRUE(!reach->pairs().wanted(other));
  EXPECT_EQ(reach->at(other, db), PortSets::kNothing);
  EXPECT_EQ(reach->at(other, db + 1), PortSets::kAll);
  EXPECT_TRUE(reach->isolated_ingress(db) && !reach->isolated_egress(db));
}

TEST(Difference, OfFewEndsInALargeCluster) {
  auto before = crowd();
  for (std::string& object : shop()) before.push_back(std::move(object));
  auto after = before;
  after.back() =
      ingress("db", "db", kFromWeb + R"(,{"from":[{"ipBlock":{"cidr":"192.0.2.0/24"}}]})");
  EXPECT_THAT(differences(before, after), ElementsAre("192.0.2.0/24 > shop/app=db: +all -nothing"));
}

TEST(Difference, ThatConcernsTooManyIsRefused) {
  const auto before = cluster(crowd());
  auto objects = crowd();
  for (size_t i = 0; i <= 6000; ++i) {
    const std::string ns = "ns" + std::to_string(i);
    objects.push_back(R"({"apiVersion":"v1","kind":"Namespace","metadata":{"name":")" + ns +
                      R"(","labels":{"new":"yes"}}})");
  }
  PortSets sets;
  const auto refused = compare(before, cluster(objects), sets);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::kTooLarge);
  EXPECT_THAT(
      refused.error().what,
      testing::MatchesRegex("the changes concern 6001 of 6002 kinds .* make 36024003 pairs, "
                            ".*: compare fewer changes at a time"));
}

}  // namespace
}  // namespace rampart::reach
