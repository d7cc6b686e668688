// SPDX-License-Identifier: Apache-2.0
#pragma once

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

/// The normalised 5-tuple plus zone: end 0 is the lower (address, port), so both directions have
/// the same key. Compared and hashed by bytes, hence without holes.
struct FlowKeyV4 {
  be32 address[2];
  be16 port[2];
  Zone zone;
  uint8_t protocol;
  uint8_t reserved[3];
  bool operator==(const FlowKeyV4&) const = default;
};
static_assert(sizeof(FlowKeyV4) == 20 && std::has_unique_object_representations_v<FlowKeyV4>);

struct FlowKeyV6 {
  uint8_t address[2][16];
  be16 port[2];
  Zone zone;
  uint8_t protocol;
  uint8_t reserved[3];
  bool operator==(const FlowKeyV6&) const = default;
};
static_assert(sizeof(FlowKeyV6) == 44 && std::has_unique_object_representations_v<FlowKeyV6>);

/// Secret of one start of the appliance: who does not know it cannot aim at one bucket.
struct HashSeed {
  uint64_t a = 0x9E3779B97F4A7C15, b = 0xD1B54A32D192ED03;
};

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
}  // namespace detail

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

/// Fills the key of a parsed packet (family kV4). Returns which end the packet's source is: 0 or 1.
inline unsigned make_key(const ParsedPacket& p, uint8_t wire, FlowKeyV4& out) {
  uint32_t s, d;
  std::memcpy(&s, p.source, 4);
  std::memcpy(&d, p.destination, 4);
  const be32 source = be32::from_raw(s), destination = be32::from_raw(d);
  const uint64_t a = uint64_t{source.host()} << 16 | p.source_port.host();
  const uint64_t b = uint64_t{destination.host()} << 16 | p.destination_port.host();
  const unsigned end = a > b;
  out.address[end] = source;
  out.address[!end] = destination;
  out.port[end] = p.source_port;
  out.port[!end] = p.destination_port;
  out.zone = make_zone(wire, p.vlans);
  out.protocol = p.protocol;
  std::memset(out.reserved, 0, sizeof out.reserved);
  return end;
}

/// The same for family kV6.
inline unsigned make_key(const ParsedPacket& p, uint8_t wire, FlowKeyV6& out) {
  const int order = std::memcmp(p.source, p.destination, 16);
  const unsigned end =
      order > 0 || (order == 0 && p.source_port.host() > p.destination_port.host()) ? 1 : 0;
  std::memcpy(out.address[end], p.source, 16);
  std::memcpy(out.address[!end], p.destination, 16);
  out.port[end] = p.source_port;
  out.port[!end] = p.destination_port;
  out.zone = make_zone(wire, p.vlans);
  out.protocol = p.protocol;
  std::memset(out.reserved, 0, sizeof out.reserved);
  return end;
}

}  // namespace rampart
