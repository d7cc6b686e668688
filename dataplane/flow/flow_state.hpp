// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstdint>

#include "dataplane/base/ids.hpp"
#include "dataplane/packet/parsed_packet.hpp"

namespace rampart {

/// What a flow is worth when its table is full. Dead ones go first, then weak ones; who is assured
/// stays until its timer runs out.
enum class FlowWorth : uint8_t {
  kDead,     ///< both ends have said good-bye
  kWeak,     ///< one end alone may have made it, or there is little left to lose
  kAssured,  ///< both ends have spoken, TCP and SCTP with numbers that nobody else knows
};

/// Where a flow stands. X(enumerator, name in answers, name of its idle timeout, worth).
///
/// TCP as in RFC 9293 §3.3.2, seen from between the ends (tcp_tracker.hpp); SCTP as in RFC 9260 §4
/// (sctp_tracker.hpp); UDP by whether there was an answer (RFC 4787 §4.3).
#define RAMPART_FLOW_STATES(X)                                   \
  X(kTcpVerified, "verified", tcp_opening, kWeak)                \
  X(kTcpOpening, "syn_sent", tcp_opening, kWeak)                 \
  X(kTcpSynReceived, "syn_received", tcp_opening, kWeak)         \
  X(kTcpPickedUp, "picked_up", tcp_opening, kWeak)               \
  X(kTcpEstablished, "established", tcp_established, kAssured)   \
  X(kTcpFinOpener, "half_closed", tcp_half_closed, kAssured)     \
  X(kTcpFinReplier, "half_closed", tcp_half_closed, kAssured)    \
  X(kTcpClosing, "closing", tcp_closing, kDead)                  \
  X(kTcpTimeWait, "time_wait", tcp_closing, kDead)               \
  X(kTcpReset, "reset", tcp_reset, kDead)                        \
  X(kUdpOpening, "unreplied", udp, kWeak)                        \
  X(kUdpReplied, "replied", udp_replied, kAssured)               \
  X(kUdpDns, "answered", udp_answered, kWeak)                    \
  X(kSctpOpening, "init_sent", sctp_opening, kWeak)              \
  X(kSctpEstablished, "established", sctp_established, kAssured) \
  X(kSctpShutdown, "shutdown", sctp_opening, kAssured)           \
  X(kSctpClosing, "closing", sctp_opening, kDead)                \
  X(kIcmpEcho, "unreplied", icmp, kWeak)                         \
  X(kIcmpReplied, "replied", icmp, kWeak)                        \
  X(kOther, "unreplied", other, kWeak)                           \
  X(kOtherReplied, "replied", other, kAssured)

enum class FlowState : uint8_t {
#define RAMPART_X(id, name, timeout, worth) id,
  RAMPART_FLOW_STATES(RAMPART_X)
#undef RAMPART_X
      kCount
};

inline constexpr unsigned kFlowStates = static_cast<unsigned>(FlowState::kCount);

inline constexpr std::array<const char*, kFlowStates> kFlowStateNames{
#define RAMPART_X(id, name, timeout, worth) name,
    RAMPART_FLOW_STATES(RAMPART_X)
#undef RAMPART_X
};

constexpr const char* to_string(FlowState state) {
  return kFlowStateNames[static_cast<unsigned>(state)];
}

inline constexpr std::array<FlowWorth, kFlowStates> kFlowWorths{
#define RAMPART_X(id, name, timeout, worth) FlowWorth::worth,
    RAMPART_FLOW_STATES(RAMPART_X)
#undef RAMPART_X
};

constexpr FlowWorth worth_of(FlowState state) {
  return kFlowWorths[static_cast<unsigned>(state)];
}
constexpr bool is_assured(FlowState state) {
  return worth_of(state) == FlowWorth::kAssured;
}
constexpr bool is_dead(FlowState state) {
  return worth_of(state) == FlowWorth::kDead;
}

/// Who sent a packet of a flow.
enum class Side : uint8_t { kOpener = 0, kReplier = 1 };

namespace detail {
constexpr FlowState first_state(uint8_t protocol) {
  switch (static_cast<IpProtocol>(protocol)) {
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
inline constexpr std::array<FlowState, 256> kFirstStates = [] {
  std::array<FlowState, 256> states{};
  for (unsigned protocol = 0; protocol < states.size(); ++protocol) {
    states[protocol] = first_state(static_cast<uint8_t>(protocol));
  }
  return states;
}();
}  // namespace detail

/// State of a flow whose first packet this is.
constexpr FlowState first_state(const ParsedPacket& p) {
  return detail::kFirstStates[p.protocol];
}

/// Port of DNS servers (RFC 1035 §4.2): most exchanges with them end with their first answer.
inline constexpr be16 kDnsPort{53};

/// State after a packet of an existing flow of a protocol without a tracker. (TCP: tcp_judge, SCTP:
/// sctp_judge.)
constexpr FlowState next_state(FlowState state, Side side, const ParsedPacket& p) {
  switch (state) {
    case FlowState::kUdpOpening:
      if (side == Side::kOpener) return state;
      return p.source_port == kDnsPort ? FlowState::kUdpDns : FlowState::kUdpReplied;
    case FlowState::kUdpDns:
      // The next question from the same port, or the answer to the second of two.
      return side == Side::kOpener ? FlowState::kUdpOpening : state;
    case FlowState::kIcmpEcho:
      return side == Side::kReplier ? FlowState::kIcmpReplied : state;
    case FlowState::kOther:
      return side == Side::kReplier ? FlowState::kOtherReplied : state;
    default:
      return state;
  }
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
  // A clock read on another CPU may lie a little behind; then the flow was seen just now. (Numbers
  // with a sign: that is less than any timeout.)
  return int64_t{static_cast<int32_t>(now - last_seen)} >
         int64_t{timeouts[static_cast<unsigned>(state)]};
}

}  // namespace rampart
