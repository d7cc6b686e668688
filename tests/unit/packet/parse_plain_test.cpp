// SPDX-License-Identifier: Apache-2.0
// The straight way through plain frames: who takes it, and that it says what the other one says.
#include <gtest/gtest.h>

#include <cstring>
#include <vector>

#include "dataplane/packet/checksum.hpp"
#include "tests/support/same_packet.hpp"
#include "tests/unit/packet/parse_fixture.hpp"

namespace rampart::test {
namespace {

bool is_plain(const Bytes& frame, size_t contiguous) {
  ParsedPacket p;
  return parse_plain_frame(frame.data(), static_cast<uint32_t>(contiguous),
                           static_cast<uint32_t>(frame.size()), p);
}
bool is_plain(const PacketBuilder& builder) {
  const Bytes frame = builder.bytes();
  return is_plain(frame, frame.size());
}

TEST(ParsePlain, IsWhatMostPacketsAre) {
  EXPECT_TRUE(is_plain(v4().tcp(40000, 443, kPsh | kAck).payload(10)));
  EXPECT_TRUE(is_plain(v4().tcp(40000, 443, kSyn)));
  EXPECT_TRUE(is_plain(v4().udp(40000, 53).payload(10)));
  EXPECT_TRUE(is_plain(v4().vlan(100).udp(40000, 53)));
  EXPECT_TRUE(is_plain(v6().tcp(40000, 443, kAck)));
  EXPECT_TRUE(is_plain(v6().vlan(100).udp(40000, 53)));
}

TEST(ParsePlain, IsNothingThatWantsASecondLook) {
  EXPECT_FALSE(is_plain(v4().ip_option({148, 4, 0, 0}).udp(40000, 53)));
  EXPECT_FALSE(is_plain(v4().fragment(0, true).udp(40000, 53).payload(24)));
  EXPECT_FALSE(is_plain(v6().hop_by_hop().udp(40000, 53)));
  EXPECT_FALSE(is_plain(v4().vlan(1).vlan(2).udp(40000, 53)));
  EXPECT_FALSE(is_plain(v4().udp(40000, 4789).payload(60))) << "VXLAN";
  EXPECT_FALSE(is_plain(packet().ipv4("0.0.0.0", "255.255.255.255").udp(68, 67))) << "DHCP";
  EXPECT_FALSE(is_plain(v4().echo_request(1)));
  EXPECT_FALSE(is_plain(v4().tcp(1, 2, kSyn | kFin)));
  EXPECT_FALSE(is_plain(packet().ipv4("127.0.0.1", kB4).udp(1, 2)));
  EXPECT_FALSE(is_plain(packet().ipv4(kA4, kA4).udp(1, 2)));
  const Bytes frame = v4().udp(40000, 53).payload(10).bytes();
  EXPECT_TRUE(is_plain(frame, frame.size()));
  EXPECT_FALSE(is_plain(frame, frame.size() - 1)) << "its end is in another segment";
}

/// So that it is not the checksum for which most of them are dropped.
void repair_checksum(Bytes& frame) {
  uint8_t* ip = frame.data() + 14;
  if (frame[12] == 0x81) ip += 4;
  if (ip[0] != 0x45) return;
  ip[10] = ip[11] = 0;
  const auto sum = static_cast<uint16_t>(~fold_sum(ones_sum(ip, 20)));
  std::memcpy(ip + 10, &sum, 2);
}

/// What is read of a segment that is otherwise left unread, beside all of it.
TEST(ParsePlain, ReadsTheNumbersOfSegmentsFromTheMiddleOfConnections) {
  const Bytes frame =
      v4().tcp(40000, 443, kAck).tcp_sequence(0x01020304, 0xfffefdfc).payload(10).bytes();
  const uint32_t l4 = 34, bytes = static_cast<uint32_t>(frame.size()) - l4;
  unsigned middle = 0;
  for (uint32_t at = l4 + 4; at < l4 + 16; ++at) {
    for (unsigned value = 0; value < 256; ++value) {
      Bytes changed = frame;
      changed[at] = static_cast<uint8_t>(value);
      ParsedPacket p;
      parse_any_frame(changed.data(), l4 + bytes, l4 + bytes, p);
      constexpr uint8_t kFlags = kSyn | kFin | kRst | kAck;
      TcpFields read;
      const bool is_middle = detail::read_middle_segment(changed.data() + l4, bytes, read);
      ASSERT_EQ(is_middle, p.kind == PacketKind::kFlow && (p.tcp_flags & kFlags) == kAck)
          << "byte " << at << " is " << value;
      if (!is_middle) continue;
      ++middle;
      ASSERT_EQ(read.sequence, p.tcp.sequence);
      ASSERT_EQ(read.acknowledgement, p.tcp.acknowledgement);
      ASSERT_EQ(read.window, p.tcp.window);
      ASSERT_EQ(read.payload, p.tcp.payload);
    }
  }
  // Any numbers; headers of 20 to 28 bytes, whatever is reserved; PSH, URG, ECE and CWR.
  EXPECT_EQ(middle, 10U * 256 + 3 * 16 + 16);
}

TEST(ParsePlain, LooksBehindOneTagWhenItReadsAgain) {
  ParsedPacket p;
  EXPECT_TRUE(read_plain_frame(v4().vlan(1).udp(1, 2).bytes().data(), p));
  EXPECT_FALSE(read_plain_frame(v4().vlan(1).vlan(2).udp(1, 2).bytes().data(), p));
}

TEST(ParsePlain, SaysTheSameOfEveryFrameThatIsOneByteAwayFromAPlainOne) {
  const std::vector<Bytes> frames{
      v4().tcp(40000, 443, kPsh | kAck).payload(10).bytes(), v4().udp(40000, 53).bytes(),
      v4().vlan(100).tcp(40000, 443, kSyn).bytes(), v6().tcp(40000, 443, kAck).bytes(),
      v6().vlan(7).udp(40000, 53).payload(3).bytes()};
  unsigned plain = 0, other = 0;
  for (const Bytes& frame : frames) {
    for (size_t at = 12; at < frame.size(); ++at) {
      for (unsigned value = 0; value < 256; ++value) {
        for (const bool repaired : {false, true}) {
          Bytes changed = frame;
          changed[at] = static_cast<uint8_t>(value);
          if (repaired) repair_checksum(changed);
          const auto size = static_cast<uint32_t>(changed.size());
          ParsedPacket a, b;
          if (!parse_plain_frame(changed.data(), size, size, a)) {
            ++other;
            continue;
          }
          ++plain;
          parse_any_frame(changed.data(), size, size, b);
          ASSERT_TRUE(support::same(a, b)) << "byte " << at << " is " << value;
          ParsedPacket again;
          ASSERT_TRUE(read_plain_frame(changed.data(), again));
          ASSERT_TRUE(support::same(again, b)) << "byte " << at << " is " << value;
        }
      }
    }
  }
  EXPECT_GT(plain, 10000U);
  EXPECT_GT(other, 10000U);
}

}  // namespace
}  // namespace rampart::test
