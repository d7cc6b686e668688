// SPDX-License-Identifier: Apache-2.0
#include "dataplane/dpdk/kernel_interface.hpp"

#include <linux/ethtool.h>
#include <linux/if.h>
#include <linux/rtnetlink.h>
#include <linux/sockios.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <vector>

namespace rampart {
namespace {

class Socket {
 public:
  Socket(int family, int type, int protocol) : fd_(socket(family, type | SOCK_CLOEXEC, protocol)) {}
  ~Socket() {
    if (fd_ >= 0) close(fd_);
  }
  Socket(const Socket&) = delete;
  Socket& operator=(const Socket&) = delete;
  int fd() const { return fd_; }

 private:
  int fd_;
};

Error system_error(int code, const std::string& doing, const std::string& name) {
  if (code == ENODEV) {
    return {ErrorCode::kNotFound, "no such interface in this network namespace", name};
  }
  const auto kind = code == EPERM || code == EACCES ? ErrorCode::kDenied : ErrorCode::kIo;
  return {kind, doing + ": " + std::strerror(code), name};
}

/// 0 where the driver does not know.
uint32_t speed_of(const std::string& name) {
  const Socket s(AF_INET, SOCK_DGRAM, 0);
  ethtool_cmd command{};
  command.cmd = ETHTOOL_GSET;
  ifreq request{};
  std::memcpy(request.ifr_name, name.data(), name.size());
  request.ifr_data = reinterpret_cast<char*>(&command);
  if (s.fd() < 0 || ioctl(s.fd(), SIOCETHTOOL, &request) != 0) return 0;
  const uint32_t speed = ethtool_cmd_speed(&command);
  return speed == static_cast<uint32_t>(SPEED_UNKNOWN) ? 0 : speed;
}

void read_attributes(const nlmsghdr* header, KernelInterface& out) {
  const auto* info = static_cast<const ifinfomsg*>(NLMSG_DATA(header));
  out.index = static_cast<unsigned>(info->ifi_index);
  out.up = (info->ifi_flags & IFF_UP) != 0;
  out.running = out.up && (info->ifi_flags & IFF_RUNNING) != 0;
  out.promiscuous = (info->ifi_flags & IFF_PROMISC) != 0;
  auto left = static_cast<unsigned>(IFLA_PAYLOAD(header));
  for (const rtattr* a = IFLA_RTA(info); RTA_OK(a, left); a = RTA_NEXT(a, left)) {
    const size_t bytes = RTA_PAYLOAD(a);
    if (a->rta_type == IFLA_MTU && bytes == sizeof out.mtu) {
      std::memcpy(&out.mtu, RTA_DATA(a), bytes);
    } else if (a->rta_type == IFLA_PROMISCUITY && bytes == sizeof(uint32_t)) {
      // Packet sockets raise this count and leave the flag alone.
      uint32_t count = 0;
      std::memcpy(&count, RTA_DATA(a), bytes);
      out.promiscuous = out.promiscuous || count > 0;
    } else if (a->rta_type == IFLA_ADDRESS && bytes == out.mac.size()) {
      std::memcpy(out.mac.data(), RTA_DATA(a), bytes);
    }
  }
}

}  // namespace

bool KernelInterface::valid_name(std::string_view name) {
  return !name.empty() && name.size() < IFNAMSIZ && name != "." && name != ".." &&
         std::all_of(name.begin(), name.end(), [](char c) {
           return c > ' ' && c != 127 &&
                  std::string_view("/:,=[]").find(c) == std::string_view::npos;
         });
}

Result<KernelInterface> KernelInterface::query(const std::string& name) {
  if (!valid_name(name)) return Error{ErrorCode::kInvalid, "no interface can be named so", name};
  const Socket s(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE);
  if (s.fd() < 0) return system_error(errno, "netlink", name);

  struct {
    nlmsghdr header;
    ifinfomsg info;
    rtattr name_head;
    char name[IFNAMSIZ];
  } request{};
  request.header.nlmsg_type = RTM_GETLINK;
  request.header.nlmsg_flags = NLM_F_REQUEST;
  request.name_head.rta_type = IFLA_IFNAME;
  request.name_head.rta_len = static_cast<uint16_t>(RTA_LENGTH(name.size() + 1));
  request.header.nlmsg_len = NLMSG_LENGTH(sizeof(ifinfomsg)) + RTA_SPACE(name.size() + 1);
  std::memcpy(request.name, name.data(), name.size());
  if (send(s.fd(), &request, request.header.nlmsg_len, 0) < 0) {
    return system_error(errno, "netlink", name);
  }
  alignas(nlmsghdr) char answer[32768];
  ssize_t bytes = 0;
  do {
    bytes = recv(s.fd(), answer, sizeof answer, 0);
  } while (bytes < 0 && errno == EINTR);
  if (bytes < 0) return system_error(errno, "netlink", name);
  auto left = static_cast<unsigned>(bytes);
  const auto* header = reinterpret_cast<const nlmsghdr*>(answer);
  if (!NLMSG_OK(header, left)) return system_error(EPROTO, "netlink", name);
  if (header->nlmsg_type == NLMSG_ERROR) {
    return system_error(-static_cast<const nlmsgerr*>(NLMSG_DATA(header))->error, "netlink", name);
  }
  if (header->nlmsg_type != RTM_NEWLINK) return system_error(EPROTO, "netlink", name);
  KernelInterface out;
  read_attributes(header, out);
  out.speed_mbps = speed_of(name);
  return out;
}

Result<void> KernelInterface::set_up(const std::string& name) {
  if (!valid_name(name)) return Error{ErrorCode::kInvalid, "no interface can be named so", name};
  const Socket s(AF_INET, SOCK_DGRAM, 0);
  ifreq request{};
  std::memcpy(request.ifr_name, name.data(), name.size());
  if (s.fd() < 0 || ioctl(s.fd(), SIOCGIFFLAGS, &request) != 0) {
    return system_error(errno, "reading its flags", name);
  }
  if ((request.ifr_flags & IFF_UP) != 0) return {};
  request.ifr_flags = static_cast<short>(request.ifr_flags | IFF_UP);
  if (ioctl(s.fd(), SIOCSIFFLAGS, &request) != 0) {
    return system_error(errno, "setting it up", name);
  }
  return {};
}

}  // namespace rampart
