// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <type_traits>

#include "dataplane/base/byte_order.hpp"
#include "dataplane/packet/parsed_packet.hpp"

namespace rampart {

/// Zone of a flow: equal tuples on two wires or VLANs are different flows.
/// wire << 24 | outer VID << 12 | inner VID.
using Zone = uint32_t;

constexpr Zone make_zone(uint8_t wire, uint32_t vlans) {
  return Zone{wire} << 24 | vlans;
}

namespace detail {
__extension__ typedef unsigned __int128 Uint128;

inline uint64_t mix(uint64_t a, uint64_t b) {
  const auto product = static_cast<Uint128>(a) * b;
  return static_cast<uint64_t>(product) ^ static_cast<uint64_t>(product >> 64);
}
inline uint64_t load64(const void* p) {
  uint64_t v;
  std::memcpy(&v, p, sizeof v);
  return v;
}
inline uint32_t load32(const void* p) {
  uint32_t v;
  std::memcpy(&v, p, sizeof v);
  return v;
}
}  // namespace detail

/// The normalised 5-tuple plus zone: end 0 is the lower (address, port), so both directions have
/// the same key. Compared and hashed by bytes, hence without holes; made of whole words, because a
/// word that was stored in pieces is slow to load.
struct FlowKeyV4 {
  be32 address[2];
  be16 port[2];
  Zone zone;
  uint8_t protocol;
  uint8_t reserved[3];
  bool operator==(const FlowKeyV4& other) const {
    const auto* a = reinterpret_cast<const uint8_t*>(this);
    const auto* b = reinterpret_cast<const uint8_t*>(&other);
    return ((detail::load64(a) ^ detail::load64(b)) |
            (detail::load64(a + 8) ^ detail::load64(b + 8)) |
            (detail::load32(a + 16) ^ detail::load32(b + 16))) == 0;
  }
};
static_assert(sizeof(FlowKeyV4) == 20 && std::has_unique_object_representations_v<FlowKeyV4>);

struct FlowKeyV6 {
  uint8_t address[2][16];
  be16 port[2];
  Zone zone;
  uint8_t protocol;
  uint8_t reserved[3];
  bool operator==(const FlowKeyV6& other) const {
    const auto* a = reinterpret_cast<const uint8_t*>(this);
    const auto* b = reinterpret_cast<const uint8_t*>(&other);
    uint64_t differ = detail::load32(a + 40) ^ detail::load32(b + 40);
    for (unsigned at = 0; at < 40; at += 8)
      differ |= detail::load64(a + at) ^ detail::load64(b + at);
    return differ == 0;
  }
};
static_assert(sizeof(FlowKeyV6) == 44 && std::has_unique_object_representations_v<FlowKeyV6>);

/// Secret of one start of the appliance: who does not know it cannot aim at one bucket.
struct HashSeed {
  uint64_t a = 0x9E3779B97F4A7C15, b = 0xD1B54A32D192ED03;
};

inline uint64_t hash_of(const FlowKeyV4& k, const HashSeed& s) {
  const auto* p = reinterpret_cast<const uint8_t*>(&k);
  const uint64_t h = detail::mix(detail::load64(p) ^ s.a, detail::load64(p + 8) ^ s.b);
  return detail::mix(h ^ k.protocol, s.a);
}

inline uint64_t hash_of(const FlowKeyV6& k, const HashSeed& s) {
  const auto* p = reinterpret_cast<const uint8_t*>(&k);
  const uint64_t h1 = detail::mix(detail::load64(p) ^ s.a, detail::load64(p + 8) ^ s.b);
  const uint64_t h2 = detail::mix(detail::load64(p + 16) ^ s.b, detail::load64(p + 24) ^ s.a);
  const uint64_t h3 = detail::mix(detail::load64(p + 32) ^ s.a, s.b ^ k.protocol);
  return detail::mix(h1 ^ h3, h2 ^ s.a);
}

namespace detail {
/// What stands behind the addresses of either key: ports by end and zone, then protocol and zeros.
inline void put_rest(const ParsedPacket& p, uint8_t wire, unsigned end, uint8_t* out) {
  const uint64_t source = p.source_port.raw(), destination = p.destination_port.raw();
  const uint64_t ports = end == 0 ? source | destination << 16 : destination | source << 16;
  const uint64_t ports_and_zone = ports | uint64_t{make_zone(wire, p.vlans)} << 32;
  const uint32_t protocol = p.protocol;
  std::memcpy(out, &ports_and_zone, 8);
  std::memcpy(out + 8, &protocol, 4);
}
}  // namespace detail

/// Fills the key of a parsed packet (family kV4). Returns which end the packet's source is: 0 or 1.
inline unsigned make_key(const ParsedPacket& p, uint8_t wire, FlowKeyV4& out) {
  static_assert(std::endian::native == std::endian::little);
  const uint32_t s = detail::load32(p.source), d = detail::load32(p.destination);
  const uint64_t a = uint64_t{be32::from_raw(s).host()} << 16 | p.source_port.host();
  const uint64_t b = uint64_t{be32::from_raw(d).host()} << 16 | p.destination_port.host();
  const unsigned end = a > b;
  const uint64_t addresses = end == 0 ? s | uint64_t{d} << 32 : d | uint64_t{s} << 32;
  auto* bytes = reinterpret_cast<uint8_t*>(&out);
  std::memcpy(bytes, &addresses, 8);
  detail::put_rest(p, wire, end, bytes + offsetof(FlowKeyV4, port));
  return end;
}

/// The same for family kV6.
inline unsigned make_key(const ParsedPacket& p, uint8_t wire, FlowKeyV6& out) {
  const int order = std::memcmp(p.source, p.destination, 16);
  const unsigned end =
      order > 0 || (order == 0 && p.source_port.host() > p.destination_port.host()) ? 1 : 0;
  std::memcpy(out.address[end], p.source, 16);
  std::memcpy(out.address[1 - end], p.destination, 16);
  detail::put_rest(p, wire, end, reinterpret_cast<uint8_t*>(&out) + offsetof(FlowKeyV6, port));
  return end;
}

}  // namespace rampart
