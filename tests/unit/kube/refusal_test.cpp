// SPDX-License-Identifier: Apache-2.0
//
// What an API server would refuse, in the parts of which a problem document is made: whose fault it
// is (kind, object), where it lies (field), and why.
#include <gtest/gtest.h>

#include <string>

#include "control/kube/events.hpp"

namespace rampart::kube {
namespace {

std::string event(const std::string& type, const std::string& object) {
  return R"({"type":")" + type + R"(","object":)" + object + "}\n";
}

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

}  // namespace
}  // namespace rampart::kube
