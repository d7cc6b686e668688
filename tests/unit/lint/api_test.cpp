// SPDX-License-Identifier: Apache-2.0
//
// What an API server would refuse or drop, each rule with a finding and a clean twin.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <ostream>

#include "control/kube/survey.hpp"
#include "tests/unit/lint/surveyed.hpp"

namespace rampart::lint {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::UnorderedElementsAre;

struct Twins {
  std::string wrong, finding, right;
};

void PrintTo(const Twins& twins, std::ostream* out) {
  *out << twins.finding;
}

class Api : public testing::TestWithParam<Twins> {};

TEST_P(Api, TheWrongOneIsNamedAndTheRightOneIsNot) {
  const Twins& twins = GetParam();
  EXPECT_THAT(said_of(policy("p", twins.wrong)), ElementsAre(twins.finding));
  EXPECT_THAT(said_of(policy("p", twins.right)), IsEmpty());
}

TEST(ApiOfAll, LabelsOfPoliciesAndWhatStandsBesideAWrongList) {
  EXPECT_THAT(
      said_of("apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\n"
              "metadata: {name: p, labels: {'a b': c, ok: 'x y', fine: z}}\n"
              "spec: {podSelector: {}, egress: {}, policyTypes: [Ingress, ingress]}\n"),
      UnorderedElementsAre("bad-label metadata.labels[a b]", "bad-label metadata.labels[ok]",
                           "wrong-type spec.egress", "bad-value spec.policyTypes[1]"));
}

INSTANTIATE_TEST_SUITE_P(
    Rules, Api,
    testing::Values(
        Twins{"podSelecter: {}", "unknown-field spec.podSelecter", "podSelector: {}"},
        Twins{"podSelector: {app: web}", "unknown-field spec.podSelector.app",
              "podSelector: {matchLabels: {app: web}}"},
        Twins{"ingress: [{from: [{podSelector: {}}], port: [{port: 80}]}]",
              "misplaced-field spec.ingress[0].port",
              "ingress: [{from: [{podSelector: {}}], ports: [{port: 80}]}]"},
        Twins{"policyTypes: [Ingress]\ningress: [{to: [{podSelector: {}}]}]",
              "misplaced-field spec.ingress[0].to",
              "policyTypes: [Ingress]\ningress: [{from: [{podSelector: {}}]}]"},
        Twins{"ingress: [{from: [{namespaceSelector: {}}], podSelector: {}}]",
              "misplaced-field spec.ingress[0].podSelector",
              "ingress: [{from: [{namespaceSelector: {}, podSelector: {}}]}]"},
        Twins{"ingress: [{from: [{cidr: 10.0.0.0/8}]}]",
              "misplaced-field spec.ingress[0].from[0].cidr",
              "ingress: [{from: [{ipBlock: {cidr: 10.0.0.0/8}}]}]"},
        Twins{"ingress: [{ports: [{port: true}]}]", "wrong-type spec.ingress[0].ports[0].port",
              "ingress: [{ports: [{port: http}]}]"},
        Twins{"podSelector: {matchLabels: {debug: yes}}",
              "wrong-type spec.podSelector.matchLabels[debug]",
              "podSelector: {matchLabels: {debug: \"yes\"}}"},
        Twins{"ingress: {from: []}", "wrong-type spec.ingress", "ingress: [{from: []}]"},
        Twins{"ingress: [{from: [{}]}]", "missing-field spec.ingress[0].from[0]",
              "ingress: [{from: [{podSelector: {}}]}]"},
        Twins{"ingress: [{from: [{ipBlock: {}}]}]",
              "missing-field spec.ingress[0].from[0].ipBlock.cidr",
              "ingress: [{from: [{ipBlock: {cidr: '::/0'}}]}]"},
        Twins{"policyTypes: [ingress]", "bad-value spec.policyTypes[0]", "policyTypes: [Ingress]"},
        Twins{"ingress: [{ports: [{protocol: tcp, port: 80}]}]",
              "bad-value spec.ingress[0].ports[0].protocol",
              "ingress: [{ports: [{protocol: TCP, port: 80}]}]"},
        Twins{"podSelector: {matchExpressions: [{key: app, operator: In}]}",
              "bad-value spec.podSelector.matchExpressions[0].values",
              "podSelector: {matchExpressions: [{key: app, operator: In, values: [web]}]}"},
        Twins{"podSelector: {matchLabels: {app: -web}}",
              "bad-label spec.podSelector.matchLabels[app]",
              "podSelector: {matchLabels: {app: web}}"},
        Twins{"podSelector: {matchLabels: {'a b': web}}",
              "bad-label spec.podSelector.matchLabels[a b]",
              "podSelector: {matchLabels: {a/b: web}}"},
        Twins{"ingress: [{from: [{ipBlock: {cidr: 10.0.0.0/33}}]}]",
              "bad-cidr spec.ingress[0].from[0].ipBlock.cidr",
              "ingress: [{from: [{ipBlock: {cidr: 10.0.0.0/32}}]}]"},
        Twins{"ingress: [{from: [{ipBlock: {cidr: 10.0.0.0/8, except: [11.0.0.0/9]}}]}]",
              "bad-cidr spec.ingress[0].from[0].ipBlock.except[0]",
              "ingress: [{from: [{ipBlock: {cidr: 10.0.0.0/8, except: [10.0.0.0/9]}}]}]"},
        Twins{"ingress: [{ports: [{port: 0}]}]", "bad-port spec.ingress[0].ports[0].port",
              "ingress: [{ports: [{port: 1}]}]"},
        Twins{"ingress: [{ports: [{endPort: 90}]}]", "bad-port spec.ingress[0].ports[0].port",
              "ingress: [{ports: [{port: 90, endPort: 90}]}]"},
        Twins{"ingress: [{ports: [{port: 91, endPort: 90}]}]",
              "bad-port spec.ingress[0].ports[0].endPort",
              "ingress: [{ports: [{port: 80, endPort: 90}]}]"},
        Twins{"ingress: [{ports: [{port: web, endPort: 90}]}]",
              "bad-port spec.ingress[0].ports[0].endPort", "ingress: [{ports: [{port: web}]}]"}));

TEST(ApiOfOneFile, SaysEverythingAtOnce) {
  EXPECT_THAT(
      said_of(policy("Bad_name",
                     "podSelector: {matchLabels: {app: -a, tier: -b}}\n"
                     "policyTypes: [Ingres]\n"
                     "ingress:\n"
                     "- from: [{}, {ipBlock: {cidr: x}}]\n"
                     "  ports: [{port: 0}, {port: 65536}]\n"
                     "  colour: red\n"
                     "- form: []\n")),
      UnorderedElementsAre(
          "unknown-field spec.ingress[0].colour", "unknown-field spec.ingress[1].form",
          "bad-name metadata.name", "bad-label spec.podSelector.matchLabels[app]",
          "bad-label spec.podSelector.matchLabels[tier]", "bad-port spec.ingress[0].ports[0].port",
          "bad-port spec.ingress[0].ports[1].port", "missing-field spec.ingress[0].from[0]",
          "bad-cidr spec.ingress[0].from[1].ipBlock.cidr", "bad-value spec.policyTypes[0]"));
}

TEST(ApiOfOneFile, MetadataAndTheObjectItselfAreStrictToo) {
  EXPECT_THAT(said_of("apiVersion: networking.k8s.io/v1\n"
                      "kind: NetworkPolicy\n"
                      "metadata: {name: p, lables: {a: b}, annotations: {x: y}}\n"
                      "specs: {}\n"),
              ElementsAre("unknown-field specs", "unknown-field metadata.lables"));
  EXPECT_THAT(said_of("{apiVersion: v1, kind: Namespace, metadata: {name: a, label: {}}}"),
              ElementsAre("unknown-field metadata.label"));
  EXPECT_THAT(said_of("{apiVersion: v1, kind: Pod, metadata: {name: a}, spec: {tolerations: []}}"),
              IsEmpty());
}

TEST(ApiOfOneFile, NamesAndKindsAreChecked) {
  EXPECT_THAT(
      said_of("{apiVersion: networking.k8s.io/v1, kind: Networkpolicy, metadata: {name: p}}"),
      ElementsAre("unknown-kind kind"));
  EXPECT_THAT(said_of("{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy}"),
              ElementsAre("missing-field metadata.name"));
  EXPECT_THAT(
      said_of("{apiVersion: projectcalico.org/v3, kind: NetworkPolicy, metadata: {name: p}}"),
      ElementsAre("unsupported-kind kind"));
  EXPECT_THAT(said_of("{apiVersion: v1, kind: ConfigMap, metadata: {name: p}, data: {a: b}}"),
              IsEmpty());
}

TEST(ApiOfOneFile, AnObjectMustNotStandThereTwice) {
  const auto found = findings_in(policy("p", "podSelector: {}") + policy("p", "policyTypes: []"));
  ASSERT_EQ(found.size(), 1U);
  EXPECT_EQ(found[0].rule, RuleId::kDuplicateObject);
  EXPECT_EQ(found[0].place.document, 1U);
  ASSERT_TRUE(found[0].related);
  EXPECT_EQ(found[0].related->place.document, 0U);
  EXPECT_THAT(said_of(policy("p", "podSelector: {}") + policy("q", "podSelector: {}")), IsEmpty());
}

TEST(ApiOfOneFile, AKeyTwiceInJsonIsNamed) {
  kube::Surveyor surveyor;
  surveyor.add(
      R"({"apiVersion":"networking.k8s.io/v1","kind":"NetworkPolicy","metadata":{"name":"p"},
                   "spec":{"podSelector":{},"podSelector":{}}})",
      0);
  const auto found = examine(std::move(surveyor).finish());
  ASSERT_EQ(found.size(), 1U);
  EXPECT_EQ(found[0].rule, RuleId::kDuplicateKey);
  EXPECT_EQ(found[0].path, "spec.podSelector");
}

