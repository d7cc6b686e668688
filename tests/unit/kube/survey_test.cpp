// SPDX-License-Identifier: Apache-2.0
//
// Reading that goes on: the same verdicts as the reading that stops, and all of them.
#include "control/kube/survey.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "control/kube/decode.hpp"

namespace rampart::kube {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

std::string list(const std::string& items) {
  return R"({"apiVersion":"v1","kind":"List","items":[)" + items + "]}";
}

std::string policy(const std::string& spec) {
  return R"({"apiVersion":"networking.k8s.io/v1","kind":"NetworkPolicy","metadata":{"name":"p"},"spec":)" +
         spec + "}";
}

Survey survey_of(const std::string& json) {
  Surveyor surveyor;
  surveyor.add(json, 7);
  return std::move(surveyor).finish();
}

std::vector<std::string> fields(const Survey& survey) {
  std::vector<std::string> all;
  for (const Problem& problem : survey.problems) all.push_back(problem.refusal.field);
  return all;
}

TEST(Survey, ReadsWhatDecodeReads) {
  const std::string json = list(
      R"({"apiVersion":"v1","kind":"Pod","metadata":{"name":"a","labels":{"x":"y"}}},)" +
      policy(R"({"podSelector":{"matchLabels":{"x":"y"}},"egress":[{"ports":[{"port":80}]}]})"));
  const Survey survey = survey_of(json);
  EXPECT_THAT(survey.problems, IsEmpty());
  EXPECT_TRUE(same(survey.state, decode_snapshot(json).value().state));
  EXPECT_EQ(survey.objects, 2U);
  const SeenPolicy& seen = survey.policies.at({"default", "p"});
  EXPECT_EQ(seen.place.document, 7U);
  EXPECT_EQ(seen.place.path, "items[1]");
  EXPECT_FALSE(seen.faulty || seen.refused);
}

TEST(Survey, HoldsAllProblemsAndTheFirstIsThatOfDecode) {
  const std::string json = policy(
      R"({"podSelector":{"matchLabels":{"a":"-"}},"policyTypes":["x"],
          "ingress":[{"from":[{},{"ipBlock":{"cidr":"1"}}],"ports":[{"port":0},{"endPort":1}]}]})");
  const Survey survey = survey_of(json);
  EXPECT_THAT(fields(survey),
              ElementsAre("spec.podSelector.matchLabels[a]", "spec.ingress[0].ports[0].port",
                          "spec.ingress[0].ports[1].port", "spec.ingress[0].from[0]",
                          "spec.ingress[0].from[1].ipBlock.cidr", "spec.policyTypes[0]"));
  const auto decoded = decode_snapshot(json);
  ASSERT_FALSE(decoded);
  EXPECT_EQ(decoded.error().field, survey.problems.front().refusal.field);
  EXPECT_EQ(decoded.error().reason, survey.problems.front().refusal.reason);
  EXPECT_TRUE(survey.policies.at({"default", "p"}).refused);
}

TEST(Survey, UnknownFieldsLeaveThePolicyReadable) {
  const std::string json = policy(R"({"x":1,"ingress":[{"y":2,"ports":[{"port":80}]}]})");
  const Survey survey = survey_of(json);
  EXPECT_THAT(fields(survey), ElementsAre("spec.x", "spec.ingress[0].y"));
  EXPECT_THAT(survey.problems[1].known, ElementsAre("from", "ports"));
  const SeenPolicy& seen = survey.policies.at({"default", "p"});
  EXPECT_TRUE(seen.faulty);
  EXPECT_FALSE(seen.refused);
  // Here it is read; in force it would isolate and allow nothing.
  EXPECT_EQ(survey.state.policies.at({"default", "p"})->ingress.size(), 1U);
  EXPECT_THAT(decode_snapshot(json).value().state.policies.at({"default", "p"})->ingress,
              IsEmpty());
}

TEST(Survey, DocumentsThatAreNoObjectsMayBePassedOver) {
  Surveyor surveyor;
  surveyor.add(R"({"replicas":3})", 0, Surveyor::Nameless::kSkip);
  surveyor.add(R"({"replicas":3})", 1);
  surveyor.add(R"({"kind":"NetworkPolicy"})", 2, Surveyor::Nameless::kSkip);
  surveyor.add("{", 3);
  const Survey survey = std::move(surveyor).finish();
  EXPECT_EQ(survey.nameless, 1U);
  ASSERT_EQ(survey.problems.size(), 3U);
  EXPECT_EQ(survey.problems[0].place.document, 1U);
  EXPECT_EQ(survey.problems[1].place.document, 2U);
  EXPECT_EQ(survey.problems[2].place.document, 3U);
}

TEST(Survey, FaultsHaveTheirSort) {
  const auto fault = [](const std::string& spec) {
    const Survey survey = survey_of(policy(spec));
    return survey.problems.empty() ? Fault::kKind : survey.problems[0].refusal.fault;
  };
  EXPECT_EQ(fault(R"({"ingress":{}})"), Fault::kType);
  EXPECT_EQ(fault(R"({"ingress":[{"from":[{"ipBlock":{}}]}]})"), Fault::kMissing);
  EXPECT_EQ(fault(R"({"ingress":[],"ingress":[]})"), Fault::kTwice);
  EXPECT_EQ(fault(R"({"podSelector":{"matchLabels":{"a":"-"}}})"), Fault::kLabel);
  EXPECT_EQ(fault(R"({"ingress":[{"from":[{"ipBlock":{"cidr":"x"}}]}]})"), Fault::kCidr);
  EXPECT_EQ(fault(R"({"ingress":[{"ports":[{"port":0}]}]})"), Fault::kPort);
  EXPECT_EQ(fault(R"({"policyTypes":["x"]})"), Fault::kValue);
}

}  // namespace
}  // namespace rampart::kube
