// SPDX-License-Identifier: Apache-2.0
// Datagrams in pieces, with two workers: received by one, checked by one, judged by one.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <random>

#include "dataplane/packet/fragment.hpp"
#include "dataplane/packet/parse.hpp"
#include "tests/support/stage_bench.hpp"

namespace rampart::test {
namespace {

constexpr auto kHanded = StageBench::kHanded;
using enum DropReason;

/// Who checks a datagram, and who owns its flow.
struct Owners {
  unsigned of_datagram, of_flow;
  bool operator==(const Owners&) const = default;
};

class FragmentsHandedOver : public testing::Test {
 protected:
  void SetUp() override {
    for (StageBench* bench : both) {
      bench->set_rules({{"10.0.0.1", "10.0.0.2", 80}, {"fd00::1", "fd00::2", 80}}, 1);
    }
  }
  void TearDown() override {
    move_all();
    for (StageBench* bench : both) {
      drop_held_fragments(bench->w);
      EXPECT_EQ(bench->buffers_out(), 0U);
      EXPECT_EQ(bench->drops(kInternal), 0U);
    }
    // The law, over both.
    for (unsigned port = 0; port < 2; ++port) {
      uint64_t in = 0, out = 0, given = 0, taken = 0;
      for (StageBench* bench : both) {
        const PortWork& work = bench->w.counters.ports[port];
        in += work.received;
        out += work.forwarded;
        given += work.given;
        taken += work.taken;
        for (const uint64_t n : work.drops) out += n;
      }
      EXPECT_EQ(in, out);
      EXPECT_EQ(given, taken);
    }
  }

  static PacketBuilder datagram(bool v6, uint16_t from, uint16_t port) {
    return packet()
        .ip(v6 ? "fd00::1" : "10.0.0.1", v6 ? "fd00::2" : "10.0.0.2")
        .udp(from, port)
        .payload(600);
  }
  Owners owners_of(const Bytes& first) const {
    ParsedPacket p;
    const auto size = static_cast<uint32_t>(first.size());
    parse_frame(first.data(), size, size, p);
    const FragmentKey name = read_fragment(first.data(), size, p, 0).key;
    const WorkerState& w = both[0]->w;
    FlowKeyV4 v4;
    FlowKeyV6 v6;
    if (p.family == Family::kV4) {
      make_key(p, 0, v4);
    } else {
      make_key(p, 0, v6);
    }
    return {w.owner_of(hash_of(name, w.seed)),
            w.owner_of(p.family == Family::kV4 ? hash_of(v4, w.seed) : hash_of(v6, w.seed))};
  }
  /// The pieces of a datagram with just these owners.
  std::vector<Bytes> pieces(Owners owners, uint16_t port = 80, bool v6 = false) {
    for (;; ++next) {
      std::vector<Bytes> all = datagram(v6, next, port).fragments(200, next);
      if (owners_of(all.front()) != owners) continue;
      ++next;
      return all;
    }
  }
  /// Empties the rings between the two as their loops would.
  void move_all() {
    for (bool moved = true; moved;) {
      moved = false;
      for (unsigned giver = 0; giver < 2; ++giver) {
        HandoffRing& ring = *both[giver]->w.to[1 - giver];
        while (ring.size() != 0) {
          both[1 - giver]->take_over(ring);
          moved = true;
        }
      }
    }
  }
  StageBench::End run(unsigned worker, const Bytes& one) {
    return both[worker]->run({{one}}).front();
  }
  std::vector<Bytes> left() const {
    std::vector<Bytes> all = both[0]->left;
    all.insert(all.end(), both[1]->left.begin(), both[1]->left.end());
    return all;
  }
  uint64_t drops(DropReason why) const { return both[0]->drops(why) + both[1]->drops(why); }

