// SPDX-License-Identifier: Apache-2.0
#pragma once

#ifdef __AVX2__

#include <immintrin.h>

#include <cstdint>

#include "dataplane/packet/parse_plain.hpp"

/// The headers of eight frames side by side: what check_plain_v4 asks about one of them takes a
/// hundred instructions, and eight take little more. x86-64-v3 and above.
namespace rampart {

/// Eight untagged frames over IPv4. Bit j, element j: frame j.
struct EightHeads {
  /// Bytes that every frame has to have: up to the end of a UDP header.
  static constexpr uint32_t kLeastBytes = 42;

  uint32_t udp;  ///< plain datagrams, if they are as long as `total` says
  uint32_t tcp;  ///< the same for segments, whose TCP header has yet to be looked at
  alignas(32) uint64_t addresses[8];  ///< by end of the flow's key, as they lie there
  alignas(32) uint32_t ports[8];      ///< likewise
  alignas(32) uint32_t end[8];        ///< which end the source is: 0 or 1
  alignas(32) uint32_t total[8];      ///< bytes of the IP packet, by its header
};

namespace detail {

/// Columns of four bytes out of eight rows of 32.
[[gnu::always_inline]] inline void transpose(__m256i (&r)[8]) noexcept {
  const __m256i a0 = _mm256_unpacklo_epi32(r[0], r[1]), a1 = _mm256_unpackhi_epi32(r[0], r[1]);
  const __m256i a2 = _mm256_unpacklo_epi32(r[2], r[3]), a3 = _mm256_unpackhi_epi32(r[2], r[3]);
  const __m256i a4 = _mm256_unpacklo_epi32(r[4], r[5]), a5 = _mm256_unpackhi_epi32(r[4], r[5]);
  const __m256i a6 = _mm256_unpacklo_epi32(r[6], r[7]), a7 = _mm256_unpackhi_epi32(r[6], r[7]);
  const __m256i b0 = _mm256_unpacklo_epi64(a0, a2), b1 = _mm256_unpackhi_epi64(a0, a2);
  const __m256i b2 = _mm256_unpacklo_epi64(a1, a3), b3 = _mm256_unpackhi_epi64(a1, a3);
  const __m256i b4 = _mm256_unpacklo_epi64(a4, a6), b5 = _mm256_unpackhi_epi64(a4, a6);
  const __m256i b6 = _mm256_unpacklo_epi64(a5, a7), b7 = _mm256_unpackhi_epi64(a5, a7);
  r[0] = _mm256_permute2x128_si256(b0, b4, 0x20);
  r[1] = _mm256_permute2x128_si256(b1, b5, 0x20);
  r[2] = _mm256_permute2x128_si256(b2, b6, 0x20);
  r[3] = _mm256_permute2x128_si256(b3, b7, 0x20);
  r[4] = _mm256_permute2x128_si256(b0, b4, 0x31);
  r[5] = _mm256_permute2x128_si256(b1, b5, 0x31);
  r[6] = _mm256_permute2x128_si256(b2, b6, 0x31);
  r[7] = _mm256_permute2x128_si256(b3, b7, 0x31);
}

[[gnu::always_inline]] inline __m256i all_of(uint32_t value) noexcept {
  return _mm256_set1_epi32(static_cast<int>(value));
}
[[gnu::always_inline]] inline __m256i equal(__m256i a, uint32_t value) noexcept {
  return _mm256_cmpeq_epi32(a, all_of(value));
}
[[gnu::always_inline]] inline __m256i either(__m256i a, __m256i b) noexcept {
  return _mm256_or_si256(a, b);
}
[[gnu::always_inline]] inline uint32_t bits_of(__m256i lanes) noexcept {
  return static_cast<uint32_t>(_mm256_movemask_ps(_mm256_castsi256_ps(lanes)));
}
/// Swaps the bytes of each lane.
[[gnu::always_inline]] inline __m256i host_order(__m256i lanes) noexcept {
  const __m256i order = _mm256_setr_epi8(3, 2, 1, 0, 7, 6, 5, 4, 11, 10, 9, 8, 15, 14, 13, 12, 3, 2,
                                         1, 0, 7, 6, 5, 4, 11, 10, 9, 8, 15, 14, 13, 12);
  return _mm256_shuffle_epi8(lanes, order);
}

/// Lanes in which the five words of an IPv4 header do not sum up to what they have to (RFC 1071).
[[gnu::always_inline]] inline __m256i wrong_header_sum(const __m256i (&word)[5]) noexcept {
  __m256i sum = _mm256_setzero_si256();
  for (const __m256i& w : word) {
    sum = _mm256_add_epi32(sum, _mm256_and_si256(w, all_of(0xffff)));
    sum = _mm256_add_epi32(sum, _mm256_srli_epi32(w, 16));
  }
  for (int fold = 0; fold < 2; ++fold) {
    sum = _mm256_add_epi32(_mm256_and_si256(sum, all_of(0xffff)), _mm256_srli_epi32(sum, 16));
  }
  return _mm256_xor_si256(equal(sum, 0xffff), all_of(~0U));
}

/// Lanes whose address begins with an octet (0 … 255) that no plain one does: see
/// kOddFirstOctets.
[[gnu::always_inline]] inline __m256i odd_octet(__m256i address, uint32_t last) noexcept {
  const __m256i octet = _mm256_and_si256(address, all_of(0xff));
  return either(either(equal(octet, 0), equal(octet, 127)),
                _mm256_cmpgt_epi32(octet, all_of(last)));
}

/// Lanes whose destination port (host order) is 0, or a special one of UDP's.
[[gnu::always_inline]] inline __m256i odd_udp_port(__m256i port) noexcept {
  __m256i odd = equal(port, 0);
  for (const uint32_t special : kSpecialUdpPorts) odd = either(odd, equal(port, special));
  return odd;
}

}  // namespace detail

/// `frame[j]`: kLeastBytes bytes at least, whatever they are.
[[gnu::always_inline]] inline void look_at_eight(const uint8_t* const (&frame)[8],
                                                 EightHeads& out) noexcept {
  using namespace detail;
  __m256i word[8];
  // From the last two bytes of the source's MAC address to the end of a UDP header.
  for (unsigned j = 0; j < 8; ++j) {
    word[j] = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(frame[j] + 10));
  }
  transpose(word);
  const __m256i &length = word[1], &source = word[4], &destination = word[5], &ports = word[6];

