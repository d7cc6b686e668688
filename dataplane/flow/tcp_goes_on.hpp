// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <immintrin.h>

#include <cstddef>

#include "dataplane/flow/tcp_parts.hpp"

namespace rampart {

namespace detail::tcp {

/// A side, or a segment's numbers, as four words.
template <typename T>
[[gnu::always_inline]] inline __m128i words_of(const T& from) {
  static_assert(sizeof(T) == sizeof(__m128i));
  return _mm_loadu_si128(reinterpret_cast<const __m128i*>(&from));
}
[[gnu::always_inline]] inline void put_words(TcpSide& to, __m128i words) {
  _mm_storeu_si128(reinterpret_cast<__m128i*>(&to), words);
}
static_assert(offsetof(TcpSide, edge) == 4 && offsetof(TcpSide, ack) == 8 &&
              offsetof(TcpSide, window) == 12 && offsetof(TcpSide, scale) == 14 &&
              offsetof(TcpSide, flags) == 15);
static_assert(offsetof(TcpFields, acknowledgement) == 4 && offsetof(TcpFields, window) == 8 &&
              offsetof(TcpFields, payload) == 10);

/// Of two vectors, words A and B of the first and C and D of the second.
template <int kA, int kB, int kC, int kD>
[[gnu::always_inline]] inline __m128i pick(__m128i first, __m128i second) {
  return _mm_castps_si128(_mm_shuffle_ps(_mm_castsi128_ps(first), _mm_castsi128_ps(second),
                                         _MM_SHUFFLE(kD, kC, kB, kA)));
}
/// The 16 bits from byte kByte on, at the start of word kAt; all else is 0.
template <int kByte, int kAt>
[[gnu::always_inline]] inline __m128i half_at(__m128i from) {
  constexpr auto byte = [](int at) {
    return static_cast<char>(at / 2 == 2 * kAt ? kByte + at % 2 : -1);
  };
  return _mm_shuffle_epi8(from, _mm_setr_epi8(byte(0), byte(1), byte(2), byte(3), byte(4), byte(5),
                                              byte(6), byte(7), byte(8), byte(9), byte(10),
                                              byte(11), byte(12), byte(13), byte(14), byte(15)));
}

}  // namespace detail::tcp

/// The way of most segments: within the windows (and none of the oldest duplicates that are still
/// let through) of a connection in kTcpEstablished of which nothing is in doubt. Takes it in, as
/// tcp_judge does, which would accept it and leave the state as it is. False: it is none of these,
/// nothing is done, and tcp_judge has to be asked. Threads as there. `segment`: of a
/// whole one with ACK and without SYN, FIN and RST (see may_go_on).
///
/// By vectors, all four bounds at once: there are not registers enough for a number each.
[[gnu::always_inline]] inline bool tcp_goes_on(TcpTrack& track, Side side,
                                               const TcpFields& segment) noexcept {
  using namespace detail::tcp;
  const auto from = static_cast<size_t>(side);
  TcpSide &sender = track.side[from], &receiver = track.side[from ^ 1];
  const __m128i s = words_of(sender), r = words_of(receiver), p = words_of(segment);
  // The number after its data, then its acknowledgement.
  const __m128i next = _mm_add_epi32(p, half_at<10, 0>(p));
  // What each bound leaves (RFC 9293 §3.4); those at the bottom are the tightest there are,
  // whatever the windows:
  //   r.end - ack >= 0, r.ack - seq < slack + 2, s.edge + 1 - end >= 0, s.ack - ack < slack + 1
  constexpr int kSlack = kLeastSlack;
  const __m128i left =
      _mm_add_epi32(_mm_sub_epi32(pick<0, 2, 1, 2>(r, s), pick<1, 0, 0, 1>(p, next)),
                    _mm_setr_epi32(0, -(kSlack + 2), 1, -(kSlack + 1)));
  if (_mm_movemask_ps(_mm_castsi128_ps(left)) != 0b1010) return false;
  // Both sides are known, and there is no doubt about either.
  constexpr uint8_t kDoubt = kFin | kFinPending | kFinInFragment | kLoose | kMayBeGone | kSeen;
  constexpr auto on_top = [](unsigned flags) { return static_cast<int>(flags << 24); };
  const __m128i flags =
      _mm_and_si128(_mm_unpackhi_epi32(s, r),
                    _mm_setr_epi32(0, 0, on_top(kDoubt | kKnown), on_top(kDoubt | kKnown)));
  const __m128i odd = _mm_xor_si128(flags, _mm_setr_epi32(0, 0, on_top(kKnown), on_top(kKnown)));
  if (_mm_testz_si128(odd, odd) == 0) return false;
  // It may move s.end, r.edge (to the acknowledgement and its window) and s.ack forward: by how
  // much each is behind. (A number that is 2^31 away counts as behind, as in tcp_sequence::later.)
  const __m128i window = half_at<8, 1>(p);
  const __m128i shift = _mm_and_si128(half_at<14, 0>(s), _mm_setr_epi32(0xf, 0, 0, 0));
  const __m128i reached =
      _mm_add_epi32(_mm_shuffle_epi32(next, _MM_SHUFFLE(1, 1, 1, 0)), _mm_sll_epi32(window, shift));
  const __m128i zero = _mm_setzero_si128();
  const __m128i back =
      _mm_min_epi32(_mm_sub_epi32(_mm_blend_epi16(s, r, 0b00001100), reached), zero);
  // (Both have answered the other's SYN, or the state were another.)
  const __m128i largest = _mm_max_epu16(s, _mm_slli_si128(window, 8));
  put_words(sender, _mm_sub_epi32(largest, _mm_blend_epi16(zero, back, 0b00110011)));
  put_words(receiver, _mm_sub_epi32(r, _mm_blend_epi16(zero, back, 0b00001100)));
  return true;
}

/// Whether a packet, read wholly, is such a segment.
inline bool may_go_on(const ParsedPacket& p) noexcept {
  constexpr uint8_t kFlags = tcp_flag::kSyn | tcp_flag::kFin | tcp_flag::kRst | tcp_flag::kAck;
  return (p.tcp_flags & kFlags) == tcp_flag::kAck && !p.fragment;
}

}  // namespace rampart
