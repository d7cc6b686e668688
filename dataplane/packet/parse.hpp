// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "dataplane/packet/parse_plain.hpp"
#include "dataplane/packet/parsed_packet.hpp"

namespace rampart {

/// Reads the headers of one Ethernet frame, once, and never beyond `contiguous` bytes.
///
/// `frame`: the bytes of the first segment; `contiguous`: how many of them there are;
/// `frame_bytes`: length of the whole frame (more than `contiguous` if it has further segments).
/// Fills `out` wholly. Any thread; reads nothing but its arguments; never fails otherwise than by
/// kind kDropped and a reason.
///
/// Sources: IEEE 802.1Q and 802.1ad tags, RFC 791, RFC 8200, RFC 9293 §3.1, RFC 768, RFC 9260 §3,
/// RFC 792, RFC 4443, RFC 4861, RFC 1122 §3.2.1.3 (martians), RFC 6890.
inline void parse_frame(const uint8_t* frame, uint32_t contiguous, uint32_t frame_bytes,
                        ParsedPacket& out) noexcept;

/// The same without the straight way for plain frames.
void parse_any_frame(const uint8_t* frame, uint32_t contiguous, uint32_t frame_bytes,
                     ParsedPacket& out) noexcept;

void parse_frame(const uint8_t* frame, uint32_t contiguous, uint32_t frame_bytes,
                 ParsedPacket& out) noexcept {
  if (!parse_plain_frame(frame, contiguous, frame_bytes, out)) {
    parse_any_frame(frame, contiguous, frame_bytes, out);
  }
}

}  // namespace rampart
