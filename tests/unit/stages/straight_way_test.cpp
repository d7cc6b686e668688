// SPDX-License-Identifier: Apache-2.0
// Most packets take short ways: headers are looked at eight at once, a plain datagram or segment of
// a flow that goes on is not read beyond its key and numbers, and the packets of such flows are
// forwarded before the others of their burst. Other benches, whose packets do not, tell whether
// that makes a difference.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <map>
#include <random>
#include <tuple>

#include "dataplane/packet/parse.hpp"
#include "dataplane/state/handoff.hpp"
#include "tests/support/chance.hpp"
#include "tests/unit/stages/traffic.hpp"

namespace rampart::test {
namespace {

TEST(StraightWay, DoesWhatACloseLookDoes) {
  Packets packets(support::seed());
  StageBench straight, close;
  const SourceFilter everybody({*IpPrefix::parse("0.0.0.0/0"), *IpPrefix::parse("::/0")});
  for (auto& port : close.w.ports) port.sources = &everybody;
  const std::vector<StageBench::Allow> rules = {
      {"10.0.0.1", "10.0.0.2", 80}, {"10.0.0.1", "10.0.0.2", 53}, {"fd00::1", "fd00::2", 80}};
  Revision revision = 1;
  const auto publish = [&](size_t allowed) {
    const Revision policy_changed_in = packets.below(2) != 0 ? revision : 1;
    for (StageBench* bench : {&straight, &close}) {
      bench->set_rules({rules.begin(), rules.begin() + static_cast<ptrdiff_t>(allowed)}, revision,
                       false, policy_changed_in);
    }
  };
  publish(3);
  for (uint64_t round = 0; round < support::rounds(2000); ++round) {
    if (packets.below(20) == 0) {
      ++revision;
      publish(2 + packets.below(2));
    }
    const double seconds = packets.below(8) == 0 ? packets.below(70) : 0;
    for (StageBench* bench : {&straight, &close}) bench->pass_seconds(seconds);
    const auto frames = packets.burst();
    ASSERT_EQ(straight.run(frames), close.run(frames)) << "round " << round;
    ASSERT_EQ(counts_of(straight), counts_of(close)) << "round " << round;
    ASSERT_TRUE(flows_of(straight) == flows_of(close)) << "round " << round;
  }
  EXPECT_GT(straight.w.counters.flow_hits, 1000U);
  EXPECT_GT(straight.w.counters.flows_expired, 50U);
  EXPECT_GT(straight.w.counters.flows_rejudged, 50U);
}

/// Slots that a look at the flow's first chunk alone names, but in which it is not.
template <typename Key>
unsigned elsewhere(FlowTable<Key>& table, const HashSeed& seed) {
  unsigned count = 0;
  for (uint32_t chunk = 0; chunk < table.chunks(); ++chunk) {
    table.for_each_in_chunk(chunk, [&](auto slot) {
      const uint64_t hash = hash_of(table[slot].key, seed);
      uint32_t likely;
      table.fetch(&table[slot].key, &hash, 1, &likely);
      count += likely != slot;
    });
  }
  return count;
}

TEST(StraightWay, FindsDatagramsOfAFullTable) {
  std::mt19937_64 random(support::seed());
  const auto below = [&](uint64_t n) { return random() % n; };
  constexpr uint16_t kFlows = 1000;
  StageBench straight(kFlows), close(kFlows);
  const SourceFilter everybody({*IpPrefix::parse("0.0.0.0/0"), *IpPrefix::parse("::/0")});
  for (auto& port : close.w.ports) port.sources = &everybody;
  for (StageBench* bench : {&straight, &close}) {
    bench->set_rules({{"10.0.0.1", "10.0.0.2", 80}, {"fd00::1", "fd00::2", 80}}, 1);
  }
  // Half of the flows of either family; more than there is room for, so that some are unknown.
  const auto frame = [&](uint16_t flow, bool back) {
    const bool v6 = flow % 2 != 0;
    const std::string_view client = v6 ? "fd00::1" : "10.0.0.1",
                           server = v6 ? "fd00::2" : "10.0.0.2";
    const uint16_t port = 2000 + flow;
    const PacketBuilder p = packet()
                                .ip(back ? server : client, back ? client : server)
                                .udp(back ? 80 : port, back ? port : 80)
                                .payload(below(30));
    return StageBench::Frame{p.bytes(), static_cast<uint8_t>(back)};
  };
  const auto run = [&](const std::vector<StageBench::Frame>& frames) {
    ASSERT_EQ(straight.run(frames), close.run(frames));
    ASSERT_EQ(counts_of(straight), counts_of(close));
  };
  for (uint16_t flow = 0; flow < kFlows; ++flow) {
    run({frame(flow, false)});
    if (below(2) == 0) run({frame(flow, true)});
  }
  EXPECT_GT(elsewhere(straight.w.flows_v4, straight.w.seed), 0U);
  EXPECT_GT(elsewhere(straight.w.flows_v6, straight.w.seed), 0U);
  for (uint64_t round = 0; round < support::rounds(200); ++round) {
    const double seconds = below(4) == 0 ? static_cast<double>(below(40)) : 0;
    for (StageBench* bench : {&straight, &close}) bench->pass_seconds(seconds);
    std::vector<StageBench::Frame> frames;
    const uint64_t family = below(3);
    for (uint64_t n = 1 + below(Burst::kSize); n != 0; --n) {
      uint16_t flow = static_cast<uint16_t>(below(kFlows + 20));
      if (family != 2) flow = static_cast<uint16_t>((flow & ~1U) | family);
      frames.push_back(frame(flow, below(8) == 0));
    }
    run(frames);
    ASSERT_TRUE(flows_of(straight) == flows_of(close)) << "round " << round;
  }
  EXPECT_GT(straight.w.counters.flow_hits, 1000U);
  EXPECT_GT(straight.w.counters.flows_expired, 50U);
}

TEST(StraightWay, KeepsTheOrderWithinAFlow) {
  std::mt19937_64 random(support::seed());
  const std::vector<StageBench::Allow> rules = {
      {"10.0.0.1", "10.0.0.2", 80}, {"10.0.0.1", "10.0.0.2", 53}, {"fd00::1", "fd00::2", 80}};
  StageBench burst, one_by_one, close;
  const SourceFilter everybody({*IpPrefix::parse("0.0.0.0/0"), *IpPrefix::parse("::/0")});
  for (auto& port : close.w.ports) port.sources = &everybody;
  for (StageBench* bench : {&burst, &one_by_one, &close}) bench->set_rules(rules, 1);
  const auto run_one_by_one = [](StageBench& bench, const std::vector<StageBench::Frame>& frames) {
    std::vector<StageBench::End> ends;
    ends.reserve(frames.size());
    for (const auto& frame : frames) ends.push_back(bench.run(std::vector{frame}).front());
    return ends;
  };
  uint16_t port = 1000;
  uint64_t forwarded = 0, dropped = 0;
  for (uint64_t round = 0; round < support::rounds(500); ++round) {
    std::vector<Talk> talks;
    std::vector<StageBench::Frame> opening;
    for (unsigned n = 0; n < 3; ++n) {
      talks.emplace_back(n == 2, n == 1, ++port);
      for (const auto& frame : talks.back().handshake()) opening.push_back(frame);
    }
    const auto question = packet().ipv4("10.0.0.1", "10.0.0.2").udp(port, 53);
    const auto reply = packet().ipv4("10.0.0.2", "10.0.0.1").udp(53, port);
    opening.push_back({question.bytes(), 0});
    for (StageBench* bench : {&burst, &one_by_one, &close}) run_one_by_one(*bench, opening);
    std::vector<StageBench::Frame> frames;
    const uint64_t only = random() % 3;   // segments over IPv4, or over IPv6
    const bool calm = random() % 2 == 0;  // hardly anything but what goes on
    for (unsigned n = 0; n < 40; ++n) {
      const uint64_t which = only == 0 ? random() % 2 : only == 1 ? 2 : random() % 4;
      const bool back = random() % 2 != 0;
      if (calm && random() % 40 != 0) {
        Talk& talk = talks[which % talks.size()];
        frames.push_back(random() % 40 != 0 ? talk.onward(back, random() % 50)
                                            : talk.segment(back, kAck, 1000000, 1));
        continue;
      }
      if (which != 3 && random() % 8 == 0) {
        const auto client = static_cast<uint16_t>(60000 + n);  // one SYN of a flow in a burst
        frames.push_back(Talk(which == 2, which == 1, client).segment(false, kSyn, 0, 0));
        continue;
      }
      frames.push_back(which != 3 ? talks[which].next(random)
                                  : StageBench::Frame{(back ? reply : question).bytes(), back});
    }
    const auto ends = burst.run(frames);
    ASSERT_EQ(ends, run_one_by_one(one_by_one, frames)) << "round " << round;
    ASSERT_EQ(ends, close.run(frames)) << "round " << round;
    for (const StageBench* other : {&one_by_one, &close}) {
      ASSERT_EQ(counts_of(burst), counts_of(*other)) << "round " << round;
    }
    for (StageBench* other : {&one_by_one, &close}) {
      ASSERT_TRUE(flows_of(burst) == flows_of(*other)) << "round " << round;
    }
    for (const auto& end : ends) ++(end == StageBench::kForwarded ? forwarded : dropped);
    if (round % 100 != 99) continue;
    for (StageBench* bench : {&burst, &one_by_one, &close}) {
      bench->pass_seconds(1e6);
      bench->sweep();
      ASSERT_EQ(bench->w.flows(), 0U);
    }
  }
  EXPECT_GT(forwarded, 5000U);
  EXPECT_GT(dropped, 100U);
}

/// Frames of all shapes and lengths: of the headers, of what stands behind them, and of the first
/// buffer.
class Shapes {
 public:
  explicit Shapes(uint64_t seed) : random_(seed) {}

