// SPDX-License-Identifier: Apache-2.0
// New flows of one burst, and the places that they get.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <random>

#include "tests/support/chance.hpp"
#include "tests/support/stage_bench.hpp"

namespace rampart::test {
namespace {

constexpr auto kForwarded = StageBench::kForwarded;
constexpr auto dropped = StageBench::dropped;
using enum DropReason;

// What may open a flow meets what has been opened before it in its burst, as if it had come alone.
TEST(FlowsOfABurst, AreThoseThatTheirPacketsWouldHaveMadeOneByOne) {
  std::mt19937_64 random(support::seed());
  StageBench together, alone;
  for (StageBench* bench : {&together, &alone}) {
    bench->set_rules({{"10.0.0.1", "10.0.0.2", 80}, {"fd00::1", "fd00::2", 80}}, 1);
    bench->w.pick_up_until = ~Tsc{0};
  }
  uint64_t picked_up = 0;
  for (uint64_t round = 0; round < support::rounds(300); ++round) {
    if (round % 3 == 0) {
      for (StageBench* bench : {&together, &alone}) bench->pass_seconds(100);
    }
    std::vector<StageBench::Frame> frames;
    for (unsigned n = 0; n < 40; ++n) {
      const auto port = static_cast<uint16_t>(random() % 16 == 0 ? 0 : 1 + random() % 30);
      PacketBuilder p = packet().ipv4("10.0.0.1", "10.0.0.2");
      if (random() % 5 == 0) {
        p.udp(port, 80);
      } else {
        constexpr uint8_t kFlags[] = {kSyn, kSyn, kSyn, kAck, kRst, kRst | kAck};
        p.tcp(port, random() % 16 == 0 ? 81 : 80, kFlags[random() % std::size(kFlags)])
            .tcp_sequence(static_cast<uint32_t>(1000 + random() % 2), 1);
      }
      frames.push_back({p.bytes()});
    }
    const auto ends = together.run(frames);
    for (size_t n = 0; n < frames.size(); ++n) {
      ASSERT_EQ(alone.run(std::vector{frames[n]}).front(), ends[n]) << round << ", " << n;
    }
    ASSERT_EQ(together.w.flows(), alone.w.flows()) << round;
    ASSERT_EQ(together.w.half_open, alone.w.half_open) << round;
    picked_up = together.w.counters.flows_picked_up;
    ASSERT_EQ(picked_up, alone.w.counters.flows_picked_up) << round;
  }
  EXPECT_GT(picked_up, 100U);
  EXPECT_GT(together.w.counters.flows_created, 500U);
}

TEST(FlowsOfABurst, MayBeGivenUpInTheBurstThatOpensThem) {
  StageBench bench;
  bench.set_rules({{"10.0.0.1", "10.0.0.2", 80}}, 1);
  const auto from_client = [](uint16_t port, uint8_t flags) {
    const uint32_t sequence = (flags & kSyn) != 0 ? 1000 : 1001;
    return packet().ipv4("10.0.0.1", "10.0.0.2").tcp(9, port, flags).tcp_sequence(sequence).bytes();
  };
  const auto sctp = [](uint32_t tag) {
    return packet().ipv4("10.0.0.1", "10.0.0.2").sctp(9, 80, tag);
  };
  // The reply has the key of a request that comes from the other end.
  const auto echo = [](uint8_t type) {
    return (type == 8 ? packet().ipv4("10.0.0.2", "10.0.0.1")
                      : packet().ipv4("10.0.0.1", "10.0.0.2"))
        .icmp(type, 0, 7U << 16)
        .bytes();
  };
  using namespace sctp_type;
  EXPECT_EQ(bench.run({{from_client(80, kSyn)},
                       {from_client(80, kRst)},
                       {sctp(0).init_chunk(kInit, 0xa1).bytes()},
                       {sctp(0xa1).chunk(kAbort, 0, 1).bytes()},
                       // What is not opened ends nothing, and what comes first does not, either.
                       {from_client(81, kSyn)},
                       {from_client(81, kRst)},
                       {from_client(82, kRst)},
                       {from_client(82, kSyn)},
                       {echo(8)},
                       {echo(0)}}),
            (std::vector{kForwarded, kForwarded, kForwarded, kForwarded, dropped(kDeniedIngress),
                         dropped(kNoFlow), dropped(kNoFlow), dropped(kDeniedIngress),
                         dropped(kDeniedIngress), dropped(kIcmpUnrelated)}));
  EXPECT_EQ(bench.w.counters.flows_created, 2U);
}

TEST(FlowLimit, AFullTableDeniesNewFlowsAndKeepsTheAnsweredOnes) {
  StageBench bench(4);
  for (uint16_t port = 1; port < 3; ++port) {
    EXPECT_EQ(bench.run(packet().ipv4("10.0.0.1", "10.0.0.2").udp(port, 80)), kForwarded);
    EXPECT_EQ(bench.run(packet().ipv4("10.0.0.2", "10.0.0.1").udp(80, port), 1), kForwarded);
    EXPECT_EQ(bench.run(packet().ipv6("fd00::1", "fd00::2").udp(port, 80)), kForwarded);
    EXPECT_EQ(bench.run(packet().ipv6("fd00::2", "fd00::1").udp(80, port), 1), kForwarded);
  }
  EXPECT_EQ(bench.run(packet().ipv4("10.0.0.1", "10.0.0.2").udp(9, 80)), dropped(kTableFull));
  EXPECT_EQ(bench.run(packet().ipv6("fd00::1", "fd00::2").udp(9, 80)), dropped(kTableFull));
  EXPECT_EQ(bench.run(packet().ipv4("10.0.0.2", "10.0.0.1").udp(80, 1), 1), kForwarded);
  EXPECT_EQ(bench.drops(kTableFull), 2U);
  EXPECT_EQ(bench.w.counters.flows_recycled, 0U);
}

TEST(FlowLimit, UnansweredFlowsOfEitherFamilyMakeRoomForNewOnes) {
  StageBench bench(3);
  const auto answered = [&](uint16_t port) {
    return bench.run(packet().ipv4("10.0.0.2", "10.0.0.1").udp(80, port), 1) == kForwarded &&
           bench.w.flows() == 3;
  };
  EXPECT_EQ(bench.run(packet().ipv4("10.0.0.1", "10.0.0.2").udp(1, 80)), kForwarded);
  EXPECT_EQ(bench.run(packet().ipv4("10.0.0.2", "10.0.0.1").udp(80, 1), 1), kForwarded);
  for (uint16_t port = 2; port < 100; ++port) {
    EXPECT_EQ(bench.run(packet().ipv6("fd00::1", "fd00::2").udp(port, 80)), kForwarded);
  }
  EXPECT_EQ(bench.w.flows(), 3U);
  EXPECT_EQ(bench.w.counters.flows_recycled, 96U);
  // The last of the flood go for an IPv4 flow, and the answered one has stayed all the time.
  EXPECT_EQ(bench.run(packet().ipv4("10.0.0.1", "10.0.0.2").udp(7, 80)), kForwarded);
  EXPECT_TRUE(answered(7));
  EXPECT_TRUE(answered(1));
  EXPECT_EQ(bench.w.flows_v6.size(), 1U);
}

TEST(FlowLimit, ABurstGetsThePlacesThatAreLeftAndNoMore) {
  for (const uint32_t room : {1U, 63U, 64U, 65U}) {
    StageBench bench(100);
    bench.set_rules({{"10.0.0.1", "10.0.0.2", 80}}, 1);
    for (uint16_t port = 1; port <= 100 - room; ++port) {
      EXPECT_EQ(bench.run(packet().ipv4("10.0.0.1", "10.0.0.2").udp(port, 80)), kForwarded);
      EXPECT_EQ(bench.run(packet().ipv4("10.0.0.2", "10.0.0.1").udp(80, port), 1), kForwarded);
    }
    std::vector<StageBench::Frame> frames;
    for (uint16_t port = 1; port <= Burst::kSize; ++port) {
      frames.push_back({packet().ipv4("10.0.0.1", "10.0.0.2").tcp(port, 80, kSyn).bytes()});
    }
    // Those behind take the places of those before them, which nobody has answered yet.
    const auto ends = bench.run(frames);
    EXPECT_EQ(std::count(ends.begin(), ends.end(), kForwarded), Burst::kSize) << room;
    EXPECT_EQ(bench.w.flows(), 100 - room + std::min(room, Burst::kSize)) << room;
    EXPECT_EQ(bench.w.counters.flows_recycled, Burst::kSize - std::min(room, Burst::kSize)) << room;
    EXPECT_EQ(bench.w.flows_v4.weak(), std::min(room, Burst::kSize)) << room;
  }
}

/// Leaves something in every place of a table.
template <typename Key>
void leave_remains(FlowTable<Key>& table) {
  for (uint32_t slot = 0; slot < table.chunks() * FlowTable<Key>::kSlotsPerChunk; ++slot) {
    std::memset(static_cast<void*>(&table[slot]), 0xa5, sizeof table[slot]);
    std::memset(static_cast<void*>(&table.tally_beside_track(slot)), 0xa5, sizeof(FlowTally));
  }
}

/// Whether two tables hold the same flow, and no other.
template <typename Key>
void expect_same_flow(FlowTable<Key>& a, FlowTable<Key>& b) {
  ASSERT_EQ(a.size(), 1U);
  ASSERT_EQ(b.size(), 1U);
  const auto slot_of = [](FlowTable<Key>& table) {
    uint32_t slot = table.kNone;
    for (uint32_t c = 0; c < table.chunks(); ++c) {
      table.for_each_in_chunk(c, [&](uint32_t s) { slot = s; });
    }
    return slot;
  };
  const auto x = slot_of(a), y = slot_of(b);
  EXPECT_EQ(a[x].key, b[y].key);
  EXPECT_EQ(std::memcmp(&a[x].facts, &b[y].facts, sizeof(FlowFacts)), 0);
  EXPECT_EQ(std::memcmp(&a.tally(x), &b.tally(y), sizeof(FlowTally)), 0);
}

// Whatever was known of the flow that had the place before; in tables with room and in full ones.
TEST(FlowLimit, ANewFlowHasNothingOfTheOneBeforeInItsPlace) {
  for (const uint32_t max_flows : {1U, 1000U}) {
    for (const std::string_view of : {"tcp", "udp", "sctp", "other"}) {
      for (const bool v6 : {false, true}) {
        StageBench used(max_flows), fresh(max_flows);
        leave_remains(used.w.flows_v4);
        leave_remains(used.w.flows_v6);
        PacketBuilder p = packet().ip(v6 ? "fd00::1" : "10.0.0.1", v6 ? "fd00::2" : "10.0.0.2");
        if (of == "tcp") p.tcp(9, 80, kSyn).tcp_sequence(77, 0).payload(7);
        if (of == "udp") p.udp(9, 80).payload(7);
        if (of == "sctp") p.sctp(9, 80, 0).chunk(1, 20);
        if (of == "other") p.protocol(200).payload(20);
        for (StageBench* bench : {&used, &fresh}) {
          bench->set_mode(RuleSet::Mode::kPassAll, 3);
          ASSERT_EQ(bench->run(p), kForwarded) << of << v6;
        }
        v6 ? expect_same_flow(used.w.flows_v6, fresh.w.flows_v6)
           : expect_same_flow(used.w.flows_v4, fresh.w.flows_v4);
        EXPECT_FALSE(testing::Test::HasFailure()) << of << v6 << max_flows;
      }
    }
  }
}

// A slot that is recycled within a burst must not be taken for the flow that had it before.
TEST(FlowLimit, AFlowThatIsRecycledInABurstIsNotMistakenForItsHeir) {
  StageBench bench(2);
  bench.set_rules({{"10.0.0.1", "10.0.0.2", 80}, {"fd00::1", "fd00::2", 80}}, 1);
  EXPECT_EQ(bench.run(packet().ipv6("fd00::1", "fd00::2").udp(1, 80)), kForwarded);
  EXPECT_EQ(bench.run(packet().ipv6("fd00::1", "fd00::2").udp(2, 80)), kForwarded);
  bench.set_rules({{"10.0.0.1", "10.0.0.2", 80}, {"fd00::1", "fd00::2", 80}}, 2);
  // IPv4 is answered first and takes the place of one of the two, whose packets come behind it.
  const auto ends = bench.run({{packet().ipv6("fd00::1", "fd00::2").udp(1, 80).bytes()},
                               {packet().ipv6("fd00::1", "fd00::2").udp(2, 80).bytes()},
                               {packet().ipv4("10.0.0.1", "10.0.0.2").udp(3, 80).bytes()}});
  EXPECT_EQ(ends[2], kForwarded);
  EXPECT_EQ(std::count(ends.begin(), ends.end(), dropped(kNoFlow)), 1);
  EXPECT_EQ(bench.w.flows_v4.size(), 1U);
  EXPECT_EQ(bench.w.flows_v6.size(), 1U);
}

}  // namespace
}  // namespace rampart::test
