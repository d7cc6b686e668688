// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <rte_mbuf.h>
#include <rte_mempool.h>

#include <cstdint>
#include <string>

#include "dataplane/base/result.hpp"
#include "dataplane/dpdk/handle.hpp"

namespace rampart {

/// Owner of a pool of packet buffers. Made and freed on a control thread; buffers may be taken and
/// given back by any lcore. It must outlive every port that receives into it and every packet.
class Mempool {
 public:
  struct Params {
    std::string name;        ///< new in this process, at most 25 characters
    uint32_t count = 0;      ///< buffers
    uint32_t cache = 256;    ///< buffers each lcore may keep to itself; cut to what fits `count`
    uint16_t data_room = 0;  ///< bytes a buffer, with the headroom; see data_room_for
    int socket = SOCKET_ID_ANY;
  };

  /// The largest MTU whose frames fit one buffer: that of the largest frames that any driver here
  /// takes (net_pcap cuts them at 9,728 bytes).
  static constexpr uint32_t kMaxMtu = 9710;

  /// Data room with which a whole frame of an interface with this MTU (14 bytes of Ethernet, two
  /// VLAN tags and the CRC come on top) lies in one buffer, behind the headroom. At least the 2,048
  /// bytes that drivers count on.
  static uint16_t data_room_for(uint32_t mtu);
  /// The largest MTU whose frames fit so many bytes.
  static uint16_t mtu_of(uint32_t frame_bytes);

  /// DPDK's heap that `count` buffers take in pages of so many bytes, give or take a hundredth. In
  /// ordinary ones buffers of the usual size take seven tenths more than in huge ones.
  static uint64_t memory_for(uint32_t count, uint16_t data_room, uint64_t page_bytes);

  /// Errors: kConflict for a name in use, kTooLarge for a long one, kInvalid for a count of 0,
  /// kNoMemory with the MiB it would have taken.
  static Result<Mempool> create(const Params& params);

  uint32_t count() const noexcept { return pool_->size; }
  /// Buffers free, those in the caches of lcores included. A look in passing. Any thread.
  uint32_t available() const noexcept { return rte_mempool_avail_count(pool_.get()); }
  uint32_t in_use() const noexcept { return rte_mempool_in_use_count(pool_.get()); }
  uint16_t data_room() const noexcept { return rte_pktmbuf_data_room_size(pool_.get()); }

  rte_mempool* get() const noexcept { return pool_.get(); }

 private:
  explicit Mempool(rte_mempool* pool) : pool_(pool) {}

  Handle<rte_mempool, &rte_mempool_free> pool_;
};

}  // namespace rampart
