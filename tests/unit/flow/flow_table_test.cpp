// SPDX-License-Identifier: Apache-2.0
#include "dataplane/flow/flow_table.hpp"

#include <gtest/gtest.h>

#include <cstdlib>
#include <map>
#include <memory>
#include <random>
#include <set>
#include <vector>

namespace rampart {
namespace {

FlowKeyV4 key4(uint32_t n) {
  FlowKeyV4 k{};
  k.address[0] = be32(0x0a000000 + n);
  k.address[1] = be32(0x0a800000);
  k.port[0] = be16(static_cast<uint16_t>(n));
  k.port[1] = be16(443);
  k.protocol = 6;
  return k;
}

FlowKeyV6 key6(uint32_t n) {
  FlowKeyV6 k{};
  std::memcpy(k.address[0] + 12, &n, sizeof n);
  k.address[1][0] = 0xfd;
  k.protocol = 17;
  return k;
}

/// A table with memory of its own.
template <typename Key>
struct Table {
  explicit Table(uint32_t capacity)
      : memory(std::aligned_alloc(kCacheLine, FlowTable<Key>::bytes_for(capacity)), &std::free) {
    std::memset(memory.get(), 0, FlowTable<Key>::bytes_for(capacity));
    table = FlowTable<Key>(memory.get(), capacity);
  }
  std::unique_ptr<void, decltype(&std::free)> memory;
  FlowTable<Key> table;
};

constexpr HashSeed kSeed;

TEST(FlowTable, FindsWhatWasInsertedAndNothingElse) {
  Table<FlowKeyV4> t(1000);
  const auto slot = t.table.insert(key4(1), hash_of(key4(1), kSeed));
  ASSERT_NE(slot, t.table.kNone);
  EXPECT_EQ(t.table.find(key4(1), hash_of(key4(1), kSeed)), slot);
  EXPECT_EQ(t.table.find(key4(2), hash_of(key4(2), kSeed)), t.table.kNone);
  // The same hash is not the same key.
  EXPECT_EQ(t.table.find(key4(2), hash_of(key4(1), kSeed)), t.table.kNone);
  EXPECT_TRUE(t.table.is_used(slot));
  t.table.erase(slot, hash_of(key4(1), kSeed));
  EXPECT_FALSE(t.table.is_used(slot));
  EXPECT_EQ(t.table.find(key4(1), hash_of(key4(1), kSeed)), t.table.kNone);
  EXPECT_EQ(t.table.size(), 0U);
}

uintptr_t line_of(const void* p) {
  return reinterpret_cast<uintptr_t>(p) / kCacheLine;
}

// All that a packet of UDP touches of its flow is one line; TCP and SCTP need the room for a track.
TEST(FlowTable, ATallyLiesInTheEntryWhereThereIsNoTrack) {
  Table<FlowKeyV4> t(10);
  for (const uint8_t protocol : {1, 6, 17, 47, 132}) {
    FlowKeyV4 key = key4(protocol);
    key.protocol = protocol;
    const auto slot = t.table.insert(key, hash_of(key, kSeed));
    const bool tracked = protocol == 6 || protocol == 132;
    EXPECT_EQ(line_of(&t.table.tally(slot)) != line_of(&t.table[slot]), tracked) << +protocol;
    t.table.tally(slot).count(Side::kReplier, 100);
    t.table.tally(slot).ingress_rule = 9;
    EXPECT_EQ(t.table.tally(slot).bytes(Side::kReplier), 100U);
    EXPECT_TRUE(t.table[slot].key == key) << +protocol;
    EXPECT_EQ(t.table[slot].facts.last_seen, 0U) << +protocol;
    EXPECT_EQ(t.table[slot].facts.condemned, 0U) << +protocol;
    EXPECT_TRUE(!tracked || t.table[slot].facts.track.tcp.side[0].end == 0U) << +protocol;
  }
}

TEST(FlowTable, ATallyOfIPv6LiesInTheEntryWhateverTheProtocol) {
  Table<FlowKeyV6> t(10);
  for (const uint8_t protocol : {6, 17}) {
    FlowKeyV6 key = key6(protocol);
    key.protocol = protocol;
    const auto slot = t.table.insert(key, hash_of(key, kSeed));
    EXPECT_EQ(line_of(&t.table.tally(slot)), line_of(&t.table[slot]) + 1) << +protocol;
  }
}

TEST(FlowTable, AnIpv4FlowTakesAtMost128BytesAllIncluded) {
  for (const uint32_t flows : {100000U, 1U << 20}) {
    EXPECT_LE(FlowTable<FlowKeyV4>::bytes_for(flows), size_t{flows} * 128);
    EXPECT_LE(FlowTable<FlowKeyV6>::bytes_for(flows), size_t{flows} * 168);
  }
}

template <typename Key>
Key make(uint32_t n);
template <>
FlowKeyV4 make<FlowKeyV4>(uint32_t n) {
  return key4(n);
}
template <>
FlowKeyV6 make<FlowKeyV6>(uint32_t n) {
  return key6(n);
}

template <typename Key>
class FlowTables : public testing::Test {};
using Keys = testing::Types<FlowKeyV4, FlowKeyV6>;
TYPED_TEST_SUITE(FlowTables, Keys);

TYPED_TEST(FlowTables, TakesExactlyItsCapacity) {
  for (const uint32_t capacity : {1U, 2U, 9U, 10U, 11U, 100U, 4096U, 100000U}) {
    Table<TypeParam> t(capacity);
    for (uint32_t n = 0; n < capacity; ++n) {
      const auto k = make<TypeParam>(n);
      ASSERT_NE(t.table.insert(k, hash_of(k, kSeed)), t.table.kNone) << n << " of " << capacity;
    }
    const auto k = make<TypeParam>(capacity);
    EXPECT_EQ(t.table.insert(k, hash_of(k, kSeed)), t.table.kNone);
    EXPECT_EQ(t.table.size(), capacity);
    for (uint32_t n = 0; n < capacity; ++n) {
      const auto each = make<TypeParam>(n);
      const auto slot = t.table.find(each, hash_of(each, kSeed));
      ASSERT_NE(slot, t.table.kNone);
      EXPECT_EQ(t.table[slot].key, each);
    }
  }
}

// Chunks that overflow and empty again, against a plain map, with hashes that collide on purpose.
TYPED_TEST(FlowTables, ActsLikeAMapUnderRandomWork) {
  constexpr uint32_t kCapacity = 300;
  Table<TypeParam> t(kCapacity);
  std::map<uint32_t, uint32_t> reference;  // number of the key -> slot
  std::mt19937 random(20261124);
  const auto hash = [](uint32_t n) {
    const auto k = make<TypeParam>(n);
    const uint64_t h = hash_of(k, kSeed);
    return n % 3 == 0 ? h & 0x0fffffffffffff01 : h;  // a third crowds into the first chunks
  };
  for (unsigned step = 0; step < 200000; ++step) {
    const uint32_t n = random() % 600;
    const auto k = make<TypeParam>(n);
    const auto slot = t.table.find(k, hash(n));
    const auto known = reference.find(n);
    if (known != reference.end()) {
      ASSERT_EQ(slot, known->second) << "step " << step;
      if (random() % 2 == 0) {
        t.table.erase(slot, hash(n));
        reference.erase(known);
      }
    } else {
      ASSERT_EQ(slot, t.table.kNone) << "step " << step;
      const auto fresh = t.table.insert(k, hash(n));
      if (reference.size() == kCapacity) {
        ASSERT_EQ(fresh, t.table.kNone);
      } else {
        ASSERT_NE(fresh, t.table.kNone) << reference.size();
        reference[n] = fresh;
      }
    }
    ASSERT_EQ(t.table.size(), reference.size());
  }
}

TYPED_TEST(FlowTables, BulkFindAgreesWithSingleFind) {
  Table<TypeParam> t(5000);
  for (uint32_t n = 0; n < 5000; n += 2) {
    const auto k = make<TypeParam>(n);
    ASSERT_NE(t.table.insert(k, hash_of(k, kSeed)), t.table.kNone);
  }
  for (const unsigned count : {0U, 1U, 64U, 200U}) {
    std::vector<TypeParam> keys;
    std::vector<uint64_t> hashes;
    for (unsigned i = 0; i < count; ++i) {
      keys.push_back(make<TypeParam>(i * 7 % 5000));
      hashes.push_back(hash_of(keys.back(), kSeed));
    }
    std::vector<uint32_t> slots(count + 1, 4711);
    t.table.find(keys.data(), hashes.data(), count, slots.data());
    for (unsigned i = 0; i < count; ++i) {
      EXPECT_EQ(slots[i], t.table.find(keys[i], hashes[i]));
      EXPECT_EQ(slots[i] == t.table.kNone, i * 7 % 5000 % 2 == 1);
    }
    EXPECT_EQ(slots[count], 4711U);
  }
}

TYPED_TEST(FlowTables, BulkFindKnowsFlowsThatFoundTheirChunkFull) {
  Table<TypeParam> t(5000);
  std::vector<TypeParam> keys;
  std::vector<uint64_t> hashes;
  std::vector<uint32_t> in;
  for (uint32_t n = 0; n < 5000; ++n) {
    keys.push_back(make<TypeParam>(n));
    hashes.push_back(hash_of(keys.back(), kSeed));
    in.push_back(t.table.insert(keys.back(), hashes.back()));
  }
  std::vector<uint32_t> slots(5000);
  t.table.find(keys.data(), hashes.data(), 5000, slots.data());
  EXPECT_EQ(slots, in);
}

TYPED_TEST(FlowTables, AWalkMeetsEveryFlowOnceAndMayEraseIt) {
  Table<TypeParam> t(2000);
  for (uint32_t n = 0; n < 2000; ++n) {
    const auto k = make<TypeParam>(n);
    ASSERT_NE(t.table.insert(k, hash_of(k, kSeed)), t.table.kNone);
  }
  std::set<uint32_t> met;
  for (uint32_t chunk = 0; chunk < t.table.chunks(); ++chunk) {
    t.table.for_each_in_chunk(chunk, [&](uint32_t slot) {
      EXPECT_TRUE(met.insert(slot).second);
      const auto k = t.table[slot].key;
      t.table.erase(slot, hash_of(k, kSeed));
    });
  }
  EXPECT_EQ(met.size(), 2000U);
  EXPECT_EQ(t.table.size(), 0U);
}

// What may go when room is short: never an assured flow, the dead first, and of one chunk's weak
// flows the one that came first.
TYPED_TEST(FlowTables, RecyclesTheDeadThenTheWeakAndNeverTheAssured) {
  Table<TypeParam> t(11);
  std::vector<uint32_t> slots;
  const uint64_t hash = 0x40;  // all of them want chunk 0
  for (uint32_t n = 0; n < 11; ++n) slots.push_back(t.table.insert(make<TypeParam>(n), hash));
  EXPECT_EQ(t.table.weak(), 11U);
  for (const uint32_t slot : slots) t.table.set_worth(slot, FlowWorth::kAssured);
  EXPECT_EQ(t.table.recycle(hash), t.table.kNone);
  EXPECT_EQ(t.table.weak() + t.table.dead(), 0U);
  t.table.set_worth(slots[7], FlowWorth::kWeak);
  t.table.set_worth(slots[3], FlowWorth::kWeak);
  EXPECT_EQ(t.table.recycle(hash), slots[3]);
  t.table.set_worth(slots[9], FlowWorth::kDead);
  EXPECT_EQ(t.table.recycle(hash), slots[9]);
  t.table.erase(slots[9], hash);
  EXPECT_EQ(t.table.dead(), 0U);
  // From another chunk, too, if the own one has nothing to give.
  EXPECT_EQ(t.table.recycle(~uint64_t{0}), slots[3]);
  t.table.erase(slots[3], hash);
  t.table.erase(slots[7], hash);
  EXPECT_EQ(t.table.weak(), 0U);
  EXPECT_EQ(t.table.recycle(hash), t.table.kNone);
}

// Under a flood of weak flows each lives through as many newcomers as its chunk has places for.
TYPED_TEST(FlowTables, RecyclingTakesTurns) {
  constexpr uint32_t kCapacity = 11 * 64;
  Table<TypeParam> t(kCapacity);
  const auto hash = [](uint32_t n) { return hash_of(make<TypeParam>(n), kSeed); };
  std::map<uint32_t, uint32_t> alive;  // slot -> number
  uint64_t age = 0;
  for (uint32_t n = 0; n < 50 * kCapacity; ++n) {
    if (t.table.size() == kCapacity) {
      const auto slot = t.table.recycle(hash(n));
      ASSERT_NE(slot, t.table.kNone);
      const uint32_t old = alive.at(slot);
      age += n - old;
      t.table.erase(slot, hash(old));
      alive.erase(slot);
    }
    const auto slot = t.table.insert(make<TypeParam>(n), hash(n));
    ASSERT_NE(slot, t.table.kNone);
    alive[slot] = n;
  }
  EXPECT_EQ(t.table.size(), kCapacity);
  // The mean age at the end is the capacity by arithmetic; that hardly anybody goes early is not.
  EXPECT_NEAR(static_cast<double>(age) / (49 * kCapacity), kCapacity, kCapacity * 0.05);
  uint32_t youngest_gone = 0;
  for (uint32_t n = 50 * kCapacity - kCapacity / 4; n < 50 * kCapacity; ++n) {
    youngest_gone += t.table.find(make<TypeParam>(n), hash(n)) == t.table.kNone;
  }
  EXPECT_LT(youngest_gone, kCapacity / 100);
}

// A connection that is closing has a last segment to come. Wherever it lies, it outlives the next
// newcomers; where a chunk of one flow is not spared, its successor takes its place.
TYPED_TEST(FlowTables, RecyclingSparesTheYoungWhereThereAreFew) {
  constexpr uint32_t kCapacity = 11 * 8192, kYoung = kCapacity / 128;
  Table<TypeParam> t(kCapacity);
  const auto hash = [](uint32_t n) { return hash_of(make<TypeParam>(n), kSeed); };
  std::vector<uint32_t> in_slot(t.table.chunks() * t.table.kSlotsPerChunk);
  for (uint32_t n = 0; n < 10 * kCapacity; ++n) {
    if (t.table.size() == kCapacity) {
      const auto slot = t.table.recycle(hash(n));
      ASSERT_NE(slot, t.table.kNone);
      const uint32_t old = in_slot[slot];
      ASSERT_GT(n - old, kYoung);
      t.table.erase(slot, hash(old));
    }
    const auto slot = t.table.insert(make<TypeParam>(n), hash(n));
    ASSERT_NE(slot, t.table.kNone);
    t.table.set_worth(slot, FlowWorth::kDead);
    in_slot[slot] = n;
  }
}

// A table of a few chunks may have nothing else: then those give up what they have.
TYPED_TEST(FlowTables, RecyclesWhereThereAreFewIfThereIsNothingElse) {
  Table<TypeParam> t(11);
  const uint64_t hash = 0x40;
  const auto slot = t.table.insert(make<TypeParam>(1), hash);
  EXPECT_EQ(t.table.recycle(hash), slot);
  EXPECT_EQ(t.table.recycle(~uint64_t{0}), slot);
}

// The newcomer gets the very place of the weak flow that went for it, and not one that was empty.
TYPED_TEST(FlowTables, TheWeakGiveTheirOwnPlaces) {
  Table<TypeParam> t(11);
  const uint64_t hash = 0x40;
  std::vector<uint32_t> slots;
  for (uint32_t n = 0; n < 11; ++n) slots.push_back(t.table.insert(make<TypeParam>(n), hash));
  ASSERT_NE(slots[0], t.table.kNone);
  for (uint32_t n = 11; n < 40; ++n) {
    const auto slot = t.table.recycle(hash);
    EXPECT_EQ(slot, slots[n % 11]);
    t.table.erase(slot, hash);
    EXPECT_EQ(t.table.insert(make<TypeParam>(n), hash), slot);
  }
}

// Somebody who could choose the hashes: all flows want one chunk. It must stay correct.
TEST(FlowTable, SurvivesFlowsThatAllWantOneChunk) {
  Table<FlowKeyV4> t(2000);
  unsigned taken = 0;
  std::vector<uint32_t> in;
  for (uint32_t n = 0; n < 1000; ++n) {
    const uint64_t hash = n & 0x7f;
    if (t.table.insert(key4(n), hash) == t.table.kNone) continue;
    ++taken;
    in.push_back(n);
  }
  EXPECT_GT(taken, 600U);  // fourteen in the chunk, the rest along 128 strides
  for (const uint32_t n : in) ASSERT_NE(t.table.find(key4(n), n & 0x7f), t.table.kNone);
  for (const uint32_t n : in) t.table.erase(t.table.find(key4(n), n & 0x7f), n & 0x7f);
  for (const uint32_t n : in) ASSERT_EQ(t.table.find(key4(n), n & 0x7f), t.table.kNone);
  EXPECT_EQ(t.table.size(), 0U);
}

}  // namespace
}  // namespace rampart
