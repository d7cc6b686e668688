// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "dataplane/packet/parsed_packet.hpp"

namespace rampart {

/// A TCP segment without data or options that the appliance itself sends about one that came in.
struct TcpAnswer {
  enum class To : uint8_t { kSender, kReceiver };
  To to = To::kSender;           ///< of the segment that came in; kReceiver: in its sender's name
  uint8_t flags = 0;             ///< see tcp_flag
  uint32_t sequence = 0;         ///< host order
  uint32_t acknowledgement = 0;  ///< host order
};

/// Bytes that any answer fits in: Ethernet, two VLAN tags, IPv6, TCP.
inline constexpr uint32_t kMaxAnswerBytes = 14 + 8 + 40 + 20;

/// Writes the frame of an answer to `out` (room for kMaxAnswerBytes) and returns its length, 60
/// bytes at least. `frame`: the frame that `p`, a TCP segment (kind kFlow), was parsed from; its
/// Ethernet header and VLAN tags are taken over, with the addresses exchanged for an answer to the
/// sender. `out` may be `frame` itself. Any thread; no allocation.
///
/// The packet has a TTL of 64, no options or extension headers, DF over IPv4 (RFC 791, RFC 8200,
/// RFC 9293 §3.1), a window of 0, and right checksums.
uint32_t write_tcp_answer(const uint8_t* frame, const ParsedPacket& p, const TcpAnswer& answer,
                          uint8_t* out) noexcept;

}  // namespace rampart
