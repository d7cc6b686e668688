// SPDX-License-Identifier: Apache-2.0
#pragma once

#ifdef __AVX2__

#include <bit>

#include "dataplane/packet/eight_heads.hpp"

/// First segments of TCP, eight of them read wholly: what parse_plain_frame makes of one, in a
/// third of the instructions. x86-64-v3 and above.
namespace rampart {

namespace detail {

/// What is read of eight TCP headers at once.
struct EightSegments {
  alignas(32) uint32_t flags[8];    ///< byte 13 of the header
  alignas(32) uint32_t payload[8];  ///< bytes behind the TCP header
  uint32_t with_options;            ///< bit j: of packet j
};

/// Whether eight plain segments all have kFlags, and no others, of SYN, ACK, RST and FIN, which is
/// sane whatever else they have (see sane_tcp_flags); both ports, and headers of a length that can
/// be. `headers`: bytes of an IP header, `bytes`: behind it. False: some have not, and `out` says
/// nothing.
template <uint8_t kFlags>
[[gnu::always_inline]] inline bool look_at_eight_segments(const uint8_t* const* ip, int headers,
                                                          const uint32_t (&ports)[8],
                                                          const uint32_t (&bytes)[8],
                                                          EightSegments& out) noexcept {
  using namespace tcp_flag;
  static_assert(kFlags == kSyn || kFlags == kAck);
  const __m256i all_ports = load_lanes(ports), all_bytes = load_lanes(bytes);
  const __m256i word = words_at(ip, headers + 12);  // offset of the data, flags, window
  const __m256i header = _mm256_srli_epi32(both(word, all_words<0xf0>()), 2);
  constexpr uint32_t kDecisive = uint32_t{kSyn | kAck | kRst | kFin} << 8;
  const __m256i wanted = equal<uint32_t{kFlags} << 8>(both(word, all_words<kDecisive>()));
  const __m256i odd =
      either(_mm256_cmpgt_epi32(all_words<20>(), header), _mm256_cmpgt_epi32(header, all_bytes));
  const __m256i no_port = _mm256_cmpeq_epi16(all_ports, _mm256_setzero_si256());
  if (bits_of(_mm256_andnot_si256(odd, wanted)) != 0xff || _mm256_movemask_epi8(no_port) != 0) {
    return false;
  }
  store_lanes(out.flags, both(_mm256_srli_epi32(word, 8), all_words<0xff>()));
  store_lanes(out.payload, _mm256_sub_epi32(all_bytes, header));
  out.with_options = bits_of(equal<20>(header)) ^ 0xff;
  return true;
}

}  // namespace detail

/// Fills eight packets that are plain TCP segments of a family, if all are clean SYNs. `headers`:
/// bytes of their IP headers; `behind`: as find_eight had them; `ports`, in any order, and `bytes`
/// behind the IP header: as they were found. False: one is none, or has options that are no plain
/// ones, and `out` is in no state to be read.
template <Family kFamily>
[[gnu::always_inline]] inline bool read_eight_syns(const EightFrames& f,
                                                   const uint8_t* const* behind,
                                                   const uint32_t (&ports)[8],
                                                   const uint32_t (&bytes)[8],
                                                   ParsedPacket* out) noexcept {
  using namespace detail;
  constexpr uint32_t kHeader = kPlainIpBytes<kFamily>;
  constexpr uint32_t kOpensAndChanges = 1U << 8 | 1U << 16;
  EightSegments syns;
  if (!look_at_eight_segments<tcp_flag::kSyn>(f.ip, kHeader, ports, bytes, syns)) return false;
  const __m128i no_scale = _mm_insert_epi16(_mm_setzero_si128(), TcpFields::kNoScale, 6);
  for (unsigned j = 0; j < 8; ++j) {
    const uint8_t *ip = f.ip[j], *l4 = ip + kHeader;
    const auto l3 = static_cast<uint32_t>(ip - behind[j]) + EightFrames::kEthernetBytes;
    PlainWords words{.head = head_of_plain(kFamily, IpProtocol::kTcp),
                     .flags = syns.flags[j] | kOpensAndChanges,
                     .offsets = l3 * 0x10001 + (kHeader << 16),
                     .l4_bytes = bytes[j],
                     .fragment_id = kFamily == Family::kV4 ? read16(ip + 4) : 0U,
                     .vlans = f.vlans[j],
                     .ports = load<uint32_t>(l4)};
    words.put(out[j]);
    put(out[j].tcp, _mm_or_si128(numbers_of(l4, syns.payload[j]), no_scale));
    put_addresses<kFamily>(ip, out[j]);
  }
  for (uint32_t left = syns.with_options; left != 0; left &= left - 1) {
    const auto j = static_cast<unsigned>(std::countr_zero(left));
    const uint32_t options = bytes[j] - syns.payload[j] - 20;
    if (!read_syn_options(f.ip[j] + kHeader + 20, options, out[j].tcp)) return false;
  }
  return true;
}

/// Fills of eight packets that are plain TCP segments of a family the numbers (`tcp`, without a
/// window scale), if all are from the middle of connections: with ACK and without SYN, FIN and RST.
/// Arguments as read_eight_syns. False: one is not, and nothing is done.
template <Family kFamily>
[[gnu::always_inline]] inline bool read_eight_middles(const EightFrames& f,
                                                      const uint32_t (&ports)[8],
                                                      const uint32_t (&bytes)[8],
                                                      ParsedPacket* out) noexcept {
  using namespace detail;
  constexpr uint32_t kHeader = kPlainIpBytes<kFamily>;
  EightSegments segments;
  if (!look_at_eight_segments<tcp_flag::kAck>(f.ip, kHeader, ports, bytes, segments)) return false;
  for (unsigned j = 0; j < 8; ++j) {
    put(out[j].tcp, numbers_of(f.ip[j] + kHeader, segments.payload[j]));
  }
  return true;
}

}  // namespace rampart

#endif
