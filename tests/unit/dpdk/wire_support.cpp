// SPDX-License-Identifier: Apache-2.0
#include "tests/unit/dpdk/wire_support.hpp"

#include <gtest/gtest.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <cstring>
#include <thread>

#include "dataplane/dpdk/kernel_interface.hpp"

namespace rampart::test {
namespace {

using Clock = std::chrono::steady_clock;
constexpr auto kLongWhile = std::chrono::seconds(10);

void put16(Frame& out, uint16_t v) {
  out.push_back(static_cast<uint8_t>(v >> 8));
  out.push_back(static_cast<uint8_t>(v));
}

}  // namespace

bool run(const std::string& command) {
  const int status = std::system(command.c_str());
  EXPECT_EQ(status, 0) << command;
  return status == 0;
}

bool await_running(const std::string& interface) {
  const auto deadline = Clock::now() + kLongWhile;
  while (Clock::now() < deadline) {
    const auto kernel = KernelInterface::query(interface);
    if (kernel && kernel->running) return true;
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  return false;
}

VethPair::VethPair(std::string near, std::string far, unsigned mtu) : near_(std::move(near)) {
  const std::string m = " mtu " + std::to_string(mtu);
  run("ip link add " + near_ + m + " type veth peer name " + far + m + " && ip link set " + near_ +
      " up && ip link set " + far + " up");
  EXPECT_TRUE(await_running(near_) && await_running(far));
}
VethPair::~VethPair() {
  run("ip link del " + near_ + " 2>/dev/null || true");
}

RawSocket::RawSocket(const std::string& interface)
    : fd_(socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0)) {
  const int on = 1, buffer = 8 << 20;
  setsockopt(fd_, SOL_PACKET, PACKET_AUXDATA, &on, sizeof on);
  setsockopt(fd_, SOL_PACKET, PACKET_IGNORE_OUTGOING, &on, sizeof on);
  setsockopt(fd_, SOL_SOCKET, SO_RCVBUFFORCE, &buffer, sizeof buffer);
  sockaddr_ll where{};
  where.sll_family = AF_PACKET;
  where.sll_protocol = htons(ETH_P_ALL);
  where.sll_ifindex = static_cast<int>(if_nametoindex(interface.c_str()));
  EXPECT_EQ(bind(fd_, reinterpret_cast<sockaddr*>(&where), sizeof where), 0) << interface;
}
RawSocket::~RawSocket() {
  close(fd_);
}

bool RawSocket::send(const Frame& frame) {
  const auto sent = ::send(fd_, frame.data(), frame.size(), 0);
  return sent == static_cast<ssize_t>(frame.size());
}

std::vector<Frame> RawSocket::receive(size_t count) {
  std::vector<Frame> out;
  const auto deadline = Clock::now() + kLongWhile;
  while (out.size() < count && Clock::now() < deadline) {
    pollfd p{.fd = fd_, .events = POLLIN, .revents = 0};
    if (::poll(&p, 1, 100) <= 0) continue;
    Frame frame(70000);
    std::array<char, 256> control{};
    iovec data{frame.data(), frame.size()};
    msghdr message{};
    message.msg_iov = &data;
    message.msg_iovlen = 1;
    message.msg_control = control.data();
    message.msg_controllen = control.size();
    const ssize_t n = recvmsg(fd_, &message, 0);
    if (n < 0) continue;
    frame.resize(static_cast<size_t>(n));
    for (cmsghdr* c = CMSG_FIRSTHDR(&message); c != nullptr; c = CMSG_NXTHDR(&message, c)) {
      if (c->cmsg_level != SOL_PACKET || c->cmsg_type != PACKET_AUXDATA) continue;
      tpacket_auxdata aux{};
      std::memcpy(&aux, CMSG_DATA(c), sizeof aux);
      if ((aux.tp_status & TP_STATUS_VLAN_VALID) == 0) continue;
      // The kernel has taken the outer tag off; on the wire it was there.
      Frame tag;
      put16(tag, aux.tp_vlan_tpid);
      put16(tag, aux.tp_vlan_tci);
      frame.insert(frame.begin() + 12, tag.begin(), tag.end());
    }
    out.push_back(std::move(frame));
  }
  return out;
}

Frame frame_of(size_t bytes, uint32_t number,
               const std::vector<std::pair<uint16_t, uint16_t>>& tags) {
  Frame out = {0x02, 0, 0, 0, 0, 0xbb, 0x02, 0, 0, 0, 0, 0xaa};
  for (const auto& [tpid, tci] : tags) {
    put16(out, tpid);
    put16(out, tci);
  }
  put16(out, 0x88b5);  // IEEE 802 local experimental
  put16(out, static_cast<uint16_t>(number >> 16));
  put16(out, static_cast<uint16_t>(number));
  while (out.size() < bytes) out.push_back(static_cast<uint8_t>(out.size() * 7 + number));
  return out;
}

std::vector<Frame> poll(EthDev& port, size_t count) {
  std::vector<Frame> out;
  const auto deadline = Clock::now() + kLongWhile;
  while (out.size() < count && Clock::now() < deadline) {
    size_t got = 0;
    for (uint16_t q = 0; q < port.rx_queues(); ++q) {
      std::array<rte_mbuf*, 32> burst{};
      const uint16_t n = port.rx_burst(q, burst.data(), burst.size());
      got += n;
      for (uint16_t i = 0; i < n; ++i) {
        Frame frame(rte_pktmbuf_pkt_len(burst[i]));
        const void* bytes =
            rte_pktmbuf_read(burst[i], 0, static_cast<uint32_t>(frame.size()), frame.data());
        if (bytes != frame.data()) std::memcpy(frame.data(), bytes, frame.size());
        out.push_back(std::move(frame));
        rte_pktmbuf_free(burst[i]);
      }
    }
    if (got == 0) std::this_thread::sleep_for(std::chrono::microseconds(100));
  }
  return out;
}

bool transmit(EthDev& port, Mempool& pool, const std::vector<Frame>& frames, uint16_t queue) {
  const auto deadline = Clock::now() + kLongWhile;
  for (const Frame& frame : frames) {
    rte_mbuf* m = rte_pktmbuf_alloc(pool.get());
    if (m == nullptr) return false;
    char* room = rte_pktmbuf_append(m, static_cast<uint16_t>(frame.size()));
    if (room == nullptr) return false;
    std::memcpy(room, frame.data(), frame.size());
    while (port.tx_burst(queue, &m, 1) == 0) {
      if (Clock::now() > deadline) {
        rte_pktmbuf_free(m);
        return false;
      }
      std::this_thread::yield();
    }
  }
  return true;
}

}  // namespace rampart::test
