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
#include <array>
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

/// 0 or an errno. `command` starts with the command's number and gets the answer.
int ethtool(const std::string& name, void* command) {
  const Socket s(AF_INET, SOCK_DGRAM, 0);
  ifreq request{};
  std::memcpy(request.ifr_name, name.data(), name.size());
  request.ifr_data = static_cast<char*>(command);
  return s.fd() < 0 || ioctl(s.fd(), SIOCETHTOOL, &request) < 0 ? errno : 0;
}

/// 0 where the driver does not know.
uint32_t speed_of(const std::string& name) {
  ethtool_cmd command{};
  command.cmd = ETHTOOL_GSET;
  if (ethtool(name, &command) != 0) return 0;
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

/// One of ethtool's commands: `Words` 32-bit words, then an array of `count` elements. The
/// kernel's own structs for them end in arrays without a length, which C++ does not know.
template <size_t Words, typename Element>
class ArrayCommand {
 public:
  ArrayCommand(const std::array<uint32_t, Words>& head, size_t count)
      : bytes_(sizeof head + count * sizeof(Element)) {
    std::memcpy(bytes_.data(), head.data(), sizeof head);
  }
  Element get(size_t i) const {
    Element e;
    std::memcpy(&e, bytes_.data() + at(i), sizeof e);
    return e;
  }
  void set(size_t i, const Element& e) { std::memcpy(bytes_.data() + at(i), &e, sizeof e); }
  Result<void> run(const std::string& name, const char* doing) {
    if (const int e = ethtool(name, bytes_.data()); e != 0) return system_error(e, doing, name);
    return {};
  }

 private:
  static size_t at(size_t i) { return Words * sizeof(uint32_t) + i * sizeof(Element); }

  std::vector<uint8_t> bytes_;
};

/// The names of the kernel's offloads, in the order of its bits.
Result<std::vector<std::string>> feature_names(const std::string& name) {
  // ethtool_sset_info: command, reserved, a 64-bit mask of the sets asked for.
  ArrayCommand<4, uint32_t> size({ETHTOOL_GSSET_INFO, 0, 1U << ETH_SS_FEATURES, 0}, 1);
  if (auto r = size.run(name, "asking for its offloads"); !r) return std::move(r).error();
  const uint32_t count = size.get(0);
  using Text = std::array<char, ETH_GSTRING_LEN>;
  ArrayCommand<3, Text> strings({ETHTOOL_GSTRINGS, ETH_SS_FEATURES, count}, count);
  if (auto r = strings.run(name, "asking for its offloads"); !r) return std::move(r).error();
  std::vector<std::string> out;
  for (uint32_t i = 0; i < count; ++i) {
    const Text text = strings.get(i);
    out.emplace_back(text.data(), strnlen(text.data(), text.size()));
  }
  return out;
}

uint32_t blocks_for(const std::vector<std::string>& features) {
  return static_cast<uint32_t>((features.size() + 31) / 32);
}

/// Those that merge several frames into one on the way in and are on, as indices into `names`.
Result<std::vector<size_t>> merging_features(const std::string& name,
                                             const std::vector<std::string>& names) {
  const uint32_t blocks = blocks_for(names);
  ArrayCommand<2, ethtool_get_features_block> now({ETHTOOL_GFEATURES, blocks}, blocks);
  if (auto r = now.run(name, "asking for its offloads"); !r) return std::move(r).error();
  std::vector<size_t> out;
  for (size_t i = 0; i < names.size(); ++i) {
    if (names[i] != "rx-gro" && names[i] != "rx-gro-hw" && names[i] != "rx-lro") continue;
    if ((now.get(i / 32).active >> i % 32 & 1) != 0) out.push_back(i);
  }
  return out;
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

Result<void> KernelInterface::keep_frames_apart(const std::string& name) {
  if (!valid_name(name)) return Error{ErrorCode::kInvalid, "no interface can be named so", name};
  auto names = feature_names(name);
  if (!names) return std::move(names).error();
  auto merging = merging_features(name, *names);
  if (!merging) return std::move(merging).error();
  if (merging->empty()) return {};

  const uint32_t blocks = blocks_for(*names);
  ArrayCommand<2, ethtool_set_features_block> off({ETHTOOL_SFEATURES, blocks}, blocks);
  for (const size_t i : *merging) {
    auto block = off.get(i / 32);
    block.valid |= 1U << i % 32;  // and not requested
    off.set(i / 32, block);
  }
  if (auto r = off.run(name, "turning off what merges frames"); !r) return r;
  merging = merging_features(name, *names);
  if (!merging) return std::move(merging).error();
  if (merging->empty()) return {};
  return Error{
      ErrorCode::kUnsupported,
      "it merges frames that come in, and " + (*names)[merging->front()] + " cannot be turned off",
      name};
}

}  // namespace rampart
