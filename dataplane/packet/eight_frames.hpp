// SPDX-License-Identifier: Apache-2.0
#pragma once

#ifdef __AVX2__

#include <immintrin.h>

#include <cstdint>

#include "dataplane/packet/parse_plain.hpp"

/// Where the IP packets of eight frames begin, and what is common to looking at eight of anything.
/// x86-64-v3 and above.
namespace rampart {

/// Eight frames, by where their headers end that they have if they have no tag. Bit j, element j:
/// frame j.
struct EightFrames {
  static constexpr uint32_t kEthernetBytes = 14, kTagBytes = 4;
  /// Bytes that a frame has to have to be looked at at all: Ethernet, a tag, IPv4, UDP.
  static constexpr uint32_t kLeastBytes = 46;
  /// From an IPv6 header to the end of a UDP header: an IPv6 packet has that many readable bytes.
  static constexpr uint32_t kLeastBytesV6 = 48;

  uint32_t v4, v6;  ///< whose packet may be a plain one of this family; all others are neither
  /// Their IP headers: 4 bytes before and 28 from there on may be read of each, more of IPv6.
  const uint8_t* const* ip;
  alignas(32) uint32_t vlans[8];     ///< as in ParsedPacket
  alignas(32) uint32_t readable[8];  ///< bytes from the IP header on
  const uint8_t* moved[8];           ///< room for `ip`
};

namespace detail {

/// What stands in for frames that are not to be looked at.
inline constexpr uint8_t kNoFrame[64] = {};

/// Two bytes at `offset` from each.
[[gnu::always_inline]] inline __m128i halves_at(const uint8_t* const* from, int offset) noexcept {
  const auto half = [&](unsigned j) { return load<int16_t>(from[j] + offset); };
  __m128i all = _mm_cvtsi32_si128(half(0));
  all = _mm_insert_epi16(all, half(1), 1);
  all = _mm_insert_epi16(all, half(2), 2);
  all = _mm_insert_epi16(all, half(3), 3);
  all = _mm_insert_epi16(all, half(4), 4);
  all = _mm_insert_epi16(all, half(5), 5);
  all = _mm_insert_epi16(all, half(6), 6);
  return _mm_insert_epi16(all, half(7), 7);
}
/// A constant in each of eight lanes, out of memory: g++ 12 would make it anew of an integer, which
/// takes three instructions.
template <typename T, T kValue>
[[gnu::visibility("hidden")]] inline constexpr T kInMemory = kValue;
template <uint16_t kValue>
[[gnu::always_inline]] inline __m128i all_halves() noexcept {
  __m128i lanes;
  asm("vpbroadcastw %1, %0" : "=x"(lanes) : "m"(kInMemory<uint16_t, kValue>));
  return lanes;
}
template <uint32_t kValue>
[[gnu::always_inline]] inline __m256i all_words() noexcept {
  __m256i lanes;
  asm("vpbroadcastd %1, %0" : "=x"(lanes) : "m"(kInMemory<uint32_t, kValue>));
  return lanes;
}
/// Lanes in which `least` is at most `value`, as numbers without a sign.
[[gnu::always_inline]] inline __m128i at_least(__m128i value, __m128i least) noexcept {
  return _mm_cmpeq_epi16(_mm_max_epu16(value, least), value);
}
[[gnu::always_inline]] inline uint32_t bits_of(__m128i halves) noexcept {
  return static_cast<uint32_t>(_mm_movemask_epi8(_mm_packs_epi16(halves, halves))) & 0xff;
}

}  // namespace detail

/// `untagged[j]` is where frame j, of `bytes[j]` bytes, goes on behind its EtherType.
[[gnu::always_inline]] inline void find_eight(const uint8_t* const* untagged, const uint16_t* bytes,
                                              EightFrames& out) noexcept {
  using namespace detail;
  constexpr auto kTagBytes = static_cast<int>(EightFrames::kTagBytes);
  out.ip = untagged;
  const __m128i length = _mm_loadu_si128(reinterpret_cast<const __m128i*>(bytes));
  const uint32_t enough = bits_of(at_least(length, all_halves<EightFrames::kLeastBytes>()));
  if (enough != 0xff) [[unlikely]] {
    for (unsigned j = 0; j < 8; ++j) {
      out.moved[j] = (enough >> j & 1) != 0 ? untagged[j] : kNoFrame + kTagBytes;
    }
    out.ip = out.moved;
  }
  __m128i type = halves_at(out.ip, -2);
  __m128i left = _mm_sub_epi16(length, all_halves<EightFrames::kEthernetBytes>());
  __m256i vlans = _mm256_setzero_si256();
  const __m128i tagged = _mm_cmpeq_epi16(type, all_halves<kTag>());
  if (_mm_movemask_epi8(tagged) != 0) {
    type = _mm_blendv_epi8(type, halves_at(out.ip, 2), tagged);
    const __m128i control = halves_at(out.ip, 0);  // priority and VID, network order
    const __m128i host = _mm_or_si128(_mm_slli_epi16(control, 8), _mm_srli_epi16(control, 8));
    const __m128i vid = _mm_and_si128(_mm_and_si128(host, all_halves<0xfff>()), tagged);
    vlans = _mm256_slli_epi32(_mm256_cvtepu16_epi32(vid), 12);
    left = _mm_sub_epi16(left, _mm_and_si128(tagged, all_halves<EightFrames::kTagBytes>()));
    const uint32_t bits = bits_of(tagged);
    for (unsigned j = 0; j < 8; ++j) {
      out.moved[j] = out.ip[j] + ((bits >> j & 1) != 0 ? kTagBytes : 0);
    }
    out.ip = out.moved;
  }
  out.v4 = bits_of(_mm_cmpeq_epi16(type, all_halves<kIpv4>()));
  out.v6 = bits_of(_mm_and_si128(_mm_cmpeq_epi16(type, all_halves<kIpv6>()),
                                 at_least(left, all_halves<EightFrames::kLeastBytesV6>())));
  _mm256_store_si256(reinterpret_cast<__m256i*>(out.vlans), vlans);
  _mm256_store_si256(reinterpret_cast<__m256i*>(out.readable), _mm256_cvtepu16_epi32(left));
}

namespace detail {

/// Columns of four bytes out of eight rows of 32; `from(j, half)`: where the lower (0) or the upper
/// half (1) of row j lies.
template <typename From>
[[gnu::always_inline]] inline void load_columns(const From& from, __m256i (&column)[8]) noexcept {
  for (unsigned half = 0; half < 2; ++half) {
    // Two rows side by side: so no column has to cross from one half of a register to the other.
    const auto rows = [&](unsigned j) {
      const auto sixteen = [&](unsigned row) {
        return _mm_loadu_si128(reinterpret_cast<const __m128i*>(from(row, half)));
      };
      return _mm256_inserti128_si256(_mm256_castsi128_si256(sixteen(j)), sixteen(j + 4), 1);
    };
    const __m256i r0 = rows(0), r1 = rows(1), r2 = rows(2), r3 = rows(3);
    const __m256i a0 = _mm256_unpacklo_epi32(r0, r1), a1 = _mm256_unpackhi_epi32(r0, r1);
    const __m256i a2 = _mm256_unpacklo_epi32(r2, r3), a3 = _mm256_unpackhi_epi32(r2, r3);
    __m256i* out = column + 4 * half;
    out[0] = _mm256_unpacklo_epi64(a0, a2);
    out[1] = _mm256_unpackhi_epi64(a0, a2);
    out[2] = _mm256_unpacklo_epi64(a1, a3);
    out[3] = _mm256_unpackhi_epi64(a1, a3);
  }
}
/// Four bytes at `offset` from each.
[[gnu::always_inline]] inline __m256i words_at(const uint8_t* const* from, int offset) noexcept {
  const auto word = [&](unsigned j) { return load<int32_t>(from[j] + offset); };
  return _mm256_setr_epi32(word(0), word(1), word(2), word(3), word(4), word(5), word(6), word(7));
}

template <uint32_t kValue>
[[gnu::always_inline]] inline __m256i equal(__m256i lanes) noexcept {
  return _mm256_cmpeq_epi32(lanes, all_words<kValue>());
}
[[gnu::always_inline]] inline __m256i is_zero(__m256i lanes) noexcept {
  return _mm256_cmpeq_epi32(lanes, _mm256_setzero_si256());
}
[[gnu::always_inline]] inline __m256i either(__m256i a, __m256i b) noexcept {
  return _mm256_or_si256(a, b);
}
[[gnu::always_inline]] inline __m256i both(__m256i a, __m256i b) noexcept {
  return _mm256_and_si256(a, b);
}
[[gnu::always_inline]] inline uint32_t bits_of(__m256i lanes) noexcept {
  return static_cast<uint32_t>(_mm256_movemask_ps(_mm256_castsi256_ps(lanes)));
}
/// The low bytes of the lanes, none of which is above 127, the first one the lowest.
[[gnu::always_inline]] inline uint64_t bytes_of(__m256i lanes) noexcept {
  const __m256i halves = _mm256_packs_epi32(lanes, lanes),
                bytes = _mm256_packs_epi16(halves, halves);
  return static_cast<uint64_t>(_mm_cvtsi128_si64(
      _mm_unpacklo_epi32(_mm256_castsi256_si128(bytes), _mm256_extracti128_si256(bytes, 1))));
}
[[gnu::always_inline]] inline __m256i load_lanes(const uint32_t (&from)[8]) noexcept {
  return _mm256_load_si256(reinterpret_cast<const __m256i*>(from));
}
[[gnu::always_inline]] inline void store_lanes(uint32_t (&to)[8], __m256i lanes) noexcept {
  _mm256_store_si256(reinterpret_cast<__m256i*>(to), lanes);
}
/// Swaps the bytes of each lane.
[[gnu::always_inline]] inline __m256i host_order(__m256i lanes) noexcept {
  const __m256i order = _mm256_setr_epi8(3, 2, 1, 0, 7, 6, 5, 4, 11, 10, 9, 8, 15, 14, 13, 12, 3, 2,
                                         1, 0, 7, 6, 5, 4, 11, 10, 9, 8, 15, 14, 13, 12);
  return _mm256_shuffle_epi8(lanes, order);
}

/// The number that lies in the first, or in the last, two bytes of each lane.
[[gnu::always_inline]] inline __m256i lower_half(__m256i lanes) noexcept {
  const __m256i order = _mm256_setr_epi8(1, 0, -1, -1, 5, 4, -1, -1, 9, 8, -1, -1, 13, 12, -1, -1,
                                         1, 0, -1, -1, 5, 4, -1, -1, 9, 8, -1, -1, 13, 12, -1, -1);
  return _mm256_shuffle_epi8(lanes, order);
}
[[gnu::always_inline]] inline __m256i upper_half(__m256i lanes) noexcept {
  const __m256i order =
      _mm256_setr_epi8(3, 2, -1, -1, 7, 6, -1, -1, 11, 10, -1, -1, 15, 14, -1, -1, 3, 2, -1, -1, 7,
                       6, -1, -1, 11, 10, -1, -1, 15, 14, -1, -1);
  return _mm256_shuffle_epi8(lanes, order);
}

/// The destination ports whose datagrams are odd, 0 or a special one, each in a place of its own:
/// where a port's product with `factor` puts it (by its upper three bits).
struct OddPorts {
  uint32_t factor;
  alignas(32) uint32_t at[8];

