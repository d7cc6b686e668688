// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <vector>

namespace rampart {

/// Finds the packet sockets that a driver opens, to set on them what the driver cannot be asked
/// for. Make one before the driver opens its sockets. Control thread; nothing else in the process
/// may open packet sockets meanwhile.
class NewPacketSockets {
 public:
  NewPacketSockets();

  /// Tells the kernel not to put frames that this host sends into the sockets opened since.
  /// libpcap takes them and throws them away, but until it comes to that they take the place of
  /// frames that come in, and those that find no place count as missed. Where the kernel cannot
  /// (before 4.20), nothing changes.
  void ignore_outgoing() const;

 private:
  std::vector<int> before_;
};

}  // namespace rampart
