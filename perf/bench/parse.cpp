// SPDX-License-Identifier: Apache-2.0
// parse_frame beside DPDK's rte_net_get_ptype, which finds the layers but checks nothing, followed
// by the reads that a filter cannot do without (addresses, ports, flags). The frames lie each in a
// buffer of its own, in no order that a prefetcher could guess; how many of them there are decides
// which cache they come from.
#include <rte_ether.h>
#include <rte_ip.h>
#include <rte_mbuf.h>
#include <rte_net.h>

#include <algorithm>
#include <cstring>
#include <memory>
#include <numeric>
#include <random>
#include <vector>

#include "dataplane/packet/checksum.hpp"
#include "dataplane/packet/parse.hpp"
#include "perf/bench/tsc.hpp"
#include "tests/support/packet_builder.hpp"

namespace rampart {
namespace {

using test::Bytes;
using test::kAck;
using test::kPsh;
using test::kSyn;
using test::packet;
using test::PacketBuilder;

constexpr unsigned kBurst = 32;
constexpr size_t kBufferBytes = 2176;  // as a mempool lays them out

enum Mix : int { kTcp4, kTcp6, kUdp4, kTagged, kGateway, kOdd };
constexpr const char* kMixNames[] = {"tcp4", "tcp6", "udp4", "tcp4_vlan", "gateway", "odd"};

/// One frame of a mix; `n` tells clients apart.
Bytes frame_of(int mix, unsigned n) {
  const auto port = static_cast<uint16_t>(1024 + n % 60000);
  const PacketBuilder v4 = packet().ipv4("10.0.1.7", "10.0.2.9");
  const PacketBuilder v6 = packet().ipv6("fd00::7", "fd00::9");
  switch (mix) {
    case kTcp4:
      return PacketBuilder(v4).tcp(port, 443, kAck).payload(6).bytes();
    case kTcp6:
      return PacketBuilder(v6).tcp(port, 443, kAck).payload(6).bytes();
    case kUdp4:
      return PacketBuilder(v4).udp(port, 53).payload(22).bytes();
    case kTagged:
      return PacketBuilder(v4).vlan(100).tcp(port, 443, kAck).payload(6).bytes();
    case kGateway:  // mostly TCP, a third of it IPv6, names, pings
      if (n % 16 == 0) return PacketBuilder(v4).echo_request(port).payload(20).bytes();
      if (n % 8 == 1) return PacketBuilder(v4).udp(port, 53).payload(22).bytes();
      if (n % 3 == 0) return frame_of(kTcp6, n);
      return PacketBuilder(v4).tcp(port, 443, n % 10 == 0 ? kSyn : kAck | kPsh).payload(6).bytes();
    default:  // what makes work: options, chains, pieces, quotes
      switch (n % 4) {
        case 0:
          return PacketBuilder(v4).ip_option({148, 4, 0, 0}).udp(port, 53).payload(22).bytes();
        case 1:
          return PacketBuilder(v6).hop_by_hop().destination_options().tcp(port, 443, kAck).bytes();
        case 2:
          return PacketBuilder(v4).protocol(17).fragment(1480, false).payload(32).bytes();
        default:
          return packet()
              .ipv4("10.0.3.3", "10.0.1.7")
              .icmp(3, 1)
              .quote(PacketBuilder(v4).tcp(port, 443, kSyn), 28)
              .bytes();
      }
  }
}

class Frames {
 public:
  Frames(int mix, size_t count) : memory_(new uint8_t[count * kBufferBytes]) {
    std::vector<size_t> place(count);
    std::iota(place.begin(), place.end(), size_t{0});
    std::shuffle(place.begin(), place.end(), std::mt19937(1));
    std::mt19937 random(2);
    for (size_t i = 0; i < count; ++i) {
      const Bytes bytes = frame_of(mix, static_cast<unsigned>(random()));
      uint8_t* to = memory_.get() + place[i] * kBufferBytes + RTE_PKTMBUF_HEADROOM;
      std::memcpy(to, bytes.data(), bytes.size());
      frames.push_back({to, static_cast<uint32_t>(bytes.size())});
    }
  }
  std::vector<FrameSegment> frames;

