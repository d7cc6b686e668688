// SPDX-License-Identifier: Apache-2.0
#include "dataplane/dpdk/mempool.hpp"

#include <rte_eal.h>
#include <rte_errno.h>
#include <rte_ether.h>

#include <algorithm>

#include "dataplane/dpdk/memory.hpp"

namespace rampart {

namespace {

/// What is around a packet in a frame.
constexpr uint32_t kAround = RTE_ETHER_HDR_LEN + 2 * RTE_VLAN_HLEN + RTE_ETHER_CRC_LEN;

}  // namespace

uint16_t Mempool::mtu_of(uint32_t frame_bytes) {
  return static_cast<uint16_t>(
      std::min<uint32_t>(frame_bytes - std::min(frame_bytes, kAround), UINT16_MAX));
}

uint16_t Mempool::data_room_for(uint32_t mtu) {
  const uint32_t frame = std::max<uint32_t>(std::min(mtu, kMaxMtu) + kAround, 2048);
  return static_cast<uint16_t>(RTE_PKTMBUF_HEADROOM + RTE_ALIGN_CEIL(frame, RTE_CACHE_LINE_SIZE));
}

uint64_t Mempool::memory_for(uint32_t count, uint16_t data_room, uint64_t page_bytes) {
  const uint32_t element = sizeof(rte_mbuf) + data_room;
  const uint64_t object = rte_mempool_calc_obj_size(element, 0, nullptr);
  // On top: the ring of pointers, at the next power of two, and the pool's own head with its
  // caches.
  const uint64_t ring = rte_align64pow2(uint64_t{count} + 1) * sizeof(void*);
  // No object shares a page that it does not fit into as a whole.
  const uint64_t room = object > page_bytes ? (object + page_bytes - 1) / page_bytes * page_bytes
                                            : page_bytes / (page_bytes / object);
  return count * room + ring + (uint64_t{2} << 20);
}

Result<Mempool> Mempool::create(const Params& params) {
  if (params.name.size() >= RTE_MEMPOOL_NAMESIZE) {
    return Error{ErrorCode::kTooLarge, "the name is longer than 25 characters", params.name};
  }
  if (params.count == 0) {
    return Error{ErrorCode::kInvalid, "a pool needs at least one buffer", params.name};
  }
  // rte_mempool refuses caches that one lcore could empty the pool with: 1.5 times must fit.
  const uint32_t cache = std::min({params.cache, uint32_t{RTE_MEMPOOL_CACHE_MAX_SIZE},
                                   static_cast<uint32_t>(uint64_t{params.count} * 2 / 3)});
  rte_errno = 0;
  rte_mempool* pool = rte_pktmbuf_pool_create(params.name.c_str(), params.count, cache, 0,
                                              params.data_room, params.socket);
  if (pool != nullptr) return Mempool(pool);
  switch (rte_errno) {
    case EEXIST:
      return Error{ErrorCode::kConflict, "a pool of this name exists", params.name};
    case EINVAL:
      return Error{ErrorCode::kInvalid, "rte_mempool refuses these sizes", params.name};
    default:
      const uint64_t page = rte_eal_has_hugepages() != 0 ? kHugePage : kOrdinaryPage;
      return Error{ErrorCode::kNoMemory,
                   "no room for " + std::to_string(params.count) + " packet buffers (" +
                       std::to_string(memory_for(params.count, params.data_room, page) >> 20) +
                       " MiB) in DPDK's heap",
                   params.name};
  }
}

}  // namespace rampart
