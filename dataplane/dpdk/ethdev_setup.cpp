// SPDX-License-Identifier: Apache-2.0
#include "dataplane/dpdk/ethdev_setup.hpp"

#include <rte_errno.h>

#include <algorithm>
#include <string>
#include <string_view>

#include "dataplane/dpdk/rss.hpp"

namespace rampart {
namespace {

/// Drivers that pass on, as checked, frames whose checksum nobody has filled in yet (they come
/// from the same host). Forwarded as they are they would be wrong on the wire, so these drivers
/// are not asked to spare us the checksums: then the other side must fill them in.
bool hands_over_unfinished_checksums(std::string_view driver) {
  return driver.starts_with("net_virtio") || driver.starts_with("net_vhost") ||
         driver.starts_with("net_vmxnet3");
}

uint64_t wanted_rx_offloads(const EthDevParams& params, const rte_eth_dev_info& info) {
  // What a software driver calls an offload it does on our core, for every frame; what the NIC
  // does costs nothing. VLAN tags stay in the frame; nothing is merged.
  if (params.device.kind != Device::Kind::kPci) return 0;
  if (hands_over_unfinished_checksums(info.driver_name)) return 0;
  constexpr uint64_t kChecksums = RTE_ETH_RX_OFFLOAD_IPV4_CKSUM | RTE_ETH_RX_OFFLOAD_UDP_CKSUM |
                                  RTE_ETH_RX_OFFLOAD_TCP_CKSUM | RTE_ETH_RX_OFFLOAD_SCTP_CKSUM;
  return info.rx_offload_capa & kChecksums;
}

uint64_t wanted_tx_offloads(const EthDevParams& params, const rte_eth_dev_info& info) {
  uint64_t wanted = 0;
  if (params.fast_free) wanted |= RTE_ETH_TX_OFFLOAD_MBUF_FAST_FREE;
  if (params.chains) wanted |= RTE_ETH_TX_OFFLOAD_MULTI_SEGS;
  return info.tx_offload_capa & wanted;
}

Error failed(const char* doing, int code) {
  if (code == -ENOMEM) {
    return {ErrorCode::kNoMemory,
            std::string(doing) + ": DPDK's heap or the pool of packet buffers is too small", ""};
  }
  return {code == -ENOTSUP ? ErrorCode::kUnsupported : ErrorCode::kIo,
          std::string(doing) + ": " + rte_strerror(-code), ""};
}

}  // namespace

Result<EthDevSetup> set_up_ethdev(PortId port, const EthDevParams& params) {
  rte_eth_dev_info info{};
  if (const int r = rte_eth_dev_info_get(port, &info); r != 0)
    return failed("asking the driver", r);

  EthDevSetup out;
  const unsigned wanted = std::max(params.workers, 1U);
  out.rx_queues = static_cast<uint16_t>(std::min<unsigned>(wanted, info.max_rx_queues));
  out.tx_queues = static_cast<uint16_t>(std::min<unsigned>(wanted, info.max_tx_queues));
  if (std::string_view(info.driver_name) == "net_tap") {
    // The kernel moves a flow to the queue that last sent one of its frames: with several queues
    // a flow's frames could overtake each other on their way in.
    out.rx_queues = out.tx_queues = 1;
  }
  if (out.rx_queues == 0 || out.tx_queues == 0) {
    return Error{ErrorCode::kUnsupported, "the driver has no receive or no transmit queue", ""};
  }

  rte_eth_conf conf{};
  ask_for_rss(info, out.rx_queues, conf);
  out.rss_entries = rss_entries(info, out.rx_queues);
  // The kernel decides about the MTU of its interfaces, and net_tap knows no other than 1,500.
  if (params.device.interface.empty()) conf.rxmode.mtu = params.mtu;
  if (conf.rxmode.mtu != 0 && (params.mtu < info.min_mtu || params.mtu > info.max_mtu)) {
    return Error{ErrorCode::kInvalid,
                 "its MTU can be " + std::to_string(info.min_mtu) + " to " +
                     std::to_string(info.max_mtu) + ", not " + std::to_string(params.mtu),
                 ""};
  }
  conf.rxmode.offloads = out.rx_offloads = wanted_rx_offloads(params, info);
  conf.txmode.offloads = wanted_tx_offloads(params, info);
  const uint32_t flags = info.dev_flags != nullptr ? *info.dev_flags : 0;
  // With interrupts the link state is known without asking the NIC.
  if ((flags & RTE_ETH_DEV_INTR_LSC) != 0) conf.intr_conf.lsc = 1;
  if ((flags & RTE_ETH_DEV_INTR_RMV) != 0) conf.intr_conf.rmv = 1;

  if (const int r = rte_eth_dev_configure(port, out.rx_queues, out.tx_queues, &conf); r != 0) {
    return failed("configuring it", r);
  }
  uint16_t rx_descriptors = EthDev::kDescriptors, tx_descriptors = EthDev::kDescriptors;
  if (const int r = rte_eth_dev_adjust_nb_rx_tx_desc(port, &rx_descriptors, &tx_descriptors);
      r != 0) {
    return failed("finding the length of its queues", r);
  }
  const int known_socket = rte_eth_dev_socket_id(port);
  const auto socket = static_cast<unsigned>(known_socket < 0 ? SOCKET_ID_ANY : known_socket);
  rte_eth_rxconf rx = info.default_rxconf;
  rx.offloads = conf.rxmode.offloads;
  // A worker that falls behind loses frames of its own queue and holds up no other one.
  if (out.rx_queues > 1 && params.device.kind == Device::Kind::kPci) rx.rx_drop_en = 1;
  for (uint16_t q = 0; q < out.rx_queues; ++q) {
    if (const int r =
            rte_eth_rx_queue_setup(port, q, rx_descriptors, socket, &rx, params.pool->get());
        r != 0) {
      return failed("setting up a receive queue", r);
    }
  }
  rte_eth_txconf tx = info.default_txconf;
  tx.offloads = conf.txmode.offloads;
  for (uint16_t q = 0; q < out.tx_queues; ++q) {
    if (const int r = rte_eth_tx_queue_setup(port, q, tx_descriptors, socket, &tx); r != 0) {
      return failed("setting up a transmit queue", r);
    }
  }
  return out;
}

}  // namespace rampart
