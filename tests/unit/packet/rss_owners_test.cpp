// SPDX-License-Identifier: Apache-2.0
#include "dataplane/packet/rss_owners.hpp"

#include <gtest/gtest.h>
#include <rte_thash.h>

#include <algorithm>
#include <random>
#include <type_traits>
#include <vector>

namespace rampart {
namespace {

/// What NICs compute of a packet, by DPDK's own Toeplitz.
uint32_t nic_hash(const ParsedPacket& p, size_t address_bytes, bool ports) {
  std::vector<uint8_t> input(p.source, p.source + address_bytes);
  input.insert(input.end(), p.destination, p.destination + address_bytes);
  for (const be16 port : {p.source_port, p.destination_port}) {
    if (!ports) break;
    input.push_back(static_cast<uint8_t>(port.host() >> 8));
    input.push_back(static_cast<uint8_t>(port.host()));
  }
  std::vector<uint32_t> words;
  for (size_t i = 0; i < input.size(); i += 4) {
    words.push_back(uint32_t{input[i]} << 24 | uint32_t{input[i + 1]} << 16 |
                    uint32_t{input[i + 2]} << 8 | input[i + 3]);
  }
  std::vector<uint8_t> key;
  for (size_t i = 0; i < 40; ++i) key.push_back(i % 2 == 0 ? 0x6d : 0x5a);
  return rte_softrss(words.data(), static_cast<uint32_t>(words.size()), key.data());
}

ParsedPacket swapped(ParsedPacket p) {
  std::swap_ranges(p.source, p.source + 16, p.destination);
  std::swap(p.source_port, p.destination_port);
  return p;
}

template <typename Key>
void expect_the_nics_choice(unsigned entries, unsigned workers) {
  constexpr bool kV4 = std::is_same_v<Key, FlowKeyV4>;
  const RssOwners owners(0x6d5a, entries, workers);
  std::mt19937 random(11);
  std::vector<unsigned> flows(workers);
  for (unsigned n = 0; n < 600; ++n) {
    ParsedPacket p{};
    p.family = kV4 ? Family::kV4 : Family::kV6;
    for (size_t i = 0; i < (kV4 ? 4 : 16); ++i) {
      p.source[i] = static_cast<uint8_t>(random());
      p.destination[i] = static_cast<uint8_t>(random());
    }
    p.source_port = be16(static_cast<uint16_t>(random()));
    p.destination_port = be16(static_cast<uint16_t>(random()));
    for (const IpProtocol protocol :
         {IpProtocol::kTcp, IpProtocol::kUdp, IpProtocol::kSctp, IpProtocol::kIcmp}) {
      p.protocol = static_cast<uint8_t>(protocol);
      for (const ParsedPacket& packet : {p, swapped(p)}) {
        Key key;
        make_key(packet, 0, key);
        const uint32_t hash = nic_hash(packet, kV4 ? 4 : 16, protocol != IpProtocol::kIcmp);
        ASSERT_EQ(owners.of(key), hash % entries % workers);
        ++flows[owners.of(key)];
      }
    }
  }
  for (const unsigned count : flows) EXPECT_NEAR(count * workers, 4800, 960);
}

TEST(RssOwners, OwnWhatNicsGiveThem) {
  expect_the_nics_choice<FlowKeyV4>(128, 4);
  expect_the_nics_choice<FlowKeyV6>(128, 4);
  expect_the_nics_choice<FlowKeyV4>(512, 3);
  expect_the_nics_choice<FlowKeyV6>(2048, 3);
}

}  // namespace
}  // namespace rampart
