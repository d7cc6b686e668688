// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <type_traits>

#include "dataplane/packet/flow_key.hpp"
#include "dataplane/packet/parsed_packet.hpp"

namespace rampart {

/// What the fragments of one datagram have in common and no others (RFC 791 §3.2: addresses,
/// protocol and identification; RFC 8200 §4.5: addresses and identification). The port is the one
/// on which they come in, so that nobody on the other side of the wire has a say in it. Compared
/// and hashed by bytes, hence without holes.
struct FragmentKey {
  uint8_t source[16];  ///< IPv4: four bytes, network order, and zeros
  uint8_t destination[16];
  uint32_t id;     ///< host order
  uint32_t vlans;  ///< as in ParsedPacket
  uint8_t in_port;
  uint8_t family;
  uint8_t protocol;  ///< IPv4; over IPv6 it may differ from piece to piece, and is 0
  uint8_t reserved;
  bool operator==(const FragmentKey&) const = default;
};
static_assert(sizeof(FragmentKey) == 44 && std::has_unique_object_representations_v<FragmentKey>);

inline uint64_t hash_of(const FragmentKey& k, const HashSeed& s) {
  const auto* p = reinterpret_cast<const uint8_t*>(&k);
  const uint64_t h1 = detail::mix(detail::load64(p) ^ s.a, detail::load64(p + 8) ^ s.b);
  const uint64_t h2 = detail::mix(detail::load64(p + 16) ^ s.b, detail::load64(p + 24) ^ s.a);
  const uint64_t h3 = detail::mix(detail::load64(p + 32) ^ s.a, detail::load64(p + 36) ^ s.b);
  return detail::mix(h1 ^ h3, h2 ^ s.a);
}

/// One piece of a datagram: bytes [offset, end) of what is behind the headers that all pieces
/// carry.
struct Piece {
  uint16_t offset;  ///< a multiple of eight
  uint16_t end;     ///< above offset; a multiple of eight if more follows
  bool more;        ///< not the last one
};

struct Fragment {
  FragmentKey key;
  Piece piece;
};

/// Reads which piece of which datagram a parsed frame is: `p` is what parse_frame said of the same
/// bytes, with `p.fragment` set and not kDropped. Any thread; reads nothing that parse_frame did
/// not.
Fragment read_fragment(const uint8_t* frame, uint32_t contiguous, const ParsedPacket& p,
                       uint8_t in_port) noexcept;

}  // namespace rampart
