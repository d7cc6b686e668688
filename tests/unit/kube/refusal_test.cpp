// SPDX-License-Identifier: Apache-2.0
//
// What an API server would refuse, in the parts of which a problem document is made: whose fault it
// is (kind, object), where it lies (field), and why.
#include <gtest/gtest.h>

#include <ostream>
#include <string>

#include "control/kube/decode.hpp"
#include "control/kube/events.hpp"

namespace rampart::kube {
namespace {

std::string list(const std::string& items) {
  return R"({"apiVersion":"v1","kind":"List","items":[)" + items + "]}";
}

std::string event(const std::string& type, const std::string& object) {
  return R"({"type":")" + type + R"(","object":)" + object + "}\n";
}

/// "KIND OBJECT | FIELD | REASON", or "accepted".
template <typename T>
std::string said(const Checked<T>& decoded) {
  if (decoded) return "accepted";
  const Refusal& r = decoded.error();
  return r.kind + " " + r.object + " | " + r.field + " | " + r.reason;
}

struct Bad {
  std::string object, refusal;
};

void PrintTo(const Bad& bad, std::ostream* out) {
  *out << bad.object;
}

class Objects : public ::testing::TestWithParam<Bad> {};

TEST_P(Objects, AreRefusedByKindNameFieldAndReason) {
  const std::string good =
      R"({"apiVersion":"v1","kind":"Pod","metadata":{"name":"good","namespace":"web"}},)";
  EXPECT_EQ(said(decode_snapshot(list(good + GetParam().object))), GetParam().refusal);
}

INSTANTIATE_TEST_SUITE_P(
    Kinds, Objects,
    ::testing::Values(
        Bad{R"({"apiVersion":"networking.k8s.io/v1","kind":"Networkpolicy","metadata":{"name":"p"}})",
            "Networkpolicy p | kind | is not known; NetworkPolicy is"},
        Bad{R"({"apiVersion":"v1","kind":"pod","metadata":{"name":"p","namespace":"web"}})",
            "pod web/p | kind | is not known; Pod is"},
        Bad{R"({"apiVersion":"v1","kind":"namespace","metadata":{"name":"p"}})",
            "namespace p | kind | is not known; Namespace is"},
        Bad{R"({"apiVersion":"v1","kind":"NODE","metadata":{"name":"p"}})",
            "NODE p | kind | is not known; Node is"},
        Bad{R"({"apiVersion":"v1","kind":"NetworkPolicy","metadata":{"name":"p"}})",
            "NetworkPolicy p | apiVersion | is not known for a policy; "
            "NetworkPolicy's is networking.k8s.io/v1"},
        Bad{R"({"apiVersion":"v2","kind":"Pod","metadata":{"name":"p"}})",
            "Pod p | apiVersion | is not known; the core group's is v1"},
        Bad{R"({"apiVersion":"example.com/v1","kind":"pod","metadata":{"name":"p"}})", "accepted"},
        Bad{R"({"apiVersion":"apps/v1","kind":"Deployment","metadata":{"name":"p"}})",
            "accepted"}));

INSTANTIATE_TEST_SUITE_P(
    Headers, Objects,
    ::testing::Values(
        Bad{R"({"kind":"Pod","metadata":{"name":"p","namespace":"web"}})",
            "Pod web/p | apiVersion | is required"},
        Bad{R"({"apiVersion":"","kind":"Pod","metadata":{"name":"p"}})",
            "Pod p | apiVersion | is required"},
        Bad{R"({"apiVersion":1,"kind":"Pod","metadata":{"name":"p"}})",
            "Pod p | apiVersion | must be a string, not an integer"},
        Bad{R"({"apiVersion":"v1","metadata":{"name":"p"}})", " p | kind | is required"},
        Bad{R"({"apiVersion":"v1","kind":["Pod"]})",
            " items[1] | kind | must be a string, not a list"},
        Bad{R"({"apiVersion":"v1","kind":"Pod","metadata":7})",
            "Pod items[1] | metadata | must be an object, not an integer"},
        Bad{R"({"apiVersion":"v1","kind":"Pod"})", "Pod items[1] | metadata.name | is required"},
        Bad{R"({"apiVersion":"v1","kind":"Pod","metadata":{"name":{},"namespace":"web"}})",
            "Pod items[1] | metadata.name | must be a string, not an object"},
        Bad{R"({"apiVersion":"v1","kind":"Pod","metadata":{"name":"p","namespace":1}})",
            "Pod p | metadata.namespace | must be a string, not an integer"},
        Bad{R"({"apiVersion":"v1","kind":"Pod","metadata":{"name":"p"},"spec":{},"spec":{}})",
            "Pod p | spec | stands there twice"},
        Bad{R"({"apiVersion":"v1","kind":"Pod","metadata":{"name":"p"},"metadata":null})",
            "Pod p | metadata | stands there twice"},
        Bad{"null", " items[1] |  | must be an object, not null"}));

TEST(Events, CarryOneObjectEach) {
  const ClusterState nothing;
  for (const char* object :
       {R"({"apiVersion":"v1","kind":"List","items":[]})",
        R"({"apiVersion":"v1","kind":"PodList","items":[{"metadata":{"name":"a"}}]})",
        R"({"apiVersion":"v1","kind":"PodList"})",
        R"({"apiVersion":"networking.k8s.io/v1","kind":"NetworkPolicyList","items":[]})",
        R"({"apiVersion":"v1","kind":"ConfigMapList","items":[]})",
        R"({"apiVersion":"v1","kind":"Status"})"}) {
    for (const char* type : {"ADDED", "DELETED"}) {
      const auto applied = apply_events(nothing, event(type, object), {});
      ASSERT_FALSE(applied) << object;
      EXPECT_EQ(applied.error().reason, "an event carries one object") << object;
      EXPECT_EQ(applied.error().object, "line 1");
    }
  }
  const auto twin = apply_events(
      nothing, event("ADDED", R"({"apiVersion":"x.io/v1","kind":"AccessList","metadata":{}})"), {});
  EXPECT_TRUE(twin) << "a kind that only sounds like one";
}

TEST(Events, DoNotRemoveWhatIsMisspelt) {
  const auto applied = apply_events(
      {}, event("DELETED", R"({"apiVersion":"v1","kind":"pod","metadata":{"name":"p"}})"), {});
  EXPECT_EQ(said(applied), "pod p (line 1) | kind | is not known; Pod is");
}

}  // namespace
}  // namespace rampart::kube
