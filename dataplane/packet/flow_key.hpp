// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <immintrin.h>

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
#ifdef __BMI2__
  // By hand: g++ 12 keeps products of 128 bits in memory, those of _mulx_u64, too.
  uint64_t low, high;
  asm("mulx %3, %0, %1" : "=r"(low), "=r"(high) : "d"(a), "rm"(b));
  return low ^ high;
#else
  const auto product = static_cast<Uint128>(a) * b;
  return static_cast<uint64_t>(product) ^ static_cast<uint64_t>(product >> 64);
#endif
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
/// The bits in which sixteen bytes of two things differ, from byte `at` on.
inline __m128i differ16(const void* a, const void* b, size_t at) {
  const auto sixteen = [at](const void* from) {
    return _mm_loadu_si128(
        reinterpret_cast<const __m128i*>(static_cast<const uint8_t*>(from) + at));
  };
  return _mm_xor_si128(sixteen(a), sixteen(b));
}
inline bool is_zero(__m128i bits) {
  return _mm_testz_si128(bits, bits) != 0;
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
    return detail::is_zero(detail::differ16(this, &other, 0)) &&
           detail::load32(&protocol) == detail::load32(&other.protocol);
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
    // The last two of the three overlap.
    return detail::is_zero(_mm_or_si128(
        _mm_or_si128(detail::differ16(this, &other, 0), detail::differ16(this, &other, 16)),
        detail::differ16(this, &other, sizeof(FlowKeyV6) - 16)));
  }
};
static_assert(sizeof(FlowKeyV6) == 44 && std::has_unique_object_representations_v<FlowKeyV6>);

/// Secret of one start of the appliance: who does not know it cannot aim at one bucket.
struct HashSeed {
  uint64_t a = 0x9E3779B97F4A7C15, b = 0xD1B54A32D192ED03;
};

namespace detail {
/// `addresses`, `ports_and_zone`: with the seed in them.
inline uint64_t hash_of_seeded(uint64_t addresses, uint64_t ports_and_zone, uint8_t protocol,
                               const HashSeed& s) {
  return mix(mix(addresses, ports_and_zone) ^ protocol, s.a);
}
inline uint64_t hash_of(uint64_t addresses, uint64_t ports_and_zone, uint8_t protocol,
                        const HashSeed& s) {
  return hash_of_seeded(addresses ^ s.a, ports_and_zone ^ s.b, protocol, s);
}
}  // namespace detail

inline uint64_t hash_of(const FlowKeyV4& k, const HashSeed& s) {
  const auto* p = reinterpret_cast<const uint8_t*>(&k);
  return detail::hash_of(detail::load64(p), detail::load64(p + 8), k.protocol, s);
}

namespace detail {
/// The addresses of a key of IPv6, as they lie there.
struct FourWords {
  uint64_t word[4];
};
/// `ports_and_zone`: with the seed in it.
inline uint64_t hash_of_seeded(const FourWords& addresses, uint64_t ports_and_zone,
                               uint8_t protocol, const HashSeed& s) {
  const uint64_t h1 = mix(addresses.word[0] ^ s.a, addresses.word[1] ^ s.b);
  const uint64_t h2 = mix(addresses.word[2] ^ s.b, addresses.word[3] ^ s.a);
  const uint64_t h3 = mix(ports_and_zone, s.b ^ protocol);
  return mix(h1 ^ h3, h2 ^ s.a);
}
}  // namespace detail

inline uint64_t hash_of(const FlowKeyV6& k, const HashSeed& s) {
  detail::FourWords addresses;
  std::memcpy(&addresses, k.address, sizeof addresses);
  return detail::hash_of_seeded(addresses, detail::load64(k.port) ^ s.a, k.protocol, s);
}

namespace detail {
/// `ports`: of the packet, as they lie there.
inline uint32_t ports_by_end(uint32_t ports, unsigned end) {
  const uint32_t other_way = std::rotl(ports, 16);
  return ports ^ ((ports ^ other_way) & -end);
}
/// What stands behind the addresses of either key: ports by end, zone, protocol and zeros.
inline void put_rest(uint64_t ports_and_zone, uint8_t protocol, uint8_t* out) {
  const uint32_t rest = protocol;
  std::memcpy(out, &ports_and_zone, 8);
  std::memcpy(out + 8, &rest, 4);
}
inline uint32_t ports_of(const ParsedPacket& p) {
  return p.source_port.raw() | uint32_t{p.destination_port.raw()} << 16;
}
inline bool source_port_is_higher(uint32_t ports) {
  return __builtin_bswap16(static_cast<uint16_t>(ports)) >
         __builtin_bswap16(static_cast<uint16_t>(ports >> 16));
}
}  // namespace detail

/// The hash of the key of a packet's flow, and which end of it the packet's source is.
struct Aim {
  uint64_t hash;
  unsigned end;  ///< 0 or 1
};

/// Fills the key of a packet whose addresses and ports are in the key's order already.
[[gnu::always_inline]] inline Aim aim_in_order(uint64_t addresses, uint32_t ports, unsigned end,
                                               Zone zone, uint8_t protocol, const HashSeed& seed,
                                               FlowKeyV4& out) {
  const uint64_t rest = ports | uint64_t{zone} << 32;
  auto* bytes = reinterpret_cast<uint8_t*>(&out);
  std::memcpy(bytes, &addresses, 8);
  detail::put_rest(rest, protocol, bytes + offsetof(FlowKeyV4, port));
  return {detail::hash_of(addresses, rest, protocol, seed), end};
}

