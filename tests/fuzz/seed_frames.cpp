// SPDX-License-Identifier: Apache-2.0
// Writes the corpus of fuzz_parse: one frame of each sort, a file each.
// usage: seed_frames DIRECTORY
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <utility>
#include <vector>

#include "tests/support/packet_builder.hpp"

namespace rampart::test {
namespace {

PacketBuilder v4() {
  return packet().ipv4("10.0.0.1", "10.0.0.2");
}
PacketBuilder v6() {
  return packet().ipv6("fd00::1", "fd00::2");
}
PacketBuilder local(const char* to) {
  return packet().ipv6("fe80::1", to);
}

std::vector<std::pair<const char*, PacketBuilder>> frames() {
  const Bytes alert{148, 4, 0, 0}, igmp{0x16, 0, 0, 0, 224, 0, 0, 251};
  return {
      {"arp", packet().arp("10.0.0.1", "10.0.0.2")},
      {"lldp", packet().ether_type(0x88cc).payload(20)},
      {"tcp4", v4().tcp(40000, 443, kSyn).tcp_options({2, 4, 5, 0xb4}).payload(3)},
      {"tcp6", v6().tcp(40000, 443, kAck | kPsh).payload(3)},
      {"udp4_options", v4().ip_option(alert).udp(40000, 53).payload(3)},
      {"udp4_vlan", v4().vlan(100).udp(40000, 4789).payload(3)},
      {"udp6_qinq", v6().vlan(7, 0x88a8).vlan(8).udp(40000, 53).payload(3)},
      {"sctp4", v4().sctp(1, 2).chunk(1, 16)},
      {"sctp6", v6().sctp(1, 2).chunk(10, 4).chunk(0, 13)},
      {"echo4", v4().echo_request(1).payload(5)},
      {"echo6", v6().echo_reply(1).payload(5)},
      {"error4", v4().icmp(3, 4).quote(packet().ipv4("10.0.0.1", "9.9.9.9").tcp(1, 2, kAck))},
      {"error4_to_source", packet().ipv4("10.9.9.9", "10.0.0.1").icmp(3, 1).quote(v4().udp(1, 2))},
      {"error6", packet()
                     .ipv6("fd00::9", "fd00::1")
                     .icmp(2, 0, 1280)
                     .quote(v6().hop_by_hop().fragment(0, true).udp(1, 2).payload(16))},
      {"error6_about_echo",
       packet().ipv6("fd00::9", "fd00::1").icmp(1, 4).quote(v6().echo_request(3))},
      {"chain6", v6().hop_by_hop({5, 2, 0, 0})
                     .destination_options()
                     .routing(2, 0)
                     .authentication()
                     .fragment(0, false)
                     .udp(1, 2)
                     .payload(3)},
      {"route0", v6().routing(0, 1).udp(1, 2)},
      {"source_route", v4().ip_option({131, 7, 4, 10, 0, 0, 9}).udp(1, 2)},
      {"first4", v4().fragment(0, true).udp(1, 2).payload(16)},
      {"later4", v4().protocol(6).fragment(24, false).payload(9)},
      {"first6", v6().fragment(0, true).destination_options().tcp(1, 2, kSyn).payload(4)},
      {"later6", v6().protocol(60).fragment(1232, true).payload(16)},
      {"solicitation", local("ff02::1:ff00:2").ttl(255).icmp(135).payload(24)},
      {"advertisement", local("ff02::1").ttl(255).icmp(134).payload(8)},
      {"listener", local("ff02::16").ttl(1).hop_by_hop({5, 2, 0, 0}).icmp(143).payload(20)},
      {"igmp",
       packet().ipv4("10.0.0.1", "224.0.0.251").ttl(1).ip_option(alert).protocol(2).payload(igmp)},
      {"dhcp4", packet().ipv4("0.0.0.0", "255.255.255.255").udp(68, 67).payload(12)},
      {"dhcp6", local("ff02::1:2").udp(546, 547).payload(12)},
      {"gre", v4().protocol(47).payload(24)},
      {"esp6", v6().protocol(50).payload(24)},
  };
}

}  // namespace
}  // namespace rampart::test

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fprintf(stderr, "usage: seed_frames DIRECTORY\n");
    return 2;
  }
  const std::filesystem::path folder = argv[1];
  std::filesystem::create_directories(folder);
  for (const auto& [name, builder] : rampart::test::frames()) {
    const rampart::test::Bytes frame = builder.bytes();
    std::ofstream file(folder / name, std::ios::binary);
    // The first segment ends somewhere in the transport header.
    file.put(0).put(40);
    file.write(reinterpret_cast<const char*>(frame.data()),
               static_cast<std::streamsize>(frame.size()));
    if (!file.flush()) {
      std::fprintf(stderr, "seed_frames: cannot write %s\n", (folder / name).c_str());
      return 1;
    }
  }
  return 0;
}
