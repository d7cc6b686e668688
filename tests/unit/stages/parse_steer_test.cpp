// SPDX-License-Identifier: Apache-2.0
// Frames that no flow is about, and whose flow is whose.
#include <gtest/gtest.h>

#include "dataplane/packet/parse.hpp"
#include "dataplane/state/handoff.hpp"
#include "tests/support/stage_bench.hpp"

namespace rampart::test {
namespace {

constexpr auto kForwarded = StageBench::kForwarded;
constexpr auto kHanded = StageBench::kHanded;
constexpr auto dropped = StageBench::dropped;
using enum DropReason;

PacketBuilder syn(uint16_t port = 40000) {
  return packet().ipv4("10.0.0.1", "10.0.0.2").tcp(port, 80, kSyn);
}

TEST(Parse, MalformedFramesAreDroppedUnderTheirReasonAndFreed) {
  StageBench bench;
  EXPECT_EQ(bench.run(syn().truncate(10)), dropped(kRunt));
  EXPECT_EQ(bench.run(syn().ip_checksum(0x1234)), dropped(kIpChecksum));
  EXPECT_EQ(bench.drops(kRunt), 1U);
  EXPECT_EQ(bench.drops(kIpChecksum), 1U);
  EXPECT_EQ(bench.buffers_out(), 0U);
}

TEST(Parse, ArpPassesAlwaysAndOtherFramesOnlyWhenTold) {
  StageBench bench;
  bench.set_mode(RuleSet::Mode::kDropAll);
  EXPECT_EQ(bench.run(packet().arp("10.0.0.1", "10.0.0.2")), kForwarded);
  EXPECT_EQ(bench.w.counters.passed_always, 1U);
  EXPECT_EQ(bench.run(packet().ether_type(0x88cc).pad_to(60)), dropped(kNonIp));
  bench.w.pass_non_ip = true;
  EXPECT_EQ(bench.run(packet().ether_type(0x88cc).pad_to(60)), kForwarded);
}

TEST(Parse, AForeignSourceIsSpoofedOnItsPortOnly) {
  StageBench bench;
  const SourceFilter filter({*IpPrefix::parse("10.0.0.0/31"), *IpPrefix::parse("fd00::/64")});
  bench.w.ports[0].sources = &filter;
  EXPECT_EQ(bench.run(syn(), 0), kForwarded);
  EXPECT_EQ(bench.run(packet().ipv4("10.0.0.2", "10.0.0.9").udp(1, 2), 0), dropped(kSpoofed));
  EXPECT_EQ(bench.run(packet().ipv4("10.0.0.2", "10.0.0.9").udp(1, 2), 1), kForwarded);
  EXPECT_EQ(bench.run(packet().ipv6("fd00::1", "fd01::2").udp(1, 2), 0), kForwarded);
  EXPECT_EQ(bench.run(packet().ipv6("fd01::1", "fd00::2").udp(1, 2), 0), dropped(kSpoofed));
}

TEST(Parse, OfAnIcmpErrorTheSenderIsCheckedNotTheQuote) {
  StageBench bench;
  EXPECT_EQ(bench.run(syn()), kForwarded);
  const SourceFilter filter({*IpPrefix::parse("192.0.2.0/24")});
  bench.w.ports[1].sources = &filter;
  const auto error = [](std::string_view from) {
    return packet().ipv4(from, "10.0.0.1").icmp(3, 1).quote(syn());
  };
  EXPECT_EQ(bench.run(error("192.0.2.1"), 1), kForwarded);
  EXPECT_EQ(bench.run(error("10.0.0.2"), 1), dropped(kSpoofed));
}

TEST(Parse, TunnelsAreCountedAndDroppedWhenTold) {
  StageBench bench;
  const auto gre = packet().ipv4("10.0.0.1", "10.0.0.2").protocol(47).payload(40);
  EXPECT_EQ(bench.run(gre), kForwarded);
  EXPECT_EQ(bench.w.counters.tunnelled, 1U);
  bench.w.pass_tunnels = false;
  EXPECT_EQ(bench.run(gre), dropped(kTunnel));
}

TEST(Parse, EveryChecksumIsVerifiedWithChecksumAll) {
  StageBench bench;
  const auto data = packet().ipv4("10.0.0.1", "10.0.0.2").udp(40000, 80).payload(9);
  EXPECT_EQ(bench.run(data), kForwarded);
  EXPECT_EQ(bench.run(PacketBuilder(data).wrong_l4_checksum()), kForwarded);
  bench.w.checksum = ChecksumMode::kAll;
  EXPECT_EQ(bench.run(PacketBuilder(data).wrong_l4_checksum()), dropped(kL4Checksum));
  EXPECT_EQ(bench.run(data), kForwarded);
}

TEST(Steer, BothDirectionsAndErrorsGoToOneWorker) {
  StageBench first(1000, 0, 2), second(1000, 1, 2);
  unsigned of_first = 0, of_second = 0;
  for (uint16_t port = 1000; port < 1006; ++port) {
    const auto there = packet().ipv4("10.0.0.1", "10.0.0.2").udp(port, 53);
    const auto back = packet().ipv4("10.0.0.2", "10.0.0.1").udp(53, port);
    const auto error = packet().ipv4("10.0.0.2", "10.0.0.1").icmp(3, 3).quote(there);
    const auto end = first.run(there, 0);
    const bool mine = end == kForwarded;
    EXPECT_TRUE(mine || end == kHanded);
    EXPECT_EQ(first.run(back, 1), end);
    EXPECT_EQ(first.run(error, 1), end);
    EXPECT_EQ(second.run(there, 0), mine ? kHanded : kForwarded);
    ++(mine ? of_first : of_second);
    rte_mbuf* m = nullptr;
    while (first.w.to[1]->dequeue(&m, 1) == 1) rte_pktmbuf_free(m);
  }
  EXPECT_GT(of_first, 0U);
  EXPECT_GT(of_second, 0U);
  EXPECT_EQ(first.w.counters.handed_over, 3U * of_second);
}

TEST(Steer, WhatNicsGiveToItsOwnerIsNotHandedOver) {
  const RssOwners owners(0x6d5a, 128, 2);
  StageBench first(1000, 0, 2), second(1000, 1, 2);
  first.w.owners = second.w.owners = &owners;
  FlowKeyV4 key{};
  key.address[0] = be32(0x0a000001);
  key.address[1] = be32(0x0a000002);
  key.protocol = 17;
  key.port[1] = be16(53);
  unsigned of_second = 0;
  for (uint16_t port = 1000; port < 1020; ++port) {
    key.port[0] = be16(port);
    const bool to_second = owners.of(key) == 1;
    StageBench& mine = to_second ? second : first;
    EXPECT_EQ(mine.run(packet().ipv4("10.0.0.1", "10.0.0.2").udp(port, 53), 0), kForwarded);
    EXPECT_EQ(mine.run(packet().ipv4("10.0.0.2", "10.0.0.1").udp(53, port), 1), kForwarded);
    of_second += to_second ? 1 : 0;
  }
  EXPECT_EQ(first.w.counters.handed_over + second.w.counters.handed_over, 0U);
  EXPECT_GT(of_second, 5U);
  EXPECT_LT(of_second, 15U);
}

TEST(Steer, TheRingSaysWhereAPacketCameInAndInOrder) {
  StageBench bench(1000, 0, 2);
  bench.w.reports = 7;
  std::vector<uint16_t> handed;
  for (uint16_t port = 1000; handed.size() < 5; ++port) {
    if (bench.run(packet().ipv4("10.0.0.1", "10.0.0.2").udp(port, 53), 1) == kHanded) {
      handed.push_back(port);
    }
  }
  for (const uint16_t port : handed) {
    rte_mbuf* m = nullptr;
    ASSERT_EQ(bench.w.to[1]->dequeue(&m, 1), 1U);
    const uint32_t tag = HandoffTag::read(m);
    EXPECT_EQ(HandoffTag::in_port(tag), 1);
    EXPECT_EQ(HandoffTag::ahead_of(tag, 6), 1);
    EXPECT_EQ(HandoffTag::ahead_of(tag, 7), 0);
    EXPECT_EQ(HandoffTag::ahead_of(tag, 8), -1);
    const auto* bytes = rte_pktmbuf_mtod(m, const uint8_t*);
    EXPECT_EQ(bytes[34] << 8 | bytes[35], port);
    rte_pktmbuf_free(m);
  }
}

TEST(Steer, SaysWhatItHasReadOfAPacket) {
  StageBench bench(1000, 0, 2);
  // Until it is the other worker's.
  const auto given = [&bench](auto&& make) {
    for (uint16_t port = 1000;; ++port) {
      const PacketBuilder p = make(port);
      if (bench.run(p) != kHanded) continue;
      rte_mbuf* m = nullptr;
      EXPECT_EQ(bench.w.to[1]->dequeue(&m, 1), 1U);
      const std::pair said{HandoffTag::read(m), HandoffTag::read_hash(m)};
      rte_pktmbuf_free(m);
      return std::pair{said, port};
    }
  };
  const auto there = [](uint16_t port) {
    return packet().ipv4("10.0.0.1", "10.0.0.2").udp(port, 53);
  };
  const auto [said, port] = given(there);
  FlowKeyV4 key;
  ParsedPacket p;
  const Bytes bytes = there(port).bytes();
  parse_frame(bytes.data(), static_cast<uint32_t>(bytes.size()),
              static_cast<uint32_t>(bytes.size()), p);
  EXPECT_EQ(HandoffTag::purpose(said.first), HandoffTag::kUnreadV4);
  EXPECT_EQ(HandoffTag::end(said.first), make_key(p, 0, key));
  EXPECT_EQ(said.second, hash_of(key, bench.w.seed));
  const auto back = given([&, there_port = port](uint16_t) {
    return packet().ipv4("10.0.0.2", "10.0.0.1").udp(53, there_port);
  });
  EXPECT_EQ(HandoffTag::end(back.first.first), 1 - HandoffTag::end(said.first));
  EXPECT_EQ(back.first.second, said.second);

  const auto purpose = [&](auto&& make) { return HandoffTag::purpose(given(make).first.first); };
  const auto v6 = [] { return packet().ipv6("fd00::1", "fd00::2"); };
  EXPECT_EQ(purpose([&](uint16_t n) { return v6().udp(n, 53); }), HandoffTag::kUnreadV6);
  EXPECT_EQ(purpose([&](uint16_t n) { return v6().tcp(n, 80, kAck); }), HandoffTag::kUnreadV6);
  EXPECT_EQ(purpose([&](uint16_t n) { return v6().tcp(n, 80, kSyn); }), HandoffTag::kJudge);
  EXPECT_EQ(purpose([](uint16_t n) { return syn(n); }), HandoffTag::kJudge);
  EXPECT_EQ(purpose([](uint16_t n) {
              return packet().ipv4("10.0.0.1", "10.0.0.2").ip_option({148, 4, 0, 0}).udp(n, 53);
            }),
            HandoffTag::kJudge);
  const SourceFilter everybody({*IpPrefix::parse("0.0.0.0/0")});
  bench.w.ports[0].sources = &everybody;
  EXPECT_EQ(purpose(there), HandoffTag::kJudge) << "of a port that is looked at closely";
}

TEST(Steer, AFullRingDropsByName) {
  StageBench bench(1000, 0, 2);  // its rings hold eight
  for (uint16_t port = 1000; port < 1100; ++port) {
    bench.run(packet().ipv4("10.0.0.1", "10.0.0.2").udp(port, 53));
  }
  const PortWork& work = bench.w.counters.ports[0];
  EXPECT_EQ(work.given, 8U);
  EXPECT_GT(bench.drops(kHandoffFull), 10U);
  EXPECT_EQ(work.received, work.forwarded + work.given + bench.drops(kHandoffFull));
  EXPECT_EQ(bench.buffers_out(), 8U);
}

}  // namespace
}  // namespace rampart::test
