// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <sstream>
#include <string>
#include <vector>

#include "tools/rampartctl/cli.hpp"

// What is made from the table of commands: the reference page and the completion.
namespace rampart::ctl {
namespace {

using testing::AllOf;
using testing::Contains;
using testing::ElementsAre;
using testing::IsSupersetOf;
using testing::Not;

TEST(ReferencePage, IsTheOneInDocs) {
  std::ifstream file(RAMPART_DOCS_DIR "/rampartctl.md");
  const std::string page{std::istreambuf_iterator<char>(file), {}};
  EXPECT_TRUE(page == reference_page())
      << "docs/rampartctl.md is stale; run: rampartctl help --markdown > docs/rampartctl.md";
}

TEST(ReferencePage, EveryCallOfTheSocketHasItsCommand) {
  std::ifstream file(RAMPART_DOCS_DIR "/api.md");
  const std::string api{std::istreambuf_iterator<char>(file), {}};
  std::string calls;
  for (const Command& command : command_table()) calls += std::string(command.call) + "\n";
  size_t found = 0;
  std::istringstream lines(api);
  for (std::string line; std::getline(lines, line);) {
    if (!line.starts_with("| `")) continue;
    const std::string call = line.substr(3, line.find('`', 3) - 3);
    EXPECT_THAT(calls, testing::HasSubstr(call));
    ++found;
  }
  EXPECT_GT(found, 5U);
}

/// What bash offers for the last of `words`, the first being the program, with `program` standing
/// for it (a shell function, so that nothing needs to be installed).
class Completion : public testing::Test {
 protected:
  void SetUp() override {
    std::string name = testing::TempDir() + "rampartctl-XXXXXX";
    ASSERT_NE(mkdtemp(name.data()), nullptr);
    dir_ = name;
    std::ofstream(dir_ + "/script") << bash_completion();
    std::ofstream(dir_ + "/policy.yaml") << "";
  }
  void TearDown() override { std::filesystem::remove_all(dir_); }

  std::vector<std::string> offered(const std::vector<std::string>& words) {
    std::string script = "cd " + dir_ + "\nset -u\n. ./script\n";
    script += "rampartctl() { case \"$*\" in\n";
    script += "  *'completion words pods') echo web/a web/b db/c ;;\n";
    script += "  *'completion words policies') echo web/allow ;;\n";
    script += "  '--socket /s --timeout 2 completion words ports') echo left right ;;\nesac; }\n";
    script += "COMP_WORDS=(";
    for (const std::string& word : words) script += "'" + word + "' ";
    script += ")\nCOMP_CWORD=" + std::to_string(words.size() - 1) + "\n_rampartctl 2>err\n";
    script += "printf '%s\\n' \"${COMPREPLY[@]}\"\ncat err\n";
    std::ofstream(dir_ + "/run") << script;
    std::FILE* shell = popen(("bash --norc " + dir_ + "/run 2>&1").c_str(), "r");
    std::string text;
    std::array<char, 256> buffer;
    while (std::fgets(buffer.data(), buffer.size(), shell) != nullptr) text += buffer.data();
    pclose(shell);
    std::vector<std::string> lines;
    std::istringstream stream(text);
    for (std::string line; std::getline(stream, line);) {
      if (!line.empty()) lines.push_back(line);
    }
    return lines;
  }

  std::string dir_;
};

TEST_F(Completion, Commands) {
  EXPECT_THAT(offered({"rampartctl", ""}), IsSupersetOf({"apply", "status", "help"}));
  EXPECT_THAT(offered({"rampartctl", "st"}), ElementsAre("status", "stats"));
  EXPECT_THAT(offered({"rampartctl", "--socket", "/s", "expl"}), ElementsAre("explain"));
  EXPECT_THAT(offered({"rampartctl", "-o", "json", "expl"}), ElementsAre("explain"));
  EXPECT_THAT(offered({"rampartctl", "re"}), ElementsAre("reasons", "reset-port"));
  EXPECT_THAT(offered({"rampartctl", "help", "reset"}), ElementsAre("reset-port"));
}

TEST_F(Completion, Options) {
  EXPECT_THAT(offered({"rampartctl", "apply", "--"}),
              AllOf(IsSupersetOf({"--filename", "--dry-run", "--socket", "--help"}),
                    Not(Contains("--watch")), Not(Contains("--version"))));
  EXPECT_THAT(offered({"rampartctl", "--v"}), ElementsAre("--version"));
  EXPECT_THAT(offered({"rampartctl", "status", "-o", ""}), ElementsAre("table", "json"));
  EXPECT_THAT(offered({"rampartctl", "status", "--output", "j"}), ElementsAre("json"));
}

TEST_F(Completion, Files) {
  EXPECT_THAT(offered({"rampartctl", "apply", "-f", "pol"}), ElementsAre("policy.yaml"));
}

TEST_F(Completion, NamesThatRampartdKnows) {
  EXPECT_THAT(offered({"rampartctl", "explain", "web/"}), ElementsAre("web/a", "web/b"));
  EXPECT_THAT(offered({"rampartctl", "flows", "--pod", "db"}), ElementsAre("db/c"));
  EXPECT_THAT(offered({"rampartctl", "flows", "--cut", "--policy", ""}), ElementsAre("web/allow"));
  EXPECT_THAT(offered({"rampartctl", "explain", "web/a", "d"}), ElementsAre("db/c"));
  EXPECT_THAT(
      offered({"rampartctl", "explain", "--exit-code", "--timeout", "3", "web/a", "db/c", "I"}),
      ElementsAre("ICMP"));
  EXPECT_THAT(offered({"rampartctl", "explain", "web/a", "db/c", "S"}), ElementsAre("SCTP/"));
  EXPECT_THAT(offered({"rampartctl", "--socket", "/s", "reset-port", ""}),
              ElementsAre("left", "right"));
}

}  // namespace
}  // namespace rampart::ctl
