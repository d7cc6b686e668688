// SPDX-License-Identifier: Apache-2.0
#include "dataplane/packet/checksum.hpp"

#include <immintrin.h>

#include <algorithm>
#include <array>

namespace rampart {
namespace {

#ifdef __AVX2__
/// 32 bytes of which the first `count` (at most 32) are 0 and the others 0xff.
[[gnu::always_inline]] inline __m256i all_but_first(uint32_t count) {
  static constexpr std::array<uint8_t, 64> kBytes = [] {
    std::array<uint8_t, 64> bytes{};
    std::fill(bytes.begin() + 32, bytes.end(), uint8_t{0xff});
    return bytes;
  }();
  return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(kBytes.data() + 32 - count));
}

/// The 16-bit words of up to 64 bytes, an even number, in eight sums. Of less than 32, those before
/// them are read, too; none behind them, where a line would have to come of which nothing else is
/// read.
[[gnu::always_inline]] inline __m256i short_sums(const uint8_t* bytes, uint32_t even) {
  const auto load = [bytes](uint32_t end) {
    return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(bytes + ptrdiff_t{end} - 32));
  };
  const auto halves = [](__m256i w) {
    return _mm256_add_epi32(_mm256_and_si256(w, _mm256_set1_epi32(0xffff)),
                            _mm256_srli_epi32(w, 16));
  };
  // The last 32 of them, and the first, which may be partly the same.
  const bool two = even > 32;
  const __m256i last = _mm256_and_si256(load(even), all_but_first((two ? 64 : 32) - even));
  return two ? _mm256_add_epi32(halves(last), halves(load(32))) : halves(last);
}

/// What is added to the words of a transport header, payload and addresses (RFC 9293 §3.1).
[[gnu::always_inline]] inline uint32_t rest_of_sum(uint32_t bytes, uint32_t protocol) {
  return uint32_t{__builtin_bswap16(static_cast<uint16_t>(bytes))} + (protocol << 8);
}

/// Of a TCP segment whose addresses lie right before it, all in 64 bytes.
[[gnu::always_inline]] inline bool short_segment_ok(const uint8_t* addresses, uint32_t bytes,
                                                    uint32_t segment_bytes) {
  const __m256i eight = short_sums(addresses, bytes & ~1U);
  __m128i four = _mm_add_epi32(_mm256_castsi256_si128(eight), _mm256_extracti128_si256(eight, 1));
  four = _mm_add_epi32(four, _mm_shuffle_epi32(four, 0x4e));
  four = _mm_add_epi32(four, _mm_shuffle_epi32(four, 0xb1));
  auto sum = static_cast<uint32_t>(_mm_cvtsi128_si32(four)) +
             rest_of_sum(segment_bytes, static_cast<uint8_t>(IpProtocol::kTcp));
  if ((bytes & 1) != 0) sum += addresses[bytes - 1];
  // So few words add up to a carry of some bits, and once folded to less than twice 0xffff.
  return (sum & 0xffff) + (sum >> 16) == 0xffff;
}
#endif

/// Adds up pieces whose borders need not fall on even offsets.
class OnesSum {
 public:
  void add(const uint8_t* bytes, uint32_t length) {
    const uint16_t folded = fold_sum(ones_sum(bytes, length));
    sum_ += odd_ ? __builtin_bswap16(folded) : folded;
    odd_ ^= (length & 1) != 0;
  }
  uint64_t sum() const { return sum_; }

 private:
  uint64_t sum_ = 0;
  bool odd_ = false;
};

/// CRC32c with the bytes of the checksum field itself taken as zero.
class SctpCrc {
 public:
  void add(const uint8_t* bytes, uint32_t length) {
    while (length > 0 && offset_ < kFieldEnd) {
      const bool in_field = offset_ >= kField;
      if (in_field) found_ |= uint32_t{*bytes} << (8 * (offset_ - kField));
      crc_ = _mm_crc32_u8(crc_, in_field ? uint8_t{0} : *bytes);
      ++bytes, --length, ++offset_;
    }
    uint64_t wide = crc_;
    for (; length >= 8; bytes += 8, length -= 8) {
      uint64_t word;
      std::memcpy(&word, bytes, 8);
      wide = _mm_crc32_u64(wide, word);
    }
    crc_ = static_cast<uint32_t>(wide);
    for (; length > 0; ++bytes, --length) crc_ = _mm_crc32_u8(crc_, *bytes);
  }
  /// RFC 9260 appendix A: the CRC stands in the packet with its low byte first.
  bool ok() const { return offset_ == kFieldEnd && ~crc_ == found_; }

