// SPDX-License-Identifier: Apache-2.0
#include "dataplane/fragment/fragment_table.hpp"

#include <gtest/gtest.h>

#include <cstdlib>
#include <cstring>
#include <list>
#include <map>
#include <memory>
#include <random>
#include <vector>

namespace rampart {
namespace {

using enum DatagramState;

FragmentKey key_of(uint32_t id) {
  FragmentKey k{};
  k.source[0] = 10;
  k.id = id;
  return k;
}
uint64_t hash_of_id(uint32_t id) {
  return hash_of(key_of(id), HashSeed{});
}
/// Packets are never looked into, only carried: places stand for them.
char places[60000];
rte_mbuf* packet(size_t number) {
  return reinterpret_cast<rte_mbuf*>(places + number);
}
size_t number_of(const rte_mbuf* m) {
  return static_cast<size_t>(reinterpret_cast<const char*>(m) - places);
}

class FragmentTables : public testing::Test {
 protected:
  static constexpr uint32_t kDatagrams = 8, kHeld = 6;

  explicit FragmentTables(uint32_t datagrams = kDatagrams, uint32_t held = kHeld) {
    const size_t bytes = FragmentTable::bytes_for(datagrams, held);
    memory_.reset(
        std::aligned_alloc(kCacheLine, (bytes + kCacheLine - 1) / kCacheLine * kCacheLine));
    std::memset(memory_.get(), 0xee, bytes);
    table = FragmentTable(memory_.get(),
                          {.datagrams = datagrams, .held = held, .hold = 20, .life = 300});
  }
  Datagram* add(uint32_t id, Tsc now = 0) { return table.insert(key_of(id), hash_of_id(id), now); }
  Datagram* find(uint32_t id) { return table.find(key_of(id), hash_of_id(id)); }
  std::vector<size_t> all_of(HeldChain& chain) {
    std::vector<size_t> packets;
    uint8_t in_port = 0;
    while (rte_mbuf* m = table.take(chain, in_port)) {
      packets.push_back(number_of(m));
    }
    return packets;
  }

  FragmentTable table;