TEST(Guesses, NameWhatWasMeant) {
  const auto meant = [](const std::string& spec) {
    const auto found = findings_in(policy("p", spec));
    return found.empty() ? std::string("nothing") : found[0].hint;
  };
  EXPECT_EQ(meant("podselector: {}"), "did you mean podSelector?");
  EXPECT_EQ(meant("ingess: []"), "did you mean ingress?");
  EXPECT_EQ(meant("egress: [{from: [{podSelector: {}}]}]"), "did you mean to?");
  EXPECT_EQ(meant("podSelector: {app: web}"), "labels stand within matchLabels");
  EXPECT_EQ(meant("colour: red"),
            "the fields here are podSelector, ingress, egress and policyTypes");
  EXPECT_EQ(meant("matchLabels: {a: b}"), "it belongs in a podSelector or a namespaceSelector");
  EXPECT_THAT(meant("podSelector: {matchLabels: {debug: no}}"), HasSubstr("quotes"));
}

TEST(Lists, TellWhichItemIsMeant) {
  const auto found = findings_in(
      "apiVersion: v1\nkind: List\nitems:\n"
      "- {apiVersion: v1, kind: ConfigMap, metadata: {name: c}}\n"
      "- {apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: p}, spec: {x: "
      "1}}\n");
  ASSERT_EQ(found.size(), 1U);
  EXPECT_EQ(found[0].place.path, "items[1]");
  EXPECT_EQ(found[0].path, "spec.x");
  EXPECT_EQ(found[0].object, "NetworkPolicy default/p");
}

}  // namespace
}  // namespace rampart::lint