 private:
  std::unique_ptr<uint8_t[]> memory_;
};

/// Calls `parse(frame, slot)` for bursts of 32, prefetching a burst ahead as the stage does.
template <typename Parse>
void run(benchmark::State& state, Parse&& parse) {
  const int mix = static_cast<int>(state.range(0));
  const Frames input(mix, static_cast<size_t>(state.range(1)));
  state.SetLabel(kMixNames[mix]);
  size_t at = 0;
  bench::CyclesPerItem cycles(state);
  cycles.items_per_iteration(kBurst);
  for (auto _ : state) {
    const size_t next = at + kBurst == input.frames.size() ? 0 : at + kBurst;
    for (unsigned i = 0; i < kBurst; ++i) __builtin_prefetch(input.frames[next + i].bytes);
    for (unsigned i = 0; i < kBurst; ++i) parse(input.frames[at + i], i);
    benchmark::ClobberMemory();
    at = next;
  }
}

void parse(benchmark::State& state) {
  ParsedPacket parsed[kBurst];
  benchmark::DoNotOptimize(&parsed[0]);
  run(state, [&parsed](const FrameSegment& f, unsigned i) {
    parse_frame(f.bytes, f.length, f.length, parsed[i]);
  });
}

void ptype_and_reads(benchmark::State& state) {
  struct Read {
    uint32_t ptype;
    uint8_t protocol, flags;
    uint8_t source[16], destination[16];
    uint32_t ports;
  } read[kBurst];
  benchmark::DoNotOptimize(&read[0]);
  rte_mbuf mbuf;
  std::memset(reinterpret_cast<uint8_t*>(&mbuf), 0, sizeof mbuf);
  run(state, [&](const FrameSegment& f, unsigned i) {
    mbuf.buf_addr = const_cast<uint8_t*>(f.bytes);
    mbuf.data_len = static_cast<uint16_t>(f.length);
    mbuf.pkt_len = f.length;
    rte_net_hdr_lens lens;
    Read& out = read[i];
    out.ptype = rte_net_get_ptype(&mbuf, &lens, RTE_PTYPE_ALL_MASK);
    const uint8_t* l3 = f.bytes + lens.l2_len;
    const uint8_t* l4 = l3 + lens.l3_len;
    if ((out.ptype & RTE_PTYPE_L3_IPV4) != 0) {
      out.protocol = l3[9];
      std::memcpy(out.source, l3 + 12, 4);
      std::memcpy(out.destination, l3 + 16, 4);
    } else if ((out.ptype & RTE_PTYPE_L3_IPV6) != 0) {
      out.protocol = l3[6];
      std::memcpy(out.source, l3 + 8, 16);
      std::memcpy(out.destination, l3 + 24, 16);
    }
    const uint32_t l4_type = out.ptype & RTE_PTYPE_L4_MASK;
    if (l4_type == RTE_PTYPE_L4_TCP || l4_type == RTE_PTYPE_L4_UDP) {
      std::memcpy(&out.ports, l4, 4);
      if (l4_type == RTE_PTYPE_L4_TCP) out.flags = l4[13];
    }
  });
}

/// What --checksum all adds, for the payload sizes of small and of full frames.
void checksum(benchmark::State& state) {
  const Bytes frame = packet()
                          .ipv4("10.0.1.7", "10.0.2.9")
                          .tcp(40000, 443, kAck)
                          .payload(static_cast<size_t>(state.range(0)))
                          .bytes();
  ParsedPacket parsed;
  parse_frame(frame.data(), static_cast<uint32_t>(frame.size()),
              static_cast<uint32_t>(frame.size()), parsed);
  bench::CyclesPerItem cycles(state);
  for (auto _ : state) {
    benchmark::DoNotOptimize(frame.data());
    benchmark::DoNotOptimize(l4_checksum_ok(frame.data(), parsed));
  }
}

void mixes(benchmark::internal::Benchmark* b) {
  b->ArgNames({"mix", "frames"});
  for (int mix : {kTcp4, kTcp6, kUdp4, kTagged, kGateway, kOdd}) b->Args({mix, 256});
  for (int mix : {kTcp4, kGateway}) b->Args({mix, 16384});
}

BENCHMARK(parse)->Apply(mixes);
BENCHMARK(ptype_and_reads)->Apply(mixes);
BENCHMARK(checksum)->ArgName("payload")->Arg(6)->Arg(1400);

}  // namespace
}  // namespace rampart

BENCHMARK_MAIN();
