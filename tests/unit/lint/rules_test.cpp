// SPDX-License-Identifier: Apache-2.0
//
// Policies that do not do what they say: each rule with a finding and a clean twin.
#include "control/lint/rules.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <ostream>
#include <set>

#include "control/lint/lint.hpp"
#include "control/lint/words.hpp"
#include "tests/unit/lint/surveyed.hpp"

namespace rampart::lint {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

struct Twins {
  std::string wrong, finding, right;
};

void PrintTo(const Twins& twins, std::ostream* out) {
  *out << twins.finding;
}

class Lint : public testing::TestWithParam<Twins> {};

TEST_P(Lint, TheWrongOneIsNamedAndTheRightOneIsNot) {
  const Twins& twins = GetParam();
  EXPECT_THAT(said_of(kCluster + policy("p", twins.wrong)), ElementsAre(twins.finding));
  EXPECT_THAT(said_of(kCluster + policy("p", twins.right)), IsEmpty());
}

INSTANTIATE_TEST_SUITE_P(
    Selectors, Lint,
    testing::Values(
        Twins{"podSelector: {matchLabels: {app: wbe}}", "selector-matches-no-pod spec.podSelector",
              "podSelector: {matchLabels: {app: web}}"},
        // Each label is there, but not on one pod.
        Twins{"podSelector: {matchLabels: {app: db, tier: front}}",
              "selector-matches-no-pod spec.podSelector",
              "podSelector: {matchLabels: {app: web, tier: front}}"},
        Twins{"ingress: [{from: [{podSelector: {matchLabels: {app: prometheus}}}]}]",
              "selector-matches-no-pod spec.ingress[0].from[0].podSelector",
              "ingress: [{from: [{podSelector: {matchLabels: {app: prometheus}},"
              " namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: monitoring}}}]}]"},
        Twins{"ingress: [{from: [{namespaceSelector: {matchLabels: {team: b}}}]}]",
              "selector-matches-no-namespace spec.ingress[0].from[0].namespaceSelector",
              "ingress: [{from: [{namespaceSelector: {matchLabels: {team: a}}}]}]"},
        Twins{"ingress: [{from: [{namespaceSelector: {matchLabels: {name: monitoring}}}]}]",
              "namespace-name-label "
              "spec.ingress[0].from[0].namespaceSelector.matchLabels[name]",
              "ingress: [{from: [{namespaceSelector: {matchLabels:"
              " {kubernetes.io/metadata.name: monitoring}}}]}]"},
        // Any key will do if the value is the name of a namespace that lacks it.
        Twins{"ingress: [{from: [{namespaceSelector: {matchLabels: {project: monitoring}}}]}]",
              "namespace-name-label "
              "spec.ingress[0].from[0].namespaceSelector.matchLabels[project]",
              "ingress: [{from: [{namespaceSelector: {matchLabels: {team: a}}}]}]"},
        Twins{"ingress: [{ports: [{port: htpt}]}]",
              "named-port-nowhere spec.ingress[0].ports[0].port",
              "ingress: [{ports: [{port: http}]}]"},
        Twins{"ingress: [{ports: [{port: http, protocol: UDP}]}]",
              "named-port-nowhere spec.ingress[0].ports[0].port",
              "ingress: [{ports: [{port: http, protocol: TCP}]}]"},
        // The port of the destination counts: web has it, db has not.
        Twins{"egress: [{to: [{podSelector: {matchLabels: {app: db}}}],"
              " ports: [{port: http}]}, {ports: [{port: 53, protocol: UDP}]}]",
              "named-port-nowhere spec.egress[0].ports[0].port",
              "egress: [{to: [{podSelector: {matchLabels: {app: web}}}],"
              " ports: [{port: http}]}, {ports: [{port: 53, protocol: UDP}]}]"}));

INSTANTIATE_TEST_SUITE_P(
    Rules, Lint,
    testing::Values(
        Twins{"ingress: [{from: [{podSelector: {}}]},"
              " {from: [{podSelector: {matchLabels: {app: web}}}], ports: [{port: 80}]}]",
              "shadowed-rule spec.ingress[1]",
              "ingress: [{from: [{podSelector: {}}], ports: [{port: 81}]},"
              " {from: [{podSelector: {matchLabels: {app: web}}}], ports: [{port: 80}]}]"},
        // The wide one may come later; of equal ones the later is named.
        Twins{"ingress: [{ports: [{port: 80}]}, {}]", "shadowed-rule spec.ingress[0]",
              "ingress: [{ports: [{port: 80}]}, {ports: [{port: 81}]}]"},
        Twins{"ingress: [{ports: [{port: 80}]}, {ports: [{port: 80}]}]",
              "shadowed-rule spec.ingress[1]", "ingress: [{ports: [{port: 80}]}]"},
        Twins{"ingress: [{from: [{podSelector: {}}, {podSelector: {matchLabels: {app: web}}}]}]",
              "shadowed-peer spec.ingress[0].from[1]",
              "ingress: [{from: [{podSelector: {matchLabels: {app: db}}},"
              " {podSelector: {matchLabels: {app: web}}}]}]"},
        Twins{"ingress: [{from: [{ipBlock: {cidr: 10.0.0.0/8, except: [10.1.0.0/16]}},"
              " {ipBlock: {cidr: 10.2.0.0/16}}]}]",
              "shadowed-peer spec.ingress[0].from[1]",
              "ingress: [{from: [{ipBlock: {cidr: 10.0.0.0/8, except: [10.1.0.0/16]}},"
              " {ipBlock: {cidr: 10.1.0.0/24}}]}]"},
        Twins{"ingress: [{ports: [{port: 80, endPort: 90}, {port: 85}]}]",
              "shadowed-port spec.ingress[0].ports[1]",
              "ingress: [{ports: [{port: 80, endPort: 90}, {port: 85, protocol: UDP}]}]"},
        Twins{"ingress: [{from: [{ipBlock: {cidr: 10.0.0.0/24,"
              " except: [10.0.0.0/25, 10.0.0.128/26, 10.0.0.192/26]}}]}]",
              "except-empties-block spec.ingress[0].from[0].ipBlock.except",
              "ingress: [{from: [{ipBlock: {cidr: 10.0.0.0/24,"
              " except: [10.0.0.0/25, 10.0.0.128/26]}}]}]"},
        Twins{"egress: [{to: [{podSelector: {matchLabels: {app: db}}}]}]",
              "egress-without-dns spec.egress",
              "egress: [{to: [{podSelector: {matchLabels: {app: db}}}]},"
              " {ports: [{port: 53, protocol: UDP}]}]"},
        Twins{"egress: [{to: [{ipBlock: {cidr: 0.0.0.0/0}}], ports: [{port: 443}]}]",
              "egress-without-dns spec.egress", "egress: [{to: [{ipBlock: {cidr: 0.0.0.0/0}}]}]"},
        // A policy that allows nothing is a lock, and meant.
        Twins{"egress: [{ports: [{port: 53}]}]", "egress-without-dns spec.egress",
              "policyTypes: [Egress]"}));

TEST(LintAcross, AWiderPolicyShadowsANarrowerOne) {
  const std::string narrow = policy("b",
                                    "podSelector: {matchLabels: {app: web}}\n"
                                    "ingress: [{ports: [{port: 80}]}]");
  EXPECT_THAT(said_of(kCluster + policy("a", "podSelector: {}\ningress: [{}]") + narrow),
              ElementsAre("shadowed-rule spec.ingress[0]"));
  EXPECT_THAT(said_of(kCluster +
                      policy("a", "podSelector: {matchLabels: {app: db}}\ningress: [{}]") + narrow),
              IsEmpty());
}

TEST(LintAcross, DnsMayBeAllowedByAPolicyForAllPods) {
  const std::string app = policy("app",
                                 "podSelector: {matchLabels: {app: web}}\n"
                                 "egress: [{to: [{podSelector: {}}], ports: [{port: 80}]}]");
  const std::string dns = "\negress: [{ports: [{port: 53, protocol: UDP}]}]";
  EXPECT_THAT(said_of(kCluster + app + policy("dns", "podSelector: {}" + dns)), IsEmpty());
  EXPECT_THAT(
      said_of(kCluster + app + policy("dns", "podSelector: {matchLabels: {app: db}}" + dns)),
      ElementsAre("egress-without-dns spec.egress"));
}

TEST(LintAcross, OnlyWhatTheInputTellsIsJudged) {
  const std::string spec =
      "podSelector: {matchLabels: {app: nobody}}\n"
      "ingress: [{from: [{namespaceSelector: {matchLabels: {team: b}}}], ports: [{port: nix}]}]";
  EXPECT_THAT(said_of(policy("p", spec)), IsEmpty());
  EXPECT_TRUE(blind_spots(survey_of(policy("p", spec))).pods);
  EXPECT_TRUE(blind_spots(survey_of(policy("p", spec))).namespaces);
  EXPECT_FALSE(blind_spots(survey_of(kCluster)).pods);
  EXPECT_FALSE(blind_spots(survey_of(kCluster)).namespaces);
  // Pods of another namespace tell nothing of this one.
  EXPECT_THAT(said_of("{apiVersion: v1, kind: Pod, metadata: {name: x, namespace: other}}\n" +
                      policy("p", "podSelector: {matchLabels: {app: nobody}}")),
              IsEmpty());
  // kube-system is there in every cluster, though nobody knows which pods.
  EXPECT_THAT(said_of(kCluster + policy("p",
                                        "ingress: [{from: [{namespaceSelector: {matchLabels:"
                                        " {kubernetes.io/metadata.name: kube-system}},"
                                        " podSelector: {matchLabels: {app: x}}}]}]")),
              IsEmpty());
}

TEST(LintAcross, ANameLabelThatIsSetIsFine) {
  const std::string spec =
      "ingress: [{from: [{namespaceSelector: {matchLabels: {name: monitoring}}}]}]";
  EXPECT_THAT(said_of("{apiVersion: v1, kind: Namespace,"
                      " metadata: {name: monitoring, labels: {name: monitoring}}}\n" +
                      policy("p", spec)),
              IsEmpty());
  // Without Namespaces the usual ways of writing a name are still known.
  EXPECT_THAT(said_of(policy("p", spec)),
              ElementsAre("namespace-name-label "
                          "spec.ingress[0].from[0].namespaceSelector.matchLabels[name]"));
}

TEST(LintAcross, WorkloadsStandForTheirPods) {
  const std::string workload =
      "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web, namespace: shop}\nspec:\n"
      "  template:\n    metadata: {labels: {app: web}}\n"
      "    spec: {containers: [{name: c, ports: [{name: http, containerPort: 80}]}]}\n";
  EXPECT_THAT(said_of(workload + policy("p",
                                        "podSelector: {matchLabels: {app: web}}\n"
                                        "ingress: [{ports: [{port: http}]}]")),
              IsEmpty());
  EXPECT_THAT(said_of(workload + policy("p", "podSelector: {matchLabels: {app: wbe}}")),
              ElementsAre("selector-matches-no-pod spec.podSelector"));
  EXPECT_THAT(
      said_of("apiVersion: batch/v1\nkind: CronJob\nmetadata: {name: j, namespace: shop}\n"
              "spec: {jobTemplate: {spec: {template: {metadata: {labels: {app: job}}}}}}\n" +
              policy("p", "podSelector: {matchLabels: {app: job}}")),
      IsEmpty());
}

TEST(LintAcross, WhatIsHalfReadIsNotCompared) {
  // The misspelt selector leaves an entry that would cover everything.
  EXPECT_THAT(said_of(policy("p",
                             "ingress: [{from: [{podSelecter: {}},"
                             " {podSelector: {matchLabels: {app: web}}}]}]")),
              ElementsAre("unknown-field spec.ingress[0].from[0].podSelecter"));
}

TEST(LintHints, NameTheNearMiss) {
  const auto hint = [](const std::string& spec) {
    const auto found = findings_in(kCluster + policy("p", spec));
    return found.empty() ? std::string("nothing") : found[0].hint;
  };
  EXPECT_EQ(hint("podSelector: {matchLabels: {app: wbe}}"),
            "there app is db and web; did you mean web?");
  EXPECT_EQ(hint("podSelector: {matchLabels: {ap: web}}"),
            "none of them has a label ap; did you mean app?");
  EXPECT_EQ(hint("podSelector: {matchLabels: {app: db, tier: front}}"),
            "none of them has all of these labels at once");
  EXPECT_EQ(hint("ingress: [{ports: [{port: htpt}]}]"),
            "the names there are http; did you mean http?");
  EXPECT_EQ(hint("ingress: [{ports: [{port: http, protocol: SCTP}]}]"),
            "http is a port of TCP there");
}

TEST(RuleTable, HasTextsAndNamesThatAreUnique) {
  std::set<std::string_view> names;
  for (const Rule& entry : rules()) {
    EXPECT_TRUE(names.insert(entry.id).second) << entry.id;
    EXPECT_EQ(find_rule(entry.id), &rule(entry.rule));
    EXPECT_FALSE(entry.meaning.empty() || entry.meaning.ends_with('.')) << entry.id;
    EXPECT_TRUE(entry.help.ends_with('.')) << entry.id;
    EXPECT_THAT(std::string(entry.meaning), Not(HasSubstr("\n")));
  }
  EXPECT_EQ(find_rule("no-such-rule"), nullptr);
}

TEST(Words, AreComparedLetterByLetter) {
  EXPECT_EQ(edit_distance("", ""), 0U);
  EXPECT_EQ(edit_distance("abc", ""), 3U);
  EXPECT_EQ(edit_distance("podselector", "podSelector"), 0U);
  EXPECT_EQ(edit_distance("form", "from"), 1U);
  EXPECT_EQ(edit_distance("kitten", "sitting"), 3U);
  EXPECT_EQ(edit_distance(std::string(100, 'a'), "a"), 100U);
  const std::vector<std::string> fields{"from", "ports"};
  EXPECT_EQ(nearest("port", fields), "ports");
  EXPECT_EQ(nearest("to", fields), "");
  EXPECT_EQ(nearest("podSelector", fields), "");
  EXPECT_EQ(enumerated({"a"}), "a");
  EXPECT_EQ(enumerated({"a", "b", "c"}), "a, b and c");
  EXPECT_EQ(enumerated({"a", "b", "c"}, 2), "a, b … (1 more)");
}

}  // namespace
}  // namespace rampart::lint
