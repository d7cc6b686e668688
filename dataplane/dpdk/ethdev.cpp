// SPDX-License-Identifier: Apache-2.0
#include "dataplane/dpdk/ethdev.hpp"

#include <rte_dev.h>
#include <rte_errno.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <filesystem>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <utility>

#include "dataplane/dpdk/ethdev_setup.hpp"
#include "dataplane/dpdk/kernel_interface.hpp"
#include "dataplane/dpdk/memory_files.hpp"
#include "dataplane/dpdk/packet_sockets.hpp"

namespace rampart {
namespace {

constexpr PortId kNoPort = RTE_MAX_ETHPORTS;
/// The most queues net_pcap has (RTE_PMD_PCAP_MAX_QUEUES).
constexpr unsigned kPcapQueues = 16;
constexpr std::array kEvents = {RTE_ETH_EVENT_INTR_RESET, RTE_ETH_EVENT_INTR_RMV};

PortStats read_stats(PortId port, const PortStats& otherwise) {
  rte_eth_stats s{};
  if (rte_eth_stats_get(port, &s) != 0) return otherwise;
  return {.ipackets = s.ipackets,
          .ibytes = s.ibytes,
          .opackets = s.opackets,
          .obytes = s.obytes,
          .imissed = s.imissed,
          .ierrors = s.ierrors,
          .oerrors = s.oerrors,
          .rx_nombuf = s.rx_nombuf};
}

/// Why DPDK has no port for a PCI device.
Error no_pci_port(const std::string& address) {
  namespace fs = std::filesystem;
  const fs::path device = "/sys/bus/pci/devices/" + address;
  std::error_code error;
  if (!fs::exists(device, error)) return {ErrorCode::kNotFound, "no such PCI device", ""};
  const fs::path driver = fs::read_symlink(device / "driver", error);
  if (error) return {ErrorCode::kUnsupported, "it is bound to no driver; bind it to vfio-pci", ""};
  return {ErrorCode::kUnsupported,
          "no DPDK driver takes it; it is bound to " + driver.filename().string() +
              ", most NICs want vfio-pci",
          ""};
}

Error probe_error(const Device& device, int code) {
  const std::string reason = rte_strerror(-code);
  switch (device.kind) {
    case Device::Kind::kPci:
      return no_pci_port(device.name);
    case Device::Kind::kInterface:
      return {code == -EEXIST ? ErrorCode::kConflict : ErrorCode::kIo,
              "net_pcap could not open it: " + reason + " (see DPDK's own message)", ""};
    case Device::Kind::kTap:
      return {code == -EEXIST ? ErrorCode::kConflict : ErrorCode::kIo,
              "net_tap could not make it: " + reason + " (see DPDK's own message)", ""};
    case Device::Kind::kVdev:
      break;
  }
  if (code == -EEXIST) return {ErrorCode::kConflict, "it is in use already", ""};
  if (code == -ENOMEM) return {ErrorCode::kNoMemory, "no memory for it in DPDK's heap", ""};
  return {ErrorCode::kInvalid,
          "DPDK has no such driver, or the driver refuses its arguments: " + reason +
              " (see DPDK's own message)",
          ""};
}

}  // namespace

/// Lives on the heap: DPDK's interrupt thread holds its address.
struct EthDev::State {
  EthDevParams params;
  PortId port = kNoPort;
  EthDevSetup setup;
  RssRules rss_rules;
  Rss rss;
  ContinuousStats counters;
  PortStats last;                    // what the driver said last, for when it says nothing
  std::optional<MemoryFiles> files;  // if it lends buffers
  unsigned interface_index = 0;
  bool running = false;
  bool stopped = false;  // it ran before
  std::atomic<bool> reset_event{false};
  mutable std::mutex mutex;  // all of the above but the atomic

  ~State() { close(); }

  bool open() const { return port != kNoPort; }
  PortStats read() const { return open() ? read_stats(port, last) : last; }
  PortStats total() const { return running ? counters.total(read()) : counters.total(last); }

  static int on_event(uint16_t /*port*/, rte_eth_event_type /*event*/, void* self, void* /*ret*/) {
    static_cast<State*>(self)->reset_event.store(true, std::memory_order_relaxed);
    return 0;
  }

  Error placed(Error error) const {
    return std::move(error).within("port " + params.name + ", device \"" + params.device.text +
                                   "\"");
  }