  static constexpr uint32_t place(uint32_t port, uint32_t factor) { return port * factor >> 29; }
  constexpr bool put_all() {
    uint32_t taken = 1;  // port 0
    for (uint32_t& port : at) port = 0;
    for (const uint16_t port : kSpecialUdpPorts) {
      const uint32_t where = place(port, factor);
      if ((taken >> where & 1) != 0) return false;
      taken |= uint32_t{1} << where;
      at[where] = port;
    }
    return true;
  }
};
constexpr OddPorts odd_ports() {
  static_assert(std::size(kSpecialUdpPorts) == 7);
  OddPorts found{0x9e3779b9, {}};
  while (!found.put_all()) found.factor += 0x9e3779b8;
  return found;
}
inline constexpr OddPorts kOddPorts = odd_ports();

/// Lanes that may be datagrams as most are, by their destination's port, the UDP length, and the
/// bytes behind the IP header.
[[gnu::always_inline]] inline __m256i plain_udp(__m256i port, __m256i udp_bytes,
                                                __m256i payload) noexcept {
  const __m256i place =
      _mm256_srli_epi32(_mm256_mullo_epi32(port, all_words<kOddPorts.factor>()), 29);
  __m256i odd =
      _mm256_cmpeq_epi32(port, _mm256_permutevar8x32_epi32(load_lanes(kOddPorts.at), place));
  odd = either(odd, _mm256_cmpgt_epi32(all_words<8>(), udp_bytes));
  odd = either(odd, _mm256_cmpgt_epi32(udp_bytes, payload));
  return is_zero(odd);
}

}  // namespace detail
}  // namespace rampart

#endif
