// SPDX-License-Identifier: Apache-2.0
//
// The orders of classes: what Refinement promises, and that a Numbering says of every pair of
// classes exactly what the boxes say, however the sets cross.
#include "control/compile/numbering.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <set>
#include <vector>

#include "control/compile/fair_share.hpp"
#include "control/compile/refinement.hpp"

namespace rampart::compile {
namespace {

bool holds(const Ranges& set, uint32_t number) {
  return std::any_of(set.begin(), set.end(),
                     [&](const Range& r) { return r.first <= number && number <= r.last; });
}

Ranges draw(std::mt19937& random, uint32_t first, uint32_t last) {
  std::vector<uint32_t> numbers{first + static_cast<uint32_t>(random() % (last - first + 1))};
  for (uint32_t n = first; n <= last; ++n) {
    if (random() % 3 == 0) numbers.push_back(n);
  }
  return make_ranges(numbers);
}

TEST(Ranges, NeighboursMerge) {
  EXPECT_EQ(make_ranges({5, 1, 2, 2, 4, 9}), (Ranges{{1, 2}, {4, 5}, {9, 9}}));
  EXPECT_EQ(size_of(Ranges{{1, 2}, {4, 5}, {9, 9}}), 5U);
}

TEST(Refinement, AtomsOfTheSameSetsShareAClass) {
  std::mt19937 random(3);
  for (int round = 0; round < 200; ++round) {
    const uint32_t atoms = 1 + static_cast<uint32_t>(random() % 40);
    std::vector<Ranges> sets(6);
    for (Ranges& set : sets) set = draw(random, 0, atoms - 1);
    Refinement refinement(atoms);
    for (const Ranges& set : sets) refinement.split(set);
    const auto numbers = refinement.numbers();
    for (uint32_t a = 0; a < atoms; ++a) {
      ASSERT_LT(numbers[a], refinement.classes());
      for (uint32_t b = 0; b < atoms; ++b) {
        const bool alike = std::all_of(sets.begin(), sets.end(), [&](const Ranges& set) {
          return holds(set, a) == holds(set, b);
        });
        ASSERT_EQ(numbers[a] == numbers[b], alike) << a << " and " << b << ", round " << round;
      }
    }
  }
}

TEST(Refinement, NestedAndOverlappingSetsAreOneRangeEach) {
  // By falling size: a tree, and two that overlap like shingles beside it.
  const std::vector<Ranges> sets{{{0, 3}, {10, 15}}, {{20, 26}}, {{24, 29}}, {{0, 1}, {12, 13}},
                                 {{3, 3}, {10, 10}}, {{1, 1}},   {{12, 12}}};
  Refinement refinement(30);
  for (const Ranges& set : sets) refinement.split(set);
  for (const Ranges& set : sets) EXPECT_EQ(translate(set, refinement.numbers()).size(), 1U);
}

TEST(Refinement, WhatWouldNotBeOneRangeIsLeftOut) {
  Refinement refinement(6);
  EXPECT_TRUE(refinement.split_if_one_range({{0, 1}}));
  EXPECT_TRUE(refinement.split_if_one_range({{1, 2}}));
  EXPECT_TRUE(refinement.split_if_one_range({{2, 3}}));
  const auto before = refinement.numbers();
  EXPECT_FALSE(refinement.split_if_one_range({{0, 0}, {3, 3}}));
  EXPECT_EQ(refinement.numbers(), before);
  EXPECT_TRUE(refinement.split_if_one_range({{0, 2}}));
  for (const Ranges& set : std::vector<Ranges>{{{0, 1}}, {{1, 2}}, {{2, 3}}, {{0, 2}}}) {
    EXPECT_EQ(translate(set, refinement.numbers()).size(), 1U);
  }
}

TEST(Refinement, ASetThatLeavesAHoleIsLeftOut) {
  Refinement refinement(6);
  EXPECT_TRUE(refinement.split_if_one_range({{0, 3}}));
  EXPECT_TRUE(refinement.split_if_one_range({{0, 1}}));
  // Neighbours all three, but the one in the middle is not wholly in it.
  EXPECT_FALSE(refinement.split_if_one_range({{1, 2}, {4, 4}}));
  EXPECT_EQ(refinement.classes(), 3U);
}

struct Made {
  Boxes boxes;
  SubjectClasses subjects;
  PeerClasses peers;
};

/// Namespaces of `wide` subject classes each; sets drawn by lot, so that they cross everywhere.
Made draw_boxes(std::mt19937& random, uint32_t namespaces, uint32_t wide, uint32_t sets,
                uint32_t peers) {
  Made made;
  made.peers.count = peers;
  for (uint32_t p = 0; p < sets * 2; ++p) {
    made.peers.of_set.push_back(draw(random, 0, peers - 1));
    made.boxes.peer_sets.push_back({{0, 0}});
  }
  for (uint32_t ns = 0; ns < namespaces; ++ns) {
    const uint32_t first = kFirstOpenClass + made.subjects.count;
    made.subjects.count += wide;
    for (uint32_t s = 0; s < sets; ++s) {
      made.subjects.of_set.push_back(draw(random, first, first + wide - 1));
      made.boxes.subject_sets.push_back({kube::Direction::kEgress, ns, {0}});
    }
  }
  made.subjects.of_set.back().clear();  // one that there was no room for
  for (uint32_t b = 0; b < namespaces * sets * 2; ++b) {
    Box box;
    box.origin = b;
    box.subjects = static_cast<uint32_t>(random() % made.subjects.of_set.size());
    box.peers =
        random() % 9 == 0 ? kNone : static_cast<uint32_t>(random() % made.peers.of_set.size());
    made.boxes.boxes.push_back(box);
  }
  return made;
}

/// What the tables built from a numbering would answer.
bool matches(const Numbering& numbering, size_t box, uint32_t subject, uint32_t peer) {
  const Numbering::Place& place = numbering.of_box[box];
  if (place.subjects == kNone) return false;
  const auto fits = [&](uint32_t s, uint32_t p) {
    return holds(numbering.subject_ranges[place.subjects], s) &&
           (place.peers == kNone || holds(numbering.peer_ranges[place.peers], p));
  };
  const AclPlan& plan = numbering.plan;
  if (plan.first.empty()) return fits(subject, peer);
  for (uint32_t a = plan.first[subject]; a < plan.first[subject + 1]; ++a) {
    if (fits(plan.asks[a].subject, plan.views[plan.asks[a].view][peer])) return true;
  }
  return false;
}

TEST(Numbering, SaysOfEveryPairWhatTheBoxesSay) {
  std::mt19937 random(11);
  size_t plans = 0, pairs = 0;
  for (int round = 0; round < 60; ++round) {
    const uint32_t sets = round % 3 == 0 ? 2 : 8;
    const Made made = draw_boxes(random, 1 + static_cast<uint32_t>(round) % 4, 12, sets, 30);
    const Numbering numbering = number_boxes(made.boxes, made.subjects, made.peers);
    plans += !numbering.plan.first.empty();
    for (size_t b = 0; b < made.boxes.boxes.size(); ++b) {
      const Box& box = made.boxes.boxes[b];
      for (uint32_t s = 0; s < made.subjects.count + kFirstOpenClass; ++s) {
        for (uint32_t p = 0; p < made.peers.count; ++p) {
          const bool expected = holds(made.subjects.of_set[box.subjects], s) &&
                                (box.peers == kNone || holds(made.peers.of_set[box.peers], p));
          ASSERT_EQ(matches(numbering, b, s, p), expected)
              << "round " << round << " box " << b << " subject " << s << " peer " << p;
          ++pairs;
        }
      }
    }
    if (numbering.plan.first.empty()) continue;
    std::vector<AclRule> none;
    EXPECT_TRUE(AclTable::build(none, numbering.plan));
  }
  EXPECT_GT(plans, 20U);
  EXPECT_GT(pairs, 100000U);
}

TEST(FairShare, WhoAsksForTooMuchLosesOfItsOwn) {
  EXPECT_TRUE(without_room({{1, 5}, {2, 5}}, 10).empty());
  // Owner 2 wants 30 of 20; the level is 15. Its largest goes, and that is enough.
  EXPECT_EQ(without_room({{1, 5}, {2, 4}, {2, 20}, {2, 6}}, 20), std::vector<uint32_t>{2});
  // Nothing to be had at all.
  EXPECT_EQ(without_room({{1, 1}, {2, 0}}, 0), std::vector<uint32_t>{0});
  // Two that are equally greedy share alike.
  EXPECT_EQ(without_room({{1, 9}, {1, 2}, {2, 9}, {2, 2}, {3, 1}}, 7),
            (std::vector<uint32_t>{0, 2}));
}

}  // namespace
}  // namespace rampart::compile