  Result<void> probe() {
    const Device& device = params.device;
    if (!device.interface.empty()) {
      const auto kernel = KernelInterface::query(device.interface);
      if (kernel) {
        if (auto up = KernelInterface::set_up(device.interface); !up) return up;
        if (device.kind == Device::Kind::kInterface) {
          // Packet sockets get what the kernel has merged.
          if (auto apart = KernelInterface::keep_frames_apart(device.interface); !apart)
            return apart;
        }
      } else if (device.kind == Device::Kind::kInterface) {
        return kernel.error();
      }
    }
    PortId found = kNoPort;
    const std::string name = device.dpdk_name();
    // The EAL has probed the PCI devices of its allow list when it started.
    const bool there = rte_eth_dev_get_port_by_name(name.c_str(), &found) == 0;
    if (there && device.kind != Device::Kind::kPci) return probe_error(device, -EEXIST);
    if (!there) {
      const unsigned tx_queues = std::clamp(params.workers, 1U, kPcapQueues);
      const NewPacketSockets sockets;
      const int result = rte_dev_probe(device.devargs(tx_queues).c_str());
      if (device.kind == Device::Kind::kInterface) sockets.ignore_outgoing();
      if (result != 0) return probe_error(device, result);
      if (rte_eth_dev_get_port_by_name(name.c_str(), &found) != 0) {
        return probe_error(device, -ENODEV);
      }
    }
    port = found;
    if (const auto kernel = KernelInterface::query(device.interface)) {
      interface_index = kernel->index;
    }
    for (const rte_eth_event_type event : kEvents) {
      rte_eth_dev_callback_register(port, event, &State::on_event, this);
    }
    return {};
  }

  Result<void> configure() {
    auto result = set_up_ethdev(port, params);
    if (!result) return std::move(result).error();
    setup = *result;
    return {};
  }

  /// Starts a port that lends buffers, and gives a peer that waits for it the time to connect.
  int start_lending() {
    constexpr std::chrono::milliseconds kLongest{1000}, kStep{1};
    if (!files) files.emplace();
    files->restore();
    const int result = rte_eth_dev_start(port);
    rte_eth_link link{};
    for (auto waited = kStep; result == 0 && waited < kLongest; waited += kStep) {
      if (rte_eth_link_get_nowait(port, &link) == 0 && link.link_status != 0) break;
      std::this_thread::sleep_for(kStep);
    }
    files->restore();
    return result;
  }

  void stop() {
    if (!running) return;
    running = false;
    stopped = true;
    // Most drivers forget their rules when they stop, and all when they are reset.
    rss_rules.clear(port);
    rte_eth_dev_stop(port);
    last = read();
    counters.settle(last);
  }

  /// Stops and closes it; a vdev is gone afterwards.
  void close() {
    stop();
    if (!open()) return;
    for (const rte_eth_event_type event : kEvents) {
      rte_eth_dev_callback_unregister(port, event, &State::on_event, this);
    }
    rte_eth_dev_info info{};
    const bool known = rte_eth_dev_info_get(port, &info) == 0;
    rte_eth_dev_close(port);
    // A PCI device may have other ports; a vdev has this one only.
    if (known && info.device != nullptr && params.device.kind != Device::Kind::kPci) {
      rte_dev_remove(info.device);
    }
    port = kNoPort;
  }

  Result<void> start() {
    if (running) return {};
    // net_pcap does not open an interface again for receiving once it was stopped.
    if (stopped && open() && !params.device.interface.empty() && driver() == "net_pcap") close();
    stopped = false;
    if (!open()) {
      if (auto probed = probe(); !probed) return probed;
      if (auto configured = configure(); !configured) {
        close();
        return configured;
      }
    }
    const PortStats before = read();
    const int r = lends_buffers(params.device) ? start_lending() : rte_eth_dev_start(port);
    if (r != 0) {
      return Error{ErrorCode::kIo, std::string("starting it: ") + rte_strerror(-r), ""};
    }
    running = true;
    rss = settle_rss(port, setup.rx_queues, rss_rules);
    last = read();
    counters.restart(before, last);
    // A driver without such a switch receives everything or says no; promiscuous() tells.
    rte_eth_promiscuous_enable(port);
    rte_eth_allmulticast_enable(port);
    return {};
  }

