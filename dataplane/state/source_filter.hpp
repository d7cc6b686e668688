// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <vector>

#include "dataplane/base/ip_address.hpp"

namespace rampart {

/// The sources that may send into a port (--port-sources). Immutable; any thread.
class SourceFilter {
 public:
  /// Lets every source pass.
  SourceFilter() = default;
  /// Lets the addresses of these blocks pass, and no others; an empty list is no filter.
  explicit SourceFilter(const std::vector<IpPrefix>& allowed);

  bool is_off() const noexcept { return off_; }
  /// `address`: 4 or 16 bytes, network order.
  bool allows(Family family, const uint8_t* address) const noexcept;

 private:
  struct Range {
    IpAddress first, last;
  };
  bool off_ = true;
  std::vector<Range> ranges_;  ///< sorted, apart from each other
};

}  // namespace rampart
