// SPDX-License-Identifier: Apache-2.0
#include "control/kube/encode.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "control/kube/decode.hpp"
#include "tests/support/cases.hpp"

namespace rampart::kube {
namespace {

using ::testing::HasSubstr;

/// Decodes, encodes, decodes, and expects the same state; returns the text in between.
std::string round_trip(std::string_view json) {
  const auto before = decode_snapshot(json);
  EXPECT_TRUE(before) << before.error().text();
  if (!before) return {};
  const std::string text = encode_snapshot(before->state);
  const auto after = decode_snapshot(text);
  EXPECT_TRUE(after) << after.error().text() << "\n" << text;
  EXPECT_TRUE(after && same(before->state, after->state)) << text;
  return text;
}

std::string list(std::string_view items) {
  return R"({"apiVersion":"v1","kind":"List","items":[)" + std::string(items) + "]}";
}

TEST(Encode, NothingAtAll) {
  round_trip(list(""));
}

TEST(Encode, EveryStateOfTheTruthTables) {
  const auto cases = support::load_cases(RAMPART_CASES_DIR);
  ASSERT_TRUE(cases) << cases.error().text();
  ASSERT_GT(cases->size(), 30U);
  for (const auto& one : *cases) {
    SCOPED_TRACE(one.name);
    ClusterState state;
    for (const auto& step : one.steps) {
      const auto next = support::after(state, step);
      ASSERT_TRUE(next) << next.error().text();
      state = *next;
      const std::string text = encode_snapshot(state);
      const auto again = decode_snapshot(text);
      ASSERT_TRUE(again) << again.error().text() << "\n" << text;
      EXPECT_TRUE(same(state, again->state)) << text;
    }
  }
}

TEST(Encode, PodsNodesAndNamespaces) {
  round_trip(list(R"(
    {"apiVersion":"v1","kind":"Namespace","metadata":{"name":"web","labels":{"t":"","q":"a"}}},
    {"apiVersion":"v1","kind":"Node","metadata":{"name":"n1","labels":{"a":"b"}},
     "status":{"addresses":[{"type":"ExternalIP","address":"192.0.2.1"},
                            {"type":"InternalIP","address":"fd00::1"},
                            {"type":"Hostname","address":"n1"}]}},
    {"apiVersion":"v1","kind":"Pod","metadata":{"name":"bare","namespace":"other"}},
    {"apiVersion":"v1","kind":"Pod","metadata":{"name":"done","namespace":"web"},
     "status":{"phase":"Failed","podIP":"10.0.0.9"}},
    {"apiVersion":"v1","kind":"Pod","metadata":{"name":"host","namespace":"web"},
     "spec":{"hostNetwork":true,"nodeName":"n1"},
     "status":{"podIP":"192.0.2.1","hostIP":"192.0.2.1","hostIPs":[{"ip":"fd00::1"}]}},
    {"apiVersion":"v1","kind":"Pod","metadata":{"name":"full","namespace":"web","labels":{"x":"y"}},
     "spec":{"containers":[{"ports":[{"containerPort":80,"name":"http"},{"containerPort":53,"protocol":"UDP"}]},
                           {"ports":[{"containerPort":9,"protocol":"SCTP","name":"s"}]}]},
     "status":{"phase":"Pending","podIP":"10.0.0.2","podIPs":[{"ip":"10.0.0.1"},{"ip":"fd00::2"}]}})"));
}

TEST(Encode, TextsThatNeedEscapes) {
  const std::string text = round_trip(list(R"(
    {"apiVersion":"v1","kind":"Pod","metadata":{"name":"p","namespace":"web"},
     "spec":{"nodeName":"a\"b\\c\n\u0001\u00e9",
             "containers":[{"ports":[{"containerPort":1,"name":"x\ty\u001f"}]}]}})"));
  EXPECT_THAT(text, HasSubstr(R"("nodeName":"a\"b\\c\u000a\u0001é")"));
}

TEST(Encode, PoliciesOfEveryShape) {
  const std::string text = round_trip(list(R"(
    {"apiVersion":"networking.k8s.io/v1","kind":"NetworkPolicy","metadata":{"name":"a","namespace":"web"},
     "spec":{"podSelector":{"matchLabels":{"app":"x"},"matchExpressions":[
               {"key":"app","operator":"In","values":["y"]},
               {"key":"tier","operator":"In","values":["b","a"]},
               {"key":"n","operator":"NotIn","values":["v"]},
               {"key":"e","operator":"Exists"},{"key":"d","operator":"DoesNotExist"}]},
       "policyTypes":["Egress"],
       "egress":[{},{"to":[{"podSelector":{}},{"namespaceSelector":{}},
                           {"podSelector":{"matchLabels":{"a":"b"}},"namespaceSelector":{"matchLabels":{"c":""}}},
                           {"ipBlock":{"cidr":"10.0.0.0/8","except":["10.1.0.0/16","10.2.0.0/16"]}},
                           {"ipBlock":{"cidr":"::/0"}}],
                     "ports":[{},{"protocol":"UDP"},{"port":80},{"port":"http","protocol":"SCTP"},
                              {"port":100,"endPort":200},{"port":7,"endPort":7}]}]}},
    {"apiVersion":"networking.k8s.io/v1","kind":"NetworkPolicy","metadata":{"name":"b","namespace":"web"},
     "spec":{"podSelector":{},"policyTypes":["Ingress","Egress"],"ingress":[{"ports":[{"port":1}]}]}},
    {"apiVersion":"networking.k8s.io/v1","kind":"NetworkPolicy","metadata":{"name":"c","namespace":"web"}})"));
  EXPECT_THAT(text, HasSubstr(R"("matchLabels":{"app":"x"})"));
}

TEST(Encode, WhatThisVersionDoesNotKnowComesBackAsItWas) {
  const std::string text = round_trip(list(R"(
    {"apiVersion":"networking.k8s.io/v1","kind":"NetworkPolicy","metadata":{"name":"future","namespace":"web"},
     "spec":{"podSelector":{"matchLabels":{"a":"b"}},"policyTypes":["Egress"],
             "egress":[{"to":[{"serviceSelector":{"x":[1,2,{"y":"z"}]}}]}]}},
    {"apiVersion":"policy.networking.k8s.io/v1alpha2","kind":"ClusterNetworkPolicy","metadata":{"name":"deny"},
     "spec":{"tier":"Admin","priority":1,"odd":"\u00e9\"\\\n"}})"));
  EXPECT_THAT(text, HasSubstr(R"("serviceSelector":{"x":[1,2,{"y":"z"}]})"));
  EXPECT_THAT(text, HasSubstr(R"("tier":"Admin")"));
}

TEST(Encode, ImpliedNamespacesAreNotWrittenOut) {
  const std::string text = round_trip(
      list(R"({"apiVersion":"v1","kind":"Pod","metadata":{"name":"p","namespace":"x"}})"));
  EXPECT_EQ(text.find("\"Namespace\""), std::string::npos);
}

TEST(Encode, ItemsOfATypedListCanStandAlone) {
  const std::string text = round_trip(R"({"apiVersion":"policy.networking.k8s.io/v1alpha1",
    "kind":"AdminNetworkPolicyList","items":[{"kind":null,"metadata":{"name":"deny"},
    "spec":{"a \"quoted\" key":[1,2.5,null]}}]})");
  EXPECT_THAT(text, HasSubstr(R"({"apiVersion":"policy.networking.k8s.io/v1alpha1",)"
                              R"("kind":"AdminNetworkPolicy","metadata":{"name":"deny"},)"
                              R"("spec":{"a \"quoted\" key":[1,2.5,null]}})"));
}

}  // namespace
}  // namespace rampart::kube