  std::string driver() const {
    rte_eth_dev_info info{};
    if (!open() || rte_eth_dev_info_get(port, &info) != 0) return {};
    return info.driver_name;
  }
};

EthDev::EthDev(std::unique_ptr<State> state) : port_(state->port), state_(std::move(state)) {}
EthDev::EthDev(EthDev&&) noexcept = default;
EthDev& EthDev::operator=(EthDev&&) noexcept = default;
EthDev::~EthDev() = default;

Result<EthDev> EthDev::open(const EthDevParams& params) {
  auto s = std::make_unique<State>();
  s->params = params;
  if (auto probed = s->probe(); !probed) return s->placed(std::move(probed).error());
  if (auto configured = s->configure(); !configured) {
    return s->placed(std::move(configured).error());
  }
  return EthDev(std::move(s));
}

Result<void> EthDev::start() {
  const std::lock_guard lock(state_->mutex);
  auto started = state_->start();
  port_ = state_->port;
  if (!started) return state_->placed(std::move(started).error());
  return {};
}

void EthDev::stop() {
  const std::lock_guard lock(state_->mutex);
  state_->stop();
}

Result<void> EthDev::reset() {
  State& s = *state_;
  const std::lock_guard lock(s.mutex);
  s.reset_event.store(false, std::memory_order_relaxed);
  s.stop();
  bool ready = false;
  if (s.open()) {
    if (s.params.device.kind == Device::Kind::kPci && rte_eth_dev_reset(s.port) == 0) {
      ready = s.configure().has_value();
    }
    if (!ready) {
      rte_eth_dev_info info{};
      const bool known = rte_eth_dev_info_get(s.port, &info) == 0;
      s.close();
      if (known && info.device != nullptr && s.params.device.kind == Device::Kind::kPci) {
        rte_dev_remove(info.device);
      }
    }
  }
  auto started = s.start();
  port_ = s.port;
  if (!started) return s.placed(std::move(started).error());
  return {};
}

bool EthDev::wants_reset() const {
  const State& s = *state_;
  if (s.reset_event.load(std::memory_order_relaxed)) return true;
  const std::lock_guard lock(s.mutex);
  if (!s.running || s.params.device.interface.empty()) return false;
  const auto kernel = KernelInterface::query(s.params.device.interface);
  // Nothing can be done while an interface is away; a tap device is made anew.
  if (!kernel) return s.params.device.kind == Device::Kind::kTap;
  return kernel->index != s.interface_index;
}

const Device& EthDev::device() const {
  return state_->params.device;
}

unsigned EthDev::rx_queues() const {
  const std::lock_guard lock(state_->mutex);
  return state_->setup.rx_queues;
}
unsigned EthDev::tx_queues() const {
  const std::lock_guard lock(state_->mutex);
  return state_->setup.tx_queues;
}
Rss EthDev::rss() const {
  const std::lock_guard lock(state_->mutex);
  return state_->rss;
}
unsigned EthDev::rss_entries() const {
  const std::lock_guard lock(state_->mutex);
  return state_->setup.rss_entries;
}
uint64_t EthDev::rx_offloads() const {
  const std::lock_guard lock(state_->mutex);
  return state_->setup.rx_offloads;
}

std::string EthDev::driver() const {
  const std::lock_guard lock(state_->mutex);
  return state_->driver();
}

std::string EthDev::mac() const {
  const State& s = *state_;
  const std::lock_guard lock(s.mutex);
  std::array<uint8_t, 6> bytes{};
  rte_ether_addr address{};
  if (const auto kernel = KernelInterface::query(s.params.device.interface)) {
    bytes = kernel->mac;
  } else if (s.open() && rte_eth_macaddr_get(s.port, &address) == 0) {
    std::copy(std::begin(address.addr_bytes), std::end(address.addr_bytes), bytes.begin());
  }
  if (std::all_of(bytes.begin(), bytes.end(), [](uint8_t b) { return b == 0; })) return {};
  std::array<char, 18> text{};
  std::snprintf(text.data(), text.size(), "%02x:%02x:%02x:%02x:%02x:%02x", bytes[0], bytes[1],
                bytes[2], bytes[3], bytes[4], bytes[5]);
  return text.data();
}

uint16_t EthDev::mtu() const {
  const State& s = *state_;
  const std::lock_guard lock(s.mutex);
  uint16_t mtu = 0;
  if (const uint32_t memif = memif_buffer(s.params.device); memif != 0) {
    return Mempool::mtu_of(memif);
  }
  if (s.open()) rte_eth_dev_get_mtu(s.port, &mtu);
  // net_tap sends no frame that is longer than its own 1,500, whatever the tap may be set to.
  if (s.params.device.kind == Device::Kind::kTap) return mtu;
  if (const auto kernel = KernelInterface::query(s.params.device.interface)) {
    return static_cast<uint16_t>(std::min<uint32_t>(kernel->mtu, UINT16_MAX));
  }
  return mtu;
}

EthDev::Link EthDev::link() const {
  const State& s = *state_;
  const std::lock_guard lock(s.mutex);
  if (!s.params.device.interface.empty()) {
    const auto kernel = KernelInterface::query(s.params.device.interface);
    if (!kernel) return {};
    return {.up = s.running && kernel->running, .speed_mbps = kernel->speed_mbps};
  }
  rte_eth_link link{};
  if (!s.open() || rte_eth_link_get_nowait(s.port, &link) != 0) return {};
  return {.up = link.link_status == RTE_ETH_LINK_UP,
          .speed_mbps = link.link_speed == RTE_ETH_SPEED_NUM_UNKNOWN ? 0 : link.link_speed};
}

bool EthDev::promiscuous() const {
  const State& s = *state_;
  const std::lock_guard lock(s.mutex);
  if (const auto kernel = KernelInterface::query(s.params.device.interface)) {
    return kernel->promiscuous;
  }
  return s.open() && rte_eth_promiscuous_get(s.port) == 1;
}

PortStats EthDev::stats() const {
  const State& s = *state_;
  const std::lock_guard lock(s.mutex);
  return s.total();
}

}  // namespace rampart
