// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstdint>

#include "dataplane/base/ids.hpp"
#include "dataplane/packet/parsed_packet.hpp"

namespace rampart {

/// Where a flow stands. X(enumerator, name in answers, name of its idle timeout).
///
/// TCP by what both ends said, without sequence numbers (RFC 9293 §3.3.2); SCTP by chunk types
/// (RFC 9260 §4); UDP by whether there was an answer (RFC 4787 §4.3).
#define RAMPART_FLOW_STATES(X)                         \
  X(kTcpOpening, "syn_sent", tcp_opening)              \
  X(kTcpSynReceived, "syn_received", tcp_opening)      \
  X(kTcpEstablished, "established", tcp_established)   \
  X(kTcpFinOpener, "half_closed", tcp_half_closed)     \
  X(kTcpFinReplier, "half_closed", tcp_half_closed)    \
  X(kTcpClosing, "closing", tcp_closing)               \
  X(kTcpReset, "reset", tcp_reset)                     \
  X(kUdpOpening, "unreplied", udp)                     \
  X(kUdpReplied, "replied", udp_replied)               \
  X(kSctpOpening, "init_sent", sctp_opening)           \
  X(kSctpEstablished, "established", sctp_established) \
  X(kSctpClosing, "closing", sctp_opening)             \
  X(kIcmpEcho, "echo", icmp)                           \
  X(kOther, "other", other)

enum class FlowState : uint8_t {
#define RAMPART_X(id, name, timeout) id,
  RAMPART_FLOW_STATES(RAMPART_X)
#undef RAMPART_X
      kCount
};

inline constexpr unsigned kFlowStates = static_cast<unsigned>(FlowState::kCount);

inline constexpr std::array<const char*, kFlowStates> kFlowStateNames{
#define RAMPART_X(id, name, timeout) name,
    RAMPART_FLOW_STATES(RAMPART_X)
#undef RAMPART_X
};

constexpr const char* to_string(FlowState state) {
  return kFlowStateNames[static_cast<unsigned>(state)];
}

/// Who sent a packet of a flow.
enum class Side : uint8_t { kOpener = 0, kReplier = 1 };

namespace detail {

/// What a TCP segment says, in the order in which it counts.
enum TcpEvent : uint8_t { kTcpData, kTcpSyn, kTcpSynAck, kTcpFin, kTcpRst, kTcpEvents };

constexpr TcpEvent tcp_event(uint8_t flags) {
  if ((flags & tcp_flag::kRst) != 0) return kTcpRst;
  if ((flags & tcp_flag::kSyn) != 0) return (flags & tcp_flag::kAck) != 0 ? kTcpSynAck : kTcpSyn;
  if ((flags & tcp_flag::kFin) != 0) return kTcpFin;
  return kTcpData;
}

inline constexpr unsigned kTcpStates = static_cast<unsigned>(FlowState::kTcpReset) + 1;

using TcpTable = std::array<std::array<std::array<FlowState, kTcpEvents>, 2>, kTcpStates>;

/// next = kTcpNext[state][side][event]. What is not named stays where it is: a retransmission, a
/// segment that its receiver will refuse. A RST ends every state. A SYN in a closed state is not
/// here: it is a new connection (see may_reopen).
inline constexpr TcpTable kTcpNext = [] {
  TcpTable t{};
  for (unsigned s = 0; s < kTcpStates; ++s) {
    for (auto& side : t[s]) {
      side.fill(static_cast<FlowState>(s));
      side[kTcpRst] = FlowState::kTcpReset;
    }
  }
  const auto on = [&t](FlowState from, Side side, TcpEvent event, FlowState to) {
    t[static_cast<unsigned>(from)][static_cast<unsigned>(side)][event] = to;
  };
  using enum FlowState;
  on(kTcpOpening, Side::kReplier, kTcpSynAck, kTcpSynReceived);
  on(kTcpOpening, Side::kReplier, kTcpSyn, kTcpSynReceived);  // simultaneous open, RFC 9293 §3.5
  on(kTcpSynReceived, Side::kOpener, kTcpData, kTcpEstablished);
  on(kTcpSynReceived, Side::kOpener, kTcpSynAck, kTcpEstablished);
  on(kTcpSynReceived, Side::kOpener, kTcpFin, kTcpFinOpener);
  on(kTcpSynReceived, Side::kReplier, kTcpFin, kTcpFinReplier);
  on(kTcpEstablished, Side::kOpener, kTcpFin, kTcpFinOpener);
  on(kTcpEstablished, Side::kReplier, kTcpFin, kTcpFinReplier);
  on(kTcpFinOpener, Side::kReplier, kTcpFin, kTcpClosing);
  on(kTcpFinReplier, Side::kOpener, kTcpFin, kTcpClosing);
  return t;
}();

/// SCTP chunk types that move a flow (RFC 9260 §3.2).
enum SctpChunk : uint8_t {
  kSctpInit = 1,
  kSctpInitAck = 2,
  kSctpAbort = 6,
  kSctpShutdown = 7,
  kSctpShutdownAck = 8,
  kSctpCookieEcho = 10,
  kSctpCookieAck = 11,
  kSctpShutdownComplete = 14,
};

constexpr FlowState sctp_next(FlowState state, Side side, uint8_t chunk) {
  switch (chunk) {
    case kSctpCookieAck:
      return side == Side::kReplier && state == FlowState::kSctpOpening
                 ? FlowState::kSctpEstablished
                 : state;
    case kSctpAbort:
    case kSctpShutdownAck:
    case kSctpShutdownComplete:
      return FlowState::kSctpClosing;
    default:
      return state;
  }
}

}  // namespace detail

/// State of a flow whose first packet this is.
constexpr FlowState first_state(const ParsedPacket& p) {
  switch (static_cast<IpProtocol>(p.protocol)) {
    case IpProtocol::kTcp:
      return FlowState::kTcpOpening;
    case IpProtocol::kUdp:
      return FlowState::kUdpOpening;
    case IpProtocol::kSctp:
      return FlowState::kSctpOpening;
    case IpProtocol::kIcmp:
    case IpProtocol::kIcmpV6:
      return FlowState::kIcmpEcho;
    default:
      return FlowState::kOther;
  }
}

/// State after a packet of an existing flow.
constexpr FlowState next_state(FlowState state, Side side, const ParsedPacket& p) {
  if (state <= FlowState::kTcpReset) {
    return detail::kTcpNext[static_cast<unsigned>(state)][static_cast<unsigned>(side)]
                           [detail::tcp_event(p.tcp_flags)];
  }
  switch (state) {
    case FlowState::kUdpOpening:
      return side == Side::kReplier ? FlowState::kUdpReplied : state;
    case FlowState::kSctpOpening:
    case FlowState::kSctpEstablished:
    case FlowState::kSctpClosing:
      return detail::sctp_next(state, side, p.sctp_chunk);
    default:
      return state;
  }
}

/// Whether a packet that could open a flow starts a new one in place of the one it hit: the ports
/// of an ended connection are used again (RFC 9293 §3.6.1), perhaps from the other end, so the
/// policy has to be asked again.
constexpr bool may_reopen(FlowState state, const ParsedPacket& p) {
  return p.opens_flow && (state == FlowState::kTcpClosing || state == FlowState::kTcpReset ||
                          state == FlowState::kSctpClosing);
}

/// Coarse clock of flow ages: TSC >> kTickShift, 32 bits that wrap (differences count). With a TSC
/// of 2 GHz a tick is 17 ms and a wrap takes more than two years.
inline constexpr unsigned kTickShift = 25;
using Tick = uint32_t;
constexpr Tick tick_of(Tsc tsc) {
  return static_cast<Tick>(tsc >> kTickShift);
}

/// Idle ticks after which a flow ends, by state.
using FlowTimeouts = std::array<Tick, kFlowStates>;

constexpr bool is_expired(Tick last_seen, Tick now, FlowState state, const FlowTimeouts& timeouts) {
  // A clock read on another CPU may lie a little behind; then the flow was seen just now.
  const auto idle = static_cast<int32_t>(now - last_seen);
  return idle > 0 && static_cast<Tick>(idle) > timeouts[static_cast<unsigned>(state)];
}

}  // namespace rampart
