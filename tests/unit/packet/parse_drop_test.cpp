// SPDX-License-Identifier: Apache-2.0
// Every way in which the parser ends a packet, each beside the twin that gets through.
#include <gtest/gtest.h>

#include <set>
#include <string>
#include <vector>

#include "tests/unit/packet/parse_fixture.hpp"

namespace rampart::test {
namespace {

struct Case {
  const char* name;
  DropReason reason;  ///< kNone: gets through
  Bytes frame;
};

Bytes option(std::initializer_list<uint8_t> bytes) {
  return bytes;
}

std::vector<Case> link_and_ip_cases() {
  using enum DropReason;
  return {
      {"nothing", kRunt, {}},
      {"half an Ethernet header", kRunt, v4().tcp(1, 2, kSyn).truncate(13).bytes()},
      {"half a tag", kRunt, v4().vlan(5).tcp(1, 2, kSyn).truncate(17).bytes()},
      {"two tags", kNone, v4().vlan(5).vlan(6).tcp(1, 2, kSyn).bytes()},
      {"three tags", kVlanDepth, v4().vlan(5).vlan(6).vlan(7).tcp(1, 2, kSyn).bytes()},
      {"half an IPv4 header", kIpTruncated, v4().tcp(1, 2, kSyn).truncate(33).bytes()},
      {"half an IPv6 header", kIpTruncated, v6().tcp(1, 2, kSyn).truncate(53).bytes()},
      {"IPv4 longer than the frame", kIpTruncated, v4().udp(1, 2).payload(9).truncate(50).bytes()},
      {"IPv6 longer than the frame", kIpTruncated, v6().udp(1, 2).payload(9).truncate(70).bytes()},
      {"padding behind the packet", kNone, v4().udp(1, 2).pad_to(60).bytes()},
      {"padding behind IPv6", kNone, v6().udp(1, 2).pad_to(80).bytes()},
      {"options beyond the frame", kIpTruncated,
       v4().ip_option(option({1, 1, 1, 1})).udp(1, 2).truncate(36).bytes()},
      {"version 6 in an IPv4 frame", kIpVersion, v4().ip_version(6).udp(1, 2).bytes()},
      {"version 4 in an IPv6 frame", kIpVersion, v6().ip_version(4).udp(1, 2).bytes()},
      {"an IPv4 header of 16 bytes", kIpHeader, v4().ihl(4).udp(1, 2).bytes()},
      {"an IPv4 header longer than the packet", kIpHeader, v4().ihl(15).udp(1, 2).bytes()},
      {"IPv4 total length 0", kIpHeader, v4().total_length(0).udp(1, 2).bytes()},
      {"a router alert", kNone, v4().ip_option(option({148, 4, 0, 0})).udp(1, 2).bytes()},
      {"a record of the route", kNone,
       v4().ip_option(option({7, 7, 4, 0, 0, 0, 0, 0})).udp(1, 2).bytes()},
      {"no-operations and an end", kNone, v4().ip_option(option({1, 1, 0, 99})).udp(1, 2).bytes()},
      {"an option of length 1", kIpHeader, v4().ip_option(option({7, 1, 0, 0})).udp(1, 2).bytes()},
      {"an option beyond the header", kIpHeader,
       v4().ip_option(option({7, 5, 0, 0})).udp(1, 2).bytes()},
      {"an option without length", kIpHeader,
       v4().ip_option(option({1, 1, 1, 7})).udp(1, 2).bytes()},
      {"loose source route", kSourceRoute,
       v4().ip_option(option({131, 7, 4, 10, 0, 0, 9, 0})).udp(1, 2).bytes()},
      {"strict source route behind padding", kSourceRoute,
       v4().ip_option(option({1, 137, 7, 4, 10, 0, 0, 9})).udp(1, 2).bytes()},
      {"a wrong IPv4 header checksum", kIpChecksum, v4().ip_checksum(0x1234).udp(1, 2).bytes()},
      {"hop-by-hop, destination options", kNone,
       v6().hop_by_hop().destination_options().tcp(1, 2, kSyn).bytes()},
      {"authentication", kNone, v6().authentication().tcp(1, 2, kSyn).bytes()},
      {"an authentication header too short", kIpExtension,
       v6().extension(51, Bytes(8)).tcp(1, 2, kSyn).bytes()},
      {"hop-by-hop in second place", kIpExtension,
       v6().destination_options().hop_by_hop().tcp(1, 2, kSyn).bytes()},
      {"eight extension headers", kNone,
       [] {
         PacketBuilder b = v6();
         for (int i = 0; i < 8; ++i) b.destination_options();
         return b.tcp(1, 2, kSyn).bytes();
       }()},
      {"nine extension headers", kIpExtension,
       [] {
         PacketBuilder b = v6();
         for (int i = 0; i < 9; ++i) b.destination_options();
         return b.tcp(1, 2, kSyn).bytes();
       }()},
      {"an extension header longer than the packet", kIpExtension,
       v6().extension(60, {0, 200, 0, 0, 0, 0, 0, 0}).tcp(1, 2, kSyn).bytes()},
      {"an extension header of four bytes", kIpExtension,
       packet().ipv6(kA6, kB6).protocol(60).payload(4).bytes()},
      {"two fragment headers", kIpExtension,
       v6().fragment(0, false).fragment(0, false).udp(1, 2).bytes()},
      {"a protocol that nobody has been given", kNone, v6().protocol(252).payload(0).bytes()},
      {"Mobility", kIpExtension, v6().protocol(135).payload(8).bytes()},
      {"HIP behind destination options", kIpExtension,
       v6().destination_options().protocol(139).payload(8).bytes()},
      {"Shim6", kIpExtension, v6().extension(140, Bytes(8)).udp(1, 2).bytes()},
      {"an experiment", kIpExtension, v6().extension(253, Bytes(8)).udp(1, 2).bytes()},
      {"another experiment", kIpExtension, v6().extension(254, Bytes(8)).udp(1, 2).bytes()},
      {"an unknown extension header in a first fragment", kIpExtension,
       v6().fragment(0, true).extension(140, Bytes(8)).udp(1, 2).payload(16).bytes()},
      {"a protocol of IPv4 with such a number", kNone, v4().protocol(139).payload(8).bytes()},
      {"routing type 0", kSourceRoute, v6().routing(0, 0).tcp(1, 2, kSyn).bytes()},
      {"routing type 2, arrived", kNone, v6().routing(2, 0).tcp(1, 2, kSyn).bytes()},
      {"routing type 4, under way", kSourceRoute, v6().routing(4, 1).tcp(1, 2, kSyn).bytes()},
  };
}

std::vector<Case> fragment_cases() {
  using enum DropReason;
  return {
      {"a first fragment", kNone, v4().fragment(0, true).udp(1, 2).payload(16).bytes()},
      {"a later fragment", kNone, v4().protocol(17).fragment(24, true).payload(16).bytes()},
      {"the last fragment", kNone, v4().protocol(17).fragment(24, false).payload(3).bytes()},
      {"not a multiple of eight", kFragmentLength,
       v4().protocol(17).fragment(24, true).payload(17).bytes()},
      {"IPv6, not a multiple of eight", kFragmentLength,
       v6().protocol(17).fragment(24, true).payload(17).bytes()},
      {"a multiple of four", kFragmentLength,
       v4().protocol(17).fragment(24, true).payload(20).bytes()},
      {"IPv6, nothing but options", kNone,
       v6().fragment(0, true).destination_options().protocol(59).payload(0).bytes()},
      {"IPv6 headers before the fragment count for the end", kFragmentLength,
       v6().destination_options().fragment(65520, false).protocol(17).payload(15).bytes()},
      {"IPv6, options count as data", kNone,
       v6().fragment(0, true).destination_options().udp(1, 2).payload(8).bytes()},
      {"an empty fragment", kFragmentLength,
       v4().protocol(17).fragment(24, false).payload(0).bytes()},
      {"an IPv6 empty fragment", kFragmentLength,
       v6().protocol(17).fragment(24, false).payload(0).bytes()},
      {"an end beyond 65,535", kFragmentLength,
       v4().protocol(17).fragment(65520, false).payload(16).bytes()},
      {"an IPv6 end beyond 65,535", kFragmentLength,
       v6().protocol(17).fragment(65520, false).payload(16).bytes()},
      {"an IPv6 end at 65,535", kNone,
       v6().protocol(17).fragment(65520, false).payload(15).bytes()},
      {"TCP flags in a second fragment", kFragmentTiny,
       v4().fragment(0, true).tcp(1, 2, kSyn).total_length(28).truncate(42).bytes()},
      {"a rewrite of TCP flags", kFragmentTiny,
       v4().protocol(6).fragment(8, false).payload(24).bytes()},
      {"a rewrite of the TCP checksum", kFragmentTiny,
       v4().protocol(6).fragment(16, false).payload(24).bytes()},
      {"TCP from 24 on", kNone, v4().protocol(6).fragment(24, false).payload(24).bytes()},
      {"IPv6, a rewrite of TCP flags", kFragmentTiny,
       v6().protocol(6).fragment(8, false).payload(24).bytes()},
      {"a rewrite of the SCTP chunk", kFragmentTiny,
       v4().protocol(132).fragment(8, false).payload(24).bytes()},
      {"UDP from 8 on", kNone, v4().protocol(17).fragment(8, false).payload(24).bytes()},
      {"TCP options in a second fragment", kFragmentTiny,
       v4().fragment(0, true).tcp(1, 2, kSyn).data_offset(7).payload(4).bytes()},
      {"an IPv6 chain that goes on in a second fragment", kFragmentTiny,
       v6().fragment(0, true).extension(60, {0, 1, 0, 0, 0, 0, 0, 0}).protocol(17).bytes()},
      {"an IPv6 chain that ends too early without one", kIpExtension,
       v6().fragment(0, false).extension(60, {0, 1, 0, 0, 0, 0, 0, 0}).protocol(17).bytes()},
      {"a Fragment header in a first fragment", kIpExtension,
       v6().fragment(0, true).fragment(0, true).udp(1, 2).bytes()},
      {"IPv6, a UDP header in a second fragment", kFragmentTiny,
       v6().fragment(0, true).destination_options().protocol(17).payload(0).bytes()},
      {"IPv6, an ICMPv6 header in a second fragment", kFragmentTiny,
       v6().fragment(0, true).destination_options().protocol(58).payload(0).bytes()},
      {"an ICMP error in pieces", kIcmpUnrelated,
       packet()
           .ipv4(kB4, kA4)
           .fragment(0, true)
           .icmp(3, 1)
           .quote(v4().udp(1, 2).payload(4))
           .bytes()},
      {"an ICMPv6 error in pieces", kIcmpUnrelated,
       packet().ipv6(kB6, kA6).fragment(0, true).icmp(1, 4).quote(v6().udp(1, 2)).bytes()},
      {"a piece from nowhere", kMartian,
       packet().ipv4("0.0.0.0", kB4).protocol(17).fragment(24, false).payload(8).bytes()},
  };
}

std::vector<Case> transport_cases() {
  using enum DropReason;
  return {
      {"half a TCP header", kL4Truncated, v4().protocol(6).payload(19).bytes()},
      {"half a UDP header", kL4Truncated, v4().protocol(17).payload(7).bytes()},
      {"half an SCTP header", kL4Truncated, v4().protocol(132).payload(11).bytes()},
      {"SCTP without a chunk", kL4Truncated, v4().sctp(1, 2).bytes()},
      {"half an ICMP header", kL4Truncated, v4().protocol(1).payload(7).bytes()},
      {"half an ICMPv6 header", kL4Truncated, v6().protocol(58).payload(7).bytes()},
      {"TCP data offset 4", kL4Header, v4().tcp(1, 2, kSyn).data_offset(4).bytes()},
      {"TCP data offset beyond the packet", kL4Header, v4().tcp(1, 2, kSyn).data_offset(6).bytes()},
      {"TCP options", kNone, v4().tcp(1, 2, kSyn).tcp_options({2, 4, 5, 0xb4}).bytes()},
      {"TCP from port 0", kL4Header, v4().tcp(0, 2, kSyn).bytes()},
      {"TCP to port 0", kL4Header, v4().tcp(1, 0, kSyn).bytes()},
      {"UDP length 7", kL4Header, v4().udp(1, 2).udp_length(7).bytes()},
      {"UDP length beyond the packet", kL4Header, v4().udp(1, 2).udp_length(9).bytes()},
      {"UDP length short of the packet", kNone, v4().udp(1, 2).udp_length(8).payload(4).bytes()},
      {"UDP length of the whole datagram", kNone,
       v4().udp(1, 2).udp_length(900).fragment(0, true).payload(16).bytes()},
      {"UDP from port 0", kNone, v4().udp(0, 2).bytes()},
      {"UDP to port 0", kL4Header, v4().udp(1, 0).bytes()},
      {"SYN option of length 1", kL4Header, v4().tcp(1, 2, kSyn).tcp_options({2, 1, 1, 1}).bytes()},
      {"SYN option of length 0", kL4Header,
       v4().tcp(1, 2, kSyn).tcp_options({1, 1, 99, 0}).bytes()},
      {"SYN option beyond the header", kL4Header,
       v4().tcp(1, 2, kSyn).tcp_options({2, 5, 1, 1}).payload(9).bytes()},
      {"SYN option without a length", kL4Header,
       v4().tcp(1, 2, kSyn).tcp_options({1, 1, 1, 2}).payload(9).bytes()},
      {"window scale of four bytes", kL4Header,
       v4().tcp(1, 2, kSyn | kAck).tcp_options({3, 4, 1, 1}).bytes()},
      {"nonsense behind the end of the list", kNone,
       v4().tcp(1, 2, kSyn).tcp_options({1, 0, 99, 0}).bytes()},
      {"nonsense as options of another segment", kNone,
       v4().tcp(1, 2, kAck).tcp_options({2, 1, 1, 1}).bytes()},
      {"INIT of 19 bytes", kL4Header, v4().sctp(1, 2).chunk(1, 15).bytes()},
      {"INIT ACK of 19 bytes", kL4Header, v4().sctp(1, 2).chunk(2, 15).bytes()},
      {"INIT of 20 bytes", kNone, v4().sctp(1, 2).chunk(1, 16).bytes()},
      {"INIT with initiate tag 0", kL4Header, v4().sctp(1, 2).init_chunk(1, 0).bytes()},
      {"INIT ACK with initiate tag 0", kL4Header, v4().sctp(1, 2).init_chunk(2, 0).bytes()},
      {"SCTP chunk of length 3", kL4Header, v4().sctp(1, 2).chunk(0, 4, 3, 3).bytes()},
      {"SCTP chunk beyond the packet", kL4Header, v4().sctp(1, 2).chunk(0, 4, 3, 9).bytes()},
      {"SCTP from port 0", kL4Header, v4().sctp(0, 2).chunk(1, 16).bytes()},
      {"SCTP to port 0", kL4Header, v4().sctp(1, 0).chunk(1, 16).bytes()},
      {"an error with half a quote", kL4Truncated,
       packet().ipv4(kB4, kA4).icmp(3, 1).quote(v4().udp(1, 2), 27).bytes()},
      {"an error with a quote of the other family", kL4Header,
       packet().ipv4(kB4, kA4).icmp(3, 1).quote(v6().udp(1, 2), 48).bytes()},
      {"an error with a quoted header of 16 bytes", kL4Header,
       packet().ipv4(kB4, kA4).icmp(3, 1).quote(v4().ihl(4).udp(1, 2)).bytes()},
      {"an ICMPv6 error whose quote is cut in a header chain", kL4Truncated,
       packet().ipv6(kB6, kA6).icmp(1, 4).quote(v6().hop_by_hop().udp(1, 2), 55).bytes()},
      {"an error to another than the quoted source", kIcmpUnrelated,
       packet().ipv4(kB4, "10.0.1.8").icmp(3, 1).quote(v4().udp(1, 2)).bytes()},
      {"an error about a later fragment", kIcmpUnrelated,
       packet()
           .ipv4(kB4, kA4)
           .icmp(11, 1)
           .quote(v4().protocol(17).fragment(64, false).payload(9))
           .bytes()},
      {"an ICMPv6 error about a later fragment", kIcmpUnrelated,
       packet()
           .ipv6(kB6, kA6)
           .icmp(2, 0)
           .quote(v6().protocol(17).fragment(64, true).payload(8))
           .bytes()},
      {"an ICMPv6 error about a source route", kIcmpUnrelated,
       packet().ipv6(kB6, kA6).icmp(1, 0).quote(v6().routing(0, 1).udp(1, 2)).bytes()},
      {"an error about an error", kIcmpUnrelated,
       packet().ipv4(kB4, kA4).icmp(3, 1).quote(v4().icmp(3, 3)).bytes()},
      {"an ICMPv6 error about an error", kIcmpUnrelated,
       packet().ipv6(kB6, kA6).icmp(1, 4).quote(v6().icmp(1, 4)).bytes()},
  };
}

std::vector<Case> martian_cases() {
  std::vector<Case> cases;
  const auto add = [&cases](const char* name, DropReason reason, const char* from, const char* to) {
    cases.push_back({name, reason, packet().ip(from, to).udp(1, 2).bytes()});
  };
  using enum DropReason;
  add("loopback source", kMartian, "127.0.0.1", kB4);
  add("loopback destination", kMartian, kA4, "127.9.9.9");
  add("multicast source", kMartian, "224.0.0.5", kB4);
  add("multicast destination", kNone, kA4, "224.0.0.251");
  add("broadcast source", kMartian, "255.255.255.255", kB4);
  add("broadcast destination", kNone, kA4, "255.255.255.255");
  add("reserved source", kMartian, "240.0.0.1", kB4);
  add("reserved destination", kMartian, kA4, "240.0.0.1");
  add("no source", kMartian, "0.0.0.0", kB4);
  add("no destination", kMartian, kA4, "0.0.0.0");
  add("'this network' source", kMartian, "0.1.2.3", kB4);
  add("'this network' destination", kMartian, kA4, "0.1.2.3");
  add("source is destination", kMartian, kA4, kA4);
  add("link-local", kNone, "169.254.1.1", "169.254.169.254");
  add("neighbour of loopback", kNone, "126.255.255.255", "128.0.0.0");
  add("first public, last unicast", kNone, "1.0.0.0", "223.255.255.255");
  add("v6 loopback source", kMartian, "::1", kB6);
  add("v6 loopback destination", kMartian, kA6, "::1");
  add("v6 no source", kMartian, "::", kB6);
  add("v6 no destination", kMartian, kA6, "::");
  add("v6 multicast source", kMartian, "ff02::1", kB6);
  add("v6 multicast destination", kNone, kA6, "ff02::fb");
  add("v6 interface-local multicast", kMartian, kA6, "ff01::1");
  add("v6 reserved multicast scope", kMartian, kA6, "ff00::1");
  add("v6 mapped source", kMartian, "::ffff:10.0.0.1", kB6);
  add("v6 mapped destination", kMartian, kA6, "::ffff:10.0.0.1");
  add("v6 source is destination", kMartian, kA6, kA6);
  add("v6 link-local", kNone, "fe80::1", "fe80::2");
  add("v6 almost loopback", kNone, "0:0:0:1::1", "::2");
  cases.push_back(
      {"a TCP SYN from nowhere", kMartian, packet().ipv4("0.0.0.0", kB4).tcp(1, 2, kSyn).bytes()});
  return cases;
}

void check(const std::vector<Case>& cases, std::set<DropReason>& seen) {
  for (const Case& c : cases) {
    const ParsedPacket p = parse(c.frame);
    EXPECT_EQ(p.reason, c.reason) << c.name;
    EXPECT_EQ(p.kind == PacketKind::kDropped, c.reason != DropReason::kNone) << c.name;
    seen.insert(p.reason);
  }
}

TEST(ParseDrops, EveryReasonWithItsTwin) {
  std::set<DropReason> seen;
  check(link_and_ip_cases(), seen);
  check(fragment_cases(), seen);
  check(transport_cases(), seen);
  check(martian_cases(), seen);
  check({{"no flags at all", DropReason::kTcpFlags, v4().tcp(1, 2, 0).bytes()}}, seen);
  using enum DropReason;
  const std::set<DropReason> all{kNone,        kRunt,     kVlanDepth,    kIpTruncated,
                                 kIpVersion,   kIpHeader, kIpChecksum,   kIpExtension,
                                 kSourceRoute, kMartian,  kFragmentTiny, kFragmentLength,
                                 kL4Truncated, kL4Header, kTcpFlags,     kIcmpUnrelated};
  EXPECT_EQ(seen, all);
}

TEST(ParseDrops, TcpFlagsThatNoStackSends) {
  const std::set<unsigned> sane{kSyn,        kSyn | kUrg, kSyn | kAck,        kRst,
                                kRst | kAck, kFin | kAck, kFin | kAck | kUrg, kAck,
                                kAck | kUrg};
  for (unsigned flags = 0; flags < 256; ++flags) {
    const ParsedPacket p = parse(v4().tcp(1, 2, static_cast<uint8_t>(flags)));
    // PSH and the two of ECN may come with any.
    const bool ok = sane.contains(flags & ~unsigned{kPsh | tcp_flag::kEce | tcp_flag::kCwr});
    EXPECT_EQ(p.reason, ok ? DropReason::kNone : DropReason::kTcpFlags) << flags;
    EXPECT_EQ(p.tcp_flags, flags);
  }
}

TEST(ParseDrops, HeadersThatGoOnInAnotherSegmentAreCutShort) {
  struct Split {
    PacketBuilder builder;
    size_t contiguous;
    DropReason reason;
  };
  using enum DropReason;
  const std::vector<Split> splits{
      {v4().tcp(1, 2, kSyn), 13, kRunt},
      {v4().vlan(9).tcp(1, 2, kSyn), 17, kRunt},
      {v4().tcp(1, 2, kSyn), 33, kIpTruncated},
      {v4().ip_option({1, 1, 1, 1}).tcp(1, 2, kSyn), 37, kIpTruncated},
      {v4().tcp(1, 2, kSyn), 53, kL4Truncated},
      {v4().tcp(1, 2, kSyn), 54, kNone},
      {v4().tcp(1, 2, kSyn).tcp_options({1, 1, 1, 1}), 57, kL4Truncated},
      {v4().tcp(1, 2, kSyn).payload(100), 54, kNone},
      {v4().sctp(1, 2).chunk(1, 16), 53, kL4Truncated},
      {v4().sctp(1, 2).chunk(1, 16), 54, kNone},
      {v4().udp(1, 2).payload(100), 41, kL4Truncated},
      {v4().udp(1, 2).payload(100), 42, kNone},
      {v4().fragment(0, true).udp(1, 2).payload(96), 41, kL4Truncated},
      {v6().udp(1, 2), 53, kIpTruncated},
      {v6().destination_options().udp(1, 2), 61, kIpExtension},
      {v6().destination_options().udp(1, 2), 69, kL4Truncated},
      {v6().destination_options().udp(1, 2), 70, kNone},
      {packet().ipv4(kB4, kA4).icmp(3, 1).quote(v4().udp(1, 2)), 69, kL4Truncated},
      {packet().ipv4(kB4, kA4).icmp(3, 1).quote(v4().udp(1, 2)), 70, kNone},
      {packet().ipv4(kA4, "224.0.0.22").ttl(1).protocol(2).payload(Bytes(8, 0x22)), 41, kNone},
  };
  for (size_t i = 0; i < splits.size(); ++i) {
    EXPECT_EQ(parse(splits[i].builder.bytes(), splits[i].contiguous).reason, splits[i].reason) << i;
  }
}

TEST(ParseDrops, NoPrefixOfAFrameGetsThroughAsAnotherPacket) {
  const std::vector<PacketBuilder> frames{
      v4().vlan(7).tcp(1, 2, kSyn).tcp_options({2, 4, 5, 0xb4}).payload(20),
      v6().hop_by_hop().routing(2, 0).authentication().fragment(0, false).udp(1, 2).payload(20),
      packet().ipv6(kB6, kA6).icmp(3, 0).quote(v6().destination_options().sctp(3, 4).chunk(1, 16)),
      v4().ip_option({148, 4, 0, 0}).echo_request(7).payload(20),
  };
  for (const PacketBuilder& builder : frames) {
    const Bytes whole = builder.bytes();
    EXPECT_EQ(parse(whole).reason, DropReason::kNone);
    for (size_t n = 0; n < whole.size(); ++n) {
      const ParsedPacket p = parse(Bytes(whole.begin(), whole.begin() + static_cast<long>(n)));
      EXPECT_EQ(p.kind, PacketKind::kDropped) << n;
    }
  }
}

}  // namespace
}  // namespace rampart::test