  const __m256i total = _mm256_and_si256(host_order(length), all_of(0xffff));
  __m256i odd = _mm256_xor_si256(_mm256_srli_epi32(word[0], 16), all_of(kIpv4));
  odd = either(odd, _mm256_xor_si256(_mm256_and_si256(length, all_of(0xff)), all_of(0x45)));
  odd = either(odd, _mm256_and_si256(word[2], all_of(0xff3f0000)));  // fragment offset, MF
  odd = either(odd, wrong_header_sum({word[1], word[2], word[3], word[4], word[5]}));
  odd = either(odd, odd_octet(source, 223));
  odd = either(odd, odd_octet(destination, 239));
  odd = either(odd, _mm256_cmpeq_epi32(source, destination));
  const __m256i plain = equal(odd, 0);

  const __m256i protocol = _mm256_and_si256(word[3], all_of(0xff00));
  const __m256i payload = _mm256_sub_epi32(total, all_of(20));
  const __m256i ports_host = host_order(ports);  // source in the high half
  const __m256i udp_bytes = _mm256_srli_epi32(host_order(word[7]), 16);
  __m256i no_udp = odd_udp_port(_mm256_and_si256(ports_host, all_of(0xffff)));
  no_udp = either(no_udp, _mm256_cmpgt_epi32(all_of(8), udp_bytes));
  no_udp = either(no_udp, _mm256_cmpgt_epi32(udp_bytes, payload));
  const __m256i is_udp = equal(protocol, uint32_t{static_cast<uint8_t>(IpProtocol::kUdp)} << 8);
  out.udp = bits_of(_mm256_andnot_si256(no_udp, _mm256_and_si256(plain, is_udp)));
  const __m256i is_tcp = equal(protocol, uint32_t{static_cast<uint8_t>(IpProtocol::kTcp)} << 8);
  out.tcp = bits_of(
      _mm256_and_si256(_mm256_and_si256(plain, is_tcp), _mm256_cmpgt_epi32(payload, all_of(19))));

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
  const auto store = [](uint32_t(&to)[8], __m256i lanes) {
    _mm256_store_si256(reinterpret_cast<__m256i*>(to), lanes);
  };
  store(out.ports, _mm256_blendv_epi8(ports, other_way, swap));
  store(out.end, _mm256_srli_epi32(swap, 31));
  store(out.total, total);
}

}  // namespace rampart

#endif
