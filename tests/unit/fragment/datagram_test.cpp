// SPDX-License-Identifier: Apache-2.0
#include "dataplane/fragment/datagram.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <bitset>
#include <ostream>
#include <random>
#include <vector>

namespace rampart {

std::ostream& operator<<(std::ostream& to, Admission a) {
  static constexpr const char* kNames[] = {"new", "repeated", "overlap", "contradicts", "too many"};
  return to << kNames[static_cast<unsigned>(a)];
}

namespace {

using enum Admission;

constexpr Piece middle(unsigned offset, unsigned end) {
  return {static_cast<uint16_t>(offset), static_cast<uint16_t>(end), true};
}
constexpr Piece last(unsigned offset, unsigned end) {
  return {static_cast<uint16_t>(offset), static_cast<uint16_t>(end), false};
}

/// A datagram of `count` pieces of `each` bytes, the last one a byte shorter.
std::vector<Piece> pieces_of(unsigned count, unsigned each) {
  std::vector<Piece> pieces;
  for (unsigned n = 0; n + 1 < count; ++n) pieces.push_back(middle(n * each, (n + 1) * each));
  pieces.push_back(last((count - 1) * each, count * each - 1));
  return pieces;
}

TEST(Datagram, IsCompleteWithItsLastMissingPieceInEveryOrder) {
  for (unsigned count = 1; count <= 5; ++count) {
    std::vector<unsigned> order(count);
    for (unsigned n = 0; n < count; ++n) order[n] = n;
    const std::vector<Piece> pieces = pieces_of(count, 16);
    do {
      Datagram d{};
      for (unsigned n = 0; n < count; ++n) {
        EXPECT_FALSE(d.is_complete());
        EXPECT_EQ(d.admit(pieces[order[n]]), kNew);
      }
      EXPECT_TRUE(d.is_complete());
      EXPECT_EQ(d.ranges, 1U);
      // Each one again, and nothing has changed.
      for (const Piece& p : pieces) EXPECT_EQ(d.admit(p), kRepeated);
      EXPECT_TRUE(d.is_complete());
    } while (std::next_permutation(order.begin(), order.end()));
  }
}

TEST(Datagram, OverlapsOfAllSorts) {
  struct Case {
    const char* name;
    std::vector<Piece> before;
    Piece piece;
    Admission expected;
  };
  const std::vector<Case> cases{
      {"the same again", {middle(16, 48)}, middle(16, 48), kRepeated},
      {"inside, as teardrop sends it", {middle(0, 48)}, middle(24, 32), kRepeated},
      {"the head again", {middle(16, 48)}, middle(16, 24), kRepeated},
      {"the tail again", {middle(16, 48)}, middle(40, 48), kRepeated},
      {"over two that touch", {middle(0, 16), middle(16, 32)}, middle(8, 24), kRepeated},
      {"the tail and more, as newtear", {middle(0, 48)}, middle(40, 56), kOverlap},
      {"the head and more before", {middle(16, 48)}, middle(8, 24), kOverlap},
      {"around it, as bonk", {middle(16, 48)}, middle(8, 56), kOverlap},
      {"from its start on and beyond", {middle(16, 48)}, middle(16, 56), kOverlap},
      {"over a gap", {middle(0, 16), middle(32, 48)}, middle(16, 40), kOverlap},
      {"over a gap from before", {middle(0, 16), middle(32, 48)}, middle(8, 32), kOverlap},
      {"into a gap", {middle(0, 16), middle(32, 48)}, middle(16, 32), kNew},
      {"into a gap that it does not fill", {middle(0, 16), middle(48, 64)}, middle(24, 40), kNew},
      {"apart, behind", {middle(0, 16)}, middle(24, 32), kNew},
      {"touching, before", {middle(16, 32)}, middle(0, 16), kNew},
      {"the last one again", {last(16, 20)}, last(16, 20), kRepeated},
      {"the last one's tail again", {last(16, 30)}, last(24, 30), kRepeated},
      {"the last one, longer", {last(16, 20)}, last(16, 21), kContradicts},
      {"the last one, shorter", {last(16, 20)}, last(16, 19), kContradicts},
      {"a last one elsewhere", {last(16, 20)}, last(0, 4), kContradicts},
      {"a last one over the end", {middle(0, 16)}, last(8, 20), kOverlap},
      {"a last one where more was promised", {middle(0, 16)}, last(8, 16), kContradicts},
      {"a last one before what there is", {middle(32, 48)}, last(0, 8), kContradicts},
      {"a middle one behind the last", {last(16, 20)}, middle(24, 32), kContradicts},
      {"a middle one that ends with the last", {last(16, 24)}, middle(8, 24), kContradicts},
      {"a middle one over the last's head", {last(16, 30)}, middle(8, 24), kOverlap},
      {"a last one at the very end", {middle(0, 65528)}, last(65528, 65535), kNew},
  };
  for (const Case& c : cases) {
    Datagram d{};
    for (const Piece& p : c.before) ASSERT_EQ(d.admit(p), kNew) << c.name;
    const Datagram was = d;
    EXPECT_EQ(d.admit(c.piece), c.expected) << c.name;
    if (c.expected == kNew) continue;
    EXPECT_EQ(d.pieces, was.pieces) << c.name;
    EXPECT_EQ(d.ranges, was.ranges) << c.name;
    EXPECT_EQ(d.total, was.total) << c.name;
  }
}

TEST(Datagram, PiecesAreLimited) {
  Datagram d{};
  for (unsigned n = 0; n < Datagram::kMaxPieces; ++n) {
    ASSERT_EQ(d.admit(middle(8 * n, 8 * n + 8)), kNew);
  }
  EXPECT_EQ(d.admit(last(8 * Datagram::kMaxPieces, 8 * Datagram::kMaxPieces + 8)), kTooMany);
}

TEST(Datagram, GapsAreLimitedAndFilled) {
  Datagram d{};
  for (unsigned n = 0; n < Datagram::kMaxRanges; ++n) {
    ASSERT_EQ(d.admit(middle(16 * n, 16 * n + 8)), kNew);
  }
  EXPECT_EQ(d.admit(middle(16 * Datagram::kMaxRanges, 16 * Datagram::kMaxRanges + 8)), kTooMany);
  // What touches needs no room.
  for (unsigned n = 0; n + 1 < Datagram::kMaxRanges; ++n) {
    EXPECT_EQ(d.admit(middle(16 * n + 8, 16 * n + 16)), kNew);
    EXPECT_EQ(d.ranges, Datagram::kMaxRanges - n - 1);
  }
}

/// The same, byte by byte.
struct Plain {
  std::bitset<65536> seen;
  unsigned total = 0, pieces = 0, seen_to = 0;

