// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cstdint>

namespace rampart {

/// A driver's counters of one port. Frames and bytes without the CRC.
struct PortStats {
  uint64_t ipackets = 0, ibytes = 0;  ///< handed to rx_burst
  uint64_t opackets = 0, obytes = 0;  ///< sent
  uint64_t imissed = 0;               ///< came in while the receive queue was full
  uint64_t ierrors = 0;               ///< came in broken
  uint64_t oerrors = 0;               ///< see lost_in_driver
  uint64_t rx_nombuf = 0;             ///< times there was no packet buffer

  /// Of the frames that tx_burst accepted, those that the driver failed to send. Only right once
  /// nothing is under way: before, a frame in the transmit queue counts as accepted and not sent.
  /// Some drivers (net_tap, net_af_xdp) count frames that tx_burst did not accept as oerrors too.
  uint64_t lost_in_driver(uint64_t accepted) const {
    return std::min(oerrors, accepted - std::min(accepted, opackets));
  }
  bool operator==(const PortStats&) const = default;
};

/// Keeps counters going on where a driver starts again at zero (at a reset, some at a start).
class ContinuousStats {
 public:
  /// The driver, stopped for good or for a while, says this: it counts. What it says until
  /// restart does not.
  void settle(const PortStats& driver) {
    sum_ = total(driver);
    start_ = driver;
  }
  /// The driver said `before` when it was about to start, and `after` right after it.
  void restart(const PortStats& before, const PortStats& after) {
    for (const auto field : kFields) {
      start_.*field = after.*field < before.*field ? 0 : before.*field;
    }
  }
  /// The total, given what the driver says now.
  PortStats total(const PortStats& driver) const {
    PortStats out = sum_;
    for (const auto field : kFields) {
      out.*field += driver.*field - std::min(driver.*field, start_.*field);
    }
    return out;
  }

 private:
  static constexpr uint64_t PortStats::*kFields[] = {
      &PortStats::ipackets, &PortStats::ibytes,  &PortStats::opackets, &PortStats::obytes,
      &PortStats::imissed,  &PortStats::ierrors, &PortStats::oerrors,  &PortStats::rx_nombuf};

  PortStats sum_, start_;
};

}  // namespace rampart
