// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <cstring>
#include <span>

#include "dataplane/packet/parsed_packet.hpp"

namespace rampart {

/// One piece of a frame that lies scattered in memory (a segment of an mbuf chain).
struct FrameSegment {
  const uint8_t* bytes = nullptr;
  uint32_t length = 0;
};

/// Whether the transport checksum of a parsed frame is right: TCP, UDP, ICMP (RFC 1071), ICMPv6,
/// SCTP (CRC32c, RFC 9260 appendix A). `frame` is the first byte of the frame `p` was parsed from,
/// and the whole IP packet must be contiguous there.
///
/// True as well where there is nothing to verify: fragments (only the whole datagram has a
/// checksum), UDP over IPv4 with checksum 0 (RFC 768), other protocols. UDP over IPv6 with
/// checksum 0 is wrong (RFC 8200 §8.1), except for tunnels (RFC 6935).
///
/// Any thread; no allocation. Meaningful for kinds kFlow, kPassAlways over IP and kIcmpError;
/// true for the others.
bool l4_checksum_ok(const uint8_t* frame, const ParsedPacket& p) noexcept;

/// The same for a frame in pieces, in order and from its first byte. False if the pieces end
/// before the packet does.
bool l4_checksum_ok(std::span<const FrameSegment> segments, const ParsedPacket& p) noexcept;

/// A TCP segment or UDP datagram right behind the addresses of its IP packet.
struct ShortPacket {
  const uint8_t* addresses;  ///< sixteen bytes before them may be read, too
  uint32_t bytes;            ///< of transport header and payload, all that UDP says
  uint32_t protocol;         ///< IANA number
};

/// Of which of `count` packets (at most 64) the checksums are right: bit n, packets[n]. All have an
/// even number of bytes, 8 at least, and no more than 64 with their `address_bytes` (8 or 32). What
/// l4_checksum_ok says of them one by one, in half of the instructions; a UDP checksum of 0 is
/// none.
uint64_t short_packets_ok(const ShortPacket* packets, unsigned count,
                          uint32_t address_bytes) noexcept;

/// The sum of 16-bit words in memory order that RFC 1071 speaks of, not folded yet; an odd last
/// byte is padded with zero. `length` up to 2^17 bytes.
inline uint64_t ones_sum(const uint8_t* bytes, uint32_t length) noexcept {
  // Two accumulators of 32-bit halves instead of a carry chain: compilers make vectors of it.
  uint64_t low = 0, high = 0;
  const auto add = [&low, &high](const uint8_t* from) {
    uint64_t word;
    std::memcpy(&word, from, 8);
    low += word & 0xffffffffU;
    high += word >> 32;
  };
  for (; length >= 32; bytes += 32, length -= 32) {
    for (unsigned at = 0; at < 32; at += 8) add(bytes + at);
  }
  // Most segments that are summed are a header and little more: no loops for these.
  if ((length & 16) != 0) {
    add(bytes);
    add(bytes + 8);
    bytes += 16;
  }
  if ((length & 8) != 0) {
    add(bytes);
    bytes += 8;
  }
  if ((length & 4) != 0) {
    uint32_t word;
    std::memcpy(&word, bytes, 4);
    low += word;
    bytes += 4;
  }
  if ((length & 2) != 0) {
    uint16_t word;
    std::memcpy(&word, bytes, 2);
    low += word;
    bytes += 2;
  }
  if ((length & 1) != 0) low += *bytes;
  return low + high;
}

/// Folds a sum to 16 bits with end-around carry. 0xffff: a header or segment with its checksum in
/// place is right.
inline uint16_t fold_sum(uint64_t sum) noexcept {
  sum = (sum & 0xffffffffU) + (sum >> 32);
  sum = (sum & 0xffffU) + (sum >> 16);
  sum = (sum & 0xffffU) + (sum >> 16);
  sum = (sum & 0xffffU) + (sum >> 16);
  return static_cast<uint16_t>(sum);
}

}  // namespace rampart
