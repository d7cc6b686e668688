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
  alignas(32) uint32_t end[8];        ///< which end the source is: 0 or 1
  alignas(32) uint32_t payload[8];    ///< bytes behind the IP header, as it says
};

/// The same for IPv6; its addresses stay where they are.
struct EightHeadsV6 {
  uint32_t udp, tcp;
  alignas(32) uint32_t ports[8];  ///< source and destination as they lie there
  alignas(32) uint32_t payload[8];
  uint32_t end[8];
};

namespace detail {

/// Lanes in which the five words of an IPv4 header do not sum up to what they have to (RFC 1071).
[[gnu::always_inline]] inline __m256i wrong_header_sum(const __m256i (&word)[5]) noexcept {
  __m256i sum = _mm256_setzero_si256();
  for (const __m256i& w : word) {
    sum = _mm256_add_epi32(sum, both(w, all_of(0xffff)));
    sum = _mm256_add_epi32(sum, _mm256_srli_epi32(w, 16));
  }
  for (int fold = 0; fold < 2; ++fold) {
    sum = _mm256_add_epi32(both(sum, all_of(0xffff)), _mm256_srli_epi32(sum, 16));
  }
  return _mm256_xor_si256(equal(sum, 0xffff), all_of(~0U));
}

/// Lanes whose address begins with an octet (0 … 255) that no plain one does: see
/// kOddFirstOctets.
[[gnu::always_inline]] inline __m256i odd_octet(__m256i address, uint32_t last) noexcept {
  const __m256i octet = both(address, all_of(0xff));
  return either(either(equal(octet, 0), equal(octet, 127)),
                _mm256_cmpgt_epi32(octet, all_of(last)));
}

/// Lanes whose address begins with 0 or 255: ::/8 and multicast.
[[gnu::always_inline]] inline __m256i odd_octet_v6(__m256i address) noexcept {
  return equal(both(_mm256_add_epi32(address, all_of(1)), all_of(0xfe)), 0);
}

}  // namespace detail

[[gnu::always_inline]] inline void look_at_eight_v4(const EightFrames& frames,
                                                    EightHeadsV4& out) noexcept {
  using namespace detail;
  __m256i word[8];
  // From four bytes before an IP header to the end of a UDP header.
  for (unsigned j = 0; j < 8; ++j) {
    word[j] = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(frames.ip[j] - 4));
  }
  transpose(word);
  const __m256i &length = word[1], &source = word[4], &destination = word[5], &ports = word[6];

  const __m256i total = both(host_order(length), all_of(0xffff));
  __m256i odd = _mm256_xor_si256(both(length, all_of(0xff)), all_of(0x45));
  odd = either(odd, _mm256_cmpgt_epi32(total, load_lanes(frames.readable)));
  odd = either(odd, both(word[2], all_of(0xff3f0000)));  // fragment offset, MF
  odd = either(odd, wrong_header_sum({word[1], word[2], word[3], word[4], word[5]}));
  odd = either(odd, odd_octet(source, 223));
  odd = either(odd, odd_octet(destination, 239));
  odd = either(odd, _mm256_cmpeq_epi32(source, destination));
  const __m256i plain = equal(odd, 0);

  const __m256i protocol = both(word[3], all_of(0xff00));
  const __m256i payload = _mm256_sub_epi32(total, all_of(20));
  const __m256i udp_bytes = _mm256_srli_epi32(host_order(word[7]), 16);
  const __m256i is_udp = equal(protocol, uint32_t{static_cast<uint8_t>(IpProtocol::kUdp)} << 8);
  const __m256i is_tcp = equal(protocol, uint32_t{static_cast<uint8_t>(IpProtocol::kTcp)} << 8);
  out.udp = frames.v4 &
            bits_of(both(both(plain, is_udp), plain_udp(host_order(ports), udp_bytes, payload)));
  out.tcp = frames.v4 & bits_of(both(both(plain, is_tcp), _mm256_cmpgt_epi32(payload, all_of(19))));

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
  store_lanes(out.end, _mm256_srli_epi32(swap, 31));
  store_lanes(out.payload, payload);
}

[[gnu::always_inline]] inline void look_at_eight_v6(const EightFrames& frames,
                                                    EightHeadsV6& out) noexcept {
  using namespace detail;
  __m256i word[8];
  for (unsigned j = 0; j < 8; ++j) {
    const uint8_t* ip = (frames.v6 >> j & 1) != 0 ? frames.ip[j] : kNoFrame;
    const auto four = [ip](unsigned offset) {
      return _mm_loadu_si128(reinterpret_cast<const __m128i*>(ip + offset));
    };
    // Bytes 0 to 15; 24 to 27 (of the destination), four that nobody reads, and the UDP header.
    word[j] = _mm256_set_m128i(_mm_blend_epi32(four(32), four(24), 1), four(0));
  }
  transpose(word);
  const __m256i &second = word[1], &source = word[2], &destination = word[4], &ports = word[6];

  const __m256i payload = _mm256_srli_epi32(host_order(second), 16);
  __m256i odd = _mm256_xor_si256(both(word[0], all_of(0xf0)), all_of(0x60));
  odd = either(
      odd, _mm256_cmpgt_epi32(_mm256_add_epi32(payload, all_of(40)), load_lanes(frames.readable)));
  odd = either(odd, odd_octet_v6(source));
  odd = either(odd, odd_octet_v6(destination));
  const __m256i plain = equal(odd, 0);

  const __m256i protocol = both(second, all_of(0xff0000));
  const __m256i udp_bytes = _mm256_srli_epi32(host_order(word[7]), 16);
  const __m256i is_udp = equal(protocol, uint32_t{static_cast<uint8_t>(IpProtocol::kUdp)} << 16);
  const __m256i is_tcp = equal(protocol, uint32_t{static_cast<uint8_t>(IpProtocol::kTcp)} << 16);
  out.udp = frames.v6 &
            bits_of(both(both(plain, is_udp), plain_udp(host_order(ports), udp_bytes, payload)));
  out.tcp = frames.v6 & bits_of(both(both(plain, is_tcp), _mm256_cmpgt_epi32(payload, all_of(19))));
  store_lanes(out.ports, ports);
  store_lanes(out.payload, payload);

  uint32_t same = 0;
  for (uint32_t lanes = out.udp | out.tcp; lanes != 0; lanes &= lanes - 1) {
    const auto j = static_cast<unsigned>(std::countr_zero(lanes));
    unsigned end;
    if (same_v6(frames.ip[j] + 8, end)) [[unlikely]] {
      same |= uint32_t{1} << j;
    }
    out.end[j] = end;
  }
  out.udp &= ~same;
  out.tcp &= ~same;
}

}  // namespace rampart

#endif
