// SPDX-License-Identifier: Apache-2.0
// What the parts of the parser hand to each other. No other room includes this.
#pragma once

#include <cstdint>
#include <cstring>

#include "dataplane/packet/parsed_packet.hpp"

namespace rampart::detail {

inline uint16_t read16(const uint8_t* p) noexcept {
  uint16_t v;
  std::memcpy(&v, p, sizeof v);
  return __builtin_bswap16(v);
}
inline uint32_t read32(const uint8_t* p) noexcept {
  uint32_t v;
  std::memcpy(&v, p, sizeof v);
  return __builtin_bswap32(v);
}
inline uint64_t read64(const uint8_t* p) noexcept {
  uint64_t v;
  std::memcpy(&v, p, sizeof v);
  return __builtin_bswap64(v);
}

/// The IP packet around a transport header. Offsets are from the start of the frame, bytes.
struct IpLayer {
  const uint8_t* frame;
  uint32_t readable;  ///< end of the bytes that may be read: of the packet or of the first segment
  uint8_t hops;       ///< TTL or hop limit
  bool fragment;      ///< a piece of a datagram, or carries an IPv6 Fragment header

  /// How many bytes from `offset` on may be read.
  uint32_t bytes_from(uint32_t offset) const noexcept {
    return readable > offset ? readable - offset : 0;
  }
};

/// The reason to drop a packet whose transport header ends early: a first fragment that does not
/// hold all of it is somebody's trick (RFC 1858 §3.1).
inline DropReason cut_short(const IpLayer& ip, const ParsedPacket& out) noexcept {
  const bool all_is_here = ip.readable == out.l4_offset + out.l4_bytes;
  return out.fragment && all_is_here ? DropReason::kFragmentTiny : DropReason::kL4Truncated;
}

/// What an IPv6 header chain ends in.
struct ExtensionChain {
  DropReason reason = DropReason::kNone;
  bool cut_short = false;      ///< the reason is that the chain goes on beyond what is readable
  uint8_t protocol = 0;        ///< of the upper-layer header
  bool fragment = false;       ///< there is a Fragment header
  bool more = false;           ///< and its M flag is set
  uint16_t offset = 0;         ///< Fragment Offset, bytes
  uint32_t id = 0;             ///< Identification, host order
  uint32_t fragment_data = 0;  ///< where the fragment's data starts, as `upper`
  uint32_t upper = 0;          ///< where the upper-layer header starts, from the start of the frame
};

/// Extension headers that nobody here can read on behind: Mobility, HIP, Shim6, and the two for
/// experiments (IANA, "IPv6 Extension Header Types"; RFC 7045 §2.1).
constexpr bool is_unknown_extension(uint8_t next_header) noexcept {
  return next_header == 135 || next_header == 139 || next_header == 140 || next_header == 253 ||
         next_header == 254;
}

/// True for extension headers: those that walk_extensions steps over (Hop-by-Hop, Routing,
/// Fragment, Authentication, Destination Options) and the unknown ones. All others are upper
/// layers: ESP, because nobody can read on, 59 (no next header), and every other protocol.
constexpr bool is_extension(uint8_t next_header) noexcept {
  constexpr uint64_t kExtensions = 1ULL << 0 | 1ULL << 43 | 1ULL << 44 | 1ULL << 51 | 1ULL << 60;
  return next_header < 64 ? (kExtensions >> next_header & 1) != 0
                          : is_unknown_extension(next_header);
}

/// Steps over the extension headers between an IPv6 header and its upper layer (RFC 8200 §4), from
/// `at` on, reading nothing at or beyond `readable`. Stops at the data of a later fragment.
ExtensionChain walk_extensions(const uint8_t* frame, uint32_t at, uint32_t readable,
                               uint8_t next_header) noexcept;

/// Walks the options of a SYN (RFC 9293 §3.2) for its window scale; the last one counts, as for
/// the stacks. False: the list contradicts itself. `length`: at most 40.
bool read_syn_options(const uint8_t* options, uint32_t length, TcpFields& out) noexcept;

/// ICMP and ICMPv6 whose header starts at out.l4_offset; settles kind, reason and the tuple.
void parse_icmp(const IpLayer& ip, ParsedPacket& out) noexcept;

/// Whether this is one of the messages without which a link does not work, in the form in which
/// their protocols send them. `out` has addresses, ports, ICMP type and L4 bounds by now.
bool is_neighbour_discovery(const IpLayer& ip, const ParsedPacket& out) noexcept;  ///< or MLD
bool is_igmp(const IpLayer& ip, const ParsedPacket& out) noexcept;
bool is_dhcp(const IpLayer& ip, const ParsedPacket& out) noexcept;  ///< UDP, either family

/// Whether a protocol number carries other packets: IPv4, IPv6, GRE, EtherIP, MPLS.
constexpr bool is_tunnel_protocol(uint8_t protocol) noexcept {
  return protocol == 4 || protocol == 41 || protocol == 47 || protocol == 97 || protocol == 137;
}

}  // namespace rampart::detail
