// SPDX-License-Identifier: Apache-2.0
// Right and wrong transport checksums; those of the frames come from the plain, slow reference of
// the packet builder.
#include "dataplane/packet/checksum.hpp"

#include <gtest/gtest.h>

#include <bit>
#include <cstring>
#include <random>
#include <vector>

#include "tests/unit/packet/parse_fixture.hpp"

namespace rampart::test {
namespace {

/// Asks both ways: whole, and in pieces of at most `piece` bytes.
bool ok(const Bytes& frame, uint32_t piece = 1) {
  const ParsedPacket p = parse(frame);
  EXPECT_NE(p.kind, PacketKind::kDropped) << p.reason;
  std::vector<FrameSegment> segments;
  for (uint32_t at = 0; at < frame.size(); at += piece) {
    segments.push_back(
        {frame.data() + at, std::min(piece, static_cast<uint32_t>(frame.size()) - at)});
  }
  const bool whole = l4_checksum_ok(frame.data(), p);
  EXPECT_EQ(whole, l4_checksum_ok(segments, p));
  return whole;
}
bool ok(const PacketBuilder& builder) {
  return ok(builder.bytes());
}

std::vector<PacketBuilder> of_every_protocol() {
  std::vector<PacketBuilder> all;
  for (const PacketBuilder& base : {v4(), v6(), v4().vlan(9).ip_option({148, 4, 0, 0}),
                                    v6().hop_by_hop().destination_options()}) {
    for (size_t n : {0U, 1U, 2U, 7U, 8U, 31U, 1400U}) {
      all.push_back(PacketBuilder(base).tcp(40000, 443, kSyn).payload(n));
      all.push_back(PacketBuilder(base).udp(40000, 53).payload(n));
      all.push_back(PacketBuilder(base).sctp(40000, 9).chunk(1, 16 + n));
      all.push_back(PacketBuilder(base).echo_request(5).payload(n));
    }
  }
  return all;
}

TEST(L4Checksum, RightForEveryProtocol) {
  for (const PacketBuilder& builder : of_every_protocol()) EXPECT_TRUE(ok(builder));
}

TEST(L4Checksum, WrongForEveryProtocol) {
  for (PacketBuilder builder : of_every_protocol()) EXPECT_FALSE(ok(builder.wrong_l4_checksum()));
}

TEST(L4Checksum, EveryBitCounts) {
  for (const PacketBuilder& builder :
       {v4().tcp(1, 2, kAck).payload(5), v6().udp(1, 2).payload(5), v4().sctp(1, 2).chunk(0, 5),
        v6().echo_request(5).payload(5)}) {
    const Bytes frame = builder.bytes();
    const ParsedPacket p = parse(frame);
    for (size_t bit = p.l4_offset * 8U; bit < frame.size() * 8; ++bit) {
      Bytes flipped = frame;
      flipped[bit / 8] = static_cast<uint8_t>(flipped[bit / 8] ^ 1U << (bit % 8));
      // As the parser saw it before the flip: only the sum is asked.
      EXPECT_FALSE(
          l4_checksum_ok(flipped.data(), p) &&
          !(p.protocol == 17 && (bit / 8 == p.l4_offset + 4U || bit / 8 == p.l4_offset + 5U)))
          << bit;
    }
  }
}

// Short segments of TCP are summed in a way of their own: it must say what the sum in pieces says.
TEST(L4Checksum, SegmentsOfAnyLength) {
  std::mt19937 random(11);
  for (const bool four : {true, false}) {
    const uint32_t addresses = four ? 8 : 32;
    for (size_t payload = 0; payload <= 70; ++payload) {
      const Bytes good = (four ? v4() : v6()).tcp(1, 2, kAck).payload(payload).bytes();
      const ParsedPacket p = parse(good);
      EXPECT_TRUE(l4_checksum_ok(good.data(), p)) << payload;
      for (int round = 0; round < 40; ++round) {
        Bytes bytes = good;
        for (size_t at = p.l4_offset; at < bytes.size(); ++at) {
          bytes[at] = round == 0 ? uint8_t{0xff} : static_cast<uint8_t>(random());
        }
        // A checksum that is right, or as far from it as `round` says.
        const size_t field = p.l4_offset + 16U;
        bytes[field] = bytes[field + 1] = 0;
        const auto pieces = [&] {
          const FrameSegment two[] = {
              {bytes.data(), 21}, {bytes.data() + 21, static_cast<uint32_t>(bytes.size() - 21)}};
          return l4_checksum_ok(two, p);
        };
        const uint64_t sum = ones_sum(bytes.data() + p.l4_offset, p.l4_bytes) +
                             ones_sum(bytes.data() + p.l4_offset - addresses, addresses) +
                             __builtin_bswap16(static_cast<uint16_t>(p.l4_bytes)) +
                             __builtin_bswap16(6);
        const auto right = static_cast<uint16_t>(~fold_sum(sum) + round % 3);
        std::memcpy(bytes.data() + field, &right, 2);
        EXPECT_EQ(l4_checksum_ok(bytes.data(), p), round % 3 == 0) << payload;
        EXPECT_EQ(pieces(), round % 3 == 0) << payload;
      }
    }
  }
}

// By eights it is each one's own checksum that counts, whatever stands beside it.
TEST(ShortPackets, AreRightIfEachIsRightAlone) {
  std::mt19937 random(12);
  unsigned right = 0, wrong = 0;
  for (const bool four : {true, false}) {
    const uint32_t address_bytes = four ? 8 : 32;
    for (unsigned count = 1; count <= 64; ++count) {
      std::vector<Bytes> frames;
      std::vector<ShortPacket> packets;
      uint64_t expected = 0;
      for (unsigned n = 0; n < count; ++n) {
        const bool udp = random() % 3 == 0;
        const uint32_t most = 64 - address_bytes - (udp ? 8 : 20);
        PacketBuilder p = four ? v4() : v6();
        udp ? p.udp(3, 4) : p.tcp(3, 4, kSyn);
        frames.push_back(p.payload(random() % (most / 2 + 1) * 2).bytes());
        Bytes& frame = frames.back();
        ParsedPacket parsed = parse(frame);
        for (uint32_t at = parsed.l4_offset + (udp ? 8U : 20U); at < frame.size(); ++at) {
          frame[at] = static_cast<uint8_t>(random());  // most likely wrong
        }
        if (random() % 2 == 0) {
          const size_t field = parsed.l4_offset + (udp ? 6U : 16U);
          frame[field] = frame[field + 1] = 0;
          const uint64_t sum = ones_sum(frame.data() + parsed.l4_offset - address_bytes,
                                        address_bytes + parsed.l4_bytes) +
                               __builtin_bswap16(static_cast<uint16_t>(parsed.l4_bytes)) +
                               (udp ? 17U << 8 : 6U << 8);
          auto checksum = static_cast<uint16_t>(~fold_sum(sum));
          if (udp && checksum == 0) checksum = 0xffff;
          std::memcpy(frame.data() + field, &checksum, 2);
        }
        expected |= uint64_t{l4_checksum_ok(frame.data(), parsed)} << n;
      }
      for (const Bytes& frame : frames) {
        const ParsedPacket parsed = parse(frame);
        packets.push_back(
            {frame.data() + parsed.l4_offset - address_bytes, parsed.l4_bytes, parsed.protocol});
      }
      const uint64_t all = count == 64 ? ~uint64_t{0} : (uint64_t{1} << count) - 1;
      EXPECT_EQ(short_packets_ok(packets.data(), count, address_bytes) & all, expected) << count;
      right += static_cast<unsigned>(std::popcount(expected));
      wrong += count - static_cast<unsigned>(std::popcount(expected));
    }
  }
  EXPECT_GT(right, 500U);
  EXPECT_GT(wrong, 500U);
}

TEST(L4Checksum, AddressesCountWhereThereIsAPseudoHeader) {
  const auto turned = [](const PacketBuilder& builder) {
    Bytes frame = builder.bytes();
    ParsedPacket p = parse(frame);
    ++frame[p.l3_offset + (p.family == Family::kV4 ? 19U : 39U)];
    return l4_checksum_ok(frame.data(), p);
  };
  EXPECT_FALSE(turned(v4().tcp(1, 2, kAck)));
  EXPECT_FALSE(turned(v4().udp(1, 2)));
  EXPECT_FALSE(turned(v6().udp(1, 2)));
  EXPECT_FALSE(turned(v6().echo_request(5)));
  EXPECT_TRUE(turned(v4().echo_request(5)));
  EXPECT_TRUE(turned(v4().sctp(1, 2).chunk(0, 4)));
}

TEST(L4Checksum, PiecesOfAnySize) {
  for (const PacketBuilder& builder : of_every_protocol()) {
    const Bytes good = builder.bytes();
    const Bytes bad = PacketBuilder(builder).wrong_l4_checksum().bytes();
    for (uint32_t piece : {2U, 3U, 13U, 64U, 2000U}) {
      EXPECT_TRUE(ok(good, piece)) << piece;
      EXPECT_FALSE(ok(bad, piece)) << piece;
    }
  }
}

TEST(L4Checksum, UnequalPiecesAndEmptyOnes) {
  std::mt19937 random(7);
  const Bytes frame = v6().tcp(1, 2, kSyn).payload(777).bytes();
  const ParsedPacket p = parse(frame);
  for (int round = 0; round < 200; ++round) {
    std::vector<FrameSegment> segments;
    for (size_t at = 0; at < frame.size();) {
      const size_t n = std::min<size_t>(random() % 120, frame.size() - at);
      segments.push_back({frame.data() + at, static_cast<uint32_t>(n)});
      at += n;
    }
    EXPECT_TRUE(l4_checksum_ok(segments, p));
    segments.back().length = segments.back().length > 0 ? segments.back().length - 1 : 0;
    if (segments.back().length > 0) {
      EXPECT_FALSE(l4_checksum_ok(segments, p));
    }
  }
}

TEST(L4Checksum, PaddingDoesNotCount) {
  Bytes frame = v4().udp(1, 2).payload(3).pad_to(60).bytes();
  frame.back() = 0xff;
  EXPECT_TRUE(ok(frame));
  EXPECT_TRUE(ok(v4().udp(1, 2).udp_length(8).l4_checksum(0).payload(4)));
}

TEST(L4Checksum, UdpSumsItsOwnLength) {
  // Four bytes behind the datagram: they are in the IP packet and not in the sum.
  Bytes frame = v4().udp(1, 2).payload(6).bytes();
  const size_t ip = 14;
  frame.insert(frame.end(), {9, 9, 9, 9});
  frame[ip + 3] = static_cast<uint8_t>(frame[ip + 3] + 4);
  frame[ip + 10] = frame[ip + 11] = 0;
  const uint16_t sum = plain_checksum(Bytes(frame.begin() + 14, frame.begin() + 34));
  frame[ip + 10] = static_cast<uint8_t>(sum >> 8);
  frame[ip + 11] = static_cast<uint8_t>(sum);
  EXPECT_TRUE(ok(frame));
}

TEST(L4Checksum, UdpWithoutOne) {
  EXPECT_TRUE(ok(v4().udp(1, 2).l4_checksum(0).payload(9)));
  EXPECT_FALSE(ok(v6().udp(1, 2).l4_checksum(0).payload(9)));
  EXPECT_TRUE(ok(v6().udp(1, 4789).l4_checksum(0).payload(9)));
}

TEST(L4Checksum, NothingToVerify) {
  for (const Bytes& piece : v4().udp(1, 2).wrong_l4_checksum().payload(64).fragments(24)) {
    EXPECT_TRUE(ok(piece));
  }
  EXPECT_TRUE(ok(v4().protocol(47).payload(30)));
  EXPECT_TRUE(ok(v4().protocol(58).payload(30)));
  EXPECT_TRUE(ok(v6().protocol(1).payload(30)));
  EXPECT_TRUE(ok(packet().arp(kA4, kB4)));
  EXPECT_TRUE(ok(packet().ether_type(0x88cc).payload(46)));
}

TEST(L4Checksum, AtomicFragmentsAreVerified) {
  EXPECT_TRUE(ok(v6().fragment(0, false).udp(1, 2).payload(9)));
  EXPECT_FALSE(ok(v6().fragment(0, false).udp(1, 2).wrong_l4_checksum().payload(9)));
}

TEST(L4Checksum, ErrorsHaveTheirOwn) {
  for (const PacketBuilder& builder :
       {packet().ipv4(kB4, kA4).icmp(3, 1).quote(v4().tcp(1, 2, kSyn)),
        packet().ipv6(kB6, kA6).icmp(1, 4).quote(v6().udp(1, 2).payload(5)),
        packet().ipv4(kB4, kA4).icmp(3, 1).quote(v4().sctp(1, 2).chunk(0, 30), 28)}) {
    EXPECT_TRUE(ok(builder));
    EXPECT_FALSE(ok(PacketBuilder(builder).wrong_l4_checksum()));
  }
}

TEST(L4Checksum, DiscoveryHasOneToo) {
  const auto solicitation = packet().ipv6(kA6, kB6).ttl(255).icmp(135).payload(16);
  EXPECT_TRUE(ok(solicitation));
  EXPECT_FALSE(ok(PacketBuilder(solicitation).wrong_l4_checksum()));
}

TEST(OnesSum, AgreesWithThePlainReference) {
  std::mt19937 random(11);
  for (size_t n = 0; n < 300; ++n) {
    Bytes bytes(n);
    for (uint8_t& b : bytes) b = static_cast<uint8_t>(random());
    const uint16_t sum = fold_sum(ones_sum(bytes.data(), static_cast<uint32_t>(n)));
    EXPECT_EQ(static_cast<uint16_t>(~__builtin_bswap16(sum)), plain_checksum(bytes)) << n;
  }
  const Bytes ones(131072, 0xff);
  EXPECT_EQ(fold_sum(ones_sum(ones.data(), 131072)), 0xffff);
}

}  // namespace
}  // namespace rampart::test
