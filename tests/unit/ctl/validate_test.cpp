// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string>
#include <vector>

#include "control/lint/rules.hpp"
#include "tests/unit/ctl/run_program.hpp"
#include "tools/rampartctl/session.hpp"

// validate: what it says of files, to people and to programs.
namespace rampart::ctl {
namespace {

using nlohmann::json;
using testing::AllOf;
using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::StartsWith;

const std::string kGuide = RAMPART_VALIDATE_DIR "/guide";

Outcome validate(std::vector<std::string> words, const std::string& input = {}) {
  words.insert(words.begin(), "validate");
  return run_program(words, input, "/nowhere/at/all");
}

json json_of(std::vector<std::string> words, const std::string& input = {}) {
  words.insert(words.end(), {"-o", "json"});
  return json::parse(validate(words, input).out);
}

/// "FILE:LINE:COLUMN RULE" of each finding; files without their folder.
std::vector<std::string> places(const json& report) {
  std::vector<std::string> all;
  for (const json& finding : report["findings"]) {
    const std::string file = finding["file"];
    all.push_back(file.substr(file.rfind('/') + 1) + ":" + finding["line"].dump() + ":" +
                  finding["column"].dump() + " " + finding["rule"].get<std::string>());
  }
  return all;
}

std::string policy(const std::string& spec) {
  return "apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {name: p}\nspec:\n" +
         spec;
}

/// Byte of a place that counts lines and characters from 1; the texts here are ASCII.
size_t offset_of(const std::string& text, size_t line, size_t column) {
  size_t at = 0;
  for (; line > 1; --line) at = text.find('\n', at) + 1;
  return at + column - 1;
}

/// What a program makes of `text` that carries out the fix of the finding as it is printed.
std::string fixed(std::string text, const json& finding) {
  const json edits = finding["fix"]["edits"];
  for (auto edit = edits.rbegin(); edit != edits.rend(); ++edit) {
    const size_t begin = offset_of(text, (*edit)["line"], (*edit)["column"]);
    const size_t end = offset_of(text, (*edit)["endLine"], (*edit)["endColumn"]);
    text.replace(begin, end - begin, (*edit)["text"].get<std::string>());
  }
  return text;
}

TEST(ValidateGuide, NamesWhatDoesNotDoWhatItSays) {
  EXPECT_THAT(places(json_of({kGuide})),
              ElementsAre("allow-api-server.yaml:15:11 namespace-name-label",
                          "allow-api-server.yaml:16:5 misplaced-field",
                          "allow-dns.yaml:15:11 namespace-name-label",
                          "backend-to-database.yaml:13:3 egress-without-dns",
                          "monitoring.yaml:15:11 namespace-name-label",
                          "three-tier.yaml:29:11 namespace-name-label",
                          "three-tier.yaml:61:11 namespace-name-label"));
}

TEST(ValidateGuide, WhatItMendsIsClean) {
  const json report = json_of({kGuide});
  ASSERT_EQ(report["mended"].size(), 6U);
  for (const json& mended : report["mended"]) {
    EXPECT_TRUE(mended["clean"].get<bool>());
    const Outcome again = validate({"--strict", "-"}, mended["yaml"]);
    EXPECT_EQ(again.status, kDone) << mended["yaml"] << again.out;
    EXPECT_THAT(again.out, StartsWith("clean: 1 policy among 1 object of 1 file"));
  }
}

TEST(ValidateGuide, TheApiServerIsSelectedByBothSelectorsAtOnce) {
  const Outcome outcome = validate({kGuide + "/allow-api-server.yaml"});
  EXPECT_EQ(outcome.status, kFailed);
  EXPECT_THAT(
      outcome.out,
      HasSubstr("allow-api-server.yaml:16:5: error: podSelector stands beside to instead of "
                "inside an entry of it [misplaced-field]\n"
                "    16 |     podSelector:\n"
                "       |     ^~~~~~~~~~~\n"
                "       in: NetworkPolicy tools/allow-api-server, "
                "spec.egress[0].podSelector\n"));
  EXPECT_THAT(outcome.out, HasSubstr("allow-api-server.yaml:2:1: mended: "
                                     "NetworkPolicy tools/allow-api-server\n"
                                     "    apiVersion: networking.k8s.io/v1\n"));
  EXPECT_THAT(outcome.out, HasSubstr("      - to:\n"
                                     "        - namespaceSelector:\n"
                                     "            matchLabels:\n"
                                     "              kubernetes.io/metadata.name: default\n"
                                     "          podSelector:\n"
                                     "            matchLabels:\n"
                                     "              component: apiserver\n"
                                     "        ports:\n"));
  EXPECT_THAT(outcome.out, HasSubstr("1 error, 1 warning: 1 policy among 1 object of 1 file\n"));
}

TEST(ValidateGuide, MarkdownHasItsOwnLinesAndEachBlockIsAnInput) {
  const std::string guide = RAMPART_VALIDATE_DIR "/guide.md";
  const json report = json_of({guide});
  EXPECT_THAT(places(report),
              ElementsAre("guide.md:25:11 namespace-name-label", "guide.md:39:5 unknown-field"));
  ASSERT_EQ(report["mended"].size(), 2U);
  EXPECT_EQ(report["mended"][1]["line"], 33);
  EXPECT_THAT(report["notes"].dump(), HasSubstr("1 document without apiVersion and kind"));
}

TEST(ValidateExamples, AreClean) {
  const Outcome outcome = validate({"--strict", RAMPART_DOCS_DIR "/../config/examples/three-tier"});
  EXPECT_EQ(outcome.status, kDone) << outcome.out;
  EXPECT_THAT(outcome.out, StartsWith("clean: 3 policies"));
}

TEST(ValidateExit, IsOneForErrorsAndTwoIfNothingCouldBeChecked) {
  const std::string warns = policy("  ingress: [{}, {}]\n"), fails = policy("  ingres: []\n");
  EXPECT_EQ(validate({"-"}, policy("  ingress: [{}]\n")).status, kDone);
  EXPECT_EQ(validate({"-"}, warns).status, kDone);
  EXPECT_EQ(validate({"-", "--strict"}, warns).status, kFailed);
  EXPECT_EQ(validate({"-"}, fails).status, kFailed);
  EXPECT_EQ(validate({"-o", "json", "-"}, fails).status, kFailed);
  EXPECT_EQ(validate({"-o", "sarif", "-"}, fails).status, kFailed);
  EXPECT_EQ(validate({"-f", "-"}, fails).status, kFailed);
  EXPECT_EQ(validate({"/nowhere/at/all.yaml"}).status, kUsage);
  EXPECT_EQ(validate({}).status, kUsage);
  EXPECT_EQ(validate({"--ignore", "no-such-rule", "-"}, warns).status, kUsage);
  EXPECT_EQ(validate({"--offline", "-"}, warns).status, kUsage);
}

TEST(ValidateExit, IgnoredRulesDoNotCount) {
  const std::string input = policy("  ingres: []\n  ingress: [{}, {}]\n");
  EXPECT_EQ(validate({"--ignore", "unknown-field", "-"}, input).status, kDone);
  EXPECT_THAT(places(json_of({"--ignore", "unknown-field", "-"}, policy("  ingress: [{}, {}]\n"))),
              ElementsAre("standard input:5:17 shadowed-rule"));
  EXPECT_EQ(
      validate({"--strict", "--ignore", "shadowed-rule", "-"}, policy("  ingress: [{}, {}]\n"))
          .status,
      kDone);
}

TEST(ValidatePlaces, AreThoseOfTheText) {
  EXPECT_THAT(places(json_of(
                  {"-"},
                  "{\"apiVersion\": \"v1\", \"kind\": \"List\", \"items\": [\n"
                  "  {\"apiVersion\": \"networking.k8s.io/v1\", \"kind\": \"NetworkPolicy\",\n"
                  "   \"metadata\": {\"annotations\": {\"ä\": \"ö\"}, \"name\": \"p\", \"x\": 1},\n"
                  "   \"spec\": {\"ingress\": [{\"ports\": [{\"port\": 80}, {\"port\": 0}]}]}}\n"
                  "]}\n")),
              ElementsAre("standard input:3:57 unknown-field", "standard input:4:51 bad-port"));
  EXPECT_THAT(places(json_of({"-"}, "\xEF\xBB\xBF# ä\r\n" + policy("  # ö\r\n  x: 1 # ü\r\n"))),
              ElementsAre("standard input:7:3 unknown-field"));
  // Through an alias: where the text stands.
  EXPECT_THAT(places(json_of({"-"}, policy("  podSelector: &web\n    matchLabels: {app: -x}\n"
                                           "  ingress: [{from: [{podSelector: *web}]}]\n"))),
              ElementsAre("standard input:6:19 bad-label", "standard input:6:19 bad-label"));
}

TEST(ValidateTexts, ThatCannotBeReadAreFindings) {
  EXPECT_THAT(places(json_of({"-"}, "a: [1\nb: 2\n")),
              ElementsAre(AllOf(StartsWith("standard input:2:"), HasSubstr(" syntax"))));
  EXPECT_THAT(places(json_of({"-"}, "{\"apiVersion\": \"v1\",\n  \"kind\" }\n")),
              ElementsAre(HasSubstr(":2:10 syntax")));
  EXPECT_THAT(places(json_of({"-"}, "\xff\xfe")), ElementsAre("standard input:1:1 syntax"));
  EXPECT_THAT(places(json_of({"-"}, "- a\n")), ElementsAre(HasSubstr(":1:1 ")));
  EXPECT_THAT(places(json_of({"-"}, "just words\n")), ElementsAre(HasSubstr(":1:1 ")));
  EXPECT_THAT(places(json_of({"-"}, "a: 1\n")), ElementsAre(HasSubstr("missing-field")));
  EXPECT_THAT(places(json_of({"-"}, "\n")), ElementsAre("standard input:1:1 syntax"));
}

TEST(ValidateTexts, AKeyTwiceIsNamedAndTheRestIsRead) {
  EXPECT_THAT(places(json_of({"-"}, policy("  podSelector: {}\n  podSelector: {}\n  x: 1\n"))),
              ElementsAre("standard input:6:3 duplicate-key", "standard input:7:3 unknown-field"));
}

class ValidateDirectory : public testing::Test {
 protected:
  void SetUp() override {
    std::string name = testing::TempDir() + "validate-XXXXXX";
    ASSERT_NE(mkdtemp(name.data()), nullptr);
    dir_ = name;
    std::filesystem::create_directories(dir_ + "/deep/er");
  }
  void TearDown() override { std::filesystem::remove_all(dir_); }
  void write(const std::string& name, const std::string& text) {
    std::ofstream(dir_ + "/" + name) << text;
  }
  std::string dir_;
};

TEST_F(ValidateDirectory, IsOneInputWithAllThatIsBelow) {
  write("deep/er/policy.yaml", policy("  podSelector: {matchLabels: {app: web}}\n"));
  write("pod.yaml", "{apiVersion: v1, kind: Pod, metadata: {name: a, labels: {app: wob}}}");
  write("values.yaml", "replicas: 3\n");
  write("README.md", "```yaml\n" + policy("  x: 1\n") + "```\n");
  const json report = json_of({dir_});
  EXPECT_THAT(places(report), ElementsAre("policy.yaml:5:3 selector-matches-no-pod"));
  EXPECT_THAT(report["notes"].dump(), HasSubstr("1 document without apiVersion and kind"));
  EXPECT_EQ(report["files"], 3);
  // One that is named by itself must hold objects.
  EXPECT_THAT(places(json_of({dir_ + "/values.yaml"})),
              ElementsAre("values.yaml:1:1 missing-field"));
}

TEST_F(ValidateDirectory, AFileThatCannotBeReadDoesNotHideTheOthers) {
  write("a.yaml", "{{ template }}: [\n");
  write("b.yaml", policy("  x: 1\n"));
  EXPECT_THAT(places(json_of({dir_})),
              ElementsAre(HasSubstr("a.yaml:"), "b.yaml:5:3 unknown-field"));
}

TEST_F(ValidateDirectory, SaysOnceWhatItCouldNotJudge) {
  write("a.yaml", policy("  podSelector: {}\n"));
  write("b.yaml", "{apiVersion: v1, kind: ConfigMap, metadata: {name: c}}\n");
  const Outcome outcome = validate({dir_});
  EXPECT_EQ(outcome.out, "clean: 1 policy among 2 objects of 2 files\n");
  EXPECT_EQ(
      outcome.err,
      "note: the input holds neither pods (or workloads) nor Namespaces: whether selectors match "
      "any was not judged\n"
      "note: not looked at: 1 ConfigMap\n");
}

TEST(ValidateMends, AreCarriedOutByWhoeverReadsTheEdits) {
  for (const std::string& input : std::vector<std::string>{
           policy("  podSelecter: {}\n"),
           policy("  ingress:\n  - from:\n    - namespaceSelector: {}\n    ports:\n    - port: 80\n"
                  "    podSelector:\n      matchLabels:\n        a: b\n\n        c: d\n  - {}\n"),
           policy("  ingress:\n    - podSelector: {matchLabels: {a: b}}\n"
                  "      from:\n      -   namespaceSelector: {}\n"),
           policy("  egress:\n    -   to:\n        - podSelector: {}"),
           policy("  egress:\n  - ports:\n    - port: 80\n\n# the end\n"),
           std::string(R"({"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy",
             "metadata": {"name": "p"}, "specs": {"podSelector": {}}})")}) {
    const json report = json_of({"-"}, input);
    ASSERT_GE(report["findings"].size(), 1U) << input;
    for (const json& finding : report["findings"]) {
      if (finding["rule"] == "shadowed-rule") continue;
      const bool has_fix = finding.contains("fix");
      // A key that opens the entry of a list cannot be moved line by line.
      EXPECT_EQ(has_fix, input.find("- podSelector: {m") == std::string::npos) << input;
      if (!has_fix) continue;
      const std::string after = fixed(input, finding);
      EXPECT_THAT(places(json_of({"-"}, after)), Not(Contains(HasSubstr(finding["rule"]))))
          << after;
    }
  }
}

TEST(ValidateMends, KeepWhatStandsAround) {
  const std::string input = policy(
      "  ingress:\n  - from:\n    - namespaceSelector: {}\n    ports:\n    - port: 80\n"
      "    podSelector:\n      matchLabels: {a: b}   # why\n  policyTypes: [Ingress]\n");
  EXPECT_EQ(fixed(input, json_of({"-"}, input)["findings"][0]),
            policy("  ingress:\n  - from:\n    - namespaceSelector: {}\n      podSelector:\n"
                   "        matchLabels: {a: b}   # why\n    ports:\n    - port: 80\n"
                   "  policyTypes: [Ingress]\n"));
}

TEST(ValidateMends, AreNotOfferedWhereTheyWouldBreakSomething) {
  // The right name is there already.
  EXPECT_FALSE(
      json_of({"-"}, policy("  podSelector: {}\n  podSelecter: {}\n"))["findings"][0].contains(
          "fix"));
  // Two entries: which of them is meant?
  EXPECT_FALSE(
      json_of({"-"}, policy("  ingress:\n  - from:\n    - namespaceSelector: {}\n"
                            "    - ipBlock: {cidr: '::/0'}\n    podSelector: {}\n"))["findings"][0]
          .contains("fix"));
  // Flow style has no lines to move.
  EXPECT_FALSE(
      json_of({"-"}, policy("  egress: [{ports: [{port: 80}]}]\n"))["findings"][0].contains("fix"));
  // What is still refused when all is done is not shown as mended.
  const json report = json_of({"-"}, policy("  podSelecter: {}\n  colour: red\n"));
  EXPECT_THAT(report["mended"], IsEmpty());
}

TEST(ValidateSarif, IsWhatCodeHostsRead) {
  const json log = json::parse(validate({"-o", "sarif", kGuide}).out);
  EXPECT_EQ(log["version"], "2.1.0");
  ASSERT_EQ(log["runs"].size(), 1U);
  const json& run = log["runs"][0];
  EXPECT_EQ(run["columnKind"], "unicodeCodePoints");
  const json& driver = run["tool"]["driver"];
  EXPECT_EQ(driver["name"], "rampartctl");
  ASSERT_EQ(driver["rules"].size(), lint::rules().size());
  for (size_t i = 0; i < lint::rules().size(); ++i) {
    EXPECT_EQ(driver["rules"][i]["id"], lint::rules()[i].id);
    EXPECT_EQ(driver["rules"][i]["shortDescription"]["text"], lint::rules()[i].meaning);
    EXPECT_FALSE(driver["rules"][i]["help"]["text"].get<std::string>().empty());
  }
  ASSERT_EQ(run["results"].size(), 7U);
  for (const json& result : run["results"]) {
    EXPECT_EQ(driver["rules"][result["ruleIndex"].get<size_t>()]["id"], result["ruleId"]);
  }
  const json& result = run["results"][1];
  EXPECT_EQ(result["ruleId"], "misplaced-field");
  EXPECT_EQ(result["level"], "error");
  const json& place = result["locations"][0]["physicalLocation"];
  EXPECT_EQ(place["artifactLocation"]["uri"], "file://" + kGuide + "/allow-api-server.yaml");
  EXPECT_EQ(place["region"],
            (json{{"startLine", 16}, {"startColumn", 5}, {"endLine", 16}, {"endColumn", 16}}));
  const json& change = result["fixes"][0]["artifactChanges"][0];
  EXPECT_EQ(change["artifactLocation"], place["artifactLocation"]);
  EXPECT_EQ(change["replacements"][0]["deletedRegion"],
            (json{{"startLine", 16}, {"startColumn", 1}, {"endLine", 19}, {"endColumn", 1}}));
  EXPECT_EQ(change["replacements"][0]["insertedContent"]["text"],
            "      podSelector:\n        matchLabels:\n          component: apiserver\n");
}

TEST_F(ValidateDirectory, SarifNamesFilesByRelativeReferences) {
  write("a b.yaml", policy("  ingress: [{}, {}]\n"));
  const auto before = std::filesystem::current_path();
  std::filesystem::current_path(dir_);
  const json log = json::parse(validate({"-o", "sarif", "./a b.yaml"}).out);
  std::filesystem::current_path(before);
  const json& result = log["runs"][0]["results"][0];
  EXPECT_EQ(result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"], "a%20b.yaml");
  EXPECT_EQ(result["relatedLocations"][0]["physicalLocation"]["region"]["startColumn"], 13);
}

TEST(ValidateRules, AreListedFromTheTable) {
  const Outcome outcome = validate({"--rules"});
  EXPECT_EQ(outcome.status, kDone);
  for (const lint::Rule& rule : lint::rules()) {
    EXPECT_THAT(outcome.out, HasSubstr(std::string(rule.id) + " "));
    EXPECT_THAT(outcome.out, HasSubstr(std::string(rule.meaning) + "\n"));
  }
  EXPECT_EQ(json_of({"--rules"}).size(), lint::rules().size());
  EXPECT_EQ(validate({"--rules", "-o", "sarif"}).status, kUsage);
}

TEST(ValidateColours, AreThereForTerminalsOnly) {
  const std::string input = policy("  x: 1\n");
  EXPECT_THAT(validate({"-"}, input).out, Not(HasSubstr("\033")));
  std::istringstream in(input);
  std::ostringstream out, err;
  Console console{.in = in, .out = out, .err = err, .out_colour = true};
  EXPECT_EQ(run({"validate", "-"}, console), kFailed);
  EXPECT_THAT(out.str(), HasSubstr("\033"));
}

}  // namespace
}  // namespace rampart::ctl
