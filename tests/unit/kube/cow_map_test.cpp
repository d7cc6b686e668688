// SPDX-License-Identifier: Apache-2.0
#include "control/kube/cow_map.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <iterator>
#include <map>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "control/kube/cow_vector.hpp"

namespace rampart::kube {
namespace {

using Map = CowMap<std::string, int>;
using Plain = std::map<std::string, int>;

void expect_equal(const Map& map, const Plain& plain) {
  ASSERT_EQ(map.size(), plain.size());
  ASSERT_TRUE(std::equal(
      map.begin(), map.end(), plain.begin(), plain.end(),
      [](const auto& a, const auto& b) { return a.first == b.first && a.second == b.second; }));
}

/// What for_each_difference says, and what it should say.
std::vector<std::string> differences(const Map& a, const Map& b) {
  std::vector<std::string> seen;
  Map::for_each_difference(a, b, [&](const std::string& key, const int* x, const int* y) {
    seen.push_back(key + " " + (x ? std::to_string(*x) : "-") + " " +
                   (y ? std::to_string(*y) : "-"));
  });
  return seen;
}
std::vector<std::string> differences(const Plain& a, const Plain& b) {
  Plain keys = a;
  keys.insert(b.begin(), b.end());
  std::vector<std::string> seen;
  for (const auto& [key, unused] : keys) {
    const auto text = [&k = key](const Plain& m) {
      return m.contains(k) ? std::to_string(m.at(k)) : std::string("-");
    };
    if (text(a) != text(b)) seen.push_back(key + " " + text(a) + " " + text(b));
  }
  return seen;
}

std::string key(uint64_t number) {
  std::string text = std::to_string(number);
  return std::string(6 - std::min<size_t>(6, text.size()), '0') + text;
}

TEST(CowMap, IsAMapWhateverIsDoneToItAndToItsCopies) {
  std::mt19937_64 random(7);
  for (const uint64_t keys : {20U, 2000U, 20000U}) {
    Map map, older;
    Plain plain, older_plain;
    for (int step = 0; step < 20000; ++step) {
      const std::string k = key(random() % keys);
      const int value = static_cast<int>(random() % 3);
      switch (random() % 6) {
        case 0:
          EXPECT_EQ(map.emplace(k, value).second, plain.emplace(k, value).second);
          break;
        case 1:
          EXPECT_EQ(map.insert_or_assign(k, value).first->first, k);
          plain.insert_or_assign(k, value);
          break;
        case 2:
          EXPECT_EQ(map.erase(k), plain.erase(k));
          break;
        case 3:
          map[k] = plain[k] = value;
          break;
        case 4: {
          const auto found = map.lower_bound(k);
          const auto expected = plain.lower_bound(k);
          ASSERT_EQ(found == map.end(), expected == plain.end());
          if (expected != plain.end()) {
            EXPECT_EQ(found->first, expected->first);
          }
          EXPECT_EQ(map.contains(k), plain.contains(k));
          break;
        }
        default:
          if (random() % 500 != 0) break;
          expect_equal(map, plain);
          expect_equal(older, older_plain);
          EXPECT_EQ(differences(older, map), differences(older_plain, plain));
          EXPECT_EQ(differences(map, older), differences(plain, older_plain));
          older = map;
          older_plain = plain;
      }
    }
    expect_equal(map, plain);
    erase_if(map, [](const auto& entry) { return entry.second == 1; });
    std::erase_if(plain, [](const auto& entry) { return entry.second == 1; });
    expect_equal(map, plain);
  }
}

TEST(CowMap, IsMadeOfSortedEntries) {
  // Leaves of keys that lie elsewhere are filled with 11, and branches with 56 of these.
  for (const uint64_t size : {0U, 1U, 10U, 11U, 12U, 13U, 615U, 616U, 617U, 5000U}) {
    std::vector<Map::value_type> entries;
    Plain plain;
    for (uint64_t i = 0; i < size; ++i) entries.emplace_back(key(i), 1), plain[key(i)] = 1;
    Map map = Map::from_sorted(entries);
    expect_equal(map, plain);
    Map rising;
    for (uint64_t i = 0; i < size; ++i) rising.emplace(key(i), 1);
    expect_equal(rising, plain);
    map.emplace("0", 2);
    plain.emplace("0", 2);
    expect_equal(map, plain);
    EXPECT_EQ(std::prev(map.end())->first, std::prev(plain.end())->first);
  }
}

TEST(CowMap, HasWiderLeavesForKeysThatLieInThem) {
  std::mt19937_64 random(7);
  for (const uint64_t size : {27U, 28U, 29U, 33U, 1567U, 1568U, 1569U, 5000U}) {
    std::vector<std::pair<uint64_t, int>> entries;
    std::map<uint64_t, int> plain;
    for (uint64_t i = 0; i < size; ++i) entries.emplace_back(3 * i, 1), plain[3 * i] = 1;
    auto map = CowMap<uint64_t, int>::from_sorted(entries);
    for (int step = 0; step < 2000; ++step) {
      const uint64_t k = random() % (4 * size);
      if (step % 3 == 0) {
        ASSERT_EQ(map.erase(k), plain.erase(k));
      } else {
        map[k] = plain[k] = step;
      }
    }
    ASSERT_EQ(map.size(), plain.size());
    EXPECT_TRUE(std::equal(
        map.begin(), map.end(), plain.begin(), plain.end(),
        [](const auto& a, const auto& b) { return a.first == b.first && a.second == b.second; }));
  }
}

TEST(CowMap, DifferencesEndWhereTheListenerSaysSo) {
  const Map a = Map::from_sorted({{"a", 1}, {"b", 1}, {"c", 1}, {"d", 1}});
  for (const Map& b : {Map::from_sorted({{"a", 2}, {"b", 2}, {"c", 2}, {"d", 2}}), Map{},
                       Map::from_sorted({{"aa", 1}, {"bb", 1}, {"cc", 1}, {"dd", 1}})}) {
    for (const auto& [x, y] : {std::pair(a, b), std::pair(b, a)}) {
      size_t told = 0;
      Map::for_each_difference(
          x, y, [&](const std::string&, const int*, const int*) { return ++told < 3; });
      EXPECT_EQ(told, 3U);
    }
  }
}

TEST(CowMap, WhatCopiesShareIsNotLookedAt) {
  Map before;
  for (uint64_t i = 0; i < 100000; ++i) before.emplace(key(i), 0);
  Map after = before;
  after[key(50000)] = 1;
  size_t compared = 0;
  struct Counting {
    int value;
    size_t* count;
    bool operator==(const Counting& other) const { return ++*count, value == other.value; }
  };
  CowMap<std::string, Counting> a;
  for (uint64_t i = 0; i < 100000; ++i) a.emplace(key(i), Counting{0, &compared});
  CowMap<std::string, Counting> b = a;
  b.insert_or_assign(key(50000), Counting{1, &compared});
  size_t different = 0;
  decltype(a)::for_each_difference(a, b,
                                   [&](const auto&, const auto*, const auto*) { ++different; });
  EXPECT_EQ(different, 1U);
  EXPECT_LE(compared, 12U) << "one leaf";
  EXPECT_EQ(differences(before, after), std::vector<std::string>{key(50000) + " 0 1"});
}

TEST(CowVector, IsAVectorAndSoAreItsCopies) {
  std::mt19937_64 random(7);
  CowVector<int> vector, older;
  std::vector<int> plain, older_plain;
  for (int step = 0; step < 20000; ++step) {
    const int value = static_cast<int>(random() % 1000);
    switch (random() % 4) {
      case 0:
      case 1:
        vector.push_back(value);
        plain.push_back(value);
        break;
      case 2:
        if (plain.empty()) break;
        ASSERT_EQ(vector.back(), plain.back());
        vector.pop_back();
        plain.pop_back();
        break;
      default:
        if (plain.empty()) break;
        vector.set(random() % plain.size(), value);
        for (size_t i = 0; i < plain.size(); ++i) plain[i] = vector[i];
        if (value < 10) older = vector, older_plain = plain;
    }
    ASSERT_EQ(vector.size(), plain.size());
  }
  ASSERT_EQ(older.size(), older_plain.size());
  for (size_t i = 0; i < older_plain.size(); ++i) ASSERT_EQ(older[i], older_plain[i]);
}

}  // namespace
}  // namespace rampart::kube