 private:
  static constexpr uint32_t kField = 8, kFieldEnd = 12;
  uint32_t crc_ = ~uint32_t{0};
  uint32_t offset_ = 0;
  uint32_t found_ = 0;
};

/// Feeds `length` bytes from `offset` on to `sink`, piece by piece. False if they are not there.
template <typename Sink>
bool feed(std::span<const FrameSegment> segments, uint32_t offset, uint32_t length, Sink& sink) {
  for (const FrameSegment& s : segments) {
    if (length == 0) break;
    if (offset >= s.length) {
      offset -= s.length;
      continue;
    }
    const uint32_t n = std::min(s.length - offset, length);
    sink.add(s.bytes + offset, n);
    length -= n;
    offset = 0;
  }
  return length == 0;
}

/// Copies bytes out of the pieces. False if they are not there.
struct Copy {
  uint8_t* to;
  void add(const uint8_t* bytes, uint32_t length) {
    std::memcpy(to, bytes, length);
    to += length;
  }
};

/// The pseudo header of RFC 9293 §3.1 (v4) and RFC 8200 §8.1 (v6), but for the addresses.
uint64_t pseudo_header(uint8_t protocol, uint32_t length) {
  return uint64_t{__builtin_bswap32(length)} + __builtin_bswap16(protocol);
}

}  // namespace

bool l4_checksum_ok(std::span<const FrameSegment> segments, const ParsedPacket& p) noexcept {
  if (p.kind == PacketKind::kDropped || p.kind == PacketKind::kNonIp || p.l4_bytes == 0 ||
      p.fragment) {
    return true;
  }
  const bool v4 = p.family == Family::kV4;
  // An error's `protocol` is that of the packet it quotes.
  const auto icmp = v4 ? IpProtocol::kIcmp : IpProtocol::kIcmpV6;
  const auto protocol =
      p.kind == PacketKind::kIcmpError ? icmp : static_cast<IpProtocol>(p.protocol);

  uint32_t length = p.l4_bytes;
  bool has_pseudo_header = true;
  switch (protocol) {
    case IpProtocol::kTcp:
      break;
    case IpProtocol::kUdp: {
      uint8_t header[8];
      Copy copy{header};
      if (!feed(segments, p.l4_offset, sizeof header, copy)) return false;
      if (header[6] == 0 && header[7] == 0) return v4 || p.tunnel;
      // The UDP length, not what the IP header leaves room for, is what is summed (RFC 768).
      length = uint32_t{header[4]} << 8 | header[5];
      break;
    }
    case IpProtocol::kSctp: {
      SctpCrc crc;
      return feed(segments, p.l4_offset, length, crc) && crc.ok();
    }
    case IpProtocol::kIcmp:
      if (!v4) return true;
      has_pseudo_header = false;
      break;
    case IpProtocol::kIcmpV6:
      if (v4) return true;
      break;
    default:
      return true;
  }

  OnesSum sum;
  if (!feed(segments, p.l4_offset, length, sum)) return false;
  uint64_t total = sum.sum();
  if (has_pseudo_header) {
    uint8_t addresses[32];
    Copy copy{addresses};
    if (!feed(segments, p.l3_offset + (v4 ? 12U : 8U), v4 ? 8 : 32, copy)) return false;
    total +=
        ones_sum(addresses, v4 ? 8 : 32) + pseudo_header(static_cast<uint8_t>(protocol), length);
  }
  return fold_sum(total) == 0xffff;
}

