// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "dataplane/base/result.hpp"
#include "tests/support/impairment.hpp"

namespace rampart::test {

/// An interface as a wire's end: all frames that come in from outside, byte for byte with the VLAN
/// tag that the kernel takes off, and frames to send. Needs CAP_NET_RAW in the namespace.
class PacketSocket {
 public:
  static Result<PacketSocket> open(const std::string& interface);
  PacketSocket(PacketSocket&& other) noexcept;
  PacketSocket& operator=(PacketSocket&&) = delete;
  ~PacketSocket();

  int fd() const { return fd_; }
  /// One frame, or nothing if none is there.
  std::optional<Frame> receive();
  /// False if the kernel did not take it (too long, link down, a full queue behind it).
  bool send(const Frame& frame);

  /// Frames that were cut, longer than the MTU allows, or left their checksum to a NIC that is not
  /// there: the interface has offloads, and what is tested is not what was meant.
  uint64_t offloaded() const { return offloaded_; }
  /// Frames that the kernel had no room for since the last call.
  uint64_t missed();

 private:
  PacketSocket(int fd, unsigned longest) : fd_(fd), longest_(longest) {}

  int fd_ = -1;
  unsigned longest_ = 0;  ///< bytes of a frame with two VLAN tags
  uint64_t offloaded_ = 0;
};

}  // namespace rampart::test
