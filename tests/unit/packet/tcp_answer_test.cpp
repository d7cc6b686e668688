// SPDX-License-Identifier: Apache-2.0
// What the appliance sends by itself, held beside the packet builder's frames and our own parser.
#include "dataplane/packet/tcp_answer.hpp"

#include <gtest/gtest.h>

#include <array>

#include "dataplane/packet/checksum.hpp"
#include "dataplane/packet/siphash.hpp"
#include "tests/unit/packet/parse_fixture.hpp"

namespace rampart::test {
namespace {

Bytes answer_to(Bytes frame, const TcpAnswer& answer, bool in_place) {
  const ParsedPacket p = parse(frame);
  EXPECT_EQ(p.kind, PacketKind::kFlow);
  frame.resize(2048, 0xee);
  Bytes other(2048, 0xdd);
  Bytes& out = in_place ? frame : other;
  out.resize(write_tcp_answer(frame.data(), p, answer, out.data()));
  return out;
}

TEST(TcpAnswer, IsWhatTheBuilderWouldHaveSent) {
  const TcpAnswer answer{TcpAnswer::To::kSender, kSyn | kAck, 0x11223344, 0xfffefdfc};
  const auto same_mac = [](PacketBuilder p, bool back) {
    return back ? p.eth("02:00:00:00:00:02", "02:00:00:00:00:01")
                : p.eth("02:00:00:00:00:01", "02:00:00:00:00:02");
  };
  for (const bool v6 : {false, true}) {
    for (const unsigned tags : {0U, 1U, 2U}) {
      for (const bool back : {false, true}) {
        const char* a = v6 ? "fd00::1" : "10.0.0.1";
        const char* b = v6 ? "fd00::2" : "10.0.0.2";
        const auto with_tags = [tags](PacketBuilder p) {
          if (tags > 0) p.vlan(100, tags == 2 ? 0x88a8 : 0x8100);
          if (tags > 1) p.vlan(7);
          return p;
        };
        const Bytes came = same_mac(with_tags(packet()), false)
                               .ip(a, b)
                               .tcp(40000, 443, kSyn)
                               .tcp_options({2, 4, 5, 180})
                               .payload(33)
                               .bytes();
        TcpAnswer what = answer;
        what.to = back ? TcpAnswer::To::kSender : TcpAnswer::To::kReceiver;
        Bytes expected = same_mac(with_tags(packet()), back)
                             .ip(back ? b : a, back ? a : b)
                             .tcp(back ? 443 : 40000, back ? 40000 : 443, kSyn | kAck)
                             .tcp_sequence(answer.sequence, answer.acknowledgement)
                             .pad_to(60)
                             .bytes();
        for (const bool in_place : {true, false}) {
          const Bytes got = answer_to(came, what, in_place);
          const ParsedPacket p = parse(got), e = parse(expected);
          ASSERT_EQ(p.kind, PacketKind::kFlow) << to_string(p.reason);
          EXPECT_TRUE(l4_checksum_ok(got.data(), p));
          EXPECT_EQ(got.size(), expected.size());
          EXPECT_EQ(Bytes(got.begin(), got.begin() + p.l3_offset),
                    Bytes(expected.begin(), expected.begin() + e.l3_offset));
          EXPECT_EQ(p.source_address(), e.source_address());
          EXPECT_EQ(p.destination_address(), e.destination_address());
          EXPECT_EQ(p.source_port, e.source_port);
          EXPECT_EQ(p.destination_port, e.destination_port);
          EXPECT_EQ(p.tcp_flags, kSyn | kAck);
          EXPECT_EQ(p.l4_bytes, 20U);
          // Sequence and acknowledgement, byte for byte.
          EXPECT_EQ(Bytes(got.begin() + p.l4_offset + 4, got.begin() + p.l4_offset + 12),
                    Bytes({0x11, 0x22, 0x33, 0x44, 0xff, 0xfe, 0xfd, 0xfc}));
        }
      }
    }
  }
}

TEST(TcpAnswer, LeavesOutOptionsAndExtensionHeaders) {
  const TcpAnswer rst{TcpAnswer::To::kSender, kRst, 1, 0};
  for (const PacketBuilder& came :
       {v4().ip_option({148, 4, 0, 0}).tcp(1, 2, kAck), v6().hop_by_hop().tcp(1, 2, kAck)}) {
    const Bytes got = answer_to(came.bytes(), rst, true);
    const ParsedPacket p = parse(got);
    EXPECT_EQ(p.kind, PacketKind::kFlow);
    EXPECT_EQ(p.tcp_flags, kRst);
    EXPECT_EQ(p.l4_offset - p.l3_offset, p.family == Family::kV4 ? 20 : 40);
    EXPECT_TRUE(l4_checksum_ok(got.data(), p));
  }
}

// Key 00 01 … 0f, messages 00 01 … of 0, 8 and 56 bytes (openssl mac SIPHASH says the same).
TEST(SipHash, GivesTheResultsOfThePaper) {
  const SipKey key{0x0706050403020100, 0x0f0e0d0c0b0a0908};
  std::array<uint64_t, 7> words{};
  for (unsigned i = 0; i < 56; ++i) words[i / 8] |= uint64_t{i} << (8 * (i % 8));
  EXPECT_EQ(siphash(key, {}), 0x726fdb47dd0e0e31U);
  EXPECT_EQ(siphash(key, {words.data(), 1}), 0x93f5f5799a932462U);
  EXPECT_EQ(siphash(key, words), 0xb78dbfaf3a8d83bdU);
}

}  // namespace
}  // namespace rampart::test