namespace {

/// Any packet. Out of the way of most.
[[gnu::noinline]] bool is_any_ok(const uint8_t* frame, const ParsedPacket& p) noexcept {
  const bool udp = p.protocol == static_cast<uint8_t>(IpProtocol::kUdp);
  if (p.kind != PacketKind::kFlow || p.fragment || p.l4_bytes < 8 ||
      (!udp && p.protocol != static_cast<uint8_t>(IpProtocol::kTcp))) {
    const FrameSegment whole{frame, p.l4_offset + p.l4_bytes};
    return l4_checksum_ok(std::span{&whole, 1}, p);
  }
  const uint8_t* l4 = frame + p.l4_offset;
  uint32_t length = p.l4_bytes;
  if (udp) {
    if (l4[6] == 0 && l4[7] == 0) return p.family == Family::kV4 || p.tunnel;
    length = uint32_t{l4[4]} << 8 | l4[5];
    if (length > p.l4_bytes) return false;
  }
  const bool v4 = p.family == Family::kV4;
  const uint64_t addresses = ones_sum(frame + p.l3_offset + (v4 ? 12 : 8), v4 ? 8 : 32);
  return fold_sum(ones_sum(l4, length) + addresses + pseudo_header(p.protocol, length)) == 0xffff;
}

}  // namespace

bool l4_checksum_ok(const uint8_t* frame, const ParsedPacket& p) noexcept {
#ifdef __AVX2__
  // Most are of segments that open a TCP connection or end one: a header and little more.
  if (p.protocol == static_cast<uint8_t>(IpProtocol::kTcp) && p.kind == PacketKind::kFlow &&
      !p.fragment) {
    const bool v4 = p.family == Family::kV4;
    const uint32_t offset = p.l3_offset + (v4 ? 12U : 8U), address_bytes = v4 ? 8 : 32;
    const uint32_t bytes = address_bytes + p.l4_bytes;
    if (offset + address_bytes == p.l4_offset && bytes <= 64) {
      return short_segment_ok(frame + offset, bytes, p.l4_bytes);
    }
  }
#endif
  return is_any_ok(frame, p);
}

#ifdef __AVX2__
namespace {

/// Eight of them; at(j) gives a ShortPacket.
template <typename At>
[[gnu::always_inline]] inline unsigned eight_packets_ok(uint32_t address_bytes, At&& at) {
  __m256i sums[8];
  alignas(32) uint32_t rest[8];
#pragma GCC unroll 8
  for (unsigned j = 0; j < 8; ++j) {
    const ShortPacket& s = at(j);
    sums[j] = short_sums(s.addresses, address_bytes + s.bytes);
    rest[j] = rest_of_sum(s.bytes, s.protocol);
  }
  // Each of the eight is added up: halves of four of them, then both halves of all.
  const auto pairs = [&sums](unsigned j) { return _mm256_hadd_epi32(sums[j], sums[j + 1]); };
  const __m256i first = _mm256_hadd_epi32(pairs(0), pairs(2)),
                second = _mm256_hadd_epi32(pairs(4), pairs(6)),
                all = _mm256_add_epi32(
                    _mm256_add_epi32(_mm256_permute2x128_si256(first, second, 0x20),
                                     _mm256_permute2x128_si256(first, second, 0x31)),
                    _mm256_load_si256(reinterpret_cast<const __m256i*>(rest)));
  const __m256i low = _mm256_set1_epi32(0xffff);
  const __m256i folded = _mm256_add_epi32(_mm256_and_si256(all, low), _mm256_srli_epi32(all, 16));
  return static_cast<unsigned>(
      _mm256_movemask_ps(_mm256_castsi256_ps(_mm256_cmpeq_epi32(folded, low))));
}

}  // namespace

uint64_t short_packets_ok(const ShortPacket* packets, unsigned count,
                          uint32_t address_bytes) noexcept {
  uint64_t right = 0;
  unsigned n = 0;
  for (; n + 8 <= count; n += 8) {
    right |= uint64_t{eight_packets_ok(
                 address_bytes, [&](unsigned j) -> const ShortPacket& { return packets[n + j]; })}
             << n;
  }
  if (n == count) return right;
  // The last ones, and the very last in the place of those that are not there.
  return right | uint64_t{eight_packets_ok(address_bytes, [&](unsigned j) -> const ShortPacket& {
                   return packets[std::min(n + j, count - 1)];
                 })} << n;
}
#else
uint64_t short_packets_ok(const ShortPacket* packets, unsigned count,
                          uint32_t address_bytes) noexcept {
  uint64_t right = 0;
  for (unsigned n = 0; n < count; ++n) {
    const ShortPacket& s = packets[n];
    const uint64_t sum = ones_sum(s.addresses, address_bytes + s.bytes) +
                         pseudo_header(static_cast<uint8_t>(s.protocol), s.bytes);
    right |= uint64_t{fold_sum(sum) == 0xffff} << n;
  }
  return right;
}
#endif

}  // namespace rampart
