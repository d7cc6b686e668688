// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "control/compile/ranges.hpp"
#include "control/kube/model.hpp"
#include "dataplane/base/ip_address.hpp"

/// Third stage: addresses that no ipBlock can tell apart.
namespace rampart::compile {

/// All blocks and their exceptions cut both address families into intervals; intervals that lie in
/// the same blocks are of one zone, whatever their family.
struct Zones {
  std::vector<IpAddress> firsts;  ///< of each interval: IPv4 from 0.0.0.0 on, then IPv6 from ::
  size_t first_v6 = 0;            ///< index of ::
  std::vector<uint32_t> zone;     ///< of each interval
  uint32_t count = 0;             ///< of zones
  std::vector<Ranges> blocks;     ///< the zones in each block

  uint32_t zone_of(const IpAddress& address) const;
  /// The same for a row of addresses of which many are of one interval: `near` is where the last
  /// one was.
  uint32_t zone_of(const IpAddress& address, uint32_t& near) const;
};

Zones cut(const std::vector<kube::IpBlock>& blocks);

}  // namespace rampart::compile
