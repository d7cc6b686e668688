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

/// What lane `j` says of a frame of `bytes` bytes, and what a look at it alone says.
void compare(const EightHeads& heads, unsigned j, const Room& frame, uint32_t bytes) {
  const bool untagged_v4 = frame[12] == 0x08 && frame[13] == 0;
  const uint8_t* ip = frame.data() + kEthernet;
  detail::PlainTransport alone{};
  const bool plain = untagged_v4 && detail::check_plain_v4(ip, bytes - kEthernet, alone);

  const bool fits = kEthernet + heads.total[j] <= bytes;
  const bool udp = fits && (heads.udp >> j & 1) != 0, tcp = fits && (heads.tcp >> j & 1) != 0;
  detail::PlainTransport segment{};
  const bool plain_tcp = tcp && detail::check_plain_transport(
                                    ip + kIpv4Header, heads.total[j] - kIpv4Header, 6, segment);
  ASSERT_FALSE(udp && tcp);
  ASSERT_EQ(udp || plain_tcp, plain);
  if (!plain) return;
  ASSERT_EQ(udp, alone.is_udp());
  ASSERT_EQ(heads.total[j], alone.bytes + kIpv4Header);
  const HashSeed seed;
  FlowKeyV4 expected, found;
  const Aim one = aim_v4(ip + 12, alone.ports, 7, alone.protocol, seed, expected);
  const Aim of_eight = aim_in_order(heads.addresses[j], heads.ports[j], heads.end[j], 7,
                                    alone.protocol, seed, found);
  ASSERT_EQ(expected, found);
  ASSERT_EQ(one.end, of_eight.end);
  ASSERT_EQ(one.hash, of_eight.hash);
}

/// So that it is not the checksum for which most of them are none.
void repair_checksum(Room& frame) {
  uint8_t* ip = frame.data() + kEthernet;
  ip[10] = ip[11] = 0;
  const auto sum = static_cast<uint16_t>(~fold_sum(ones_sum(ip, kIpv4Header)));
  std::memcpy(ip + 10, &sum, 2);
}

TEST(EightHeads, SayOfEachFrameWhatALookAtItAloneSays) {
  const std::vector<Bytes> frames{
      v4().udp(40000, 53).payload(10).bytes(),
      v4().udp(53, 40000).bytes(),
      packet().ipv4(kB4, kA4).udp(7, 7).payload(1).bytes(),
      v4().tcp(40000, 443, kPsh | kAck).payload(10).bytes(),
      packet().ipv4(kB4, kA4).tcp(443, 40000, kSyn | kAck).bytes(),
      packet().ipv4("223.255.255.255", "239.255.255.255").udp(1, 2).bytes(),
  };
  unsigned lane = 0, plain = 0, other = 0;
  for (const Bytes& frame : frames) {
    const auto bytes = static_cast<uint32_t>(frame.size());
    for (size_t at = 10; at < EightHeads::kLeastBytes; ++at) {
      for (unsigned value = 0; value < 256; ++value) {
        for (const bool repaired : {false, true}) {
          Room changed = with_room(frame);
          changed[at] = static_cast<uint8_t>(value);
          if (repaired) repair_checksum(changed);
          // Beside it, in the other lanes, all kinds of frames, in another order each time.
          lane = (lane + 3) % 8;
          std::array<Room, 8> rooms;
          const uint8_t* eight[8];
          for (unsigned j = 0; j < 8; ++j) {
            rooms[j] = j == lane ? changed : with_room(frames[(j + value) % frames.size()]);
            eight[j] = rooms[j].data();
          }
          EightHeads heads;
          look_at_eight(eight, heads);
          for (unsigned j = 0; j < 8; ++j) {
            const Bytes& of = frames[(j + value) % frames.size()];
            SCOPED_TRACE("lane " + std::to_string(j) + ", byte " + std::to_string(at) + " is " +
                         std::to_string(value));
            compare(heads, j, rooms[j], j == lane ? bytes : static_cast<uint32_t>(of.size()));
            if (HasFatalFailure()) return;
          }
          ((heads.udp | heads.tcp) >> lane & 1 ? plain : other) += 1;
        }
      }
    }
  }
  EXPECT_GT(plain, 10000U);
  EXPECT_GT(other, 10000U);
}

/// From heap blocks of just the size that is asked for, so that AddressSanitizer sees every read
/// beyond.
TEST(EightHeads, AreReadNoFurtherThanSaid) {
  const Bytes frame = v4().udp(40000, 53).bytes();
  ASSERT_EQ(frame.size(), EightHeads::kLeastBytes);
  std::vector<std::unique_ptr<uint8_t[]>> blocks(8);
  const uint8_t* eight[8];
  for (unsigned j = 0; j < 8; ++j) {
    blocks[j] = std::make_unique<uint8_t[]>(EightHeads::kLeastBytes);
    std::copy(frame.begin(), frame.end(), blocks[j].get());
    eight[j] = blocks[j].get();
  }
  EightHeads heads;
  look_at_eight(eight, heads);
  EXPECT_EQ(heads.udp, 0xffU);
  EXPECT_EQ(heads.tcp, 0U);
}

TEST(EightHeads, FindEveryPortOfADatagramThatIsMoreThanOneOfAFlow) {
  std::vector<Room> rooms(8);
  for (uint32_t first = 0; first < 65536; first += 8) {
    const uint8_t* eight[8];
    for (unsigned j = 0; j < 8; ++j) {
      rooms[j] = with_room(v4().udp(40000, static_cast<uint16_t>(first + j)).bytes());
      eight[j] = rooms[j].data();
    }
    EightHeads heads;
    look_at_eight(eight, heads);
    for (unsigned j = 0; j < 8; ++j) {
      const uint32_t port = first + j;
      const bool odd = port == 0 || detail::is_special_udp(static_cast<uint16_t>(port));
      ASSERT_EQ((heads.udp >> j & 1) != 0, !odd) << port;
      ASSERT_EQ(detail::is_special_udp_quickly(static_cast<uint16_t>(port)), odd && port != 0)
          << port;
    }
  }
}

}  // namespace
}  // namespace rampart::test

#endif
