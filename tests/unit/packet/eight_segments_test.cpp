// SPDX-License-Identifier: Apache-2.0
// Eight TCP headers at once, held against one look at each.
#include "dataplane/packet/eight_segments.hpp"

#ifdef __AVX2__

#include <gtest/gtest.h>

#include <array>
#include <memory>
#include <random>
#include <type_traits>
#include <vector>

#include "tests/support/same_packet.hpp"
#include "tests/unit/packet/parse_fixture.hpp"

namespace rampart::test {
namespace {

/// Eight frames, in heap blocks of just their size, so that AddressSanitizer sees every read
/// beyond.
struct Eight {
  explicit Eight(const std::vector<Bytes>& frames) {
    for (unsigned j = 0; j < 8; ++j) {
      bytes[j] = static_cast<uint16_t>(frames[j].size());
      blocks[j] = std::make_unique<uint8_t[]>(bytes[j]);
      std::copy(frames[j].begin(), frames[j].end(), blocks[j].get());
      behind[j] = blocks[j].get() + EightFrames::kEthernetBytes;
    }
    find_eight(behind.data(), bytes.data(), found);
  }
  /// read(family, heads) of the family over which all are plain segments.
  template <typename Read>
  bool of_family(Read&& read) {
    EightHeadsV4 v4;
    EightHeadsV6 v6;
    look_at_eight_v4(found, v4);
    look_at_eight_v6(found, v6);
    if (v4.tcp == 0xff) return read(std::integral_constant<Family, Family::kV4>(), v4);
    EXPECT_EQ(v6.tcp, 0xffU);
    return read(std::integral_constant<Family, Family::kV6>(), v6);
  }
  bool read_syns(ParsedPacket (&out)[8]) {
    return of_family([&](auto family, const auto& heads) {
      return read_eight_syns<family()>(found, behind.data(), heads.ports, heads.payload, out);
    });
  }
  bool read_middles(ParsedPacket (&out)[8]) {
    return of_family([&](auto family, const auto& heads) {
      return read_eight_middles<family()>(found, heads.ports, heads.payload, out);
    });
  }
  std::array<std::unique_ptr<uint8_t[]>, 8> blocks;
  std::array<uint16_t, 8> bytes;
  std::array<const uint8_t*, 8> behind;
  EightFrames found;
};

const std::vector<Bytes> kOptions = {
    {},
    {2, 4, 5, 180, 4, 2, 8, 10, 1, 2, 3, 4, 0, 0, 0, 0, 1, 3, 3, 7},  // Linux
    {2, 4, 5, 180, 1, 3, 3, 8, 1, 1, 4, 2},                           // Windows
    {3, 3, 200, 0},                                                   // more than there is
    {1, 1, 1, 3},                                                     // cut off
    {3, 4, 1, 0},                                                     // no length of a scale
};

class EightSegments : public testing::TestWithParam<bool> {
 protected:
  struct Ports {
    uint16_t from = 7, to = 443;
  };
  /// A segment, tagged or not, with numbers and payload at random; `odd`: some have a header of any
  /// length. Its place goes into `l4`.
  Bytes segment(std::mt19937& random, uint8_t flags, Ports ports, size_t options, bool odd) {
    PacketBuilder p = GetParam() ? v6() : v4();
    if (random() % 3 == 0) p.vlan(static_cast<uint16_t>(random() % 3 * 100), 0x8100, 5);
    p.tcp(ports.from, ports.to, flags)
        .tcp_sequence(static_cast<uint32_t>(random()), static_cast<uint32_t>(random()))
        .tcp_options(kOptions[options])
        .payload(random() % 9);
    Bytes frame = p.bytes();
    l4 = look_at_plain_frame(frame.data()).l3 + (GetParam() ? 40 : 20);
    if (odd && random() % 20 == 0) frame[l4 + 12] = static_cast<uint8_t>(random());
    return frame;
  }
  uint32_t l4 = 0;
};

TEST_P(EightSegments, ThatAreSynsAreReadAsEachIsReadAlone) {
  std::mt19937 random(5);
  unsigned all = 0, not_all = 0;
  for (unsigned round = 0; round < 800; ++round) {
    const bool odd = round % 2 != 0;
    std::vector<Bytes> frames;
    bool each = true;
    std::array<ParsedPacket, 8> alone;
    for (unsigned j = 0; j < 8; ++j) {
      uint8_t flags = kSyn | static_cast<uint8_t>(random() & 0xe8);  // PSH, URG, ECE, CWR
      Ports ports;
      size_t options = random() % 3;
      if (odd && random() % 10 == 0) {
        switch (random() % 4) {
          case 0:
            flags = static_cast<uint8_t>(random());
            break;
          case 1:
            ports.from = 0;
            break;
          case 2:
            ports.to = 0;
            break;
          default:
            options = random() % kOptions.size();
        }
      }
      frames.push_back(segment(random, flags, ports, options, odd));
      const auto size = static_cast<uint32_t>(frames[j].size());
      const bool plain = parse_plain_frame(frames[j].data(), size, size, alone[j]);
      each &= plain && alone[j].opens_flow;
    }
    ParsedPacket together[8];
    ASSERT_EQ(Eight(frames).read_syns(together), each) << "round " << round;
    ++(each ? all : not_all);
    for (unsigned j = 0; each && j < 8; ++j) {
      ASSERT_TRUE(support::same(together[j], alone[j])) << "round " << round << ", frame " << j;
    }
  }
  EXPECT_GT(all, 380U);
  EXPECT_GT(not_all, 100U);
}

TEST_P(EightSegments, FromTheMiddleAreReadAsEachIsReadAlone) {
  std::mt19937 random(6);
  unsigned all = 0, not_all = 0;
  for (unsigned round = 0; round < 800; ++round) {
    const bool odd = round % 2 != 0;
    std::vector<Bytes> frames;
    std::array<TcpFields, 8> alone;
    bool each = true;
    for (unsigned j = 0; j < 8; ++j) {
      uint8_t flags = kAck | static_cast<uint8_t>(random() & 0xe8);
      if (odd && random() % 20 == 0) flags = static_cast<uint8_t>(random());
      const bool no_port = odd && random() % 40 == 0;
      const Ports ports{.from = static_cast<uint16_t>(no_port ? 0 : 7)};
      frames.push_back(segment(random, flags, ports, random() % 3, odd));
      const auto bytes = static_cast<uint32_t>(frames[j].size()) - l4;
      each &= !no_port && detail::read_middle_segment(frames[j].data() + l4, bytes, alone[j]);
    }
    ParsedPacket together[8];
    ASSERT_EQ(Eight(frames).read_middles(together), each) << "round " << round;
    ++(each ? all : not_all);
    for (unsigned j = 0; each && j < 8; ++j) {
      const TcpFields &a = together[j].tcp, &b = alone[j];
      ASSERT_EQ(a.sequence, b.sequence);
      ASSERT_EQ(a.acknowledgement, b.acknowledgement);
      ASSERT_EQ(a.window, b.window);
      ASSERT_EQ(a.payload, b.payload);
    }
  }
  EXPECT_GT(all, 380U);
  EXPECT_GT(not_all, 100U);
}

INSTANTIATE_TEST_SUITE_P(Families, EightSegments, testing::Bool());

}  // namespace
}  // namespace rampart::test

#endif
