// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

#include "dataplane/acl/acl_rule.hpp"

namespace rampart {

/// What rules can tell apart of protocols and destination ports, in one byte: protocols that some
/// rule names have a number for each run of ports that no rule cuts, all others share number 0. The
/// numbers rise with the protocol and the port, so what a rule speaks of is one range of them.
/// Immutable; any thread.
class ServiceMap {
 public:
  /// Nothing if there are more than 256 of them, or if a rule for all protocols names ports.
  static std::optional<ServiceMap> make(const std::vector<AclRule>& rules);

  /// `port` in host order.
  uint8_t find(uint8_t protocol, L4Port port) const noexcept {
    return pages_[index_[slot_[protocol]][port >> 8]][port & 0xFF];
  }
  /// The first and the last number that a rule is about.
  std::pair<uint8_t, uint8_t> range(const AclRule& rule) const noexcept;

 private:
  using Page = std::array<uint8_t, 256>;  ///< numbers of 256 ports

  std::array<uint8_t, 256> slot_{};               ///< by protocol; 0: no rule names it
  std::vector<std::array<uint16_t, 256>> index_;  ///< by slot and upper byte of the port: a page
  std::vector<Page> pages_;
  uint8_t last_ = 0;
};

}  // namespace rampart
