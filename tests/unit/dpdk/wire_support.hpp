// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <rte_mbuf.h>

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include "dataplane/dpdk/ethdev.hpp"
#include "dataplane/dpdk/mempool.hpp"

namespace rampart::test {

using Frame = std::vector<uint8_t>;

/// Runs a command line; fails the test (and returns false) if it does not end with 0.
bool run(const std::string& command);

/// Waits until the kernel sends through an interface again: it notices a carrier with a delay, and
/// until then throws frames away without a word. False after a long while.
bool await_running(const std::string& interface);

/// A veth pair in this program's own network namespace: `near` for the port, `far` for the test.
/// Gone at the end.
class VethPair {
 public:
  VethPair(std::string near, std::string far, unsigned mtu = 1500);
  ~VethPair();
  VethPair(const VethPair&) = delete;
  VethPair& operator=(const VethPair&) = delete;

 private:
  std::string near_;
};

/// The far end: frames as they are on the wire, VLAN tags included.
class RawSocket {
 public:
  explicit RawSocket(const std::string& interface);
  ~RawSocket();
  RawSocket(const RawSocket&) = delete;
  RawSocket& operator=(const RawSocket&) = delete;
  bool send(const Frame& frame);
  /// The next `count` frames that come in, or fewer after a long while.
  std::vector<Frame> receive(size_t count);

 private:
  int fd_;
};

/// An Ethernet frame of `bytes` bytes in all, recognisable by `number`, after `tags` (TPID, TCI).
Frame frame_of(size_t bytes, uint32_t number,
               const std::vector<std::pair<uint16_t, uint16_t>>& tags = {});

/// Polls the port's queues until `count` frames are there, or gives up after a long while.
std::vector<Frame> poll(EthDev& port, size_t count);
/// Sends them through queue 0, again and again what was not accepted; false after a long while.
bool transmit(EthDev& port, Mempool& pool, const std::vector<Frame>& frames, uint16_t queue = 0);

}  // namespace rampart::test
