// SPDX-License-Identifier: Apache-2.0
//
// SCTP seen from between its ends: verification tags and the handshake (RFC 9260 §5, §8.5, §9).
//
// Each end chooses a tag of 32 random bits in its INIT or INIT ACK and expects it in all that it
// receives; that is all a stranger would have to guess. So a packet passes if it carries the tag
// that its receiver has chosen, with the exceptions of §8.5.1: an INIT carries 0, and an ABORT or
// SHUTDOWN COMPLETE with the T bit carries the tag that its sender expects.
//
// An INIT proves nothing: anybody can send one. It is let through in every state, its tag is noted
// beside those in force, and the tags in force change only with the COOKIE ACK that ends the
// handshake: it carries the noted tag, and answers a COOKIE ECHO with a tag that came in an INIT
// ACK with the noted tag. So a restart (§5.2.4.1) and INITs that cross (§5.2.1) go through, and a
// stranger's INIT has no effect, and does not keep the flow alive (but for its opener's, sent again
// before anything has answered). An end without memory may answer each INIT that is sent again with
// another tag; the last two are good until the COOKIE ACK. Of INITs there is room for one a side: a
// stranger's that comes between a restart's INIT and the answer costs that answer (kSctpTag), and
// the restart its next try; the association and its flow stay as they are.
//
// Only the first chunk of a packet is read. Addresses that an INIT lists (multi-homing) are not:
// packets from those belong to no flow.
//
// All functions: any thread, no allocation, nothing read but the arguments.
#pragma once

#include <cstdint>
#include <type_traits>

#include "dataplane/flow/tracked.hpp"
#include "dataplane/packet/parsed_packet.hpp"

namespace rampart {

/// All zero: nothing is known. Tags in host order; 0 is none.
struct SctpTrack {
  uint32_t tag[2];     ///< in force, by the Side that expects it
  uint32_t init[2];    ///< of the last INIT of each Side, until a handshake ends
  uint32_t answer[2];  ///< of the last two INIT ACKs that had the right tag, the later first
  uint32_t echoed;     ///< of the last COOKIE ECHO that had the right tag
  uint8_t answerer;    ///< the Side that sent `answer`
  uint8_t echoer;      ///< the Side that sent `echoed`
  uint16_t reserved;
};
static_assert(sizeof(SctpTrack) == 32 && std::is_trivial_v<SctpTrack>);

/// Starts a track with the INIT that opens a flow (state kSctpOpening).
void sctp_open(SctpTrack& track, const ParsedPacket& init) noexcept;

/// What becomes of a packet of a flow in a state from kSctpOpening to kSctpClosing. Changes
/// nothing.
Tracked sctp_judge(const SctpTrack& track, FlowState state, Side side,
                   const ParsedPacket& p) noexcept;

/// Takes in a packet that sctp_judge has accepted, with the track and the state as they were then.
void sctp_update(SctpTrack& track, FlowState state, Side side, const ParsedPacket& p) noexcept;

/// Whether an ICMP error may quote a packet that `sender` sent with this verification tag
/// (RFC 9260 §10, ICMP6).
bool sctp_quote_fits(const SctpTrack& track, Side sender, uint32_t tag) noexcept;

}  // namespace rampart
