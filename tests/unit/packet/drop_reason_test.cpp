// SPDX-License-Identifier: Apache-2.0
#include "dataplane/packet/drop_reason.hpp"

#include <gtest/gtest.h>

#include <cctype>
#include <set>
#include <string>

namespace rampart {
namespace {

TEST(DropReasonTexts, EachIsThereAndDifferent) {
  std::set<std::string_view> names, meanings;
  for (const DropReasonText& text : kDropReasonTexts) {
    EXPECT_FALSE(text.name.empty());
    EXPECT_FALSE(text.meaning.empty());
    EXPECT_TRUE(names.insert(text.name).second) << text.name;
    EXPECT_TRUE(meanings.insert(text.meaning).second) << text.meaning;
  }
  EXPECT_EQ(names.size(), kDropReasons);
}

TEST(DropReasonTexts, NamesCanBeMetricLabels) {
  for (const DropReasonText& text : kDropReasonTexts) {
    for (const char c : text.name) {
      EXPECT_TRUE(std::islower(static_cast<unsigned char>(c)) != 0 || c == '_' || c == '4')
          << text.name;
    }
  }
}

TEST(DropReasonTexts, StandWithTheirReason) {
  EXPECT_EQ(to_string(DropReason::kNone), "none");
  EXPECT_EQ(to_string(DropReason::kRunt), "runt");
  EXPECT_EQ(to_string(DropReason::kMartian), "martian");
  EXPECT_EQ(to_string(DropReason::kInternal), "internal");
}

}  // namespace
}  // namespace rampart
