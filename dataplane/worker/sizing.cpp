// SPDX-License-Identifier: Apache-2.0
#include "dataplane/worker/sizing.hpp"

#include <algorithm>
#include <string>

#include "dataplane/dpdk/ethdev.hpp"
#include "dataplane/dpdk/memory.hpp"
#include "dataplane/dpdk/mempool.hpp"
#include "dataplane/flow/address_load.hpp"
#include "dataplane/flow/first_seen.hpp"
#include "dataplane/flow/flow_table.hpp"
#include "dataplane/fragment/fragment_table.hpp"
#include "dataplane/packet/burst.hpp"

namespace rampart {
namespace {

/// DPDK's heap beside flows and buffers: the ACL tables of two revisions at once, rings, drivers.
constexpr uint32_t kPolicyMib = 512;
/// Below that no port starts and no policy fits.
constexpr uint32_t kLeastMib = 12;
constexpr uint32_t kMempoolCache = 256;
/// Of each worker, if nothing is said: 80 ms of 50,000 datagrams a second of which all lose a
/// piece; and as many buffers as twenty datagrams of 65,535 bytes that come backwards.
constexpr uint32_t kDatagrams = 4096;
constexpr uint32_t kHeldBuffers = 1024;

/// Buffers without which ports could starve each other: all descriptors of all queues full.
uint64_t buffers_in_queues(const DataplaneParams& params) {
  return uint64_t{params.ports.size()} * params.workers * 2 * EthDev::kDescriptors;
}

/// Buffers with fragments that wait. With few buffers, most of them are for what moves.
uint64_t buffers_held(const DataplaneParams& params) {
  if (params.fragments_held != 0) return params.fragments_held;
  const uint64_t usual = uint64_t{params.workers} * kHeldBuffers;
  return params.mbufs == 0 ? usual : std::min<uint64_t>(usual, params.mbufs / 8);
}

}  // namespace

Result<Sizing> size_up(const DataplaneParams& params, uint32_t mtu) {
  Sizing s;
  const uint64_t workers = params.workers;
  const uint64_t per_worker = (params.max_flows + workers - 1) / workers;
  constexpr uint64_t kMost = uint64_t{1} << 27;
  if (params.max_flows == 0 || per_worker > kMost) {
    return Error{ErrorCode::kInvalid,
                 "must be between 1 and " + std::to_string(kMost) + " for each worker",
                 "--max-flows " + std::to_string(params.max_flows)};
  }
  s.flows_per_worker = static_cast<uint32_t>(per_worker);

  const auto for_each_worker = [workers](uint64_t all) {
    return static_cast<uint32_t>((all + workers - 1) / workers);
  };
  s.datagrams_per_worker = params.fragments != 0 ? for_each_worker(params.fragments) : kDatagrams;
  const uint64_t held = buffers_held(params);
  s.held_per_worker = for_each_worker(held);

  const uint64_t in_rings = workers * ((workers - 1) * kHandoffRing + kOwnRing);
  const uint64_t in_hands = workers * (kMempoolCache + 2 * Burst::kSize);
  // Half again for the ports: pcap files, drivers that allocate ahead.
  const uint64_t wanted = buffers_in_queues(params) * 3 / 2 + in_rings + in_hands + held;
  // One below a power of two fits best.
  uint64_t mbufs = params.mbufs;
  if (mbufs == 0) {
    mbufs = 8192;
    while (mbufs < wanted) mbufs *= 2;
    mbufs -= 1;
  }
  const uint64_t least =
      params.ports.size() * uint64_t{2} * Burst::kSize + in_hands + params.fragments_held;
  if (mbufs < least || mbufs > UINT32_MAX) {
    return Error{ErrorCode::kInvalid, "at least " + std::to_string(least) + " are needed",
                 "--mbufs " + std::to_string(mbufs)};
  }
  s.mbufs = static_cast<uint32_t>(mbufs);
  s.data_room = Mempool::data_room_for(std::min(mtu, Mempool::kMaxMtu));

  const uint64_t flow_bytes =
      workers * (FlowTable<FlowKeyV4>::bytes_for(s.flows_per_worker) +
                 FlowTable<FlowKeyV6>::bytes_for(s.flows_per_worker) +
                 FragmentTable::bytes_for(s.datagrams_per_worker, s.held_per_worker) +
                 (params.defer_in_floods ? FirstSeen::kBytes : 0));
  const auto fixed_mib = [&](uint64_t page_bytes) {
    const uint64_t pool_bytes = Mempool::memory_for(s.mbufs, s.data_room, page_bytes);
    return static_cast<uint32_t>((flow_bytes + pool_bytes) >> 20) + kLeastMib;
  };
  // (On ordinary memory more is needed: the pool says so itself.)
  if (const uint32_t least_mib = fixed_mib(kHugePage);
      params.memory_mib != 0 && params.memory_mib < least_mib) {
    return Error{ErrorCode::kInvalid,
                 "flows and packet buffers alone take " + std::to_string(least_mib) +
                     " MiB (see --max-flows, --mbufs)",
                 "--memory " + std::to_string(params.memory_mib)};
  }
  const auto given_or = [&](uint32_t mib) {
    return params.memory_mib != 0 ? params.memory_mib : mib + kPolicyMib;
  };
  s.memory_mib = given_or(fixed_mib(kOrdinaryPage));
  s.huge_mib = given_or(fixed_mib(kHugePage));
  return s;
}

}  // namespace rampart