  uint64_t below(uint64_t n) { return random_() % n; }

  /// Of a burst: some are all of a kind, some are not.
  void next_burst() {
    v6_ = below(3);
    tagged_ = below(3);
    tcp_ = below(3);
    clean_ = below(3) == 0;
  }
  Bytes next(uint16_t from) {
    PacketBuilder p = packet();
    if (some(tagged_)) p.vlan(static_cast<uint16_t>(below(3)), below(20) == 0 ? 0x88a8 : 0x8100);
    if (is_odd(20)) p.vlan(8);
    const bool same = is_odd(20);
    const bool other = below(3) == 0;
    if (some(v6_)) {
      p.ipv6(same ? "fd00::2" : other ? "fd00::3" : "fd00::1", "fd00::2");
    } else {
      p.ipv4(same ? "10.0.0.2" : other ? "10.0.0.3" : "10.0.0.1", "10.0.0.2");
    }
    if (some(tcp_)) {
      p.tcp(from, 80, kSyn).payload(below(20));
      if (below(2) == 0) p.tcp_options({2, 4, 5, 180, 1, 3, 3, static_cast<uint8_t>(below(20))});
    } else {
      p.udp(from, 80).payload(below(20));
      if (below(4) == 0) p.udp_length(static_cast<uint16_t>(below(30)));
    }
    if (is_odd(20)) p.ip_version(static_cast<uint8_t>(below(16)));
    if (is_odd(4)) p.total_length(static_cast<uint16_t>(below(60)));
    if (below(2) == 0) p.pad_to(60 + below(10));
    if (is_odd(6)) p.truncate(14 + below(56));
    return p.bytes();
  }
  /// How much of it lies in one buffer.
  size_t each(const Bytes& bytes) { return is_odd(3) ? 14 + below(56) : bytes.size(); }

