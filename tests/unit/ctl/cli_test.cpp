// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <sstream>
#include <string>
#include <vector>

#include "tests/unit/ctl/run_program.hpp"
#include "tools/rampartctl/cli.hpp"
#include "tools/rampartctl/session.hpp"

namespace rampart::ctl {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using Words = std::vector<std::string>;

std::string refusal(const Words& words) {
  const auto invocation = parse_command_line(words);
  return invocation ? "accepted" : invocation.error().what;
}

Invocation accepted(const Words& words) {
  auto invocation = parse_command_line(words);
  EXPECT_TRUE(invocation) << (invocation ? "" : invocation.error().what);
  return invocation ? *invocation : Invocation{};
}

TEST(CommandLine, OptionsInEverySpelling) {
  for (const Words& words :
       {Words{"apply", "-f", "a", "--filename=b", "-o", "json", "-R"},
        Words{"-ojson", "apply", "-fa", "-Rf", "b"},
        Words{"--output", "json", "apply", "-f=a", "--filename", "b", "--recursive"},
        Words{"--output=json", "apply", "--filename", "a", "-R", "-fb"}}) {
    const Invocation invocation = accepted(words);
    ASSERT_NE(invocation.command, nullptr);
    EXPECT_EQ(invocation.command->name, "apply");
    EXPECT_THAT(invocation.values("filename"), ElementsAre("a", "b"));
    EXPECT_EQ(invocation.value("output"), "json");
    EXPECT_TRUE(invocation.has("recursive"));
    EXPECT_FALSE(invocation.has("dry-run"));
  }
}

TEST(CommandLine, TheValueOfAnOptionIsNoCommand) {
  const Invocation invocation = accepted({"--socket", "status", "flows"});
  EXPECT_EQ(invocation.command->name, "flows");
  EXPECT_EQ(invocation.value("socket"), "status");
}

TEST(CommandLine, ADashIsTheStandardInput) {
  EXPECT_THAT(accepted({"apply", "-f", "-"}).values("filename"), ElementsAre("-"));
  EXPECT_THAT(accepted({"apply", "-f-"}).values("filename"), ElementsAre("-"));
}

TEST(CommandLine, OptionalValuesAreNumbers) {
  EXPECT_EQ(accepted({"stats", "--watch"}).value("watch", "2"), "2");
  EXPECT_EQ(accepted({"stats", "--watch", "5"}).value("watch", "2"), "5");
  EXPECT_EQ(accepted({"stats", "--watch=7", "-o", "json"}).value("watch", "2"), "7");
  EXPECT_EQ(accepted({"stats", "-w", "-o", "json"}).value("watch", "2"), "2");
}

TEST(CommandLine, Operands) {
  EXPECT_THAT(accepted({"explain", "a/b", "--", "-x", "TCP/80"}).operands,
              ElementsAre("a/b", "-x", "TCP/80"));
  EXPECT_THAT(accepted({"help"}).operands, ElementsAre());
  EXPECT_THAT(accepted({"help", "apply"}).operands, ElementsAre("apply"));
}

TEST(CommandLine, WhatIsWrongIsNamed) {
  EXPECT_EQ(refusal({}), "a command is missing");
  EXPECT_EQ(refusal({"-o", "json"}), "a command is missing");
  EXPECT_EQ(refusal({"aply"}), "'aply' is no command");
  EXPECT_EQ(refusal({"status", "--frob"}), "--frob is no option of status");
  EXPECT_EQ(refusal({"status", "-f", "x"}), "-f is no option of status");
  EXPECT_EQ(refusal({"--frob", "status"}), "--frob is no option of status");
  EXPECT_EQ(refusal({"apply", "-f"}), "-f wants a value: FILE");
  EXPECT_EQ(refusal({"apply", "--filename="}), "--filename wants a value: FILE");
  EXPECT_EQ(refusal({"apply", "-f", "a", "--dry-run=server"}), "--dry-run takes no value");
  EXPECT_EQ(refusal({"status", "-o", "yaml"}), "-o is table or json, not 'yaml'");
  EXPECT_EQ(refusal({"status", "-o", "json", "-o", "json"}), "-o is given more than once");
  EXPECT_EQ(refusal({"metrics", "-o", "json"}), "--output of metrics is text, not 'json'");
  EXPECT_EQ(refusal({"completion", "bash", "-o", "json"}), "completion takes no --output");
  EXPECT_EQ(refusal({"status", "extra"}), "status does not know what to do with 'extra'");
  EXPECT_EQ(refusal({"explain", "a", "b"}), "explain wants PROTO/PORT");
  EXPECT_EQ(refusal({"reset-port"}), "reset-port wants NAME");
}

TEST(CommandLine, HelpNeedsNothingElse) {
  EXPECT_TRUE(accepted({"explain", "--help"}).help);
  EXPECT_TRUE(accepted({"-h"}).help);
  EXPECT_TRUE(accepted({"--version"}).version);
}

TEST(Program, ExitStatusTwoForAWrongCommandLine) {
  for (const Words& words :
       {Words{}, Words{"aply"}, Words{"apply"}, Words{"delta"}, Words{"validate"},
        Words{"apply", "-f", "x", "--if-match", "seven"}, Words{"flows", "--port", "http"},
        Words{"flows", "--limit", "0"}, Words{"flows", "--limit", "100001"},
        Words{"stats", "--watch", "0"}, Words{"stats", "--count", "2"},
        Words{"status", "--timeout", "0"}, Words{"explain", "a", "b", "80"},
        Words{"explain", "a", "b", "TCP"}, Words{"explain", "a", "b", "TCP/0"},
        Words{"explain", "a", "b", "TCP/http"}, Words{"explain", "a", "b", "ICMP/8"},
        Words{"completion", "zsh"}, Words{"help", "aply"}}) {
    const Outcome result = run_program(words);
    EXPECT_EQ(result.status, kUsage) << testing::PrintToString(words) << result.err;
    EXPECT_EQ(result.out, "") << testing::PrintToString(words);
    EXPECT_THAT(result.err, HasSubstr("rampartctl")) << testing::PrintToString(words);
  }
}

TEST(Program, HelpAndVersionGoToStandardOutput) {
  EXPECT_EQ(run_program({"--version"}).out, "rampartctl " RAMPART_VERSION "\n");
  EXPECT_EQ(run_program({"--help"}).out, help_page());
  EXPECT_EQ(run_program({"help"}).out, help_page());
  for (const Command& command : command_table()) {
    const std::string name(command.name);
    const Outcome page = run_program({name, "--help"});
    EXPECT_EQ(page.status, kDone);
    EXPECT_EQ(page.out, run_program({"help", name}).out);
    EXPECT_THAT(page.out, testing::StartsWith("usage: rampartctl " + name));
    EXPECT_THAT(help_page(), HasSubstr("\n  " + name + " "));
  }
}

TEST(Program, HelpFitsATerminal) {
  std::string all = help_page();
  for (const Command& command : command_table()) {
    // An example or a call may be as long as it is: it is meant to be copied.
    const std::string page = help_page(command);
    all += page.substr(0, std::min(page.find("\nexamples:"), page.find("\ncontrol socket:")));
  }
  std::istringstream lines(all);
  for (std::string line; std::getline(lines, line);) EXPECT_LE(line.size(), 80U) << line;
}

}  // namespace
}  // namespace rampart::ctl