  std::array<std::unique_ptr<StageBench>, 2> owned{std::make_unique<StageBench>(1000U, 0U, 2U),
                                                   std::make_unique<StageBench>(1000U, 1U, 2U)};
  std::array<StageBench*, 2> both{owned[0].get(), owned[1].get()};
  uint16_t next = 1000;
};

TEST_F(FragmentsHandedOver, PassInEveryOrderWhoeverReceivesThem) {
  for (const bool v6 : {false, true}) {
    for (const Owners owners : {Owners{0, 0}, Owners{0, 1}, Owners{1, 0}, Owners{1, 1}}) {
      std::array<unsigned, 4> order{0, 1, 2, 3};
      do {
        for (unsigned receivers = 0; receivers < 16; ++receivers) {
          const auto all = pieces(owners, 80, v6);
          ASSERT_EQ(all.size(), 4U);
          for (StageBench* bench : both) bench->left.clear();
          for (const unsigned n : order) {
            run(receivers >> n & 1, all[n]);
            move_all();
          }
          // All of them from one worker, the first in front.
          ASSERT_EQ(both[owners.of_flow]->left.size(), 4U);
          ASSERT_TRUE(both[1 - owners.of_flow]->left.empty());
          ASSERT_TRUE(both[owners.of_flow]->left[0] == all[0]);
          std::vector<Bytes> out = left();
          ASSERT_TRUE(std::is_permutation(out.begin(), out.end(), all.begin()));
          for (StageBench* bench : both) ASSERT_EQ(bench->w.fragments.size(), 0U);
        }
      } while (std::next_permutation(order.begin(), order.end()));
    }
  }
}

TEST_F(FragmentsHandedOver, OfADeniedDatagramAreDenied) {
  for (const Owners owners : {Owners{0, 0}, Owners{0, 1}, Owners{1, 0}, Owners{1, 1}}) {
    std::array<unsigned, 4> order{0, 1, 2, 3};
    do {
      const auto all = pieces(owners, 81);
      const uint64_t denied = drops(kFragmentDenied), first = drops(kDeniedIngress);
      for (const unsigned n : order) {
        run(n & 1, all[n]);
        move_all();
      }
      ASSERT_EQ(drops(kFragmentDenied), denied + 3);
      ASSERT_EQ(drops(kDeniedIngress), first + 1);
      for (StageBench* bench : both) ASSERT_EQ(bench->w.fragments.size(), 0U);
    } while (std::next_permutation(order.begin(), order.end()));
  }
  EXPECT_TRUE(left().empty());
}

TEST_F(FragmentsHandedOver, TheOwnerOfTheFlowDecidesAboutEachOfThem) {
  const auto all = pieces({0, 1});
  EXPECT_EQ(run(0, all[0]), kHanded);
  EXPECT_EQ(run(0, all[1]), kHanded);
  move_all();
  EXPECT_EQ(left().size(), 2U);
  // The permission goes while one is on its way.
  EXPECT_EQ(run(0, all[2]), kHanded);
  both[1]->set_rules({}, 2);
  move_all();
  EXPECT_EQ(drops(kDeniedIngress), 1U);
  EXPECT_EQ(run(0, all[3]), kHanded);
  move_all();
  EXPECT_EQ(drops(kFragmentDenied), 1U);
  EXPECT_EQ(left().size(), 2U);
}

TEST_F(FragmentsHandedOver, OverlapsAreFoundWhoeverReceivesThem) {
  const auto all = pieces({0, 1});
  const auto id = static_cast<uint16_t>(next - 1);
  const Bytes across = packet()
                           .ipv4("10.0.0.1", "10.0.0.2")
                           .protocol(17)
                           .fragment(192, true, id)
                           .payload(16)
                           .bytes();
  run(0, all[0]);
  run(1, across);
  move_all();
  run(1, all[1]);
  run(0, all[2]);
  move_all();
  EXPECT_EQ(left().size(), 1U);
  EXPECT_EQ(drops(kFragmentOverlap), 3U);
}

TEST_F(FragmentsHandedOver, AFullRingLosesPacketsByNameAndNothingElse) {
  // Nobody takes from the ring, which holds eight.
  std::vector<std::vector<Bytes>> datagrams;
  for (unsigned n = 0; n < 4; ++n) {
    datagrams.push_back(pieces({0, 1}));
    for (const unsigned piece : {3U, 2U, 1U}) run(0, datagrams.back()[piece]);
  }
  for (const auto& all : datagrams) run(0, all[0]);
  EXPECT_EQ(both[0]->w.to[1]->size(), 8U);
  // Two datagrams whole; of the others no first got through, so nothing of them does.
  EXPECT_EQ(drops(kHandoffFull), 2U);
  EXPECT_EQ(drops(kFragmentDenied), 6U);
  move_all();
  EXPECT_EQ(left().size(), 8U);
}

TEST_F(FragmentsHandedOver, WhatTheOwnerOfTheFlowNoLongerKnowsIsDropped) {
  const auto all = pieces({0, 1});
  run(0, all[0]);
  move_all();
  // Its table has turned over since.
  for (unsigned n = 0; n < StageBench::kDatagrams; ++n) {
    run(1, pieces({1, 1})[0]);
    move_all();
  }
  run(0, all[1]);
  move_all();
  EXPECT_EQ(both[1]->drops(kFragmentLimit), 1U);
  // Or its clock was ahead. There is room by then, but nothing is held there.
  both[1]->pass_seconds(31);
  both[1]->sweep();
  ASSERT_EQ(both[1]->w.fragments.size(), 0U);
  run(0, all[2]);
  move_all();
  EXPECT_EQ(both[1]->drops(kFragmentLimit), 2U);
  EXPECT_EQ(both[1]->w.fragments.size(), 0U);
}

TEST_F(FragmentsHandedOver, ANameThatIsUsedAgainBeginsANewDatagram) {
  // The owner of the flow has lost a piece to a full ring, so for it the first one never ended.
  const auto all = pieces({0, 1});
  run(0, all[0]);
  move_all();
  while (both[0]->w.to[1]->size() < 8) {
    run(0, datagram(false, next++, 80).bytes());
  }
  for (const unsigned n : {1U, 2U, 3U}) run(0, all[n]);
  EXPECT_GE(drops(kHandoffFull), 3U);
  move_all();
  EXPECT_EQ(both[0]->w.fragments.size(), 0U);
  EXPECT_EQ(both[1]->w.fragments.size(), 1U);
  for (StageBench* bench : both) bench->left.clear();
  for (const unsigned n : {1U, 0U, 2U, 3U}) {
    run(0, all[n]);
    move_all();
  }
  EXPECT_EQ(left().size(), 4U);
  EXPECT_EQ(both[1]->w.fragments.size(), 0U);
}

TEST_F(FragmentsHandedOver, AfterALostPieceTheNameBeginsANewDatagramAtBothOwners) {
  for (const Owners owners : {Owners{0, 1}, Owners{1, 0}, Owners{1, 1}}) {
    const auto all = pieces(owners);
    for (const unsigned n : {0U, 1U, 3U}) run(0, all[n]);  // one was lost before us
    move_all();
    for (StageBench* bench : both) {
      bench->pass_seconds(2.1);
      bench->sweep();
      bench->left.clear();
    }
    for (const Bytes& one : all) {
      run(0, one);
      move_all();
    }
    EXPECT_EQ(left(), all);
    for (StageBench* bench : both) EXPECT_EQ(bench->w.fragments.size(), 0U);
  }
}

TEST_F(FragmentsHandedOver, ManyAtOnceInAnyOrderAllPass) {
  std::mt19937 random(11);
  std::vector<Bytes> all;
  for (unsigned n = 0; n < 40; ++n) {
    for (const Bytes& one : datagram(n % 2 == 0, next, n % 5 == 0 ? 81 : 80).fragments(200, next)) {
      all.push_back(one);
    }
    ++next;
  }
  for (unsigned round = 0; round < 50; ++round) {
    for (StageBench* bench : both) bench->left.clear();
    std::shuffle(all.begin(), all.end(), random);
    // In small bursts: the rings hold eight, and what waits comes on top.
    for (size_t at = 0; at < all.size();) {
      std::vector<StageBench::Frame> burst;
      const size_t n = std::min<size_t>(1 + random() % 2, all.size() - at);
      for (size_t k = 0; k < n; ++k) burst.push_back({all[at++]});
      both[random() % 2]->run(burst);
      move_all();
    }
    ASSERT_EQ(drops(kHandoffFull), 0U);
    ASSERT_EQ(left().size(), 32U * 4);
    ASSERT_EQ(drops(kFragmentDenied) + drops(kDeniedIngress), (round + 1) * 8U * 4);
    for (StageBench* bench : both) ASSERT_EQ(bench->w.fragments.size(), 0U);
  }
}

}  // namespace
}  // namespace rampart::test
