// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include "tools/rampartctl/documents.hpp"
#include "tools/rampartctl/json_text.hpp"

namespace rampart::ctl {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

class Documents : public testing::Test {
 protected:
  void SetUp() override {
    std::string name = testing::TempDir() + "rampartctl-XXXXXX";
    ASSERT_NE(mkdtemp(name.data()), nullptr);
    dir_ = name;
  }
  void TearDown() override { std::filesystem::remove_all(dir_); }

  std::string write(const std::string& name, const std::string& text) {
    const std::filesystem::path path = std::filesystem::path(dir_) / name;
    std::filesystem::create_directories(path.parent_path());
    std::ofstream(path) << text;
    return path.string();
  }
  /// "PLACE JSON" of each document, the directory's own name cut off; or the error.
  std::vector<std::string> read(const std::vector<std::string>& paths, bool recursive = false,
                                const std::string& standard_input = {}) {
    std::istringstream in(standard_input);
    const auto documents = read_documents(paths, recursive, in);
    if (!documents) return {"error: " + strip(documents.error().text())};
    std::vector<std::string> seen;
    for (const Document& d : *documents) seen.push_back(strip(d.place()) + " " + d.json);
    return seen;
  }
  std::string strip(const std::string& text) const {
    return text.starts_with(dir_ + "/") ? text.substr(dir_.size() + 1) : text;
  }

