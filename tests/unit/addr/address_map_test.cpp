// SPDX-License-Identifier: Apache-2.0
#include "dataplane/addr/address_map.hpp"

#include <gtest/gtest.h>

#include <array>
#include <cstring>
#include <map>
#include <optional>
#include <random>
#include <string>
#include <vector>

namespace rampart {
namespace {

IpAddress ip(std::string_view text) {
  return *IpAddress::parse(text);
}
Identity named(uint32_t class_id) {
  Identity i;
  i.class_id = class_id;
  return i;
}

std::shared_ptr<const AddressMap> build(const std::vector<AddressMap::Entry>& entries,
                                        const std::vector<AddressMap::Interval>& v4 = {},
                                        const std::vector<AddressMap::Interval>& v6 = {},
                                        Revision revision = 1,
                                        const AddressMap* previous = nullptr) {
  auto map = AddressMap::build(entries, v4, v6, revision, previous);
  EXPECT_TRUE(map) << map.error().text();
  return map ? *map : nullptr;
}

TEST(AddressMap, EmptyMapKnowsEveryAddressAsAStranger) {
  const auto map = build({});
  for (const char* text : {"0.0.0.0", "255.255.255.255", "10.1.2.3", "::", "2001:db8::1",
                           "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"}) {
    ASSERT_NE(map->find(ip(text)), nullptr) << text;
    EXPECT_EQ(*map->find(ip(text)), Identity{}) << text;
  }
  EXPECT_EQ(map->intervals(), 2U);
}

TEST(AddressMap, ExactEntriesAtBothEndsOfBothFamilies) {
  const std::vector<const char*> texts{
      "0.0.0.0", "255.255.255.255", "::",      "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "0.0.0.1",
      "::1",     "::ffff:10.0.0.1", "10.0.0.1"};
  std::vector<AddressMap::Entry> entries;
  for (uint32_t i = 0; i < texts.size(); ++i) entries.push_back({ip(texts[i]), named(i + 1)});
  const auto map = build(entries);
  for (uint32_t i = 0; i < texts.size(); ++i) {
    EXPECT_EQ(map->find(ip(texts[i]))->class_id, i + 1) << texts[i];
  }
  for (const char* other : {"0.0.0.2", "255.255.255.254", "::2", "a00:1::"}) {
    EXPECT_EQ(map->find(ip(other))->class_id, 0U) << other;
  }
  EXPECT_EQ(map->exact_entries(), texts.size());
}

TEST(AddressMap, IntervalsBeginAndEndExactly) {
  const auto map = build({},
                         {{ip("0.0.0.0"), named(1)},
                          {ip("10.0.0.0"), named(2)},
                          {ip("10.0.0.128"), named(3)},
                          {ip("10.0.1.0"), named(4)},
                          {ip("10.1.0.0"), named(5)},
                          {ip("255.255.255.255"), named(6)}},
                         {{ip("::"), named(11)},
                          {ip("2001:db8::"), named(12)},
                          {ip("2001:db8::8000:0:0:0"), named(13)},
                          {ip("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"), named(14)}});
  const std::vector<std::pair<const char*, uint32_t>> expected{
      {"0.0.0.0", 1},
      {"9.255.255.255", 1},
      {"10.0.0.0", 2},
      {"10.0.0.127", 2},
      {"10.0.0.128", 3},
      {"10.0.0.255", 3},
      {"10.0.1.0", 4},
      {"10.0.255.255", 4},
      {"10.1.0.0", 5},
      {"10.2.0.0", 5},
      {"255.255.255.254", 5},
      {"255.255.255.255", 6},
      {"::", 11},
      {"2001:db7:ffff:ffff:ffff:ffff:ffff:ffff", 11},
      {"2001:db8::", 12},
      {"2001:db8::7fff:ffff:ffff:ffff", 12},
      {"2001:db8::8000:0:0:0", 13},
      {"ffff:ffff:ffff:ffff:ffff:ffff:ffff:fffe", 13},
      {"ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", 14}};
  for (const auto& [text, class_id] : expected) {
    EXPECT_EQ(map->find(ip(text))->class_id, class_id) << text;
  }
}

TEST(AddressMap, AnExactEntryBeatsItsInterval) {
  const auto map = build({{ip("10.0.0.5"), named(7)}}, {{ip("0.0.0.0"), named(1)}});
  EXPECT_EQ(map->find(ip("10.0.0.5"))->class_id, 7U);
  EXPECT_EQ(map->find(ip("10.0.0.6"))->class_id, 1U);
}

TEST(AddressMap, AgreesWithOrderedMapsOnRandomContent) {
  std::mt19937_64 random(20240601);
  for (int round = 0; round < 20; ++round) {
    std::map<IpAddress, Identity> exact, intervals{{IpAddress::v4(0), named(1)}};
    uint32_t next = 2;
    for (int i = 0; i < 3000; ++i) {
      // Few distinct upper bits, so that shards and /16 index cells are crowded.
      exact[IpAddress::v4(0x0A000000U | (random() & 0x3FFF))] = named(next++);
      if (i % 10 == 0) {
        intervals[IpAddress::v4(static_cast<uint32_t>(0x0A000000U | (random() & 0x3FFFF)))] =
            named(next++);
      }
    }
    std::vector<AddressMap::Entry> entries;
    for (const auto& [a, i] : exact) entries.push_back({a, i});
    std::vector<AddressMap::Interval> v4;
    for (const auto& [a, i] : intervals) v4.push_back({a, i});
    const auto map = build(entries, v4);

    std::vector<be32> probes;
    for (int i = 0; i < 1000; ++i) {
      probes.push_back(be32{static_cast<uint32_t>(0x0A000000U | (random() & 0x7FFFF))});
    }
    std::vector<const Identity*> found(probes.size());
    map->find_v4(probes.data(), static_cast<unsigned>(probes.size()), found.data());
    for (size_t i = 0; i < probes.size(); ++i) {
      const IpAddress a = IpAddress::v4(probes[i].host());
      const auto hit = exact.find(a);
      const Identity want =
          hit != exact.end() ? hit->second : std::prev(intervals.upper_bound(a))->second;
      ASSERT_EQ(*found[i], want) << a.text();
      ASSERT_EQ(map->find(a), found[i]) << a.text();
    }
  }
}

TEST(AddressMap, BulkLookupOfIpv6EqualsSingleLookups) {
  std::mt19937_64 random(6);
  std::vector<AddressMap::Entry> entries;
  for (uint32_t i = 0; i < 2000; ++i) {
    std::array<uint8_t, 16> bytes{0x20, 0x01, 0x0d, 0xb8};
    bytes[14] = static_cast<uint8_t>(i >> 8);
    bytes[15] = static_cast<uint8_t>(i);
    entries.push_back({IpAddress::v6(bytes), named(i + 1)});
  }
  const auto map = build(entries);
  uint8_t probes[101][16];
  const Identity* found[101];
  for (auto& probe : probes) {
    const uint32_t i = random() % 2500;
    const std::array<uint8_t, 16> bytes{0x20, 0x01, 0x0d, 0xb8};
    std::memcpy(probe, bytes.data(), 16);
    probe[14] = static_cast<uint8_t>(i >> 8);
    probe[15] = static_cast<uint8_t>(i);
  }
  map->find_v6(probes, 101, found);
  for (unsigned k = 0; k < 101; ++k) {
    const uint32_t i = uint32_t{probes[k][14]} << 8 | probes[k][15];
    EXPECT_EQ(found[k]->class_id, i < 2000 ? i + 1 : 0) << i;
  }
}

TEST(AddressMap, OneChangedAddressRebuildsOneShardAndMarksIt) {
  std::vector<AddressMap::Entry> entries;
  for (uint32_t i = 0; i < 5000; ++i) entries.push_back({IpAddress::v4(0x0A000000U + i), named(i)});
  const auto first = build(entries, {}, {}, 1);
  const auto same = build(entries, {}, {}, 2, first.get());
  EXPECT_EQ(same->shards_shared_with(*first), 2 * AddressMap::kShardsPerFamily);
  EXPECT_EQ(same->changed_in(ip("10.0.0.77")), 1U);
  EXPECT_EQ(same->changed_in(ip("10.200.0.77")), first->changed_in(ip("10.200.0.77")));

  auto changed = entries;
  changed[77].identity.node = 9;
  const auto second = build(changed, {}, {}, 3, same.get());
  EXPECT_EQ(second->shards_shared_with(*same), 2 * AddressMap::kShardsPerFamily - 1);
  EXPECT_EQ(second->changed_in(ip("10.0.0.77")), 3U);
  EXPECT_EQ(second->find(ip("10.0.0.77"))->node, 9U);
  EXPECT_EQ(first->find(ip("10.0.0.77"))->node, 0U);
  size_t touched = 0;
  for (const auto& e : entries) touched += second->changed_in(e.address) == 3;
  EXPECT_EQ(touched, 1U);

  auto fewer = changed;
  fewer.erase(fewer.begin() + 100);
  const auto third = build(fewer, {}, {}, 4, second.get());
  EXPECT_EQ(third->changed_in(ip("10.0.0.100")), 4U);
  EXPECT_EQ(third->find(ip("10.0.0.100"))->class_id, 0U);
  EXPECT_EQ(third->exact_entries(), entries.size() - 1);
}

unsigned shard_of(const IpAddress& address) {
  if (address.is_v4()) {
    uint32_t raw = 0;
    std::memcpy(&raw, address.bytes().data(), sizeof raw);
    return exact_shard(exact_hash(raw));
  }
  ExactKeyV6 key;
  std::memcpy(key.bytes, address.bytes().data(), sizeof key.bytes);
  return exact_shard(exact_hash(key));
}

/// `count` addresses of each family that all lie in the first `shards`.
std::vector<IpAddress> crowded(unsigned shards, size_t count) {
  std::vector<IpAddress> found;
  found.reserve(2 * count);
  for (uint32_t n = 0; found.size() < count; ++n) {
    const IpAddress address = IpAddress::v4(0x0A000000U + n);
    if (shard_of(address) < shards) found.push_back(address);
  }
  for (uint32_t n = 0; found.size() < 2 * count; ++n) {
    std::array<uint8_t, 16> bytes{0xFD};
    std::memcpy(bytes.data() + 12, &n, sizeof n);
    const IpAddress address = IpAddress::v6(bytes);
    if (shard_of(address) < shards) found.push_back(address);
  }
  return found;
}

/// `shards`: that the addresses lie in, so that some have many and come and go one behind the
/// other.
void expect_changes_to_be_a_map_built_anew(unsigned shards, size_t count) {
  std::mt19937 random(7);
  std::map<IpAddress, Identity> all;
  const std::vector<IpAddress> addresses = crowded(shards, count);
  const auto pick = [&] { return addresses[random() % addresses.size()]; };
  const std::vector<AddressMap::Interval> v4{{ip("0.0.0.0"), named(7)}};
  auto map = build({}, v4, {}, 1);
  for (Revision revision = 2; revision < 200; ++revision) {
    std::map<IpAddress, std::optional<Identity>> changes;
    for (unsigned left = random() % 40; left > 0; --left) {
      changes[pick()] = random() % 3 == 0 ? std::nullopt : std::optional(named(random() % 3));
    }
    std::vector<AddressMap::Entry> changed;
    std::vector<IpAddress> gone;
    for (const auto& [address, identity] : changes) {
      if (identity) {
        changed.push_back({address, *identity});
        all[address] = *identity;
      } else {
        gone.push_back(address);
        all.erase(address);
      }
    }
    std::vector<AddressMap::Entry> entries;
    for (const auto& [address, identity] : all) entries.push_back({address, identity});
    const auto anew = build(entries, v4, {}, revision, map.get());
    map = AddressMap::change(*map, changed, gone, revision);
    ASSERT_EQ(map->exact_entries(), anew->exact_entries());
    ASSERT_TRUE(map->same_intervals(*anew));
    for (int n = 0; n < 300; ++n) {
      const IpAddress address = pick();
      ASSERT_EQ(*map->find(address), *anew->find(address)) << address.text();
      ASSERT_EQ(map->changed_in(address), anew->changed_in(address)) << address.text();
    }
  }
}

TEST(AddressMap, ChangesAreWhatAMapBuiltAnewWouldHold) {
  expect_changes_to_be_a_map_built_anew(AddressMap::kShardsPerFamily, 2000);
  expect_changes_to_be_a_map_built_anew(4, 60);
  expect_changes_to_be_a_map_built_anew(1, 400);
}

TEST(AddressMap, KnowsWhetherIntervalsAreTheSame) {
  const std::vector<AddressMap::Interval> v4{{ip("0.0.0.0"), named(1)}, {ip("10.0.0.0"), named(2)}};
  auto other = v4;
  other[1].identity.class_id = 3;
  const auto a = build({}, v4), b = build({{ip("1.1.1.1"), named(4)}}, v4), c = build({}, other);
  EXPECT_TRUE(a->same_intervals(*b));
  EXPECT_FALSE(a->same_intervals(*c));
}

TEST(AddressMap, RefusesWhatItCannotMean) {
  const auto refused = [](const std::vector<AddressMap::Entry>& entries,
                          const std::vector<AddressMap::Interval>& v4,
                          const std::vector<AddressMap::Interval>& v6) -> std::string {
    auto map = AddressMap::build(entries, v4, v6, 1, nullptr);
    return map ? "accepted" : map.error().text();
  };
  EXPECT_EQ(refused({{ip("10.0.0.1"), named(1)}, {ip("10.0.0.1"), named(1)}}, {}, {}),
            "10.0.0.1: there are two entries for it");
  EXPECT_EQ(refused({{ip("fd00::1"), named(1)}, {ip("fd00::1"), named(2)}}, {}, {}),
            "fd00::1: there are two entries for it");
  EXPECT_EQ(refused({}, {{ip("0.0.0.1"), named(1)}}, {}),
            "interval at 0.0.0.1: the first interval does not begin at 0");
  EXPECT_EQ(refused({}, {{ip("0.0.0.0"), named(1)}, {ip("0.0.0.0"), named(1)}}, {}),
            "interval at 0.0.0.0: out of order");
  EXPECT_EQ(refused({}, {}, {{ip("0.0.0.0"), named(1)}}),
            "interval at 0.0.0.0: wrong address family");
}

}  // namespace
}  // namespace rampart
