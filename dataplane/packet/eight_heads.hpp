// SPDX-License-Identifier: Apache-2.0
#pragma once

#ifdef __AVX2__

#include <bit>

#include "dataplane/packet/eight_frames.hpp"
#include "dataplane/packet/flow_key.hpp"

/// The headers of eight packets side by side: what check_plain_v4 and check_plain_v6 ask about one
/// of them takes a hundred instructions, and eight take little more. x86-64-v3 and above.
namespace rampart {

/// Bit j, element j: packet j. Those of another family have no bits, and nothing else of theirs
/// means anything.
struct EightHeadsV4 {
  uint32_t udp;  ///< plain datagrams
  uint32_t tcp;  ///< the same for segments, whose TCP header has yet to be looked at
  alignas(32) uint64_t addresses[8];  ///< by end of the flow's key, as they lie there
  alignas(32) uint32_t ports[8];      ///< likewise
  uint64_t ends;                      ///< byte j: which end the source is, 0 or 1
  alignas(32) uint32_t payload[8];    ///< bytes behind the IP header, as it says

  unsigned end(unsigned j) const { return static_cast<uint8_t>(ends >> 8 * j); }
};

/// The same for IPv6; its addresses stay where they are.
struct EightHeadsV6 {
  uint32_t udp, tcp;
  alignas(32) uint32_t ports[8];  ///< source and destination as they lie there
  alignas(32) uint32_t payload[8];
  uint64_t ends;

