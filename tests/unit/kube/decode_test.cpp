// SPDX-License-Identifier: Apache-2.0
#include "control/kube/decode.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/cases.hpp"

namespace rampart::kube {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::string list(std::string_view items) {
  return R"({"apiVersion":"v1","kind":"List","items":[)" + std::string(items) + "]}";
}

/// The text of the refusal, or what it is instead.
std::string refusal_of(std::string_view json) {
  const auto decoded = decode_snapshot(json);
  return decoded ? "accepted" : decoded.error().text();
}

TEST(Decode, AList) {
  const auto decoded = decode_snapshot(list(R"(
    {"apiVersion":"v1","kind":"Namespace","metadata":{"name":"web","labels":{"tier":"front"}}},
    {"apiVersion":"v1","kind":"Pod","metadata":{"name":"a","namespace":"web","labels":{"b":"","a":"1"}},
     "spec":{"nodeName":"n1","containers":[{"ports":[{"containerPort":80,"name":"http"}]}]},
     "status":{"phase":"Running","hostIP":"172.18.0.1","podIP":"10.0.0.1",
               "podIPs":[{"ip":"10.0.0.1"},{"ip":"fd00::1"}]}},
    {"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"c"}})"));
  ASSERT_TRUE(decoded) << decoded.error().text();
  const Namespace& ns = *decoded->state.namespaces.at({"", "web"});
  EXPECT_THAT(ns.labels, ElementsAre(std::pair("kubernetes.io/metadata.name", "web"),
                                     std::pair("tier", "front")));
  EXPECT_FALSE(ns.implied);
  const Pod& pod = *decoded->state.pods.at({"web", "a"});
  EXPECT_THAT(pod.labels, ElementsAre(std::pair("a", "1"), std::pair("b", "")));
  EXPECT_THAT(pod.addresses,
              ElementsAre(*IpAddress::parse("10.0.0.1"), *IpAddress::parse("fd00::1")));
  EXPECT_THAT(pod.host_addresses, ElementsAre(*IpAddress::parse("172.18.0.1")));
  EXPECT_EQ(pod.node_name, "n1");
  EXPECT_THAT(pod.ports, ElementsAre(ContainerPort{"http", IpProtocol::kTcp, 80}));
  EXPECT_FALSE(pod.finished);
  EXPECT_FALSE(pod.host_network);
  EXPECT_THAT(decoded->skipped, ElementsAre(SkippedKind{"ConfigMap", 1}));
}

TEST(Decode, BrokenJson) {
  EXPECT_THAT(refusal_of("{\"apiVersion\""), HasSubstr("this is not JSON"));
  EXPECT_THAT(refusal_of(""), HasSubstr("this is not JSON"));
}

TEST(Cases, AllOfThemDecode) {
  const auto cases = support::load_cases(RAMPART_CASES_DIR);
  ASSERT_TRUE(cases) << cases.error().text();
  EXPECT_EQ(cases->size(), 58U);
  for (const auto& c : *cases) {
    ClusterState state;
    for (const auto& step : c.steps) {
      auto next = support::after(state, step);
      ASSERT_TRUE(next) << c.name << ": " << next.error().text();
      state = std::move(*next);
    }
    EXPECT_FALSE(state.pods.empty());
  }
}

}  // namespace
}  // namespace rampart::kube
