// SPDX-License-Identifier: Apache-2.0
// Datagrams in pieces, with one worker.
#include <gtest/gtest.h>

#include <algorithm>
#include <ostream>

#include "tests/support/stage_bench.hpp"

namespace rampart::test {
namespace {

constexpr auto kForwarded = StageBench::kForwarded;
constexpr auto kHeld = StageBench::kHanded;
constexpr auto dropped = StageBench::dropped;
using enum DropReason;

const std::vector<StageBench::Allow> kPermission = {{"10.0.0.1", "10.0.0.2", 80},
                                                    {"fd00::1", "fd00::2", 80}};

/// Both families: addresses of two pods of which the first may talk to port 80 of the second.
struct Pods {
  const char *a, *b;
};
std::ostream& operator<<(std::ostream& to, const Pods& pods) {
  return to << pods.a;
}

class Fragments : public testing::TestWithParam<Pods> {
 protected:
  void SetUp() override { bench.set_rules(kPermission, 1); }
  void TearDown() override {
    drop_held_fragments(bench.w);
    for (const PortWork& work : bench.w.counters.ports) {
      uint64_t drops = 0;
      for (const uint64_t n : work.drops) drops += n;
      EXPECT_EQ(work.received + work.taken, work.forwarded + work.given + drops);
      EXPECT_EQ(work.given, work.taken);
    }
    EXPECT_EQ(bench.buffers_out(), 0U);
    EXPECT_EQ(bench.drops(kInternal), 0U);
  }

