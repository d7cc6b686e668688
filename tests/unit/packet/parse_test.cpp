// SPDX-License-Identifier: Apache-2.0
// What the parser says of frames that get through.
#include "dataplane/packet/parse.hpp"

#include <gtest/gtest.h>

#include <set>
#include <vector>

#include "dataplane/packet/fragment.hpp"
#include "tests/unit/packet/parse_fixture.hpp"

namespace rampart::test {
namespace {

TEST(Parse, TcpOverIpv4) {
  const ParsedPacket p = parse(v4().tcp(40000, 443, kPsh | kAck).payload(10));
  EXPECT_EQ(p.kind, PacketKind::kFlow);
  EXPECT_EQ(p.reason, DropReason::kNone);
  EXPECT_EQ(p.family, Family::kV4);
  EXPECT_EQ(p.protocol, 6);
  EXPECT_EQ(p.tcp_flags, kPsh | kAck);
  EXPECT_EQ(p.source_address().text(), kA4);
  EXPECT_EQ(p.destination_address().text(), kB4);
  EXPECT_EQ(p.source_port.host(), 40000);
  EXPECT_EQ(p.destination_port.host(), 443);
  EXPECT_EQ(p.policy_port(), 443);
  EXPECT_EQ(p.l3_offset, 14);
  EXPECT_EQ(p.l4_offset, 34);
  EXPECT_EQ(p.l4_bytes, 30U);
  EXPECT_EQ(p.vlans, 0U);
  EXPECT_FALSE(p.fragment || p.tunnel);
}

TEST(Parse, UdpOverIpv6) {
  const ParsedPacket p = parse(v6().udp(5000, 53).payload(10));
  EXPECT_EQ(p.kind, PacketKind::kFlow);
  EXPECT_EQ(p.family, Family::kV6);
  EXPECT_EQ(p.protocol, 17);
  EXPECT_EQ(p.source_address().text(), kA6);
  EXPECT_EQ(p.destination_address().text(), kB6);
  EXPECT_EQ(p.source_port.host(), 5000);
  EXPECT_EQ(p.destination_port.host(), 53);
  EXPECT_EQ(p.l4_offset, 54);
  EXPECT_EQ(p.l4_bytes, 18U);
  EXPECT_TRUE(p.opens_flow);
  EXPECT_FALSE(p.changes_state);
}

TEST(Parse, FillsEverythingAnew) {
  const Bytes first = v6().vlan(7).fragment(64, false, 99).protocol(41).payload(64).bytes();
  const Bytes second = v4().udp(1, 2).bytes();
  ParsedPacket reused, fresh;
  parse_frame(first.data(), static_cast<uint32_t>(first.size()),
              static_cast<uint32_t>(first.size()), reused);
  parse_frame(second.data(), static_cast<uint32_t>(second.size()),
              static_cast<uint32_t>(second.size()), reused);
  parse_frame(second.data(), static_cast<uint32_t>(second.size()),
              static_cast<uint32_t>(second.size()), fresh);
  EXPECT_FALSE(reused.tunnel || reused.fragment);
  EXPECT_EQ(reused.vlans, 0U);
  EXPECT_EQ(reused.source_address(), fresh.source_address());
  EXPECT_EQ(std::vector<uint8_t>(reused.source, reused.source + 16),
            std::vector<uint8_t>(fresh.source, fresh.source + 16));
  EXPECT_EQ(reused.fragment_id, fresh.fragment_id);
}

TEST(Parse, VlanTags) {
  struct Case {
    PacketBuilder builder;
    uint32_t vlans;
    uint16_t l3;
  };
  const std::vector<Case> cases{
      {v4().udp(1, 2), 0, 14},
      {v4().vlan(100).udp(1, 2), 100U << 12, 18},
      {v6().vlan(100).udp(1, 2), 100U << 12, 18},
      {v4().vlan(0, 0x8100, 5).udp(1, 2), 0, 18},  // priority only
      {v4().vlan(100, 0x8100, 7).udp(1, 2), 100U << 12, 18},
      {v4().vlan(4094, 0x88a8).vlan(100).udp(1, 2), 4094U << 12 | 100, 22},
      {v4().vlan(200, 0x9100).vlan(100).udp(1, 2), 200U << 12 | 100, 22},
      {v4().vlan(0).vlan(100).udp(1, 2), 100, 22},
  };
  for (const Case& c : cases) {
    const ParsedPacket p = parse(c.builder);
    EXPECT_EQ(p.kind, PacketKind::kFlow);
    EXPECT_EQ(p.vlans, c.vlans);
    EXPECT_EQ(p.l3_offset, c.l3);
    EXPECT_EQ(p.destination_port.host(), 2);
  }
}

TEST(Parse, OtherEtherTypes) {
  EXPECT_EQ(parse(packet().arp(kA4, kB4)).kind, PacketKind::kPassAlways);
  EXPECT_EQ(parse(packet().vlan(9).arp(kA4, kB4)).kind, PacketKind::kPassAlways);
  for (uint16_t type : {0x0026, 0x8035, 0x86dc, 0x8847, 0x8863, 0x8864, 0x88cc, 0x893a}) {
    const ParsedPacket p = parse(packet().ether_type(type).payload(46));
    EXPECT_EQ(p.kind, PacketKind::kNonIp) << type;
    EXPECT_EQ(p.reason, DropReason::kNone) << type;
  }
}

TEST(Parse, WhichTcpOpensAndWhichMoves) {
  struct Case {
    uint8_t flags;
    bool opens, moves;
  };
  for (const Case c :
       {Case{kSyn, true, true}, Case{kSyn | tcp_flag::kEce | tcp_flag::kCwr, true, true},
        Case{kSyn | kAck, false, true}, Case{kAck, false, false}, Case{kAck | kPsh, false, false},
        Case{kFin | kAck, false, true}, Case{kRst, false, true}, Case{kRst | kAck, false, true}}) {
    const ParsedPacket p = parse(v4().tcp(1, 2, c.flags));
    EXPECT_EQ(p.opens_flow, c.opens) << unsigned{c.flags};
    EXPECT_EQ(p.changes_state, c.moves) << unsigned{c.flags};
  }
}

TEST(Parse, WhichSctpOpensAndWhichMoves) {
  const ParsedPacket init = parse(v4().sctp(1, 2).chunk(1, 16));
  EXPECT_EQ(init.kind, PacketKind::kFlow);
  EXPECT_EQ(init.protocol, 132);
  EXPECT_EQ(init.sctp_chunk, 1);
  EXPECT_TRUE(init.opens_flow && init.changes_state);
  EXPECT_TRUE(parse(v6().sctp(1, 2).chunk(1, 17)).opens_flow);  // with padding
  // Not alone, with a tag, in pieces.
  EXPECT_FALSE(parse(v4().sctp(1, 2).chunk(1, 16).chunk(0, 16)).opens_flow);
  EXPECT_FALSE(parse(v4().sctp(1, 2, 77).chunk(1, 16)).opens_flow);
  EXPECT_FALSE(parse(v4().fragment(0, true).sctp(1, 2).chunk(1, 16)).opens_flow);
  for (unsigned type = 0; type < 256; ++type) {
    const ParsedPacket p = parse(v4().sctp(1, 2).chunk(static_cast<uint8_t>(type), 16));
    const bool moves = type == 1 || type == 2 || (type >= 6 && type <= 8) || type == 10 ||
                       type == 11 || type == 14;
    EXPECT_EQ(p.changes_state, moves) << type;
    EXPECT_EQ(p.sctp_chunk, type);
    EXPECT_EQ(p.opens_flow, type == 1) << type;
  }
}

TEST(Parse, TcpNumbers) {
  const ParsedPacket p = parse(v4().tcp(1, 2, kAck | kPsh)
                                   .tcp_sequence(0xfedcba98, 0x12345678)
                                   .tcp_window(0xabcd)
                                   .tcp_options({1, 1, 8, 10, 0, 0, 0, 1, 0, 0, 0, 2})
                                   .payload(1000)
                                   .pad_to(1500));
  EXPECT_EQ(p.tcp.sequence, 0xfedcba98U);
  EXPECT_EQ(p.tcp.acknowledgement, 0x12345678U);
  EXPECT_EQ(p.tcp.window, 0xabcd);
  EXPECT_EQ(p.tcp.payload, 1000);
  EXPECT_EQ(p.tcp.window_scale, TcpFields::kNoScale);
  // Of a first fragment what is in it.
  const ParsedPacket first = parse(v6().tcp(1, 2, kAck).payload(1000).fragments(512)[0]);
  EXPECT_TRUE(first.fragment);
  EXPECT_EQ(first.tcp.payload, 512 - 20);
}

TEST(Parse, TheWindowScaleOfSyns) {
  struct Case {
    uint8_t flags;
    Bytes options;
    uint8_t scale;
  };
  constexpr uint8_t kNone = TcpFields::kNoScale;
  for (const Case& c :
       {Case{kSyn, {}, kNone}, Case{kSyn, {3, 3, 0, 0}, 0}, Case{kSyn, {3, 3, 7, 1}, 7},
        Case{kSyn | kAck, {1, 3, 3, 14}, 14}, Case{kSyn, {3, 3, 15, 0}, 14},
        Case{kSyn, {3, 3, 255, 0}, 14}, Case{kAck, {3, 3, 7, 1}, kNone},
        Case{kSyn, {0, 3, 3, 7}, kNone},
        Case{kSyn, {2, 4, 5, 0xb4, 4, 2, 8, 10, 0, 0, 0, 1, 0, 0, 0, 0, 1, 3, 3, 7}, 7},
        // The last one counts, as for the stacks.
        Case{kSyn, {3, 3, 2, 3, 3, 9, 1, 1}, 9},
        // All the room there is.
        Case{kSyn, Bytes(40, 1), kNone}}) {
    EXPECT_EQ(parse(v4().tcp(1, 2, c.flags).tcp_options(c.options)).tcp.window_scale, c.scale);
  }
}

TEST(Parse, SctpTags) {
  const ParsedPacket init = parse(v4().sctp(1, 2).init_chunk(1, 0xcafe0001));
  EXPECT_EQ(init.sctp.tag, 0U);
  EXPECT_EQ(init.sctp.initiate_tag, 0xcafe0001U);
  const ParsedPacket answer = parse(v6().sctp(1, 2, 0xcafe0001).init_chunk(2, 0xbeef0002));
  EXPECT_EQ(answer.sctp.tag, 0xcafe0001U);
  EXPECT_EQ(answer.sctp.initiate_tag, 0xbeef0002U);
  for (unsigned type = 0; type < 256; ++type) {
    const auto t = static_cast<uint8_t>(type);
    if (type == 1 || type == 2) continue;
    const ParsedPacket p = parse(v4().sctp(1, 2, 0xdead).chunk(t, 16, 0xff));
    EXPECT_EQ(p.sctp.tag, 0xdeadU);
    EXPECT_EQ(p.sctp.initiate_tag, 0U);
    EXPECT_EQ(p.sctp.reflected_tag, type == 6 || type == 14) << type;
    EXPECT_FALSE(parse(v4().sctp(1, 2, 0xdead).chunk(t, 16, 0xfe)).sctp.reflected_tag);
  }
}

TEST(Parse, OtherProtocolsOpenWithoutPorts) {
  for (uint8_t protocol : {2, 50, 51, 59, 89, 112, 253, 255}) {
    const ParsedPacket p = parse(v4().protocol(protocol).payload(40));
    EXPECT_EQ(p.kind, PacketKind::kFlow) << unsigned{protocol};
    EXPECT_EQ(p.protocol, protocol);
    EXPECT_TRUE(p.opens_flow);
    EXPECT_EQ(p.source_port.raw(), 0);
    EXPECT_EQ(p.destination_port.raw(), 0);
    EXPECT_EQ(p.policy_port(), 0);
  }
  // ESP and "no next header" are where an IPv6 chain ends.
  for (uint8_t protocol : {50, 59, 134, 252}) {
    const ParsedPacket p = parse(v6().hop_by_hop().protocol(protocol).payload(8));
    EXPECT_EQ(p.kind, PacketKind::kFlow);
    EXPECT_EQ(p.protocol, protocol);
  }
  // Each family's ICMP means nothing in the other.
  EXPECT_EQ(parse(v4().protocol(58).payload(2)).kind, PacketKind::kFlow);
  EXPECT_EQ(parse(v6().protocol(1).payload(2)).kind, PacketKind::kFlow);
}

TEST(Parse, Tunnels) {
  for (uint8_t protocol : {4, 41, 47, 97, 137}) {
    EXPECT_TRUE(parse(v4().protocol(protocol).payload(40)).tunnel) << unsigned{protocol};
    EXPECT_TRUE(parse(v6().protocol(protocol).payload(40)).tunnel) << unsigned{protocol};
    EXPECT_TRUE(parse(v4().protocol(protocol).fragment(64, false).payload(40)).tunnel);
  }
  for (uint16_t port : {4789, 8472, 6081}) {
    EXPECT_TRUE(parse(v4().udp(40000, port)).tunnel) << port;
    EXPECT_FALSE(parse(v4().udp(port, 40000)).tunnel) << port;
    EXPECT_FALSE(parse(v4().tcp(40000, port, kSyn)).tunnel) << port;
  }
  EXPECT_FALSE(parse(v4().protocol(50).payload(40)).tunnel);
}

TEST(Parse, ExtensionHeaders) {
  const ParsedPacket p = parse(v6().hop_by_hop({5, 2, 0, 0})
                                   .destination_options()
                                   .routing(2, 0)
                                   .authentication()
                                   .destination_options(Bytes(20))
                                   .tcp(1, 2, kSyn)
                                   .payload(3));
  EXPECT_EQ(p.kind, PacketKind::kFlow);
  EXPECT_EQ(p.protocol, 6);
  EXPECT_EQ(p.destination_port.host(), 2);
  EXPECT_EQ(p.l4_offset, 14 + 40 + 8 + 8 + 24 + 24 + 24);
  EXPECT_EQ(p.l4_bytes, 23U);
  EXPECT_TRUE(p.opens_flow);
}

TEST(Parse, Fragments) {
  for (const PacketBuilder& base : {v4(), v6()}) {
    PacketBuilder whole = base;
    const std::vector<Bytes> pieces = whole.udp(700, 53).payload(40).fragments(24, 0xbeef);
    ASSERT_EQ(pieces.size(), 2U);
    const ParsedPacket first = parse(pieces[0]), last = parse(pieces[1]);
    EXPECT_EQ(first.kind, PacketKind::kFlow);
    EXPECT_TRUE(first.fragment);
    EXPECT_TRUE(first.opens_flow);
    EXPECT_EQ(first.source_port.host(), 700);
    EXPECT_EQ(first.fragment_id, 0xbeefU);
    EXPECT_EQ(last.kind, PacketKind::kFragment);
    EXPECT_TRUE(last.fragment);
    EXPECT_FALSE(last.opens_flow || last.changes_state);
    EXPECT_EQ(last.source_port.raw(), 0);
    EXPECT_EQ(last.destination_port.raw(), 0);
    EXPECT_EQ(last.protocol, 17);
    EXPECT_EQ(last.fragment_id, 0xbeefU);
    EXPECT_EQ(last.l4_bytes, 24U);
    EXPECT_EQ(last.source_address(), first.source_address());
  }
}

Fragment fragment_of(const Bytes& frame, uint8_t in_port = 0) {
  const ParsedPacket p = parse(frame);
  EXPECT_TRUE(p.fragment);
  EXPECT_NE(p.kind, PacketKind::kDropped);
  return read_fragment(frame.data(), static_cast<uint32_t>(frame.size()), p, in_port);
}

TEST(ReadFragment, SaysWhichPieceOfWhichDatagram) {
  for (const PacketBuilder& base :
       {v4(), v4().ip_option({148, 4, 0, 0}), v6(), v6().hop_by_hop(), v4().vlan(9)}) {
    // 8 bytes of UDP header and 42 of payload.
    const auto pieces = PacketBuilder(base).udp(700, 53).payload(42).fragments(24, 0xbeef);
    ASSERT_EQ(pieces.size(), 3U);
    const Fragment first = fragment_of(pieces[0]), middle = fragment_of(pieces[1]),
                   last = fragment_of(pieces[2]);
    EXPECT_EQ(first.piece.offset, 0);
    EXPECT_EQ(first.piece.end, 24);
    EXPECT_TRUE(first.piece.more && middle.piece.more);
    EXPECT_EQ(middle.piece.offset, 24);
    EXPECT_EQ(middle.piece.end, 48);
    EXPECT_EQ(last.piece.offset, 48);
    EXPECT_EQ(last.piece.end, 50);
    EXPECT_FALSE(last.piece.more);
    EXPECT_EQ(first.key, middle.key);
    EXPECT_EQ(first.key, last.key);
    EXPECT_EQ(hash_of(first.key, {}), hash_of(last.key, {}));
    EXPECT_EQ(first.key.id, 0xbeefU);
    EXPECT_NE(fragment_of(pieces[1], 1).key, middle.key);
  }
}

TEST(ReadFragment, OtherDatagramsHaveOtherKeys) {
  const auto key = [](const PacketBuilder& b) { return fragment_of(b.bytes()).key; };
  const auto piece = [](PacketBuilder b, uint32_t id = 7) {
    return b.fragment(64, false, id).payload(9);
  };
  const FragmentKey four = key(piece(v4().protocol(17))), six = key(piece(v6().protocol(17)));
  EXPECT_EQ(four, key(piece(v4().protocol(17).ttl(3))));
  const std::vector<PacketBuilder> others{
      piece(v4().protocol(17), 8),
      piece(v4().protocol(1)),
      piece(v4().protocol(17).vlan(5)),
      piece(packet().ipv4(kB4, kA4).protocol(17)),
      piece(packet().ipv4(kA4, "10.0.2.10").protocol(17)),
      piece(packet().ipv4("10.0.1.8", kB4).protocol(17)),
      piece(v6().protocol(17)),
  };
  std::set<uint64_t> hashes{hash_of(four, {})};
  for (const PacketBuilder& other : others) {
    EXPECT_NE(key(other), four);
    hashes.insert(hash_of(key(other), {}));
  }
  EXPECT_EQ(hashes.size(), others.size() + 1);
  // Over IPv6 the next header is the first one's business (RFC 8200 §4.5).
  EXPECT_EQ(six, key(piece(v6().protocol(60))));
  EXPECT_NE(six, key(piece(v6().protocol(17), 0x10007)));
}

TEST(ReadFragment, HeadersBehindTheFragmentHeaderAreData) {
  const Fragment f = fragment_of(
      v6().hop_by_hop().fragment(0, true, 1).destination_options().udp(1, 2).payload(8).bytes());
  EXPECT_EQ(f.piece.offset, 0);
  EXPECT_EQ(f.piece.end, 24);
}

TEST(Parse, AtomicFragmentIsAWholePacket) {
  const ParsedPacket p = parse(v6().fragment(0, false, 0xcafe).udp(1, 53).payload(3));
  EXPECT_EQ(p.kind, PacketKind::kFlow);
  EXPECT_FALSE(p.fragment);
  EXPECT_TRUE(p.opens_flow);
  EXPECT_EQ(p.destination_port.host(), 53);
  EXPECT_EQ(p.fragment_id, 0xcafeU);
}

TEST(Parse, LaterPieceBehindAnotherHeaderThanTheFirst) {
  // The chain is not followed into data that may be anything.
  const ParsedPacket p = parse(v6().fragment(64, false).protocol(60).payload(40));
  EXPECT_EQ(p.kind, PacketKind::kFragment);
  EXPECT_EQ(p.protocol, 60);
  EXPECT_EQ(p.l4_bytes, 40U);
}

}  // namespace
}  // namespace rampart::test
