// SPDX-License-Identifier: Apache-2.0
#include "dataplane/dpdk/packet_sockets.hpp"

#include <linux/if_packet.h>
#include <sys/socket.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <system_error>

namespace rampart {
namespace {

std::vector<int> packet_sockets() {
  std::vector<int> out;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator("/proc/self/fd", error)) {
    const int fd = std::atoi(entry.path().filename().c_str());
    int domain = 0;
    socklen_t size = sizeof domain;
    if (getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &size) == 0 && domain == AF_PACKET) {
      out.push_back(fd);
    }
  }
  return out;
}

}  // namespace

NewPacketSockets::NewPacketSockets() : before_(packet_sockets()) {}

void NewPacketSockets::ignore_outgoing() const {
  for (const int fd : packet_sockets()) {
    if (std::find(before_.begin(), before_.end(), fd) != before_.end()) continue;
    const int on = 1;
    setsockopt(fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, &on, sizeof on);
  }
}

}  // namespace rampart
