// SPDX-License-Identifier: Apache-2.0
#include "dataplane/flow/sctp_tracker.hpp"

namespace rampart {
namespace {

using detail::accept;
using detail::accept_unproven;
using detail::pass_unchanged;
using detail::refuse;
using detail::reopen;
using enum FlowState;

constexpr unsigned index(Side side) {
  return static_cast<unsigned>(side);
}

/// Whether `side` expects `tag` by what is in force.
bool is_in_force(const SctpTrack& t, Side side, uint32_t tag) {
  return tag != 0 && tag == t.tag[index(side)];
}
/// Whether it may expect it in a handshake that goes on.
bool is_offered(const SctpTrack& t, Side side, uint32_t tag) {
  return tag != 0 && (tag == t.init[index(side)] ||
                      (t.answerer == index(side) && (tag == t.answer[0] || tag == t.answer[1])));
}
bool is_expected(const SctpTrack& t, Side side, uint32_t tag) {
  return is_in_force(t, side, tag) || is_offered(t, side, tag);
}

Tracked judge_init(FlowState state, Side side, const ParsedPacket& p) {
  if (p.sctp.tag != 0) return refuse(state, DropReason::kSctpTag);
  if (!p.opens_flow) return refuse(state, DropReason::kSctpState);  // in pieces, or not alone
  if (state == kSctpClosing) return reopen(state);
  // One sent again before anything has answered keeps its flow, which policy allows its sender.
  return state == kSctpOpening && side == Side::kOpener ? accept(state, true)
                                                        : accept_unproven(state, true);
}

/// ABORT and SHUTDOWN COMPLETE.
Tracked judge_end(const SctpTrack& t, FlowState state, Side side, const ParsedPacket& p) {
  const Side expects = p.sctp.reflected_tag ? side : other(side);
  if (is_in_force(t, expects, p.sctp.tag)) return accept(kSctpClosing, state != kSctpClosing);
  // It ends a handshake that has not ended well: that of an INIT which proves nothing, so the
  // association must not suffer.
  if (is_offered(t, expects, p.sctp.tag)) return pass_unchanged(state);
  return refuse(state, DropReason::kSctpTag);
}

}  // namespace

void sctp_open(SctpTrack& track, const ParsedPacket& init) noexcept {
  track = {};
  track.tag[0] = track.init[0] = init.sctp.initiate_tag;
}

Tracked sctp_judge(const SctpTrack& track, FlowState state, Side side,
                   const ParsedPacket& p) noexcept {
  const uint32_t tag = p.sctp.tag;
  const Side receiver = other(side);
  switch (p.sctp_chunk) {
    case sctp_type::kInit:
      return judge_init(state, side, p);
    case sctp_type::kAbort:
    case sctp_type::kShutdownComplete:
      return judge_end(track, state, side, p);
    default:
      break;
  }
  const bool in_force = is_in_force(track, receiver, tag);
  if (!in_force && !is_offered(track, receiver, tag)) return refuse(state, DropReason::kSctpTag);
  if (state == kSctpClosing) return pass_unchanged(state);
  switch (p.sctp_chunk) {
    case sctp_type::kInitAck:
    case sctp_type::kCookieEcho:
      return accept(state, true);
    case sctp_type::kCookieAck:
      if (track.echoed != 0 && track.echoer == index(receiver)) {
        return accept(state == kSctpOpening ? kSctpEstablished : state, true);
      }
      return in_force && state != kSctpOpening ? accept(state, false)
                                               : refuse(state, DropReason::kSctpState);
    case sctp_type::kShutdown:
    case sctp_type::kShutdownAck:
      if (in_force && state == kSctpEstablished) return accept(kSctpShutdown, true);
      break;
    default:
      break;
  }
  // The other end of a restart may be ahead of the COOKIE ACK that we shall see.
  return in_force || state == kSctpOpening ? accept(state, false) : pass_unchanged(state);
}

void sctp_update(SctpTrack& track, FlowState state, Side side, const ParsedPacket& p) noexcept {
  const unsigned s = index(side), r = index(other(side));
  switch (p.sctp_chunk) {
    case sctp_type::kInit:
      track.init[s] = p.sctp.initiate_tag;
      break;
    case sctp_type::kInitAck:
      // An end whose INIT is on its way answers with the tag of that (§5.2.1).
      if (p.sctp.initiate_tag == track.init[s]) break;
      if (track.answerer != s) track.answer[0] = track.answer[1] = 0;
      track.answerer = static_cast<uint8_t>(s);
      if (track.answer[0] != p.sctp.initiate_tag) {
        track.answer[1] = track.answer[0];
        track.answer[0] = p.sctp.initiate_tag;
      }
      break;
    case sctp_type::kCookieEcho:
      track.echoed = p.sctp.tag;
      track.echoer = static_cast<uint8_t>(s);
      break;
    case sctp_type::kCookieAck:
      if (track.echoed == 0 || track.echoer != r || state == kSctpClosing) break;
      track.tag[s] = track.echoed;
      track.tag[r] = p.sctp.tag;
      track.init[0] = track.init[1] = track.answer[0] = track.answer[1] = track.echoed = 0;
      break;
    default:
      break;
  }
}

bool sctp_quote_fits(const SctpTrack& track, Side sender, uint32_t tag) noexcept {
  if (tag == 0) return track.init[index(sender)] != 0;  // its INIT
  return is_expected(track, other(sender), tag);
}

}  // namespace rampart
