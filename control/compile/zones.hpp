// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "control/compile/ranges.hpp"
#include "control/kube/model.hpp"
#include "dataplane/base/ip_address.hpp"

/// Addresses that no ipBlock can tell apart.
namespace rampart::compile {

/// All blocks and their exceptions cut both address families into intervals; intervals that lie in
/// the same blocks are of one zone, whatever their family. A block that comes later cuts zones in
/// two; a zone that stays whole keeps its number.
class Zones {
 public:
  explicit Zones(const std::vector<kube::IpBlock>& blocks);

  uint32_t count() const { return count_; }
  uint32_t zone_of(const IpAddress& address) const;
  /// The same for a row of addresses of which many are of one interval: `near` is where the last
  /// one was.
  uint32_t zone_of(const IpAddress& address, uint32_t& near) const;
  /// The zones in a block that has been cut out.
  Ranges zones_in(const kube::IpBlock& block) const;
  /// An address of each zone.
  const IpAddress& sample(uint32_t zone) const { return firsts_[sample_[zone]]; }

  /// The addresses from `first` to `last`.
  struct Span {
    IpAddress first, last;
  };
  /// A zone of which a block holds some and not all.
  struct Crossed {
    uint32_t zone = 0;
    std::vector<uint32_t> inside, outside;  ///< intervals
  };
  /// Cuts out a block, so that no interval is partly in it, and says which zones it crosses. These
  /// are to be divided then.
  std::vector<Crossed> cross(const kube::IpBlock& block);
  /// The addresses of intervals.
  std::vector<Span> spans(const std::vector<uint32_t>& intervals) const;
  /// Makes a zone of its own of some intervals. Returns its number.
  uint32_t divide(const std::vector<uint32_t>& intervals);

  /// Of each interval the first address, IPv4 from 0.0.0.0 on, then IPv6 from :: (which is number
  /// first_v6()).
  const std::vector<IpAddress>& firsts() const { return firsts_; }
  size_t first_v6() const { return first_v6_; }
  uint32_t zone(size_t interval) const { return zone_[interval]; }

 private:
  Ranges intervals_in(const kube::IpBlock& block) const;
  void cut_at(const IpAddress& first);
  void find_samples();

  std::vector<IpAddress> firsts_;
  size_t first_v6_ = 0;
  std::vector<uint32_t> zone_;  ///< of each interval
  uint32_t count_ = 0;
  std::vector<uint32_t> sample_;  ///< an interval of each zone
};

}  // namespace rampart::compile
