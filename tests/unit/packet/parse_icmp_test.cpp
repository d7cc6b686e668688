// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <vector>

#include "dataplane/packet/flow_key.hpp"
#include "tests/unit/packet/parse_fixture.hpp"

namespace rampart::test {
namespace {

FlowKeyV4 key_of(const PacketBuilder& builder) {
  FlowKeyV4 key;
  make_key(parse(builder), 0, key);
  return key;
}

TEST(ParseIcmp, QueriesOpenAndRepliesMatchThem) {
  struct Pair {
    uint8_t query, reply;
  };
  for (const Pair t : {Pair{8, 0}, Pair{13, 14}, Pair{15, 16}, Pair{17, 18}, Pair{42, 43}}) {
    const auto query = v4().icmp(t.query, 0, 0x12340001);
    const auto reply = packet().ipv4(kB4, kA4).icmp(t.reply, 0, 0x12340001);
    EXPECT_TRUE(parse(query).opens_flow);
    EXPECT_FALSE(parse(reply).opens_flow);
    EXPECT_EQ(parse(query).kind, PacketKind::kFlow);
    EXPECT_EQ(parse(query).icmp_type, t.query);
    EXPECT_EQ(parse(query).source_port.host(), 0x1234);
    EXPECT_EQ(parse(query).destination_port.host(), 0);
    EXPECT_EQ(parse(query).policy_port(), 0);
    EXPECT_EQ(key_of(query), key_of(reply));
  }
  for (const Pair t : {Pair{128, 129}, Pair{160, 161}}) {
    FlowKeyV6 query, reply;
    const ParsedPacket q = parse(v6().icmp(t.query, 0, 0x12340001));
    const ParsedPacket r = parse(packet().ipv6(kB6, kA6).icmp(t.reply, 0, 0x12340001));
    EXPECT_TRUE(q.opens_flow && !r.opens_flow);
    EXPECT_NE(make_key(q, 0, query), make_key(r, 0, reply));
    EXPECT_EQ(query, reply);
  }
}

TEST(ParseIcmp, AQueryFromTheOtherEndIsAnotherFlow) {
  for (uint16_t id : {0, 1, 2, 0x1234, 0xffff}) {
    const auto ours = key_of(v4().echo_request(id));
    EXPECT_NE(ours, key_of(packet().ipv4(kB4, kA4).echo_request(id))) << id;
    EXPECT_EQ(ours, key_of(packet().ipv4(kB4, kA4).echo_reply(id))) << id;
    for (uint16_t other : {0, 1, 2, 3}) {
      if (other == id) continue;
      EXPECT_NE(ours, key_of(packet().ipv4(kB4, kA4).echo_reply(other))) << id << " " << other;
      EXPECT_NE(ours, key_of(v4().echo_request(other))) << id << " " << other;
    }
  }
}

TEST(ParseIcmp, OtherTypesOpenAFlowOfTheirOwn) {
  const ParsedPacket p = parse(v4().icmp(10, 0, 0x12340001));
  EXPECT_EQ(p.kind, PacketKind::kFlow);
  EXPECT_TRUE(p.opens_flow);
  EXPECT_EQ(p.source_port.raw(), 0);
  EXPECT_NE(key_of(v4().icmp(10)), key_of(v4().echo_request(0)));
  EXPECT_EQ(parse(v6().icmp(139, 0, 0x12340001)).kind, PacketKind::kFlow);
}

TEST(ParseIcmp, ErrorsHaveTheTupleOfWhatTheyQuote) {
  // A router on the way complains to the sender.
  for (uint8_t type : {3, 4, 5, 11, 12}) {
    const ParsedPacket p =
        parse(packet().ipv4("10.9.9.9", kA4).icmp(type, 1).quote(v4().tcp(40000, 443, kSyn), 28));
    EXPECT_EQ(p.kind, PacketKind::kIcmpError);
    EXPECT_EQ(p.reason, DropReason::kNone);
    EXPECT_EQ(p.protocol, 6);
    EXPECT_EQ(p.icmp_type, type);
    EXPECT_EQ(p.source_address().text(), kA4);
    EXPECT_EQ(p.destination_address().text(), kB4);
    EXPECT_EQ(p.source_port.host(), 40000);
    EXPECT_EQ(p.destination_port.host(), 443);
    EXPECT_EQ(p.tcp_flags, 0);
    EXPECT_FALSE(p.opens_flow || p.changes_state || p.fragment);
    // Offsets stay those of the error.
    EXPECT_EQ(p.l4_offset, 34);
    EXPECT_EQ(p.l4_bytes, 8U + 28U);
  }
  for (uint8_t type : {1, 2, 3, 4, 100, 127}) {
    const ParsedPacket p = parse(packet()
                                     .ipv6("fd00::ff", kA6)
                                     .icmp(type)
                                     .quote(v6().hop_by_hop().sctp(7, 8).chunk(0, 500), 1200));
    EXPECT_EQ(p.kind, PacketKind::kIcmpError) << unsigned{type};
    EXPECT_EQ(p.protocol, 132);
    EXPECT_EQ(p.sctp_chunk, 0);
    EXPECT_EQ(p.source_address().text(), kA6);
    EXPECT_EQ(p.destination_address().text(), kB6);
    EXPECT_EQ(p.source_port.host(), 7);
    EXPECT_EQ(p.destination_port.host(), 8);
  }
}

TEST(ParseIcmp, ErrorsHaveTheNumbersOfWhatTheyQuote) {
  // The eight bytes of the transport header that are always there.
  const ParsedPacket tcp =
      parse(packet()
                .ipv4("10.9.9.9", kA4)
                .icmp(3, 4)
                .quote(v4().tcp(1, 2, kAck).tcp_sequence(0xfedcba98, 5).payload(100), 28));
  EXPECT_EQ(tcp.kind, PacketKind::kIcmpError);
  EXPECT_EQ(tcp.tcp.sequence, 0xfedcba98U);
  EXPECT_EQ(tcp.tcp.payload, 0);
  const ParsedPacket sctp = parse(
      packet().ipv6("fd00::ff", kA6).icmp(2).quote(v6().sctp(7, 8, 0xcafe).chunk(0, 500), 48));
  EXPECT_EQ(sctp.kind, PacketKind::kIcmpError);
  EXPECT_EQ(sctp.sctp.tag, 0xcafeU);
  EXPECT_EQ(sctp.sctp.initiate_tag, 0U);
}

TEST(ParseIcmp, ErrorsAboutQueriesAndOthers) {
  const auto error = [](const PacketBuilder& quoted) {
    return parse(packet().ipv4("10.9.9.9", kA4).icmp(3, 1).quote(quoted));
  };
  FlowKeyV4 key;
  const unsigned end = make_key(error(v4().echo_request(77)), 0, key);
  EXPECT_EQ(key, key_of(v4().echo_request(77)));
  FlowKeyV4 own;
  EXPECT_EQ(end, make_key(parse(v4().echo_request(77)), 0, own));
  // A host may well complain about the answer.
  make_key(error(v4().echo_reply(77)), 0, key);
  EXPECT_EQ(key, key_of(v4().echo_reply(77)));
  const ParsedPacket gre = error(v4().protocol(47).payload(30));
  EXPECT_EQ(gre.kind, PacketKind::kIcmpError);
  EXPECT_EQ(gre.protocol, 47);
  EXPECT_EQ(gre.source_port.raw(), 0);
  // The first fragment has the ports; options move them.
  EXPECT_EQ(error(v4().fragment(0, true).udp(5, 6).payload(16)).destination_port.host(), 6);
  EXPECT_EQ(error(v4().ip_option({148, 4, 0, 0}).udp(5, 6)).destination_port.host(), 6);
}

struct Always {
  const char* name;
  bool always;
  PacketBuilder builder;
};

void check(const std::vector<Always>& cases) {
  for (const Always& c : cases) {
    const ParsedPacket p = parse(c.builder);
    EXPECT_EQ(p.kind == PacketKind::kPassAlways, c.always) << c.name << ": " << p.kind;
    EXPECT_EQ(p.opens_flow && p.kind == PacketKind::kPassAlways, false) << c.name;
  }
}

PacketBuilder nd(const char* from, const char* to, uint8_t type, size_t body = 16) {
  return packet().ipv6(from, to).ttl(255).icmp(type).payload(body);
}

TEST(PassAlways, NeighbourDiscovery) {
  check({
      {"solicitation", true, nd(kA6, "ff02::1:ff00:9", 135)},
      {"solicitation to an address", true, nd(kA6, kB6, 135)},
      {"duplicate address detection", true, nd("::", "ff02::1:ff00:9", 135)},
      {"from :: to an address", false, nd("::", kB6, 135)},
      {"solicitation through a router", false, nd(kA6, kB6, 135).ttl(254)},
      {"solicitation cut short", false, nd(kA6, kB6, 135, 15)},
      {"solicitation with a code", false,
       packet().ipv6(kA6, kB6).ttl(255).icmp(135, 1).payload(16)},
      {"solicitation beyond the link", false, nd(kA6, "ff05::1", 135)},
      {"in an atomic fragment", false, nd(kA6, kB6, 135).fragment(0, false)},
      {"in a first fragment", false, nd(kA6, kB6, 135).fragment(0, true)},
      {"advertisement", true, nd(kA6, "ff02::1", 136)},
      {"advertisement from ::", false, nd("::", "ff02::1", 136)},
      {"router solicitation", true, nd("fe80::1", "ff02::2", 133, 0)},
      {"router solicitation from ::", true, nd("::", "ff02::2", 133, 0)},
      {"router advertisement", true, nd("fe80::1", "ff02::1", 134, 8)},
      {"router advertisement from afar", false, nd(kA6, "ff02::1", 134, 8)},
      {"router advertisement cut short", false, nd("fe80::1", "ff02::1", 134, 7)},
      {"redirect", true, nd("fe80::1", kB6, 137, 32)},
      {"redirect from afar", false, nd(kA6, kB6, 137, 32)},
      {"echo with hop limit 255", false, nd(kA6, kB6, 128)},
      {"multicast router discovery", false, nd("fe80::1", "ff02::6a", 151)},
  });
}

TEST(PassAlways, MulticastListeners) {
  const auto mld = [](const char* from, const char* to, uint8_t type) {
    return packet().ipv6(from, to).ttl(1).hop_by_hop({5, 2, 0, 0}).icmp(type).payload(16);
  };
  check({
      {"query", true, mld("fe80::1", "ff02::1", 130)},
      {"query from ::", false, mld("::", "ff02::1", 130)},
      {"query from afar", false, mld(kA6, "ff02::1", 130)},
      {"report", true, mld("fe80::1", "ff02::fb", 131)},
      {"report for a wider group", true, mld("fe80::1", "ff05::fb", 131)},
      {"done", true, mld("fe80::1", "ff02::2", 132)},
      {"second report", true, mld("fe80::1", "ff02::16", 143)},
      {"second report from ::", true, mld("::", "ff02::16", 143)},
      {"report to an address", false, mld("fe80::1", kB6, 131)},
      {"report that left the link", false, mld("fe80::1", "ff02::fb", 131).ttl(2)},
  });
  const auto igmp = [](const char* from, const char* to, uint8_t type) {
    return packet().ipv4(from, to).ttl(1).protocol(2).payload(Bytes{type, 0, 0, 0, 0, 0, 0, 0});
  };
  check({
      {"IGMP query", true, igmp(kA4, "224.0.0.1", 0x11)},
      {"IGMP query of a switch", true, igmp("0.0.0.0", "224.0.0.1", 0x11)},
      {"IGMP report 1", true, igmp(kA4, "239.1.1.1", 0x12)},
      {"IGMP report 2", true, igmp(kA4, "239.1.1.1", 0x16)},
      {"IGMP leave", true, igmp(kA4, "224.0.0.2", 0x17)},
      {"IGMP report 3", true, igmp(kA4, "224.0.0.22", 0x22)},
      {"IGMP with a router alert", true, igmp(kA4, "224.0.0.22", 0x22).ip_option({148, 4, 0, 0})},
      {"IGMP to an address", false, igmp(kA4, kB4, 0x22)},
      {"IGMP beyond the link", false, igmp(kA4, "224.0.0.22", 0x22).ttl(64)},
      {"IGMP of another type", false, igmp(kA4, "224.0.0.4", 0x13)},
      {"IGMP in pieces", false, igmp(kA4, "224.0.0.22", 0x22).fragment(0, true)},
      {"IGMP cut short", false, packet().ipv4(kA4, "224.0.0.22").ttl(1).protocol(2).payload(7)},
  });
}

TEST(PassAlways, Dhcp) {
  check({
      {"discover", true, packet().ipv4("0.0.0.0", "255.255.255.255").udp(68, 67).payload(240)},
      {"rebind", true, packet().ipv4(kA4, "255.255.255.255").udp(68, 67).payload(240)},
      {"broadcast offer", true, packet().ipv4(kB4, "255.255.255.255").udp(67, 68).payload(240)},
      {"offer from nobody", false, packet().ipv4("0.0.0.0", "255.255.255.255").udp(67, 68)},
      {"renewal", false, v4().udp(68, 67).payload(240)},
      {"offer by unicast", false, v4().udp(67, 68).payload(240)},
      {"between relays", false, v4().udp(67, 67).payload(240)},
      {"another port", false, packet().ipv4(kA4, "255.255.255.255").udp(68, 69)},
      {"another source port", false, packet().ipv4(kA4, "255.255.255.255").udp(69, 67)},
      {"in pieces", false,
       packet().ipv4("0.0.0.0", "255.255.255.255").udp(68, 67).fragment(0, true).payload(240)},
      {"over TCP", false, packet().ipv4(kA4, "255.255.255.255").tcp(68, 67, kSyn)},
      {"solicit", true, packet().ipv6("fe80::1", "ff02::1:2").udp(546, 547).payload(40)},
      {"solicit from a global address", false, packet().ipv6(kA6, "ff02::1:2").udp(546, 547)},
      {"solicit to an address", false, packet().ipv6("fe80::1", "fe80::2").udp(546, 547)},
      {"solicit to all nodes", false, packet().ipv6("fe80::1", "ff02::1").udp(546, 547)},
      {"advertise", true, packet().ipv6("fe80::1", "fe80::2").udp(547, 546).payload(40)},
      {"advertise from a free port", true, packet().ipv6("fe80::1", "fe80::2").udp(40000, 546)},
      {"advertise to a global address", false, packet().ipv6("fe80::1", kB6).udp(547, 546)},
      {"advertise from a global address", false, packet().ipv6(kA6, "fe80::2").udp(547, 546)},
  });
  EXPECT_EQ(parse(packet().ipv4("0.0.0.0", "255.255.255.255").udp(67, 68)).reason,
            DropReason::kMartian);
}

}  // namespace
}  // namespace rampart::test