  unsigned runs() const {
    unsigned n = 0;
    for (unsigned b = 0; b <= seen_to; ++b) n += seen[b] && (b == 0 || !seen[b - 1]);
    return n;
  }
  Admission admit(Piece p) {
    if (p.more && total != 0 && p.end >= total) return kContradicts;
    if (!p.more && total != 0 && p.end != total) return kContradicts;
    if (!p.more && total == 0 && p.end <= seen_to) return kContradicts;
    unsigned known = 0;
    for (unsigned b = p.offset; b < p.end; ++b) known += seen[b];
    if (known == unsigned{p.end} - p.offset) return kRepeated;
    if (known != 0) return kOverlap;
    if (pieces == Datagram::kMaxPieces) return kTooMany;
    const bool touches = (p.offset != 0 && seen[p.offset - 1U]) || seen[p.end];
    if (!touches && runs() == Datagram::kMaxRanges) return kTooMany;
    for (unsigned b = p.offset; b < p.end; ++b) seen[b] = true;
    seen_to = std::max<unsigned>(seen_to, p.end);
    ++pieces;
    if (!p.more) total = p.end;
    return kNew;
  }
  bool is_complete() const { return total != 0 && seen.count() == total; }
};

TEST(Datagram, AgreesWithALookAtEveryByte) {
  std::mt19937 random(20250607);
  unsigned counts[5] = {}, complete = 0;
  for (unsigned round = 0; round < 600; ++round) {
    Datagram d{};
    Plain plain;
    // Small ones run into each other, large ones into the limits.
    const auto below = [&random](unsigned n) { return static_cast<unsigned>(random() % n); };
    const unsigned units = round % 3 == 0 ? 400 : 4 + below(60);
    const unsigned longest = round % 5 == 0 ? 1 : 1 + below(6);
    for (unsigned n = 0; n < 160; ++n) {
      const unsigned from = below(units), to = std::min(from + 1 + below(longest), units);
      const bool more = below(16) != 0;
      const unsigned end = more ? 8 * to : std::max(8 * to - below(8), 8 * from + 1);
      const Piece p{static_cast<uint16_t>(8 * from), static_cast<uint16_t>(end), more};
      const Admission expected = plain.admit(p);
      ASSERT_EQ(d.admit(p), expected) << "round " << round << ", piece " << n;
      ASSERT_EQ(d.is_complete(), plain.is_complete());
      ++counts[static_cast<unsigned>(expected)];
      complete += d.is_complete();
    }
  }
  for (const unsigned n : counts) EXPECT_GT(n, 100U);
  EXPECT_GT(complete, 0U);
}

TEST(Datagram, AShuffledLargeOneFitsItsRanges) {
  std::mt19937 random(7);
  std::vector<Piece> pieces = pieces_of(45, 1480);
  pieces.back().end = 65507;
  for (unsigned round = 0; round < 2000; ++round) {
    std::shuffle(pieces.begin(), pieces.end(), random);
    Datagram d{};
    for (const Piece& p : pieces) ASSERT_EQ(d.admit(p), kNew);
    EXPECT_TRUE(d.is_complete());
  }
}

}  // namespace
}  // namespace rampart