  std::string dir_;
};

TEST_F(Documents, ADirectoryIsItsManifestsByName) {
  write("b.yaml", "b: 1\n");
  write("a.yml", "a: 1\n---\na: 2\n");
  write("c.json", R"({"c": 1})");
  write("notes.txt", "not: read\n");
  write("below/d.yaml", "d: 1\n");
  write("..hidden/e.yaml", "e: 1\n");
  EXPECT_THAT(read({dir_}), ElementsAre(R"(a.yml:1 {"a":1})", R"(a.yml:3 {"a":2})",
                                        R"(b.yaml:1 {"b":1})", R"(c.json:1 {"c": 1})"));
  EXPECT_THAT(read({dir_}, true),
              ElementsAre(R"(a.yml:1 {"a":1})", R"(a.yml:3 {"a":2})", R"(b.yaml:1 {"b":1})",
                          R"(below/d.yaml:1 {"d":1})", R"(c.json:1 {"c": 1})"));
}

TEST_F(Documents, PathsKeepTheirOrder) {
  const std::string b = write("b.yaml", "b: 1\n"), a = write("a.any", "a: 1\n");
  EXPECT_THAT(
      read({b, "-", a}, false, "s: 1"),
      ElementsAre(R"(b.yaml:1 {"b":1})", R"(standard input:1 {"s":1})", R"(a.any:1 {"a":1})"));
}

TEST_F(Documents, WhatIsNotThereIsNamed) {
  EXPECT_THAT(read({dir_ + "/none.yaml"}),
              ElementsAre("error: none.yaml: No such file or directory"));
  write("empty/readme.txt", "");
  EXPECT_THAT(read({dir_ + "/empty"}), ElementsAre(HasSubstr("holds no *.yaml")));
  EXPECT_THAT(read({"-", "-"}), ElementsAre(HasSubstr("only once")));
}

TEST_F(Documents, JsonPassesAsItIs) {
  EXPECT_THAT(read({"-"}, false, "{\"n\": 1.50e+2, \"s\": \"\\u00e9\"}\n\n{\"b\":\n[]}"),
              ElementsAre("standard input:1 {\"n\": 1.50e+2, \"s\": \"\\u00e9\"}",
                          "standard input:3 {\"b\":\n[]}"));
}

TEST_F(Documents, JsonAmongYamlDocuments) {
  EXPECT_THAT(read({"-"}, false, "{\"a\": 1}\n---\nb: 2\n"),
              ElementsAre(R"(standard input:1 {"a":1})", R"(standard input:3 {"b":2})"));
  EXPECT_THAT(read({write("flow.yaml", "{a: 1}")}), ElementsAre(R"(flow.yaml:1 {"a":1})"));
}

TEST_F(Documents, ErrorsNameFileLineAndColumn) {
  EXPECT_THAT(read({write("a.json", "{\n  \"a\": 1,\n  \"b\" 2\n}")}),
              ElementsAre("error: a.json:3:7: expected ':' after the name of a member"));
  EXPECT_THAT(read({write("a.yaml", "a: 1\na: 2\n")}),
              ElementsAre(HasSubstr("error: a.yaml:2:1: the key")));
  EXPECT_THAT(read({write("list.yaml", "# objects\n- a\n- b\n")}),
              ElementsAre(HasSubstr("error: list.yaml:2:1: this document is a list")));
  EXPECT_THAT(read({write("list.json", " [1]")}),
              ElementsAre(HasSubstr("list.json:1:2: this document is a list")));
  EXPECT_THAT(read({write("latin1.yaml", "a: \xE9\n")}),
              ElementsAre("error: latin1.yaml: is not UTF-8 text"));
}

TEST_F(Documents, NothingIsNoDocument) {
  EXPECT_THAT(read({"-"}, false, ""), ElementsAre());
  EXPECT_THAT(read({"-"}, false, "# only a comment\n---\n"), ElementsAre());
  EXPECT_THAT(read({"-"}, false, "\xEF\xBB\xBF{}"), ElementsAre("standard input:1 {}"));
}

/// What split_json says of a text.
std::string split(std::string_view text) {
  const auto values = split_json(text);
  if (!values) return values.error().text();
  std::string joined;
  for (const auto value : *values) joined += (joined.empty() ? "" : " | ") + std::string(value);
  return joined;
}

TEST(JsonText, SplitsAtTheEndsOfValues) {
  EXPECT_EQ(split(R"({"a":"}{"}[1,2] "x" -0.5e-3 true null{})"),
            R"({"a":"}{"} | [1,2] | "x" | -0.5e-3 | true | null | {})");
  EXPECT_EQ(split(" \n"), "");
}

TEST(JsonText, SaysWhatBreaksTheGrammar) {
  EXPECT_EQ(split("{\"a\": [1, 2}"), "1:12: expected ',' or ']'");
  EXPECT_EQ(split("{\"a\": 1,}"), "1:9: a value is missing between ',' and '}'");
  EXPECT_EQ(split("{\n\"a\": {\n\"b\": 1"), "3:7: the text ends before '{' of line 2 is closed");
  EXPECT_EQ(split("{'a': 1}"), "1:2: expected the name of a member, in double quotes");
  EXPECT_EQ(split("{\"a\": 01}"), "1:7: a number may not start with 0");
  EXPECT_EQ(split("{\"a\": 1.}"), "1:9: expected a digit after '.'");
  EXPECT_EQ(split("{\"a\": nul}"), "1:7: expected a value");
  EXPECT_EQ(split("\"a"), "1:1: the string is never closed");
  EXPECT_EQ(split("\"\\x\""), "1:3: not an escape that JSON knows");
  EXPECT_EQ(split("\"\\u12g4\""), "1:6: '\\u' wants four hexadecimal digits");
  EXPECT_EQ(split("\"\xC3\xA9\xC3\xA9\" x"), "1:6: expected a value");
  EXPECT_EQ(split("{}}"), "1:3: expected a value");
  EXPECT_THAT(split(std::string(100'000, '[')), HasSubstr("nested too deeply"));
}

TEST(JsonText, PrettyKeepsEveryValue) {
  EXPECT_EQ(
      pretty_json(R"({"a":[1,2.50,{"b":"x,y: {\"\\"}],"c":{},"d":[ ],"e":null})"),
      "{\n  \"a\": [\n    1,\n    2.50,\n    {\n      \"b\": \"x,y: {\\\"\\\\\"\n    }\n  ],\n"
      "  \"c\": {},\n  \"d\": [],\n  \"e\": null\n}\n");
  EXPECT_EQ(pretty_json("7"), "7\n");
}

TEST(JsonText, StringsAreEscaped) {
  EXPECT_EQ(json_string("a\"b\\c\n\t\x01\xC3\xA9"), "\"a\\\"b\\\\c\\n\\t\\u0001\xC3\xA9\"");
}

}  // namespace
}  // namespace rampart::ctl
