// SPDX-License-Identifier: Apache-2.0
// Eight headers at once, held against one look at each.
#include "dataplane/packet/eight_heads.hpp"

#ifdef __AVX2__

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <memory>
#include <vector>

#include "dataplane/packet/checksum.hpp"
#include "dataplane/packet/flow_key.hpp"
#include "tests/unit/packet/parse_fixture.hpp"

namespace rampart::test {
namespace {

constexpr uint32_t kIpv4Header = 20, kEthernet = 14;

/// A frame with room behind it, as in a buffer.
using Room = std::array<uint8_t, 128>;

Room with_room(const Bytes& frame) {
  Room room;
  room.fill(0xa5);
  std::copy(frame.begin(), frame.end(), room.begin());
  return room;
}

/// All that is said of eight frames.
struct Eight {
  Eight(const std::array<const uint8_t*, 8>& frame, const std::array<uint16_t, 8>& bytes) {
    for (unsigned j = 0; j < 8; ++j) behind[j] = frame[j] + kEthernet;
    find_eight(behind.data(), bytes.data(), frames);
    look_at_eight_v4(frames, v4);
    look_at_eight_v6(frames, v6);
    alignas(32) Zone zones[8];
    for (unsigned j = 0; j < 8; ++j) zones[j] = make_zone(kWire, frames.vlans[j]);
    aim_eight(frames, v4, zones, kUdp, kSeed, key4, hash4);
    if (v6.udp == 0xff) aim_eight(frames, v6, zones, kUdp, kSeed, key6, hash6);
  }
  static constexpr uint8_t kWire = 8, kUdp = static_cast<uint8_t>(IpProtocol::kUdp);
  static constexpr HashSeed kSeed{3, 5};
  std::array<const uint8_t*, 8> behind;
  EightFrames frames;
  EightHeadsV4 v4;
  EightHeadsV6 v6;
  FlowKeyV4 key4[8];  ///< all at once, as if they were of UDP
  FlowKeyV6 key6[8];
  uint64_t hash4[8], hash6[8];
};

/// What keys are made of, eight at once and alone.
void compare_keys(const Eight& e, unsigned j, const uint8_t* ip, const PlainFrame& at,
                  const detail::PlainTransport& alone) {
  const HashSeed seed = Eight::kSeed;
  const Zone zone = make_zone(Eight::kWire, at.vlans),
             of_lane = make_zone(Eight::kWire, e.frames.vlans[j]);
  ASSERT_EQ(e.frames.ip[j], ip);
  if (at.type == detail::kIpv4) {
    ASSERT_EQ(e.v4.payload[j], alone.bytes);
    FlowKeyV4 expected, found;
    const Aim one = aim_v4(ip + 12, alone.ports, zone, alone.protocol, seed, expected);
    const Aim of_eight = aim_in_order(e.v4.addresses[j], e.v4.ports[j], e.v4.end(j), of_lane,
                                      alone.protocol, seed, found);
    ASSERT_EQ(expected, found);
    ASSERT_EQ(one.end, of_eight.end);
    ASSERT_EQ(one.hash, of_eight.hash);
    ASSERT_EQ(one.hash, hash_of(found, seed));
    if (!alone.is_udp()) return;
    ASSERT_EQ(expected, e.key4[j]);
    ASSERT_EQ(one.hash, e.hash4[j]);
  } else {
    ASSERT_EQ(e.v6.payload[j], alone.bytes);
    FlowKeyV6 expected, found;
    const Aim one = aim_v6(ip + 8, alone.ports, zone, alone.protocol, seed, expected);
    const Aim of_eight =
        aim_by_end(ip + 8, e.v6.ports[j], e.v6.end(j), of_lane, alone.protocol, seed, found);
    ASSERT_EQ(expected, found);
    ASSERT_EQ(one.end, of_eight.end);
    ASSERT_EQ(one.hash, of_eight.hash);
    ASSERT_EQ(one.hash, hash_of(found, seed));
    if (e.v6.udp != 0xff) return;
    ASSERT_EQ(expected, e.key6[j]);
    ASSERT_EQ(one.hash, e.hash6[j]);
  }
}

/// What lane `j` says of a frame of `bytes` bytes, and what a look at it alone says. Returns
/// whether it is a plain one.
bool compare(const Eight& e, unsigned j, const uint8_t* frame, uint32_t bytes) {
  const bool v4 = (e.frames.v4 >> j & 1) != 0, v6 = (e.frames.v6 >> j & 1) != 0;
  const bool udp4 = (e.v4.udp >> j & 1) != 0, udp6 = (e.v6.udp >> j & 1) != 0;
  const bool tcp4 = (e.v4.tcp >> j & 1) != 0, tcp6 = (e.v6.tcp >> j & 1) != 0;
  EXPECT_LE(udp4 + udp6 + tcp4 + tcp6, 1);
  EXPECT_TRUE(v4 || (!udp4 && !tcp4));
  EXPECT_TRUE(v6 || (!udp6 && !tcp6));
  if (bytes < EightFrames::kLeastBytes) {
    EXPECT_FALSE(v4 || v6);
    return false;
  }
  const PlainFrame at = look_at_plain_frame(frame);
  const uint8_t* ip = frame + at.l3;
  detail::PlainTransport alone{}, segment{};
  const bool plain4 = at.type == detail::kIpv4 && detail::check_plain_v4(ip, bytes - at.l3, alone),
             plain6 = at.type == detail::kIpv6 && detail::check_plain_v6(ip, bytes - at.l3, alone);
  EXPECT_EQ(v4, at.type == detail::kIpv4);
  EXPECT_EQ(v6, at.type == detail::kIpv6 && bytes - at.l3 >= EightFrames::kLeastBytesV6);
  EXPECT_EQ(udp4 || (tcp4 && detail::check_plain_transport(ip + 20, e.v4.payload[j], 6, segment)),
            plain4);
  EXPECT_EQ(udp6 || (tcp6 && detail::check_plain_transport(ip + 40, e.v6.payload[j], 6, segment)),
            plain6);
  if (!plain4 && !plain6) return false;
  EXPECT_EQ(udp4 || udp6, alone.is_udp());
  compare_keys(e, j, ip, at, alone);
  return true;
}

/// So that it is not the checksum for which most of them are none.
void repair_checksum(Room& frame) {
  uint8_t* ip = frame.data() + look_at_plain_frame(frame.data()).l3;
  ip[10] = ip[11] = 0;
  const auto sum = static_cast<uint16_t>(~fold_sum(ones_sum(ip, kIpv4Header)));
  std::memcpy(ip + 10, &sum, 2);
}

/// Of each family and protocol, from either end, with a tag and without one; and some that are not
/// to be looked at like that.
std::vector<Bytes> all_kinds() {
  const std::vector<PacketBuilder> untagged{
      v4().udp(40000, 53).payload(10),
      v4().udp(53, 40000).payload(4),
      packet().ipv4(kB4, kA4).udp(7, 7).payload(1).pad_to(60),
      v4().tcp(40000, 443, kPsh | kAck).payload(10),
      packet().ipv4(kB4, kA4).tcp(443, 40000, kSyn | kAck),
      packet().ipv4("223.255.255.255", "239.255.255.255").udp(1, 2).payload(4),
      v6().udp(40000, 53).payload(10),
      packet().ipv6(kB6, kA6).udp(53, 40000),
      packet().ipv6("fd01::", "fd00::ffff:ffff:ffff:ffff").udp(7, 7).payload(1).pad_to(70),
      v6().tcp(40000, 443, kPsh | kAck).payload(10),
      packet().ipv6(kB6, kA6).tcp(443, 40000, kSyn | kAck),
      packet().ipv6("fe80::1", "ff02::1").udp(1, 2),
  };
  std::vector<Bytes> all;
  all.reserve(2 * untagged.size() + 3);
  for (const PacketBuilder& frame : untagged) all.push_back(frame.bytes());
  for (const PacketBuilder& frame : untagged) {
    all.push_back(PacketBuilder(frame).vlan(0xabc, 0x8100, 5).bytes());
  }
  all.push_back(v4().udp(1, 2).vlan(7).vlan(8).payload(10).bytes());
  all.push_back(v6().udp(1, 2).vlan(7, 0x88a8).payload(10).bytes());
  all.push_back(packet().arp(kA4, kB4).pad_to(60).bytes());
  return all;
}

TEST(EightHeads, SayOfEachFrameWhatALookAtItAloneSays) {
  constexpr size_t kLastHeaderByte = 66;  // of UDP over IPv6 behind a tag
  const std::vector<Bytes> kinds = all_kinds();
  unsigned lane = 0, plain = 0, other = 0;
  size_t beside = 0;
  for (const Bytes& frame : kinds) {
    const size_t end = std::min(frame.size(), kLastHeaderByte);
    for (size_t at = 12; at < end; ++at) {
      for (unsigned value = 0; value < 256; ++value) {
        for (const bool repaired : {false, true}) {
          if (repaired && look_at_plain_frame(frame.data()).type != detail::kIpv4) continue;
          Room changed = with_room(frame);
          changed[at] = static_cast<uint8_t>(value);
          if (repaired) repair_checksum(changed);
          // Beside it, in the other lanes, all kinds of frames, or all of one kind.
          lane = (lane + 3) % 8;
          ++beside;
          std::array<Room, 8> rooms;
          std::array<const uint8_t*, 8> eight;
          std::array<uint16_t, 8> bytes;
          for (unsigned j = 0; j < 8; ++j) {
            const Bytes& of = value % 2 == 0 ? frame : kinds[(beside + j) % kinds.size()];
            rooms[j] = j == lane ? changed : with_room(of);
            bytes[j] = static_cast<uint16_t>(j == lane ? frame.size() : of.size());
            eight[j] = rooms[j].data();
          }
          const Eight all(eight, bytes);
          for (unsigned j = 0; j < 8; ++j) {
            const bool is_plain = compare(all, j, eight[j], bytes[j]);
            if (j == lane) ++(is_plain ? plain : other);
            if (HasFailure()) {
              FAIL() << "lane " << j << ", byte " << at << " of " << lane << " is " << value;
            }
          }
        }
      }
    }
  }
  EXPECT_GT(plain, 100000U);
  EXPECT_GT(other, 100000U);
}

/// From heap blocks of just the size that is asked for, so that AddressSanitizer sees every read
/// beyond.
TEST(EightHeads, AreReadNoFurtherThanSaid) {
  const std::vector<Bytes> kinds = all_kinds();
  unsigned plain = 0;
  for (size_t kind = 0; kind < kinds.size(); ++kind) {
    for (size_t size = 0; size <= kinds[kind].size(); ++size) {
      std::vector<std::unique_ptr<uint8_t[]>> blocks;
      std::array<const uint8_t*, 8> eight;
      std::array<uint16_t, 8> bytes;
      for (unsigned j = 0; j < 8; ++j) {
        const Bytes& of = kinds[j % 2 == 0 ? kind : (kind + j + size) % kinds.size()];
        bytes[j] = static_cast<uint16_t>(j % 4 < 2 ? std::min(size, of.size()) : of.size());
        blocks.push_back(std::make_unique<uint8_t[]>(bytes[j]));
        std::copy_n(of.begin(), bytes[j], blocks.back().get());
        eight[j] = blocks.back().get();
      }
      const Eight all(eight, bytes);
      for (unsigned j = 0; j < 8; ++j) plain += compare(all, j, eight[j], bytes[j]);
      ASSERT_FALSE(HasFailure()) << "kind " << kind << ", " << size << " bytes";
    }
  }
  EXPECT_GT(plain, 1000U);
}

TEST(EightHeads, FindTheHigherAddressAndThoseThatAreTheSame) {
  for (size_t at = 0; at < 16; ++at) {
    for (const uint8_t value : {uint8_t{0x20}, uint8_t{0x21}, uint8_t{0x22}, uint8_t{0xa1}}) {
      std::array<Room, 8> rooms;
      std::array<const uint8_t*, 8> eight;
      std::array<uint16_t, 8> bytes;
      for (unsigned j = 0; j < 8; ++j) {
        rooms[j] = with_room(v6().udp(40000, 53).bytes());
        bytes[j] = 62;
        uint8_t* source = rooms[j].data() + kEthernet + 8;
        std::fill_n(source, 32, uint8_t{0x21});
        // The byte that differs is the source's, or the destination's, and all behind it differ the
        // other way round.
        uint8_t* higher = j % 2 != 0 ? source : source + 16;
        higher[at] = value;
        if (value != 0x21) std::fill(higher + at + 1, higher + 16, value < 0x21 ? 0xff : 0x00);
        eight[j] = rooms[j].data();
      }
      const Eight all(eight, bytes);
      ASSERT_EQ(all.v6.udp, value == 0x21 ? 0U : 0xffU) << at;
      for (unsigned j = 0; j < 8; ++j) {
        compare(all, j, eight[j], bytes[j]);
        const bool source_is_higher = (value > 0x21) == (j % 2 != 0);
        ASSERT_TRUE(value == 0x21 || all.v6.end(j) == source_is_higher) << at;
      }
      ASSERT_FALSE(HasFailure()) << at;
    }
  }
}

TEST(EightHeads, FindEveryPortOfADatagramThatIsMoreThanOneOfAFlow) {
  std::array<Room, 8> rooms;
  for (const PacketBuilder& from : {v4(), v6()}) {
    for (uint32_t first = 0; first < 65536; first += 8) {
      std::array<const uint8_t*, 8> eight;
      std::array<uint16_t, 8> bytes;
      for (unsigned j = 0; j < 8; ++j) {
        const Bytes frame =
            PacketBuilder(from).udp(40000, static_cast<uint16_t>(first + j)).payload(4).bytes();
        rooms[j] = with_room(frame);
        bytes[j] = static_cast<uint16_t>(frame.size());
        eight[j] = rooms[j].data();
      }
      const Eight all(eight, bytes);
      for (unsigned j = 0; j < 8; ++j) {
        const uint32_t port = first + j;
        const bool odd = port == 0 || detail::is_special_udp(static_cast<uint16_t>(port));
        ASSERT_EQ(((all.v4.udp | all.v6.udp) >> j & 1) != 0, !odd) << port;
        ASSERT_EQ(detail::is_special_udp_quickly(static_cast<uint16_t>(port)), odd && port != 0)
            << port;
      }
    }
  }
}

}  // namespace
}  // namespace rampart::test

#endif
