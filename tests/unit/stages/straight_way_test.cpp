// SPDX-License-Identifier: Apache-2.0
// Plain datagrams of flows that go on are not read beyond their keys. A bench on which every packet
// is looked at closely tells whether that makes a difference.
#include <gtest/gtest.h>

#include <map>
#include <random>
#include <tuple>

#include "tests/support/chance.hpp"
#include "tests/support/stage_bench.hpp"

namespace rampart::test {
namespace {

/// What is known of a flow that packets may change.
struct Known {
  FlowState state;
  Tick last_seen;
  uint32_t judged_in;
  uint64_t packets[2], bytes[2];
  bool operator==(const Known&) const = default;
};

template <typename Key>
void list(FlowTable<Key>& table, std::map<uint64_t, Known>& out, const HashSeed& seed) {
  for (uint32_t chunk = 0; chunk < table.chunks(); ++chunk) {
    table.for_each_in_chunk(chunk, [&](auto slot) {
      const FlowFacts& f = table[slot].facts;
      const FlowTally& t = table.tally(slot);
      Known known{f.state, f.last_seen, f.judged_in, {}, {}};
      for (const Side side : {Side::kOpener, Side::kReplier}) {
        known.packets[static_cast<unsigned>(side)] = t.packets(side);
        known.bytes[static_cast<unsigned>(side)] = t.bytes(side);
      }
      out[hash_of(table[slot].key, seed)] = known;
    });
  }
}

std::map<uint64_t, Known> flows_of(StageBench& bench) {
  std::map<uint64_t, Known> out;
  list(bench.w.flows_v4, out, bench.w.seed);
  list(bench.w.flows_v6, out, bench.w.seed);
  return out;
}

auto counts_of(const StageBench& bench) {
  const WorkerCounters& c = bench.w.counters;
  return std::tuple(c.flow_hits, c.flow_misses, c.flows_created, c.flows_expired, c.flows_cut,
                    c.flows_rejudged);
}

/// Packets between few ends, so that they meet flows in all their states.
class Packets {
 public:
  explicit Packets(uint64_t seed) : random_(seed) {}

  unsigned below(unsigned n) { return random_() % n; }

  StageBench::Frame next() {
    const bool back = below(2) != 0;
    const uint16_t client = static_cast<uint16_t>(1000 + below(6)),
                   server = below(3) != 0 ? 80 : 53;
    PacketBuilder p = packet();
    if (below(3) == 0) p.vlan(7);
    if (below(3) != 0) {
      p.ipv4(back ? "10.0.0.2" : "10.0.0.1", back ? "10.0.0.1" : "10.0.0.2");
    } else {
      p.ipv6(back ? "fd00::2" : "fd00::1", back ? "fd00::1" : "fd00::2");
    }
    const uint16_t from = back ? server : client, to = back ? client : server;
    switch (below(12)) {
      case 0:
        p.tcp(from, to, kSyn);
        break;
      case 1:
        p.tcp(from, to, kAck);
        break;
      case 2:
        p.echo_request(7);
        break;
      case 3:
        p.udp(from, to).ip_option({148, 4, 0, 0});
        break;
      default:
        p.udp(from, to).payload(below(30));
    }
    return {p.bytes(), static_cast<uint8_t>(back)};
  }

  std::vector<StageBench::Frame> burst() {
    std::vector<StageBench::Frame> frames(1 + below(12));
    for (auto& frame : frames) frame = next();
    return frames;
  }

 private:
  std::mt19937_64 random_;
};

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
  for (uint64_t round = 0; round < support::rounds(3000); ++round) {
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

}  // namespace
}  // namespace rampart::test