/// Fills the key of a packet whose addresses (`addresses`: the source's 4 bytes, then the
/// destination's) and `ports` (likewise) are given as they lie in it.
[[gnu::always_inline]] inline Aim aim_v4(const uint8_t* addresses, uint32_t ports, Zone zone,
                                         uint8_t protocol, const HashSeed& seed, FlowKeyV4& out) {
  static_assert(std::endian::native == std::endian::little);
  const uint64_t both = detail::load64(addresses), other_way = std::rotl(both, 32);
  const uint32_t s = __builtin_bswap32(static_cast<uint32_t>(both)),
                 d = __builtin_bswap32(static_cast<uint32_t>(other_way));
  const unsigned end = s != d ? s > d : detail::source_port_is_higher(ports);
  // Without a branch, which would be as good as random.
  const uint64_t in_order = both ^ ((both ^ other_way) & -uint64_t{end});
  return aim_in_order(in_order, detail::ports_by_end(ports, end), end, zone, protocol, seed, out);
}

/// Whether two IPv6 addresses, the one behind the other, are the same. `end` becomes 1 if the first
/// one is the higher, else 0.
[[gnu::always_inline]] inline bool same_v6(const uint8_t* addresses, unsigned& end) {
  const auto* both = reinterpret_cast<const __m128i*>(addresses);
  const __m128i first = _mm_loadu_si128(both), second = _mm_loadu_si128(both + 1);
  const auto bits = [](__m128i bytes) { return static_cast<unsigned>(_mm_movemask_epi8(bytes)); };
  const unsigned same = bits(_mm_cmpeq_epi8(first, second)),
                 not_lower = bits(_mm_cmpeq_epi8(_mm_max_epu8(first, second), first));
  // The lowest byte in which they differ, the only one to which a carry comes, decides.
  const unsigned differ = same ^ 0xffff;
  end = (differ & -differ & not_lower) != 0;
  return differ == 0;
}

namespace detail {
/// Fills the key of a packet over IPv6 and returns its hash. `addresses`: the source's 16 bytes,
/// then the destination's; `end`: which end of the key the source is; `rest`, `seeded`: ports by
/// end and zone, without and with the seed.
///
/// Addresses are read once, and go from registers into the key and into its hash: what has just
/// been stored, in an order that is as good as random, is slow to load; and who lends us his memory
/// may write into a packet between two looks at it.
[[gnu::always_inline]] inline uint64_t fill_by_end(const uint8_t* addresses, unsigned end,
                                                   uint64_t rest, uint64_t seeded, uint8_t protocol,
                                                   const HashSeed& seed, FlowKeyV6& out) {
  const uint8_t *lower = addresses + 16 * size_t{end}, *upper = addresses + 16 - 16 * size_t{end};
  const FourWords words{{load64(lower), load64(lower + 8), load64(upper), load64(upper + 8)}};
  auto* bytes = reinterpret_cast<uint8_t*>(&out);
  for (unsigned n = 0; n < 4; ++n) std::memcpy(bytes + 8 * n, &words.word[n], 8);
  put_rest(rest, protocol, bytes + offsetof(FlowKeyV6, port));
  return hash_of_seeded(words, seeded, protocol, seed);
}
}  // namespace detail

/// Fills the key of a packet over IPv6 (`addresses`: the source's 16 bytes, then the
/// destination's) whose source is known to be this end.
[[gnu::always_inline]] inline Aim aim_by_end(const uint8_t* addresses, uint32_t ports, unsigned end,
                                             Zone zone, uint8_t protocol, const HashSeed& seed,
                                             FlowKeyV6& out) {
  const uint64_t rest = detail::ports_by_end(ports, end) | uint64_t{zone} << 32;
  return {detail::fill_by_end(addresses, end, rest, rest ^ seed.a, protocol, seed, out), end};
}

/// The same as aim_v4 for IPv6, with addresses of 16 bytes.
[[gnu::always_inline]] inline Aim aim_v6(const uint8_t* addresses, uint32_t ports, Zone zone,
                                         uint8_t protocol, const HashSeed& seed, FlowKeyV6& out) {
  unsigned end;
  if (same_v6(addresses, end)) end = detail::source_port_is_higher(ports);
  return aim_by_end(addresses, ports, end, zone, protocol, seed, out);
}

/// The same for a packet that was parsed, of the key's family.
inline Aim aim_at(const ParsedPacket& p, uint8_t wire, const HashSeed& seed, FlowKeyV4& out) {
  uint8_t addresses[8];
  std::memcpy(addresses, p.source, 4);
  std::memcpy(addresses + 4, p.destination, 4);
  return aim_v4(addresses, detail::ports_of(p), make_zone(wire, p.vlans), p.protocol, seed, out);
}
inline Aim aim_at(const ParsedPacket& p, uint8_t wire, const HashSeed& seed, FlowKeyV6& out) {
  static_assert(offsetof(ParsedPacket, destination) == offsetof(ParsedPacket, source) + 16);
  return aim_v6(p.source, detail::ports_of(p), make_zone(wire, p.vlans), p.protocol, seed, out);
}

/// The same where the hash does not matter. Returns the end.
template <typename Key>
inline unsigned make_key(const ParsedPacket& p, uint8_t wire, Key& out) {
  return aim_at(p, wire, HashSeed{}, out).end;
}

}  // namespace rampart
