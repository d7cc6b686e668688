// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "dataplane/packet/parsed_packet.hpp"
#include "dataplane/state/worker_state.hpp"

/// When new TCP clients are challenged (see Challenge), and when first packets are put off (see
/// Overload).
namespace rampart {

namespace detail {
inline void set_challenging(WorkerState& w, bool active, Tick now) noexcept {
  Challenge& c = w.challenge;
  c.active = active;
  c.asked = 0;
  c.since = now;
  w.mailbox->challenging.store(active, std::memory_order_relaxed);
}
}  // namespace detail

/// Whether the SYN of a new flow has to be answered with a challenge: in that mode, which this
/// enters, or if an end of it has no half-open flows left by its quota.
inline bool is_challenged(WorkerState& w, const ParsedPacket& p, bool quota_is_spent,
                          Tick now) noexcept {
  const Challenge& c = w.challenge;
  if (p.protocol != static_cast<uint8_t>(IpProtocol::kTcp)) return false;
  if (!c.active && c.enter_at != 0 && w.half_open >= c.enter_at) {
    detail::set_challenging(w, true, now);
  }
  return c.active || (quota_is_spent && c.enter_at != 0);
}

/// Leaves that mode when few connections are half open and the challenges of the last second would
/// not fill that again within the time that a half-open flow lives.
inline void look_at_flood(WorkerState& w, Tick now) noexcept {
  constexpr int32_t kSecond = 60;  // ticks, at 2 GHz
  Challenge& c = w.challenge;
  const auto passed = static_cast<int32_t>(now - c.since);
  if (!c.active || passed < kSecond) return;
  const uint64_t lives = w.timeouts[static_cast<unsigned>(FlowState::kTcpOpening)];
  const uint64_t would_be = c.asked * lives / static_cast<uint32_t>(passed);
  const uint32_t leave_at = c.enter_at / 2;
  detail::set_challenging(w, w.half_open > leave_at || would_be > leave_at, now);
}

/// Notes how much there was to do in a loop. It is a flood if new clients are challenged, or if new
/// flows take the places of others.
inline void look_at_load(WorkerState& w, Tick now) noexcept {
  if (!w.first_seen.is_on()) return;
  const bool was = w.overload.active;
  w.overload.look(now, w.challenge.active || w.flows() >= w.max_flows);
  if (w.overload.active != was) {
    w.mailbox->overloaded.store(!was, std::memory_order_relaxed);
  }
}

}  // namespace rampart
