// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "control/kube/model.hpp"
#include "dataplane/base/ids.hpp"

/// Sets of (protocol, destination port), as policies can speak of them.
namespace rampart::reach {

/// TCP, UDP and SCTP with ports, and everything else (ICMP and all other protocols), which only
/// rules without ports allow and so goes together. Kept sorted and merged: equal sets compare
/// equal.
class PortSet {
 public:
  struct Range {
    L4Port first = 0, last = 0;
    auto operator<=>(const Range&) const = default;
  };
  /// The protocols that have ports, in the order of the lists.
  static constexpr std::array<IpProtocol, 3> kProtocols{IpProtocol::kTcp, IpProtocol::kUdp,
                                                        IpProtocol::kSctp};

  static PortSet all();
  /// One range of one of kProtocols.
  static PortSet of(IpProtocol protocol, L4Port first, L4Port last);

  bool empty() const;
  bool is_all() const { return *this == all(); }
  /// `protocol`: IANA number; `port` counts for TCP, UDP and SCTP only.
  bool contains(uint8_t protocol, L4Port port) const;
  const std::vector<Range>& ranges(size_t protocol) const { return ranges_[protocol]; }
  bool others() const { return others_; }

  PortSet united(const PortSet& with) const;
  PortSet intersected(const PortSet& with) const;
  PortSet without(const PortSet& less) const;

  /// "all", "nothing", "TCP 80,443,8000-8080, UDP 53", "UDP any port", "all but TCP 80".
  std::string text() const;

  auto operator<=>(const PortSet&) const = default;

 private:
  std::array<std::vector<Range>, 3> ranges_;
  bool others_ = false;
};

/// Port sets by number, each once; operations on numbers are remembered, since a matrix asks the
/// same few over and over. One thread.
class PortSets {
 public:
  using Id = uint32_t;
  static constexpr Id kNothing = 0, kAll = 1;

  PortSets();
  Id id(const PortSet& set);
  const PortSet& operator[](Id id) const { return sets_[id]; }
  size_t size() const { return sets_.size(); }

  Id united(Id a, Id b);
  Id intersected(Id a, Id b);
  Id without(Id a, Id b);

 private:
  using Known = std::map<std::pair<Id, Id>, Id>;
  std::vector<PortSet> sets_;
  std::map<PortSet, Id> ids_;
  Known united_, intersected_, without_;
};

}  // namespace rampart::reach