  unsigned end(unsigned j) const { return static_cast<uint8_t>(ends >> 8 * j); }
};

namespace detail {

/// Lanes in which the five words of an IPv4 header sum up to what they have to (RFC 1071).
[[gnu::always_inline]] inline __m256i right_header_sum(const __m256i (&word)[5]) noexcept {
  __m256i sum = _mm256_setzero_si256();
  for (const __m256i& w : word) {
    sum = _mm256_add_epi32(sum, both(w, all_words<0xffff>()));
    sum = _mm256_add_epi32(sum, _mm256_srli_epi32(w, 16));
  }
  // Ten halves: folded once it is less than twice 0xffff, and multiples of that are what is asked.
  return equal<0xffff>(
      _mm256_add_epi32(both(sum, all_words<0xffff>()), _mm256_srli_epi32(sum, 16)));
}

/// Lanes whose address begins with an octet (0 … 255) that no plain one does: see
/// kOddFirstOctets. `kLast`: the highest plain one.
template <uint32_t kLast>
[[gnu::always_inline]] inline __m256i odd_octet(__m256i address) noexcept {
  const __m256i octet = both(address, all_words<0xff>());
  return either(either(is_zero(octet), equal<127>(octet)),
                _mm256_cmpgt_epi32(octet, all_words<kLast>()));
}

/// Lanes whose address begins with 0 or 255: ::/8 and multicast.
[[gnu::always_inline]] inline __m256i odd_octet_v6(__m256i address) noexcept {
  return is_zero(both(_mm256_add_epi32(address, all_words<1>()), all_words<0xfe>()));
}

}  // namespace detail

[[gnu::always_inline]] inline void look_at_eight_v4(const EightFrames& frames,
                                                    EightHeadsV4& out) noexcept {
  using namespace detail;
  __m256i word[8];
  // From four bytes before an IP header to the end of a UDP header.
  load_columns([&](unsigned j, unsigned half) { return frames.ip[j] - 4 + 16 * half; }, word);
  const __m256i &length = word[1], &source = word[4], &destination = word[5], &ports = word[6];

  const __m256i total = upper_half(length);
  __m256i odd = _mm256_xor_si256(both(length, all_words<0xff>()), all_words<0x45>());
  odd = either(odd, _mm256_cmpgt_epi32(total, load_lanes(frames.readable)));
  odd = either(odd, both(word[2], all_words<0xff3f0000>()));  // fragment offset, MF
  odd = either(odd, odd_octet<223>(source));
  odd = either(odd, odd_octet<239>(destination));
  odd = either(odd, _mm256_cmpeq_epi32(source, destination));
  const __m256i plain =
      both(is_zero(odd), right_header_sum({word[1], word[2], word[3], word[4], word[5]}));

  const __m256i protocol = both(word[3], all_words<0xff00>());
  const __m256i payload = _mm256_sub_epi32(total, all_words<20>());
  const __m256i udp_bytes = lower_half(word[7]);
  const __m256i is_udp = equal<uint32_t{static_cast<uint8_t>(IpProtocol::kUdp)} << 8>(protocol);
  const __m256i is_tcp = equal<uint32_t{static_cast<uint8_t>(IpProtocol::kTcp)} << 8>(protocol);
  out.udp = frames.v4 &
            bits_of(both(both(plain, is_udp), plain_udp(upper_half(ports), udp_bytes, payload)));
  out.tcp =
      frames.v4 & bits_of(both(both(plain, is_tcp), _mm256_cmpgt_epi32(payload, all_words<19>())));

  // The source is end 1 if its address is the higher one; where they are equal, nothing is plain.
  const __m256i source_host = host_order(source);
  const __m256i swap =
      _mm256_cmpeq_epi32(_mm256_max_epu32(source_host, host_order(destination)), source_host);
  const __m256i first = _mm256_blendv_epi8(source, destination, swap);
  const __m256i second = _mm256_blendv_epi8(destination, source, swap);
  const __m256i low = _mm256_unpacklo_epi32(first, second),
                high = _mm256_unpackhi_epi32(first, second);
  auto* addresses = reinterpret_cast<__m256i*>(out.addresses);
  _mm256_store_si256(addresses, _mm256_permute2x128_si256(low, high, 0x20));
  _mm256_store_si256(addresses + 1, _mm256_permute2x128_si256(low, high, 0x31));
  const __m256i other_way = either(_mm256_slli_epi32(ports, 16), _mm256_srli_epi32(ports, 16));
  store_lanes(out.ports, _mm256_blendv_epi8(ports, other_way, swap));
  out.ends = bytes_of(_mm256_srli_epi32(swap, 31));
  store_lanes(out.payload, payload);
}

[[gnu::always_inline]] inline void look_at_eight_v6(const EightFrames& frames,
                                                    EightHeadsV6& out) noexcept {
  using namespace detail;
  __m256i word[8];
  const uint8_t* const* ip = frames.ip;
  const uint8_t* of_v6[8];
  if (frames.v6 != 0xff) {
    for (unsigned j = 0; j < 8; ++j) {
      of_v6[j] = (frames.v6 >> j & 1) != 0 ? frames.ip[j] : kNoFrame;
    }
    ip = of_v6;
  }
  // Bytes 0 to 15; 32 to 47: the last ones of the destination, and the UDP header.
  load_columns([&](unsigned j, unsigned half) { return ip[j] + 32 * half; }, word);
  const __m256i destination = words_at(ip, 24);
  const __m256i &second = word[1], &source = word[2], &ports = word[6];

  const __m256i payload = lower_half(second);
  __m256i odd = _mm256_xor_si256(both(word[0], all_words<0xf0>()), all_words<0x60>());
  odd = either(odd, _mm256_cmpgt_epi32(_mm256_add_epi32(payload, all_words<40>()),
                                       load_lanes(frames.readable)));
  odd = either(odd, odd_octet_v6(source));
  odd = either(odd, odd_octet_v6(destination));
  const __m256i plain = is_zero(odd);

  const __m256i protocol = both(second, all_words<0xff0000>());
  const __m256i udp_bytes = lower_half(word[7]);
  const __m256i is_udp = equal<uint32_t{static_cast<uint8_t>(IpProtocol::kUdp)} << 16>(protocol);
  const __m256i is_tcp = equal<uint32_t{static_cast<uint8_t>(IpProtocol::kTcp)} << 16>(protocol);
  out.udp = frames.v6 &
            bits_of(both(both(plain, is_udp), plain_udp(upper_half(ports), udp_bytes, payload)));
  out.tcp =
      frames.v6 & bits_of(both(both(plain, is_tcp), _mm256_cmpgt_epi32(payload, all_words<19>())));
  store_lanes(out.ports, ports);
  store_lanes(out.payload, payload);

  uint32_t same = 0;
  out.ends = 0;
  for (unsigned j = 0; j < 8; ++j) {
    unsigned end;
    same |= uint32_t{same_v6(ip[j] + 8, end)} << j;
    out.ends |= uint64_t{end} << 8 * j;
  }
  out.udp &= ~same;
  out.tcp &= ~same;
}

namespace detail {
struct TwoFours {
  __m256i four[2];
};
/// Ports in the key's order and zones, as they stand in a key.
[[gnu::always_inline]] inline TwoFours ports_and_zones(__m256i ports,
                                                       const Zone (&zones)[8]) noexcept {
  const __m256i zone = load_lanes(zones);
  const __m256i low = _mm256_unpacklo_epi32(ports, zone), high = _mm256_unpackhi_epi32(ports, zone);
  return {{_mm256_permute2x128_si256(low, high, 0x20), _mm256_permute2x128_si256(low, high, 0x31)}};
}
[[gnu::always_inline]] inline __m256i seed_with(__m256i four, uint64_t secret) noexcept {
  return _mm256_xor_si256(four, _mm256_set1_epi64x(static_cast<int64_t>(secret)));
}
[[gnu::always_inline]] inline void store_four(uint64_t* to, __m256i four) noexcept {
  _mm256_store_si256(reinterpret_cast<__m256i*>(to), four);
}
}  // namespace detail

/// The keys and hashes of eight packets of a protocol, every one of which is plain: aim_in_order()
/// of each.
[[gnu::always_inline]] inline void aim_eight(const EightFrames& /*frames*/, const EightHeadsV4& h,
                                             const Zone (&zones)[8], uint8_t protocol,
                                             const HashSeed& seed, FlowKeyV4* key,
                                             uint64_t* hash) noexcept {
  using namespace detail;
  const TwoFours rest = ports_and_zones(load_lanes(h.ports), zones);
  alignas(32) uint64_t seeded[2][8];
  const auto put = [key](unsigned j, __m128i sixteen, uint32_t more) {
    auto* bytes = reinterpret_cast<uint8_t*>(key + j);
    _mm_storeu_si128(reinterpret_cast<__m128i*>(bytes), sixteen);
    std::memcpy(bytes + 16, &more, 4);
  };
  for (unsigned n = 0; n < 2; ++n) {
    const unsigned j = 4 * n;
    const __m256i addresses = _mm256_load_si256(reinterpret_cast<const __m256i*>(h.addresses + j));
    store_four(seeded[0] + j, seed_with(addresses, seed.a));
    store_four(seeded[1] + j, seed_with(rest.four[n], seed.b));
    const __m256i even = _mm256_unpacklo_epi64(addresses, rest.four[n]),
                  odd = _mm256_unpackhi_epi64(addresses, rest.four[n]);
    put(j, _mm256_castsi256_si128(even), protocol);
    put(j + 1, _mm256_castsi256_si128(odd), protocol);
    put(j + 2, _mm256_extracti128_si256(even, 1), protocol);
    put(j + 3, _mm256_extracti128_si256(odd, 1), protocol);
  }
  asm("" : "+m"(seeded));  // to be loaded one by one: g++ would take them out of the registers
  for (unsigned j = 0; j < 8; ++j) {
    uint64_t one = hash_of_seeded(seeded[0][j], seeded[1][j], protocol, seed);
    asm("" : "+r"(one));  // nor to be gathered there to be stored
    hash[j] = one;
  }
}
[[gnu::always_inline]] inline void aim_eight(const EightFrames& frames, const EightHeadsV6& h,
                                             const Zone (&zones)[8], uint8_t protocol,
                                             const HashSeed& seed, FlowKeyV6* key,
                                             uint64_t* hash) noexcept {
  using namespace detail;
  const __m256i ports = load_lanes(h.ports);
  const __m256i other_way = either(_mm256_slli_epi32(ports, 16), _mm256_srli_epi32(ports, 16));
  const __m256i in_order =
      is_zero(_mm256_cvtepu8_epi32(_mm_cvtsi64_si128(static_cast<int64_t>(h.ends))));
  const TwoFours rest = ports_and_zones(_mm256_blendv_epi8(other_way, ports, in_order), zones);
  alignas(32) uint64_t plain[8], seeded[8];
  for (unsigned n = 0; n < 2; ++n) {
    store_four(plain + 4 * n, rest.four[n]);
    store_four(seeded + 4 * n, seed_with(rest.four[n], seed.a));
  }
  asm("" : "+m"(plain), "+m"(seeded));  // see above
#pragma GCC unroll 8
  for (unsigned j = 0; j < 8; ++j) {
    hash[j] = fill_by_end(frames.ip[j] + 8, h.end(j), plain[j], seeded[j], protocol, seed, key[j]);
  }
}

}  // namespace rampart

#endif