 private:
  bool some(uint64_t share) { return share == 0 ? false : share == 1 || below(2) == 0; }
  bool is_odd(uint64_t one_of) { return !clean_ && below(one_of) == 0; }

  std::mt19937_64 random_;
  uint64_t v6_ = 0, tagged_ = 0, tcp_ = 0;
  bool clean_ = false;
};

const std::vector<StageBench::Allow> kOfShapes = {{"10.0.0.1", "10.0.0.2", 80},
                                                  {"10.0.0.3", "10.0.0.2", 80},
                                                  {"fd00::1", "fd00::2", 80},
                                                  {"fd00::3", "fd00::2", 80}};

TEST(StraightWay, LooksAtEightHeadersAsAtEachAlone) {
  Shapes shapes(support::seed());
  StageBench eight, alone;
  const SourceFilter filter({*IpPrefix::parse("10.0.0.1/32"), *IpPrefix::parse("fd00::1/128")});
  for (StageBench* bench : {&eight, &alone}) {
    bench->set_rules(kOfShapes, 1);
    bench->w.ports[0].sources = &filter;
  }
  uint64_t spoofed = 0, truncated = 0, chained = 0, unlike = 0, martians = 0;
  for (uint64_t round = 0; round < support::rounds(1000); ++round) {
    std::vector<rte_mbuf*> of_eight, of_alone;
    std::vector<uint8_t> ports;
    shapes.next_burst();
    const auto count = static_cast<uint16_t>(1 + shapes.below(24));
    const bool one_port = shapes.below(2) == 0;
    for (uint16_t n = 0; n < count; ++n) {
      const Bytes bytes = shapes.next(1000 + n);
      const size_t each = shapes.each(bytes);
      ports.push_back(one_port ? 1 : static_cast<uint8_t>(shapes.below(2)));
      of_eight.push_back(eight.chain(bytes, each));
      of_alone.push_back(alone.chain(bytes, each));
      chained += of_alone.back()->nb_segs != 1;
    }
    const bool whole = std::all_of(of_eight.begin(), of_eight.end(),
                                   [](const rte_mbuf* m) { return m->nb_segs == 1; });
    uint64_t bytes = 0;
    for (const rte_mbuf* m : of_eight) bytes += m->pkt_len;
    const auto ends = eight.run(of_eight, ports);
    ASSERT_EQ(eight.w.burst.whole, whole) << "round " << round;
    ASSERT_EQ(eight.w.burst.bytes, bytes) << "round " << round;
    for (unsigned n = 0; n < count; ++n) {
      ASSERT_EQ(alone.run({of_alone[n]}, {ports[n]}).front(), ends[n]) << "round " << round;
      spoofed += ends[n] == StageBench::dropped(DropReason::kSpoofed);
      truncated += ends[n] == StageBench::dropped(DropReason::kL4Truncated);
      martians += ends[n] == StageBench::dropped(DropReason::kMartian);
      unlike += ends[n] != ends[0];
    }
    ASSERT_TRUE(flows_of(eight) == flows_of(alone)) << "round " << round;
    ASSERT_EQ(eight.left, alone.left) << "round " << round;
    for (StageBench* bench : {&eight, &alone}) bench->left.clear();
  }
  EXPECT_GT(spoofed, 100U);
  EXPECT_GT(truncated, 10U);
  EXPECT_GT(chained, 100U);
  EXPECT_GT(unlike, 1000U);
  EXPECT_GT(martians, 100U);
  EXPECT_GT(eight.w.flows_v4.size(), 10U);
  EXPECT_GT(eight.w.flows_v6.size(), 10U);
  EXPECT_EQ(eight.buffers_out(), 0U);
}

TEST(StraightWay, HandsOverOfEightWhatItHandsOverAlone) {
  Shapes shapes(support::seed());
  StageBench eight(1000, 1, 3), alone(1000, 1, 3);
  for (StageBench* bench : {&eight, &alone}) bench->set_rules(kOfShapes, 1);
  // What lies in the rings to the others, with its tags, by ring and by family: a packet of one
  // family may overtake one of the other.
  const auto handed = [](StageBench& bench) {
    std::array<std::vector<std::pair<uint32_t, Bytes>>, 4> all;
    for (const unsigned other : {0U, 2U}) {
      rte_mbuf* m = nullptr;
      while (bench.w.to[other]->dequeue(&m, 1) == 1) {
        const auto* bytes = rte_pktmbuf_mtod(m, const uint8_t*);
        const unsigned length = m->data_len;
        ParsedPacket p;
        parse_frame(bytes, length, length, p);
        all[other + (p.family == Family::kV6)].emplace_back(HandoffTag::read(m),
                                                            Bytes(bytes, bytes + length));
        rte_pktmbuf_free(m);
      }
    }
    return all;
  };
  uint64_t own = 0, given = 0;
  for (uint64_t round = 0; round < support::rounds(1000); ++round) {
    std::vector<StageBench::Frame> frames;
    shapes.next_burst();
    const auto count = static_cast<uint16_t>(1 + shapes.below(8));
    for (uint16_t n = 0; n < count; ++n) {
      frames.push_back({shapes.next(1000 + n), static_cast<uint8_t>(shapes.below(2))});
    }
    const auto ends = eight.run(frames);
    for (uint64_t n = 0; n < count; ++n) {
      ASSERT_EQ(alone.run(std::vector{frames[n]}).front(), ends[n]) << "round " << round;
      own += ends[n] == StageBench::kForwarded;
      given += ends[n] == StageBench::kHanded;
    }
    ASSERT_EQ(handed(eight), handed(alone)) << "round " << round;
    ASSERT_TRUE(flows_of(eight) == flows_of(alone)) << "round " << round;
    ASSERT_EQ(eight.left, alone.left) << "round " << round;
    for (StageBench* bench : {&eight, &alone}) bench->left.clear();
  }
  EXPECT_GT(own, 500U);
  EXPECT_GT(given, 1000U);
  EXPECT_EQ(eight.buffers_out(), 0U);
}

}  // namespace
}  // namespace rampart::test
