// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "tools/rampartctl/yaml_json.hpp"

namespace rampart::ctl {
namespace {

using testing::HasSubstr;

/// The JSON of the one document in `yaml`, or "LINE:COLUMN: what" if it was refused.
std::string json(const std::string& yaml) {
  const auto documents = yaml_to_json(yaml);
  if (!documents) return documents.error().text();
  if (documents->size() != 1) return std::to_string(documents->size()) + " documents";
  return documents->front().json;
}

struct Scalar {
  const char* yaml;
  const char* json;
};

class PlainScalar : public testing::TestWithParam<Scalar> {};

TEST_P(PlainScalar, IsTypedAsKubectlTypesIt) {
  EXPECT_EQ(json("v: " + std::string(GetParam().yaml) + "\n"),
            R"({"v":)" + std::string(GetParam().json) + "}");
}

INSTANTIATE_TEST_SUITE_P(
    Yaml, PlainScalar,
    testing::Values(
        // booleans of YAML 1.1, and words that only look like them
        Scalar{"yes", "true"}, Scalar{"No", "false"}, Scalar{"on", "true"}, Scalar{"OFF", "false"},
        Scalar{"y", "true"}, Scalar{"N", "false"}, Scalar{"true", "true"},
        Scalar{"yEs", R"("yEs")"}, Scalar{"yess", R"("yess")"},
        // null
        Scalar{"", "null"}, Scalar{"~", "null"}, Scalar{"null", "null"}, Scalar{"NULL", "null"},
        Scalar{"nULL", R"("nULL")"},
        // integers
        Scalar{"80", "80"}, Scalar{"-5", "-5"}, Scalar{"+5", "5"}, Scalar{"010", "8"},
        Scalar{"0o17", "15"}, Scalar{"0x1F", "31"}, Scalar{"-0b11", "-3"}, Scalar{"1_000", "1000"},
        Scalar{"08", "8"}, Scalar{"18446744073709551615", "18446744073709551615"},
        Scalar{"-9223372036854775808", "-9223372036854775808"}, Scalar{"0", "0"},
        // floats
        Scalar{"1.5", "1.5"}, Scalar{"80.0", "80"}, Scalar{".5", "0.5"}, Scalar{"1e3", "1000"},
        Scalar{"2.", "2"}, Scalar{"18446744073709551616", "18446744073709551616"},
        // strings
        Scalar{"10.0.0.1", R"("10.0.0.1")"}, Scalar{"10.0.0.0/8", R"("10.0.0.0/8")"},
        Scalar{"2001-01-01", R"("2001-01-01")"}, Scalar{"12:30:45", R"("12:30:45")"},
        Scalar{"fe80::1", R"("fe80::1")"}, Scalar{"1.2.3", R"("1.2.3")"}, Scalar{"0x", R"("0x")"},
        Scalar{"1e", R"("1e")"}, Scalar{"\xC3\xA9t\xC3\xA9", "\"\xC3\xA9t\xC3\xA9\""},
        // quoted and tagged
        Scalar{"'yes'", R"("yes")"}, Scalar{"\"80\"", R"("80")"}, Scalar{"'010'", R"("010")"},
        Scalar{"''", R"("")"}, Scalar{"'null'", R"("null")"}, Scalar{"!!str 80", R"("80")"},
        Scalar{"!!int '80'", "80"}, Scalar{"!!bool 'yes'", "true"},
        Scalar{R"("a\tb\"c\\")", R"("a\tb\"c\\")"},
        Scalar{"|\n  two\n  lines", R"("two\nlines\n")"}));

TEST(Yaml, AManifestBecomesTheSameObject) {
  EXPECT_EQ(
      json(R"(# who may reach the database
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata:
  name: db
  namespace: shop
spec:
  podSelector: {matchLabels: {app: db}}
  ingress:
  - from:
    - podSelector:
        matchLabels:
          app: "api"
    ports:
    - port: 5432
)"),
      R"({"apiVersion":"networking.k8s.io/v1","kind":"NetworkPolicy",)"
      R"("metadata":{"name":"db","namespace":"shop"},)"
      R"("spec":{"podSelector":{"matchLabels":{"app":"db"}},)"
      R"("ingress":[{"from":[{"podSelector":{"matchLabels":{"app":"api"}}}],"ports":[{"port":5432}]}]}})");
}

TEST(Yaml, KeysAreStrings) {
  EXPECT_EQ(json("80: a\nyes: b\n'yes': c\n"), R"({"80":"a","true":"b","yes":"c"})");
  EXPECT_EQ(json("~: a\n"), "1:1: a key may not be null");
  EXPECT_EQ(json("? [a]\n: b\n"), "1:3: a key must be a scalar");
}

TEST(Yaml, DocumentsAndTheirLines) {
  const auto documents = yaml_to_json("---\n# nothing\n---\na: 1\n---\n---\n\n\nb: 2\n...\n");
  ASSERT_TRUE(documents) << documents.error().text();
  ASSERT_EQ(documents->size(), 2U);
  EXPECT_EQ((*documents)[0].json, R"({"a":1})");
  EXPECT_EQ((*documents)[0].line, 4U);
  EXPECT_EQ((*documents)[1].json, R"({"b":2})");
  EXPECT_EQ((*documents)[1].line, 9U);
}

TEST(Yaml, AKeyThatStandsTwiceIsRefused) {
  EXPECT_EQ(json("a: 1\nb:\n  c: 1\n  d: 2\n  c: 3\n"),
            R"(5:3: the key "c" stands here for the second time (first in line 3))");
  EXPECT_EQ(json("true: 1\nyes: 2\n"),
            R"(2:1: the key "true" stands here for the second time (first in line 1))");
}

TEST(Yaml, AnchorsAndMergeKeys) {
  EXPECT_EQ(json("a: &x {k: 1}\nb: *x\n"), R"({"a":{"k":1},"b":{"k":1}})");
  EXPECT_EQ(json("a: &x {k: 1, l: 2}\nb:\n  <<: *x\n  k: 3\n"),
            R"({"a":{"k":1,"l":2},"b":{"k":3,"l":2}})");
  EXPECT_EQ(json("a: &x {k: 1}\nb: &y {k: 2, m: 4}\nc:\n  <<: [*x, *y]\n"),
            R"({"a":{"k":1},"b":{"k":2,"m":4},"c":{"k":1,"m":4}})");
  EXPECT_EQ(json("a:\n  '<<': 1\n"), R"({"a":{"<<":1}})");
  EXPECT_THAT(json("a:\n  <<: 1\n"), HasSubstr("2:7: '<<' wants a mapping"));
  EXPECT_THAT(json("a: *nobody\n"), HasSubstr("1:4: "));
  EXPECT_THAT(json("a: &x [*x]\n"), HasSubstr("1:8: an alias within what it stands for"));
}

TEST(Yaml, AnchorsEndWithTheirDocument) {
  EXPECT_THAT(json("a: &x 1\n---\nb: *x\n"), HasSubstr("3:4: "));
}

TEST(Yaml, AliasesCannotExplode) {
  std::string laughs = "a0: &a0 [lol,lol,lol,lol,lol,lol,lol,lol,lol,lol]\n";
  for (int i = 1; i < 12; ++i) {
    const std::string before = "*a" + std::to_string(i - 1);
    laughs += "a" + std::to_string(i) + ": &a" + std::to_string(i) + " [" + before;
    for (int j = 0; j < 9; ++j) laughs += "," + before;
    laughs += "]\n";
  }
  EXPECT_THAT(json(laughs), HasSubstr("aliases make this document too large"));
}

TEST(Yaml, DepthIsBounded) {
  EXPECT_THAT(json(std::string(300, '[') + std::string(300, ']')), HasSubstr("levels deep"));
  EXPECT_THAT(json(std::string(100'000, '[')), HasSubstr("1:"));
}

TEST(Yaml, BrokenTextIsRefusedWithItsPlace) {
  EXPECT_THAT(json("a: 1\n b: 2\n"), HasSubstr("2:3: "));
  EXPECT_THAT(json("a: [1, 2\nb: 3\n"), testing::StartsWith("2:"));
  EXPECT_THAT(json("a: \"never closed\n"), testing::StartsWith("2:"));
  EXPECT_THAT(json("a: \"never closed"), testing::StartsWith("1:"));
  EXPECT_EQ(json("a: |\n  b"), R"({"a":"b"})");
  EXPECT_EQ(json("a: |+\n  b\n\n"), R"({"a":"b\n\n"})");
  EXPECT_THAT(json("a: !!int yes\n"), HasSubstr("1:4: 'yes' is no !!int"));
  EXPECT_THAT(json("a: !secret x\n"), HasSubstr("1:4: the tag !secret has no meaning"));
  EXPECT_THAT(json("a: .inf\n"), HasSubstr("1:4: '.inf' cannot be said in JSON"));
  // yaml-cpp alone reads empty documents here until the end of time.
  EXPECT_THAT(json("{a: b},\n"), HasSubstr("1:7: this belongs to no document"));
}

}  // namespace
}  // namespace rampart::ctl
