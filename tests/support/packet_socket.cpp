// SPDX-License-Identifier: Apache-2.0
#include "tests/support/packet_socket.hpp"

#include <arpa/inet.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <utility>

namespace rampart::test {
namespace {

#ifndef PACKET_IGNORE_OUTGOING
constexpr int PACKET_IGNORE_OUTGOING = 23;  // Linux 4.20
#endif

constexpr size_t kAddresses = 12, kTag = 4;

Error failure(const std::string& interface, const char* what) {
  return Error{ErrorCode::kIo, std::string(what) + ": " + std::strerror(errno), interface};
}

/// The kernel keeps a received frame's outer tag beside the frame.
void put_tag_back(const tpacket_auxdata& beside, Frame& frame) {
  if ((beside.tp_status & TP_STATUS_VLAN_VALID) == 0 || frame.size() < kAddresses) return;
  const bool has_type = (beside.tp_status & TP_STATUS_VLAN_TPID_VALID) != 0;
  const uint16_t words[] = {htons(has_type ? beside.tp_vlan_tpid : uint16_t{ETH_P_8021Q}),
                            htons(beside.tp_vlan_tci)};
  std::array<std::byte, kTag> tag{};
  std::memcpy(tag.data(), words, kTag);
  frame.insert(frame.begin() + kAddresses, tag.begin(), tag.end());
}

}  // namespace

Result<PacketSocket> PacketSocket::open(const std::string& interface) {
  const unsigned index = if_nametoindex(interface.c_str());
  if (index == 0) return failure(interface, "no such interface");
  const int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);  // deaf until it is bound
  if (fd < 0) return failure(interface, "packet socket");
  ifreq request{};
  interface.copy(static_cast<char*>(request.ifr_name), sizeof request.ifr_name - 1);
  const bool has_mtu = ioctl(fd, SIOCGIFMTU, &request) == 0;
  PacketSocket made(fd, static_cast<unsigned>(request.ifr_mtu) + ETH_HLEN + 2 * kTag);
  if (!has_mtu) return failure(interface, "MTU");

  const int on = 1, room = 16 << 20;
  sockaddr_ll where{};
  where.sll_family = AF_PACKET;
  where.sll_protocol = htons(ETH_P_ALL);
  where.sll_ifindex = static_cast<int>(index);
  if (setsockopt(fd, SOL_PACKET, PACKET_AUXDATA, &on, sizeof on) != 0 ||
      setsockopt(fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, &on, sizeof on) != 0 ||
      setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof room) != 0 ||
      bind(fd, reinterpret_cast<const sockaddr*>(&where), sizeof where) != 0) {
    return failure(interface, "packet socket");
  }
  return made;
}

PacketSocket::PacketSocket(PacketSocket&& other) noexcept
    : fd_(std::exchange(other.fd_, -1)), longest_(other.longest_), offloaded_(other.offloaded_) {}

PacketSocket::~PacketSocket() {
  if (fd_ >= 0) close(fd_);
}

std::optional<Frame> PacketSocket::receive() {
  static std::array<std::byte, 1 << 17> buffer;  // one thread
  iovec piece{buffer.data(), buffer.size()};
  alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(tpacket_auxdata))> beside{};
  msghdr message{};
  message.msg_iov = &piece;
  message.msg_iovlen = 1;
  message.msg_control = beside.data();
  message.msg_controllen = beside.size();
  const ssize_t bytes = recvmsg(fd_, &message, MSG_DONTWAIT | MSG_TRUNC);
  if (bytes < 0) return std::nullopt;  // nothing there, or a link that went down says so once

  Frame frame(buffer.begin(),
              buffer.begin() + std::min(bytes, static_cast<ssize_t>(buffer.size())));
  bool offloaded = (message.msg_flags & MSG_TRUNC) != 0;
  for (cmsghdr* c = CMSG_FIRSTHDR(&message); c != nullptr; c = CMSG_NXTHDR(&message, c)) {
    if (c->cmsg_level != SOL_PACKET || c->cmsg_type != PACKET_AUXDATA) continue;
    tpacket_auxdata data{};
    std::memcpy(&data, CMSG_DATA(c), sizeof data);
    put_tag_back(data, frame);
    offloaded |= (data.tp_status & TP_STATUS_CSUMNOTREADY) != 0;
  }
  if (offloaded || frame.size() > longest_) ++offloaded_;
  return frame;
}

bool PacketSocket::send(const Frame& frame) {
  return ::send(fd_, frame.data(), frame.size(), 0) == static_cast<ssize_t>(frame.size());
}

uint64_t PacketSocket::missed() {
  tpacket_stats stats{};
  socklen_t length = sizeof stats;
  getsockopt(fd_, SOL_PACKET, PACKET_STATISTICS, &stats, &length);
  return stats.tp_drops;
}

}  // namespace rampart::test
