// SPDX-License-Identifier: Apache-2.0
#include "dataplane/packet/flow_key.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>
#include <vector>

#include "tests/unit/packet/parse_fixture.hpp"

namespace rampart::test {
namespace {

template <typename Key>
struct Made {
  Key key;
  unsigned end;
};

template <typename Key>
Made<Key> made(const PacketBuilder& builder, uint8_t wire = 0) {
  Made<Key> m;
  std::memset(reinterpret_cast<uint8_t*>(&m.key), 0xa5,
              sizeof m.key);  // make_key must not leave holes
  m.end = make_key(parse(builder), wire, m.key);
  return m;
}

template <typename Key>
void both_ways(const char* a, uint16_t a_port, const char* b, uint16_t b_port) {
  const auto there = made<Key>(packet().ip(a, b).udp(a_port, b_port));
  const auto back = made<Key>(packet().ip(b, a).udp(b_port, a_port));
  EXPECT_EQ(there.key, back.key) << a << " " << b;
  EXPECT_EQ(std::memcmp(&there.key, &back.key, sizeof there.key), 0);
  EXPECT_EQ(there.end, !back.end) << a << " " << b;
  const HashSeed seed;
  EXPECT_EQ(hash_of(there.key, seed), hash_of(back.key, seed));
}

TEST(FlowKey, BothDirectionsAreOne) {
  both_ways<FlowKeyV4>("10.0.0.1", 40000, "10.0.0.2", 80);
  both_ways<FlowKeyV4>("10.0.0.2", 80, "10.0.0.1", 40000);
  both_ways<FlowKeyV4>("1.2.3.4", 7, "200.0.0.1", 7);
  both_ways<FlowKeyV4>("10.0.1.0", 7, "10.0.0.255", 7);
  both_ways<FlowKeyV6>("fd00::1", 40000, "fd00::2", 80);
  both_ways<FlowKeyV6>("fd00::100", 7, "fd00::ff", 7);
  both_ways<FlowKeyV6>("2001:db8::1", 1, "fd00::1", 65535);
}

TEST(FlowKey, EndZeroIsTheLower) {
  const auto low = made<FlowKeyV4>(packet().ip("9.255.255.255", "10.0.0.0").udp(60000, 5));
  EXPECT_EQ(low.end, 0U);
  EXPECT_EQ(low.key.address[0].host(), 0x09ffffffU);
  EXPECT_EQ(low.key.port[0].host(), 60000);
  EXPECT_EQ(low.key.port[1].host(), 5);
  const auto high = made<FlowKeyV6>(packet().ip("fd00::2", "fd00::1").udp(5, 60000));
  EXPECT_EQ(high.end, 1U);
  EXPECT_EQ(high.key.address[0][15], 1);
  EXPECT_EQ(high.key.port[0].host(), 60000);
}

TEST(FlowKey, EqualAddressesAreOrderedByPort) {
  // Not on a wire, but a tuple may come from elsewhere.
  ParsedPacket p;
  p.source_port = be16{9};
  p.destination_port = be16{7};
  FlowKeyV4 k4;
  FlowKeyV6 k6;
  EXPECT_EQ(make_key(p, 0, k4), 1U);
  EXPECT_EQ(make_key(p, 0, k6), 1U);
  EXPECT_EQ(k4.port[0].host(), 7);
  EXPECT_EQ(k6.port[0].host(), 7);
}

TEST(FlowKey, EveryPartCounts) {
  std::set<uint64_t> hashes;
  const HashSeed seed;
  const PacketBuilder base = packet().ip(kA4, kB4).udp(1000, 2000);
  const std::vector<FlowKeyV4> keys{
      made<FlowKeyV4>(base).key,
      made<FlowKeyV4>(packet().ip("10.0.1.8", kB4).udp(1000, 2000)).key,
      made<FlowKeyV4>(packet().ip(kA4, "10.0.2.8").udp(1000, 2000)).key,
      made<FlowKeyV4>(packet().ip(kA4, kB4).udp(1001, 2000)).key,
      made<FlowKeyV4>(packet().ip(kA4, kB4).udp(1000, 2001)).key,
      made<FlowKeyV4>(packet().ip(kA4, kB4).udp(2000, 1000)).key,
      made<FlowKeyV4>(packet().ip(kA4, kB4).tcp(1000, 2000, kSyn)).key,
      made<FlowKeyV4>(base, 1).key,
      made<FlowKeyV4>(PacketBuilder(base).vlan(1)).key,
      made<FlowKeyV4>(PacketBuilder(base).vlan(1).vlan(2)).key,
      made<FlowKeyV4>(PacketBuilder(base).vlan(2).vlan(1)).key,
  };
  for (const FlowKeyV4& key : keys) hashes.insert(hash_of(key, seed));
  EXPECT_EQ(hashes.size(), keys.size());
  for (size_t i = 0; i < keys.size(); ++i) {
    for (size_t j = 0; j < i; ++j) EXPECT_NE(keys[i], keys[j]) << i << " " << j;
  }
}

TEST(FlowKey, EveryBitOfAKeyMovesTheHash) {
  const HashSeed seed;
  const auto flip = [&seed](auto key) {
    std::set<uint64_t> hashes{hash_of(key, seed)};
    auto* bytes = reinterpret_cast<uint8_t*>(&key);
    // The reserved bytes at the end are always zero.
    const size_t bits = (sizeof key - sizeof key.reserved) * 8;
    for (size_t bit = 0; bit < bits; ++bit) {
      bytes[bit / 8] = static_cast<uint8_t>(bytes[bit / 8] ^ 1U << (bit % 8));
      hashes.insert(hash_of(key, seed));
      bytes[bit / 8] = static_cast<uint8_t>(bytes[bit / 8] ^ 1U << (bit % 8));
    }
    EXPECT_EQ(hashes.size(), bits + 1);
  };
  flip(made<FlowKeyV4>(v4().udp(1, 2)).key);
  flip(made<FlowKeyV6>(v6().udp(1, 2)).key);
}

TEST(FlowKey, TheSeedMovesTheHash) {
  const auto key = made<FlowKeyV4>(v4().udp(1, 2)).key;
  EXPECT_NE(hash_of(key, {1, 2}), hash_of(key, {3, 2}));
  EXPECT_NE(hash_of(key, {1, 2}), hash_of(key, {1, 3}));
}

TEST(FlowKey, HashesSpreadOverLowAndHighBits) {
  // Neighbouring clients of one server: no bucket of 256 gets four times its share.
  const HashSeed seed;
  for (int shift : {0, 24, 56}) {
    std::vector<int> buckets(256);
    for (unsigned port = 0; port < 25600; ++port) {
      ParsedPacket p = parse(v4().udp(1, 80));
      p.source_port = be16{static_cast<uint16_t>(port)};
      FlowKeyV4 key;
      make_key(p, 0, key);
      ++buckets[hash_of(key, seed) >> shift & 0xff];
    }
    EXPECT_LT(*std::max_element(buckets.begin(), buckets.end()), 400) << shift;
    EXPECT_GT(*std::min_element(buckets.begin(), buckets.end()), 25) << shift;
  }
}

}  // namespace
}  // namespace rampart::test