  PacketBuilder datagram(uint16_t port = 80, uint16_t from = 40000) const {
    return packet().ip(GetParam().a, GetParam().b).udp(from, port).payload(3000);
  }
  /// Three pieces.
  std::vector<Bytes> pieces(uint16_t port = 80, uint32_t id = 7) const {
    return datagram(port).fragments(1400, id);
  }
  /// One piece made by hand.
  Bytes piece(uint16_t offset, bool more, size_t bytes, uint32_t id = 7) const {
    return packet()
        .ip(GetParam().a, GetParam().b)
        .protocol(17)
        .fragment(offset, more, id)
        .payload(bytes)
        .bytes();
  }
  Bytes first(size_t bytes, uint16_t port = 80, uint32_t id = 7) const {
    return packet()
        .ip(GetParam().a, GetParam().b)
        .fragment(0, true, id)
        .udp(40000, port)
        .udp_length(60000)
        .payload(bytes - 8)
        .bytes();
  }
  StageBench::End run(const Bytes& bytes, uint8_t port = 0) {
    return bench.run({{bytes, port}}).front();
  }
  uint64_t held() const {
    return bench.w.counters.ports[0].given - bench.w.counters.ports[0].taken;
  }
  StageBench bench;
};

INSTANTIATE_TEST_SUITE_P(Families, Fragments,
                         testing::Values(Pods{"10.0.0.1", "10.0.0.2"}, Pods{"fd00::1", "fd00::2"}),
                         [](const auto& p) { return p.param.a[0] == 'f' ? "Ipv6" : "Ipv4"; });

TEST_P(Fragments, OfAnAllowedDatagramPassAsTheyCameInEveryOrder) {
  std::vector<Bytes> all = datagram().fragments(700);
  ASSERT_EQ(all.size(), 5U);
  std::sort(all.begin(), all.end());
  const std::vector<Bytes> sorted = all;
  do {
    for (const bool at_once : {false, true}) {
      bench.left.clear();
      std::vector<StageBench::Frame> frames;
      for (const Bytes& one : all) {
        if (at_once) {
          frames.push_back({one});
        } else {
          run(one);
        }
      }
      if (at_once) bench.run(frames);
      ASSERT_EQ(bench.left.size(), 5U);
      std::sort(bench.left.begin(), bench.left.end());
      ASSERT_TRUE(bench.left == sorted);
      ASSERT_EQ(bench.w.fragments.size(), 0U);
      ASSERT_EQ(bench.w.fragments.held(), 0U);
    }
  } while (std::next_permutation(all.begin(), all.end()));
  EXPECT_EQ(bench.w.counters.flows_created, 1U);
}

TEST_P(Fragments, ThatCameTooEarlyLeaveBehindTheirFirst) {
  const auto all = pieces();
  EXPECT_EQ(run(all[2]), kHeld);
  EXPECT_EQ(run(all[1]), kHeld);
  EXPECT_EQ(held(), 2U);
  EXPECT_EQ(bench.buffers_out(), 2U);
  EXPECT_EQ(run(all[0]), kForwarded);
  EXPECT_TRUE(bench.left == (std::vector{all[0], all[2], all[1]}));
  EXPECT_EQ(held(), 0U);
}

TEST_P(Fragments, OfADeniedDatagramAreDeniedInEveryOrder) {
  std::vector<unsigned> order{0, 1, 2};
  const auto all = pieces(81);
  uint64_t denied = 0;
  do {
    for (const unsigned n : order) {
      const auto end = run(all[n]);
      EXPECT_TRUE(n != 0 || end == dropped(kDeniedIngress));
    }
    denied += 2;
    EXPECT_EQ(bench.drops(kFragmentDenied), denied);
    EXPECT_EQ(bench.w.fragments.size(), 0U);
    // The same at once.
    bench.run({{all[order[0]]}, {all[order[1]]}, {all[order[2]]}});
    denied += 2;
    EXPECT_EQ(bench.drops(kFragmentDenied), denied);
    EXPECT_EQ(bench.w.fragments.size(), 0U);
  } while (std::next_permutation(order.begin(), order.end()));
  EXPECT_TRUE(bench.left.empty());
  EXPECT_EQ(bench.w.flows(), 0U);
}

TEST_P(Fragments, AreNotMatchedOnTheirAddresses) {
  EXPECT_EQ(bench.run(packet().ip(GetParam().a, GetParam().b).udp(40000, 80)), kForwarded);
  EXPECT_EQ(run(pieces(80, 8)[0]), kForwarded);
  // Flow and another datagram between the same addresses: that means nothing.
  EXPECT_EQ(run(piece(1400, true, 800, 9)), kHeld);
  EXPECT_EQ(run(piece(2200, false, 800, 9)), kHeld);
  bench.pass_seconds(1.9);
  bench.sweep();
  EXPECT_EQ(held(), 2U);
  bench.pass_seconds(0.2);
  bench.sweep();
  EXPECT_EQ(bench.drops(kFragmentOrphan), 2U);
  EXPECT_EQ(held(), 0U);
  EXPECT_EQ(bench.left.size(), 2U);
  // One that comes later still finds nothing of it.
  EXPECT_EQ(run(piece(64, true, 64, 9)), kHeld);
}

TEST_P(Fragments, OfOtherVlansAndPortsAreOfOtherDatagrams) {
  const auto all = pieces();
  EXPECT_EQ(run(all[0]), kForwarded);
  const auto tagged = datagram().vlan(7).fragments(1400, 7);
  EXPECT_EQ(run(tagged[1]), kHeld);
  EXPECT_EQ(run(all[1], 1), kHeld);
  // And do not disturb each other.
  EXPECT_EQ(run(piece(8, true, 1600), 1), dropped(kFragmentOverlap));
  EXPECT_EQ(bench.drops(kFragmentOverlap), 2U);
  EXPECT_EQ(run(all[1]), kForwarded);
  EXPECT_EQ(run(all[2]), kForwarded);
}

TEST_P(Fragments, ThatOverlapEndTheirDatagram) {
  EXPECT_EQ(run(first(48)), kForwarded);
  EXPECT_EQ(run(piece(40, true, 24)), dropped(kFragmentOverlap));
  EXPECT_EQ(run(piece(48, false, 9)), dropped(kFragmentOverlap));
  EXPECT_EQ(run(first(48)), dropped(kFragmentOverlap));
  bench.pass_seconds(29);
  bench.sweep();
  EXPECT_EQ(run(first(48)), dropped(kFragmentOverlap));
  EXPECT_EQ(run(piece(48, false, 9)), dropped(kFragmentOverlap));
  bench.pass_seconds(2);
  bench.sweep();
  EXPECT_EQ(bench.w.fragments.size(), 0U);
  EXPECT_EQ(run(first(48)), kForwarded);
  EXPECT_EQ(run(piece(48, false, 9)), kForwarded);
}

TEST_P(Fragments, OfAnotherDatagramOfTheNamePassWhereAPieceOfTheFormerWasLost) {
  const auto all = pieces(), next = datagram().payload(2000).fragments(1400, 7);
  ASSERT_EQ(next.size(), 2U);
  EXPECT_EQ(run(all[0]), kForwarded);
  EXPECT_EQ(run(all[2]), kForwarded);
  // Within that time a piece that is there already is only that.
  bench.pass_seconds(1.9);
  EXPECT_EQ(run(next[0]), dropped(kFragmentOverlap));
  // That it came has kept nothing alive.
  bench.pass_seconds(0.2);
  bench.sweep();
  EXPECT_EQ(run(next[0]), kForwarded);
  EXPECT_EQ(run(next[1]), kForwarded);
  EXPECT_EQ(bench.w.fragments.size(), 0U);
  EXPECT_EQ(bench.drops(kFragmentOverlap), 1U);
}

TEST_P(Fragments, OfANameThatWasDeniedPassAfterItsSilence) {
  EXPECT_EQ(run(pieces(81)[0]), dropped(kDeniedIngress));  // a piece of it was lost
  bench.pass_seconds(2.1);
  bench.sweep();
  const auto all = pieces();
  // Only a first one begins another datagram.
  EXPECT_EQ(run(all[1]), dropped(kFragmentDenied));
  bench.pass_seconds(2.1);
  for (const Bytes& one : all) EXPECT_EQ(run(one), kForwarded);
  EXPECT_EQ(bench.left, all);
  EXPECT_EQ(bench.w.fragments.size(), 0U);
}

TEST_P(Fragments, OfALongDatagramMayFollowItsFirstSlowly) {
  const auto all = pieces();
  for (const Bytes& one : all) {
    EXPECT_EQ(run(one), kForwarded);
    bench.pass_seconds(9);
    bench.sweep();
  }
}

TEST_P(Fragments, ThatOverlapWhileTheyWaitAreDroppedWithAllThatWait) {
  EXPECT_EQ(run(piece(48, true, 48)), kHeld);
  EXPECT_EQ(run(piece(128, true, 48)), kHeld);
  EXPECT_EQ(run(piece(88, true, 48)), dropped(kFragmentOverlap));
  EXPECT_EQ(bench.drops(kFragmentOverlap), 3U);
  EXPECT_EQ(run(first(48)), dropped(kFragmentOverlap));
}

TEST_P(Fragments, ThatOverlapInTheBurstOfTheirFirstTakeTheOthersWithThem) {
  EXPECT_EQ(run(piece(160, true, 8)), kHeld);
  const auto ends = bench.run({{first(48)},
                               {piece(48, true, 48)},
                               {piece(88, true, 16)},
                               {piece(96, true, 48)},
                               {first(48, 80, 8)}});
  EXPECT_EQ(ends, (std::vector{kForwarded, dropped(kFragmentOverlap), dropped(kFragmentOverlap),
                               dropped(kFragmentOverlap), kForwarded}));
  EXPECT_EQ(held(), 0U);
  EXPECT_EQ(bench.drops(kFragmentOverlap), 4U);
  EXPECT_EQ(run(piece(48, true, 48)), dropped(kFragmentOverlap));
}

TEST_P(Fragments, ThatAreRepeatedAreDroppedAlone) {
  EXPECT_EQ(run(piece(96, false, 5)), kHeld);
  EXPECT_EQ(run(piece(96, false, 5)), dropped(kFragmentOverlap));
  EXPECT_EQ(run(first(48)), kForwarded);
  EXPECT_EQ(run(first(48)), dropped(kFragmentOverlap));
  EXPECT_EQ(run(piece(24, true, 8)), dropped(kFragmentOverlap));  // as teardrop does
  EXPECT_EQ(run(piece(48, true, 48)), kForwarded);
  EXPECT_EQ(bench.left.size(), 3U);
}

TEST_P(Fragments, ThatContradictTheEndAreDroppedByName) {
  EXPECT_EQ(run(first(48)), kForwarded);
  EXPECT_EQ(run(piece(96, false, 5)), kForwarded);
  EXPECT_EQ(run(piece(104, false, 5)), dropped(kFragmentLength));
  EXPECT_EQ(run(piece(48, true, 48)), dropped(kFragmentLength));
}

TEST_P(Fragments, AreLimitedInNumber) {
  EXPECT_EQ(run(first(8)), kForwarded);
  uint16_t n = 1;
  for (; n < Datagram::kMaxPieces; ++n) EXPECT_EQ(run(piece(8 * n, true, 8)), kForwarded);
  EXPECT_EQ(run(piece(8 * n, true, 8)), dropped(kFragmentLimit));
  EXPECT_EQ(run(piece(8 * n + 8, false, 8)), dropped(kFragmentLimit));
}

TEST_P(Fragments, WhoseFirstWasDroppedForAnyReasonAreDropped) {
  const auto all =
      packet().ip(GetParam().a, GetParam().b).tcp(40000, 80, kAck).payload(100).fragments(64, 3);
  ASSERT_EQ(all.size(), 2U);
  EXPECT_EQ(run(all[0]), dropped(kNoFlow));
  EXPECT_EQ(run(all[1]), dropped(kFragmentDenied));
}

TEST_P(Fragments, NeedThePermissionThatIsInForceWhenTheyCome) {
  const auto all = pieces();
  EXPECT_EQ(run(all[0]), kForwarded);
  // Something else changes: they go on.
  std::vector<StageBench::Allow> more = kPermission;
  more.push_back({"10.0.0.3", "10.0.0.2", 80});
  bench.set_rules(more, 2);
  EXPECT_EQ(run(all[1]), kForwarded);
  EXPECT_EQ(bench.w.counters.flows_rejudged, 1U);
  // Their own permission goes.
  bench.set_rules({}, 3);
  EXPECT_EQ(run(all[2]), dropped(kDeniedIngress));
  EXPECT_EQ(bench.w.flows(), 0U);
  EXPECT_EQ(bench.w.counters.flows_cut, 1U);
}

TEST_P(Fragments, OfAFlowThatHasEndedAreDropped) {
  bench.w.timeouts.fill(60);  // a second
  const auto all = pieces();
  EXPECT_EQ(run(all[0]), kForwarded);
  bench.pass_seconds(0.9);
  EXPECT_EQ(run(all[1]), kForwarded);
  // Whoever has got one first piece through cannot keep the flow alive with the others.
  bench.pass_seconds(0.2);
  bench.sweep();
  EXPECT_EQ(bench.w.flows(), 0U);
  EXPECT_EQ(run(all[2]), dropped(kFragmentDenied));
}

TEST_P(Fragments, CountForTheirFlowHoweverTheyCome) {
  const auto all = pieces();
  uint64_t frame_bytes = 0;
  for (const Bytes& one : all) frame_bytes += one.size();
  const auto tally = [&] {
    FlowTally t{};
    for (uint32_t c = 0; c < bench.w.flows_v4.chunks(); ++c) {
      bench.w.flows_v4.for_each_in_chunk(c, [&](auto s) { t = bench.w.flows_v4.tally(s); });
      bench.w.flows_v6.for_each_in_chunk(c, [&](auto s) { t = bench.w.flows_v6.tally(s); });
    }
    return std::pair(t.packets(Side::kOpener), t.bytes(Side::kOpener));
  };
  for (const Bytes& one : all) run(one);
  EXPECT_EQ(tally(), std::pair(uint64_t{3}, frame_bytes));
  bench.run({{all[0]}, {all[1]}, {all[2]}});
  EXPECT_EQ(tally(), std::pair(uint64_t{6}, 2 * frame_bytes));
  for (const unsigned n : {2U, 1U, 0U}) run(all[n]);
  EXPECT_EQ(tally(), std::pair(uint64_t{9}, 3 * frame_bytes));
}

TEST_P(Fragments, OrphansInAFloodDoNotHarmThoseWhoseFirstCameFirst) {
  const auto all = pieces();
  EXPECT_EQ(run(all[0]), kForwarded);
  for (uint32_t id = 100; id < 1100; ++id) {
    EXPECT_EQ(run(piece(64, true, 64, id)), kHeld);
  }
  EXPECT_EQ(bench.w.fragments.size(), StageBench::kDatagrams);
  EXPECT_EQ(bench.drops(kFragmentLimit), 1000U - held());
  EXPECT_EQ(run(all[1]), kForwarded);
  EXPECT_EQ(run(all[2]), kForwarded);
  // One that overtakes its first by a little still gets through.
  EXPECT_EQ(run(piece(64, false, 9, 5000)), kHeld);
  for (uint32_t id = 2000; id < 2050; ++id) run(piece(64, true, 64, id));
  EXPECT_EQ(run(first(64, 80, 5000)), kForwarded);
  EXPECT_EQ(bench.left.size(), 5U);
}

TEST_P(Fragments, DeniedFirstsInAFloodHarmNobodyElse) {
  const auto all = pieces();
  EXPECT_EQ(run(all[0]), kForwarded);
  EXPECT_EQ(run(piece(64, false, 9, 5000)), kHeld);
  for (uint32_t id = 100; id < 1100; ++id) {
    EXPECT_EQ(run(first(64, 81, id)), dropped(kDeniedIngress));
  }
  EXPECT_EQ(bench.w.fragments.size(), StageBench::kDatagrams);
  EXPECT_EQ(run(first(64, 80, 5000)), kForwarded);
  EXPECT_EQ(run(all[1]), kForwarded);
  EXPECT_EQ(run(all[2]), kForwarded);
  EXPECT_EQ(bench.left.size(), 5U);
}

TEST_P(Fragments, FirstsThatNothingFollowsTakeTheirTurns) {
  // All of them allowed: the oldest give way to the new ones, and bursts of them to nobody.
  for (uint32_t id = 0; id < 300; id += 60) {
    std::vector<StageBench::Frame> burst;
    for (uint32_t n = 0; n < 60; ++n) burst.push_back({first(64, 80, id + n)});
    EXPECT_EQ(bench.run(burst), std::vector(60, kForwarded));
  }
  EXPECT_EQ(run(piece(64, false, 8, 299)), kForwarded);
  EXPECT_EQ(run(piece(64, false, 8, 201)), kForwarded);
  EXPECT_EQ(run(piece(64, false, 8, 100)), kHeld);
}

TEST_P(Fragments, SpoiltInTheBurstOfTheirFirstKeepTheirPlaceUntilItsEnd) {
  for (uint32_t id = 0; id < StageBench::kDatagrams; ++id) run(first(64, 80, id));
  const auto ends = bench.run({{first(64, 80, 500)},
                               {piece(56, true, 64, 500)},
                               {first(64, 80, 501)},
                               {piece(64, false, 8, 501)}});
  EXPECT_EQ(ends, (std::vector{kForwarded, dropped(kFragmentOverlap), kForwarded, kForwarded}));
  EXPECT_EQ(run(piece(64, false, 8, 500)), dropped(kFragmentOverlap));
}

TEST_P(Fragments, WithoutRoomOrphansAreRefused) {
  for (uint32_t id = 0; id < StageBench::kDatagrams; ++id) run(first(64, 80, id));
  EXPECT_EQ(run(piece(64, true, 64, 500)), dropped(kFragmentLimit));
  EXPECT_EQ(run(first(64, 80, 500)), kForwarded);
}

TEST_P(Fragments, HeldOnesOfManyBuffersAreCountedInBuffers) {
  // One datagram cannot hold more than there is, however few its pieces.
  unsigned held_before = 0;
  for (uint16_t n = 1; n <= 3; ++n) {
    rte_mbuf* m = bench.buffer(piece(static_cast<uint16_t>(64 * n), true, 64));
    for (unsigned s = 1; s < 60; ++s) rte_pktmbuf_chain(m, rte_pktmbuf_alloc(bench.pool().get()));
    EXPECT_EQ(bench.run(m), kHeld);
    held_before += 60;
    EXPECT_EQ(bench.w.fragments.held(), held_before);
  }
  rte_mbuf* m = bench.buffer(piece(64 * 4, true, 64));
  for (unsigned s = 1; s < 60; ++s) rte_pktmbuf_chain(m, rte_pktmbuf_alloc(bench.pool().get()));
  EXPECT_EQ(bench.run(m), dropped(kFragmentLimit));
  EXPECT_EQ(bench.drops(kFragmentLimit), 4U);
  EXPECT_EQ(bench.buffers_out(), 0U);
}

TEST_P(Fragments, PassInAnyOrderBeforeThePolicyIfSoTold) {
  const auto all = pieces(81);
  bench.set_mode(RuleSet::Mode::kDropAll);
  for (const unsigned n : {1U, 0U, 2U}) EXPECT_EQ(run(all[n]), dropped(kNoPolicyYet));
  bench.set_mode(RuleSet::Mode::kPassAll);
  for (const unsigned n : {2U, 0U, 1U, 2U}) EXPECT_EQ(run(all[n]), kForwarded);
  EXPECT_EQ(bench.w.fragments.size(), 0U);
}

TEST_P(Fragments, HeldAtTheEndAreDroppedByName) {
  EXPECT_EQ(run(piece(64, true, 64)), kHeld);
  drop_held_fragments(bench.w);
  EXPECT_EQ(bench.drops(kStopping), 1U);
}

TEST_P(Fragments, OfFullBurstsAndManyDatagramsAllPass) {
  // 21 datagrams of three pieces, thrice: in order, backwards, and mixed with whole packets.
  for (unsigned way = 0; way < 3; ++way) {
    std::vector<StageBench::Frame> burst;
    for (uint32_t id = 0; id < 21; ++id) {
      for (const Bytes& one : pieces(80, 1000 + 100 * way + id)) burst.push_back({one});
    }
    burst.push_back({datagram().payload(5).bytes()});
    if (way == 1) std::reverse(burst.begin(), burst.end());
    if (way == 2) std::rotate(burst.begin(), burst.begin() + 2, burst.end());
    bench.left.clear();
    bench.run(burst);
    EXPECT_EQ(bench.left.size(), 64U);
    EXPECT_EQ(bench.w.fragments.size(), 0U);
  }
}

TEST(AtomicFragments, AreOrdinaryPackets) {
  StageBench bench;
  bench.set_rules(kPermission, 1);
  const auto atomic = [](uint16_t port) {
    return packet().ipv6("fd00::1", "fd00::2").fragment(0, false, 7).udp(40000, port);
  };
  for (unsigned n = 0; n < 3; ++n) EXPECT_EQ(bench.run(atomic(80)), kForwarded);
  EXPECT_EQ(bench.run(atomic(81)), dropped(kDeniedIngress));
  EXPECT_EQ(bench.w.fragments.size(), 0U);
  EXPECT_EQ(bench.w.flows(), 1U);
}

}  // namespace
}  // namespace rampart::test
