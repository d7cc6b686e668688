// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <rte_ethdev.h>

#include <cstdint>
#include <memory>
#include <string>

#include "dataplane/base/ids.hpp"
#include "dataplane/base/result.hpp"
#include "dataplane/dpdk/device.hpp"
#include "dataplane/dpdk/mempool.hpp"
#include "dataplane/dpdk/port_stats.hpp"
#include "dataplane/dpdk/rss.hpp"

namespace rampart {

struct EthDevParams {
  std::string name;  ///< the port's, for errors
  Device device;
  unsigned workers = 1;           ///< queues wanted in each direction
  const Mempool* pool = nullptr;  ///< receives into it; must outlive the port
  uint32_t mtu = 0;               ///< to be set on a NIC; 0: as it is
  /// All frames ever sent through this port come from one pool and have one reference each.
  bool fast_free = false;
  /// Frames sent through this port may be chains of buffers.
  bool chains = false;
};

/// One port: a DPDK ethdev from probe to close.
///
/// Everything but rx_burst and tx_burst is for control threads (any, they serialise themselves)
/// and may block. While stop, reset or the destructor runs, no worker may be in a burst of this
/// port: take it away from them first. The id may differ after a reset.
class EthDev {
 public:
  /// Receive and transmit descriptors a queue is given where the driver allows that many; each
  /// receive queue holds as many packet buffers.
  static constexpr uint16_t kDescriptors = 1024;

  struct Link {
    bool up = false;
    uint32_t speed_mbps = 0;  ///< 0: unknown
  };

  /// Finds the device, configures it and sets up its queues; it does not receive yet (a net_pcap
  /// port on an interface already collects what comes in). Errors, with port and device as the
  /// place: kNotFound, kConflict (in use), kInvalid (arguments), kNoMemory, kUnsupported, kIo.
  static Result<EthDev> open(const EthDevParams& params);
  EthDev(EthDev&&) noexcept;
  EthDev& operator=(EthDev&&) noexcept;
  /// Stops and closes it.
  ~EthDev();

  /// Lets frames flow, in promiscuous mode. Errors: kIo.
  Result<void> start();
  /// No frame comes or goes after it. Idempotent. Does nothing to counters.
  void stop();
  /// Recovers the port, running or not: rte_eth_dev_reset where the driver has it, else it is
  /// closed and probed again; then set up and started. Counters go on. After an error the port is
  /// stopped and reset may be called again, for instance until a VF has come back.
  Result<void> reset();

  /// The driver or the kernel says that the port must be reset: its PF went through a reset, it
  /// was removed, or its interface was deleted and made again. Cheap enough to ask each second.
  bool wants_reset() const;

  /// Receives at most `count` frames; a queue belongs to one worker. Worker.
  uint16_t rx_burst(uint16_t queue, rte_mbuf** frames, uint16_t count) noexcept {
    return rte_eth_rx_burst(port_, queue, frames, count);
  }
  /// Sends frames in order and says how many of the first ones the driver accepted; the others
  /// remain the caller's. It stopped because the queue is full or because the first frame it left
  /// cannot be sent (net_pcap, net_tap: longer than the MTU); those behind that frame have not
  /// been tried. A queue belongs to one worker. Worker.
  uint16_t tx_burst(uint16_t queue, rte_mbuf** frames, uint16_t count) noexcept {
    return rte_eth_tx_burst(port_, queue, frames, count);
  }

  PortId id() const noexcept { return port_; }
  const Device& device() const;
  /// At most as many as workers; a driver may have fewer.
  unsigned rx_queues() const;
  unsigned tx_queues() const;
  std::string driver() const;  ///< e.g. "net_ixgbe_vf"
  std::string mac() const;     ///< "02:…"; empty: unknown
  /// The kernel's for ports on its interfaces, otherwise what the driver says.
  uint16_t mtu() const;
  Link link() const;
  /// As the driver (or the kernel) reports it now.
  bool promiscuous() const;
  /// How it spreads what it receives over its queues, as found out when it last started.
  Rss rss() const;
  /// If it does with its key what it is asked to: entries of its table of queues (see
  /// rss_entries()); 0: that is nothing.
  unsigned rss_entries() const;
  /// The driver checks this much itself and says so in ol_flags: RTE_ETH_RX_OFFLOAD_… bits.
  uint64_t rx_offloads() const;
  /// Since it was opened, over all resets.
  PortStats stats() const;

 private:
  struct State;
  explicit EthDev(std::unique_ptr<State> state);

  PortId port_ = RTE_MAX_ETHPORTS;  // a copy of the state's, for the workers
  std::unique_ptr<State> state_;
};

}  // namespace rampart
