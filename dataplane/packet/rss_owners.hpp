// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstdint>
#include <cstring>

#include "dataplane/base/ids.hpp"
#include "dataplane/packet/flow_key.hpp"

namespace rampart {

/// The worker to which the NICs give the packets of a flow, so that it can be made the flow's owner
/// and nothing needs to be handed over. It knows ports that hash by Toeplitz with a key that
/// repeats itself after 16 bits (see dataplane/dpdk/rss.cpp); a packet that comes in elsewhere all
/// the same, say a fragment, whose ports no NIC looks at, is handed over like any other.
///
/// Toeplitz is linear, and under such a key all 16-bit words of its input count alike wherever they
/// stand. So the hash depends on nothing but the exclusive or of all words that NICs look at:
/// addresses, and the ports of TCP, UDP and SCTP.
class RssOwners {
 public:
  static constexpr unsigned kMostEntries = 2048;

  /// `key`: the 16 bits that are repeated. The NICs' table has `entries` entries (a power of two,
  /// at most kMostEntries); entry i is queue i modulo `workers`, and queue q is worker q's.
  RssOwners(uint16_t key, unsigned entries, unsigned workers);

  WorkerId of(const FlowKeyV4& key) const {
    uint64_t both;
    static_assert(sizeof key.address == sizeof both);
    std::memcpy(&both, key.address, sizeof both);
    return worker(both, key.protocol, key.port);
  }
  WorkerId of(const FlowKeyV6& key) const {
    uint64_t words[4];
    static_assert(sizeof key.address == sizeof words);
    std::memcpy(words, key.address, sizeof words);
    return worker(words[0] ^ words[1] ^ words[2] ^ words[3], key.protocol, key.port);
  }

 private:
  WorkerId worker(uint64_t words, uint8_t protocol, const be16 (&port)[2]) const {
    words ^= words >> 32;
    // In memory they stand in network order.
    unsigned sum = be16::from_raw(static_cast<uint16_t>(words ^ words >> 16)).host();
    const auto p = static_cast<IpProtocol>(protocol);
    if (p == IpProtocol::kTcp || p == IpProtocol::kUdp || p == IpProtocol::kSctp) {
      sum ^= port[0].host() ^ port[1].host();
    }
    return workers_[(high_[sum >> 8] ^ low_[sum & 0xff]) & mask_];
  }

  std::array<uint16_t, 256> high_, low_;  ///< what each byte of the sum contributes to the hash
  uint16_t mask_;
  std::array<uint8_t, kMostEntries> workers_;  ///< the NICs' tables
};

}  // namespace rampart
