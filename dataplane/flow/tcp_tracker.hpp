// SPDX-License-Identifier: Apache-2.0
//
// TCP seen from between its ends: states and windows, both ways.
//
// The model is Guido van Rooij's ("Real Stateful TCP Packet Filtering in IP Filter", 2001): every
// segment passes here before its receiver sees it, and every acknowledgement before its receiver
// may use it. So at any time, for the data that side S sends to side R,
//
//     R.ack <= what R has got <= S.end <= S.edge,     S.edge = the largest (ack + window) of R
//
// and an honest segment of S with sequence numbers [seq, seq + data) has
//
//     seq + data <= S.edge + 1                 nobody sends beyond the window; a probe of a closed
//                                              window is one byte, a FIN may come on top
//     seq >= R.ack - R.window - 1              what was sent within the window, and may be sent
//                                              again; a keep-alive is one below
//     ack <= R.end                             nobody acknowledges what was not sent
//     ack >= S.ack - S.window                  old duplicates (as RFC 5961 §5.2 has it for ends)
//
// where R.window is the largest window that R has announced, 64 KiB at least. Windows that shrink
// change nothing: what was permitted once may be on its way. Where more may have been sent than was
// seen here (only the first fragment of a segment, or a connection that was picked up in its
// middle), ack <= S.edge + 1 takes the place of ack <= S.end.
//
// Plain segments move these numbers without a look at their checksums. A segment moves `end` up to
// `edge`, `ack` up to `end` and `edge` up to `ack` plus a window, never further, and each move only
// makes the tests laxer, but for the two lower bounds, which have a whole window of slack. So
// neither a segment that its receiver will refuse, nor one with which a stranger was lucky once,
// makes a later honest one drop. What moves a state is verified first (Tracked::verify).
//
// What strangers can do is RFC 5961's business:
//
//   RST   counts with a number that its receiver may be waiting for: what it has acknowledged last,
//         or the end of all that was sent. If these are two, it counts until the receiver goes on
//         talking. Others within the window pass: a live end asks back, and a sender that is really
//         gone answers with the right number.
//   SYN   passes and changes nothing: a live end asks back as well. It opens a new connection in
//         TIME-WAIT with a larger number, and after a RST.
//   FIN   counts if it follows on what was sent and acknowledges as much as others have; if not, as
//         soon as its receiver acknowledges it.
//   SYN+ACK and the ACK of a handshake need the very numbers of the other's SYN. Until the answer,
//         the first SYN and the last one stand side by side, so that none takes another's place.
//
// All functions: any thread, no allocation, nothing read but the arguments.
#pragma once

#include <cstdint>
#include <type_traits>

#include "dataplane/flow/tracked.hpp"
#include "dataplane/packet/parsed_packet.hpp"

namespace rampart {

/// What is known of one side's sending. All zero: nothing. Sequence numbers in host order.
struct TcpSide {
  uint32_t end;     ///< after the last number that this side has sent, SYN and FIN counted
  uint32_t edge;    ///< after the last number that the other side has permitted
  uint32_t ack;     ///< largest acknowledgement that this side has sent
  uint16_t window;  ///< largest window that it has announced, in units of 2^shift, rounded up
  uint8_t scale;    ///< low half: the shift in use; high half: 1 + the shift offered, 0: none
  uint8_t flags;    ///< see tcp_parts.hpp
};

/// By Side. Until the SYN has been answered (kTcpOpening) the replier's half serves otherwise:
/// `ack` is the number after the first SYN, and the rest is another SYN that came since, from the
/// opener with another sequence number or from the replier (a simultaneous open): `edge` is the
/// number after it, `end` the one after its data, `window` and `scale` as in it.
struct TcpTrack {
  TcpSide side[2];
};
static_assert(sizeof(TcpTrack) == 32 && std::is_trivial_v<TcpTrack>);

/// (A track that starts with a SYN: tcp_open, in tcp_first.hpp.)

/// Starts a track in the middle of a connection (state kTcpPickedUp), `side` being the sender's.
/// False, and nothing done: the segment is none to begin with (only those with ACK and without SYN
/// and RST are). The window scales and the windows that were not seen count as the largest there
/// is.
bool tcp_pick_up(TcpTrack& track, Side side, const ParsedPacket& p) noexcept;

/// What becomes of a segment of a flow in a state from kTcpVerified to kTcpReset. `next`, another
/// one: with kAccept what the track is once the segment counts; otherwise as `track`.
Tracked tcp_judge(const TcpTrack& track, FlowState state, Side side, const ParsedPacket& p,
                  TcpTrack& next) noexcept;

/// Whether an ICMP error may quote a segment that `sender` sent with this sequence number: one that
/// may still be on its way (RFC 5927 §4.1, with a window of slack, as for segments).
bool tcp_quote_fits(const TcpTrack& track, Side sender, uint32_t sequence) noexcept;

}  // namespace rampart
