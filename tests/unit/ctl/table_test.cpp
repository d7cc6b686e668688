// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <sstream>

#include "tools/rampartctl/table.hpp"

namespace rampart::ctl {
namespace {

std::string printed(const Table& table, bool colour = false) {
  std::ostringstream out;
  table.print(out, colour);
  return out.str();
}

TEST(Table, ColumnsAreAlignedAndNothingTrails) {
  Table table({{"NAME"}, {"PODS", Align::kRight}, {"NOTE"}});
  table.add({"a", 12, "first"});
  table.add({"longer-name", 3, ""});
  EXPECT_EQ(printed(table),
            "NAME         PODS  NOTE\n"
            "a              12  first\n"
            "longer-name     3\n");
}

TEST(Table, WidthIsWhatTheTerminalShows) {
  EXPECT_EQ(display_width("caf\xC3\xA9"), 4U);
  EXPECT_EQ(display_width("e\xCC\x81"), 1U);                 // a combining accent
  EXPECT_EQ(display_width("\xE6\x97\xA5\xE6\x9C\xAC"), 4U);  // two wide characters
  Table table({{"A"}, {"B"}});
  table.add({"\xE6\x97\xA5", "x"});
  table.add({"abc", "y"});
  EXPECT_EQ(printed(table), "A    B\n\xE6\x97\xA5   x\nabc  y\n");
}

TEST(Table, ColoursDoNotMoveColumns) {
  Table table({{"A"}, {"B"}});
  table.add({Cell("up", Style::kGood), "x"});
  table.add({"down", "y"});
  EXPECT_EQ(printed(table, true),
            "\x1b[1mA\x1b[0m     \x1b[1mB\x1b[0m\n\x1b[32mup\x1b[0m    x\ndown  y\n");
}

TEST(Table, ControlCharactersAreShownAsQuestionMarks) {
  Table table({{"A"}});
  table.add({"x\x1b[2Jy\nz\xC2\x9B"});
  EXPECT_EQ(printed(table), "A\nx?[2Jy?z??\n");
}

TEST(Text, Counts) {
  EXPECT_EQ(counted(1, "policy"), "1 policy");
  EXPECT_EQ(counted(0, "policy"), "0 policies");
  EXPECT_EQ(counted(2, "class"), "2 classes");
  EXPECT_EQ(counted(2, "pod"), "2 pods");
  EXPECT_EQ(counted(2, "address"), "2 addresses");
}

TEST(Text, Durations) {
  EXPECT_EQ(duration_text(0), "0 ms");
  EXPECT_EQ(duration_text(0.0105), "10 ms");
  EXPECT_EQ(duration_text(12.9), "12 s");
  EXPECT_EQ(duration_text(200), "3m20s");
  EXPECT_EQ(duration_text(7999), "2h13m");
  EXPECT_EQ(duration_text(4 * 86400 + 7 * 3600), "4d07h");
}

}  // namespace
}  // namespace rampart::ctl