 private:
  std::unique_ptr<void, decltype(&std::free)> memory_{nullptr, &std::free};
};

TEST_F(FragmentTables, AreFoundUntilTheyAreErased) {
  for (uint32_t id = 0; id < kDatagrams; ++id) ASSERT_NE(add(id), nullptr);
  EXPECT_EQ(table.size(), kDatagrams);
  EXPECT_EQ(add(99), nullptr);
  for (uint32_t id = 0; id < kDatagrams; ++id) {
    ASSERT_NE(find(id), nullptr);
    EXPECT_EQ(find(id)->key, key_of(id));
  }
  EXPECT_EQ(find(99), nullptr);
  table.erase(*find(3));
  EXPECT_EQ(find(3), nullptr);
  EXPECT_NE(find(4), nullptr);
  Datagram* again = add(3);
  ASSERT_NE(again, nullptr);
  EXPECT_EQ(again->pieces, 0U);
}

TEST_F(FragmentTables, OfOneHashAreToldApartByTheirKeys) {
  for (uint32_t id = 0; id < 4; ++id) ASSERT_NE(table.insert(key_of(id), 77, 0), nullptr);
  for (uint32_t id = 0; id < 4; ++id) EXPECT_EQ(table.find(key_of(id), 77)->key.id, id);
  table.erase(*table.find(key_of(2), 77));
  EXPECT_EQ(table.find(key_of(2), 77), nullptr);
  for (const uint32_t id : {0U, 1U, 3U}) EXPECT_EQ(table.find(key_of(id), 77)->key.id, id);
}

TEST_F(FragmentTables, MakeRoomByWhatTheyMatter) {
  Datagram* passing = add(1);
  table.move(*passing, kPassing, 0);
  EXPECT_EQ(table.dispensable(false), nullptr);
  EXPECT_EQ(table.dispensable(true), passing);
  Datagram* judging = add(2);
  table.move(*judging, kJudging, 0);
  EXPECT_EQ(table.dispensable(false), nullptr);
  Datagram *waiting = add(3), *waits_too = add(4);
  EXPECT_EQ(table.dispensable(true), waiting);
  EXPECT_EQ(table.dispensable(false), waiting);
  Datagram *refused = add(5), *refused_too = add(6);
  table.move(*refused, kRefused, 1);
  table.move(*refused_too, kRefused, 2);
  EXPECT_EQ(table.dispensable(false), refused);
  table.erase(*refused);
  EXPECT_EQ(table.dispensable(true), refused_too);
  table.erase(*refused_too);
  EXPECT_EQ(table.oldest_waiting(), waiting);
  table.erase(*waiting);
  EXPECT_EQ(table.dispensable(true), waits_too);
}

TEST_F(FragmentTables, AreOverdueByTheTimesOfTheirStates) {
  Datagram *waiting = add(1, 100), *passing = add(2, 100), *refused = add(3, 100),
           *judging = add(4, 100);
  table.move(*passing, kPassing, 110);
  table.move(*refused, kRefused, 120);
  table.move(*judging, kJudging, 0);
  EXPECT_EQ(table.overdue(90), nullptr);  // a clock that lies a little behind
  EXPECT_EQ(table.overdue(120), nullptr);
  EXPECT_EQ(table.overdue(121), waiting);
  table.erase(*waiting);
  EXPECT_EQ(table.overdue(410), nullptr);
  EXPECT_EQ(table.overdue(411), passing);
  table.erase(*passing);
  EXPECT_EQ(table.overdue(420), nullptr);
  EXPECT_EQ(table.overdue(421), refused);
  table.erase(*refused);
  EXPECT_EQ(table.overdue(100000), nullptr);
}

TEST_F(FragmentTables, AreSilentOnceTheirFirstHasComeAndThenNothingNew) {
  for (const DatagramState state : {kWaiting, kJudging, kPassing, kRefused}) {
    Datagram* d = add(static_cast<uint32_t>(state), 100);
    d->grown = 100;
    table.move(*d, state, 100);
    EXPECT_FALSE(table.is_silent(*d, 120));
    EXPECT_FALSE(table.is_silent(*d, 90));  // a clock that lies a little behind
    EXPECT_EQ(table.is_silent(*d, 121), state == kPassing || state == kRefused);
    d->grown = 110;
    EXPECT_FALSE(table.is_silent(*d, 121));
    d->grown = 100;
    for (const DropReason why : {DropReason::kFragmentOverlap, DropReason::kFragmentDenied}) {
      d->why = why;
      EXPECT_EQ(table.is_silent(*d, 121),
                why == DropReason::kFragmentDenied && (state == kPassing || state == kRefused));
    }
  }
}

TEST_F(FragmentTables, HoldPacketsInTheirOrderAndWithinTheirLimit) {
  Datagram *one = add(1), *two = add(2);
  uint8_t in_port = 0;
  EXPECT_EQ(table.take(one->held, in_port), nullptr);
  EXPECT_TRUE(table.hold(one->held, packet(11), 5, 1));
  EXPECT_TRUE(table.hold(two->held, packet(21), 6, 2));
  EXPECT_TRUE(table.hold(one->held, packet(12), 5, 1));
  EXPECT_EQ(table.held(), 4U);
  // Counted in buffers: one of three does not fit any more, one of two does.
  EXPECT_FALSE(table.hold(one->held, packet(13), 5, 3));
  EXPECT_TRUE(table.hold(one->held, packet(14), 5, 2));
  EXPECT_FALSE(table.hold(one->held, packet(15), 5, 1));
  std::vector<rte_mbuf*> seen;
  table.for_each(one->held, [&](rte_mbuf* m) { seen.push_back(m); });
  EXPECT_EQ(seen, (std::vector{packet(11), packet(12), packet(14)}));
  EXPECT_EQ(table.take(two->held, in_port), packet(21));
  EXPECT_EQ(in_port, 6);
  EXPECT_EQ(all_of(one->held), (std::vector<size_t>{11, 12, 14}));
  EXPECT_EQ(table.held(), 0U);
  EXPECT_TRUE(one->held.empty());
}

TEST_F(FragmentTables, ChainsGoOneBehindTheOther) {
  HeldChain all, none;
  Datagram *one = add(1), *two = add(2);
  table.append(all, none);
  EXPECT_TRUE(all.empty());
  for (const size_t n : {11U, 12U}) ASSERT_TRUE(table.hold(one->held, packet(n), 0, 1));
  for (const size_t n : {21U, 22U}) ASSERT_TRUE(table.hold(two->held, packet(n), 0, 1));
  table.append(all, one->held);
  table.append(all, none);
  table.append(all, two->held);
  EXPECT_TRUE(one->held.empty() && two->held.empty());
  ASSERT_TRUE(table.hold(all, packet(31), 0, 1));
  EXPECT_EQ(all_of(all), (std::vector<size_t>{11, 12, 21, 22, 31}));
}

/// Thousands of datagrams in random states, beside plain lists.
class ManyFragments : public FragmentTables {
 protected:
  static constexpr uint32_t kFew = 10;
  ManyFragments() : FragmentTables(200, kFew) {}
};

TEST_F(ManyFragments, AgreeWithPlainLists) {
  struct Plain {
    DatagramState state;
    std::vector<size_t> held;
  };
  std::mt19937 random(42);
  std::map<uint32_t, Plain> plain;
  std::map<DatagramState, std::list<uint32_t>> order;
  size_t held = 0, refusals = 0, evictions = 0;
  size_t next_packet = 1;
  const auto end = [&](uint32_t id) {
    Datagram* d = find(id);
    ASSERT_NE(d, nullptr);
    EXPECT_EQ(all_of(d->held), plain[id].held);
    held -= plain[id].held.size();
    table.erase(*d);
    order[plain[id].state].remove(id);
    plain.erase(id);
  };
  for (Tsc now = 1; now < 60000; ++now) {
    const uint32_t id = random() % 400;
    Datagram* d = find(id);
    ASSERT_EQ(d != nullptr, plain.contains(id));
    switch (random() % 5) {
      case 0:
      case 1:
        if (d != nullptr) break;
        if (table.size() == table.capacity()) {
          const bool first = random() % 2 == 0;
          const Datagram* other = table.dispensable(first);
          const auto& refused = order[kRefused];
          const auto& waiting = order[kWaiting];
          const auto& passing = order[kPassing];
          if (!refused.empty()) {
            ASSERT_EQ(other->key.id, refused.front());
          } else if (!waiting.empty()) {
            ASSERT_EQ(other->key.id, waiting.front());
          } else if (first && !passing.empty()) {
            ASSERT_EQ(other->key.id, passing.front());
          } else {
            ASSERT_EQ(other, nullptr);
          }
          ASSERT_EQ(add(id, now), nullptr);
          if (other == nullptr) break;
          end(other->key.id);
          ++evictions;
        }
        ASSERT_NE(add(id, now), nullptr);
        plain[id] = {kWaiting, {}};
        order[kWaiting].push_back(id);
        break;
      case 2:
        if (d == nullptr || d->state != kWaiting) break;
        if (table.hold(d->held, packet(next_packet), 0, 1)) {
          plain[id].held.push_back(next_packet++);
          ++held;
        } else {
          ++refusals;
          EXPECT_EQ(held, kFew);
        }
        break;
      case 3: {
        if (d == nullptr) break;
        const auto to = static_cast<DatagramState>(random() % 4);
        order[d->state].remove(id);
        table.move(*d, to, now);
        order[to].push_back(id);
        plain[id].state = to;
        break;
      }
      default:
        if (d != nullptr && random() % 3 == 0) end(id);
        break;
    }
    ASSERT_EQ(table.size(), plain.size());
    ASSERT_EQ(table.held(), held);
  }
  EXPECT_GT(evictions, 1000U);
  EXPECT_GT(refusals, 100U);
  while (!plain.empty()) end(plain.begin()->first);
  EXPECT_EQ(table.size(), 0U);
  EXPECT_EQ(table.held(), 0U);
}

}  // namespace
}  // namespace rampart
