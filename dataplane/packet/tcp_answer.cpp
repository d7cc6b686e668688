// SPDX-License-Identifier: Apache-2.0
#include "dataplane/packet/tcp_answer.hpp"

#include <algorithm>
#include <cstring>

#include "dataplane/packet/checksum.hpp"

namespace rampart {
namespace {

constexpr uint32_t kMacBytes = 6, kTcpBytes = 20, kLeastFrame = 60;
constexpr uint8_t kHops = 64;

void put16(uint8_t* at, uint16_t value) {
  at[0] = static_cast<uint8_t>(value >> 8);
  at[1] = static_cast<uint8_t>(value);
}
void put32(uint8_t* at, uint32_t value) {
  put16(at, static_cast<uint16_t>(value >> 16));
  put16(at + 2, static_cast<uint16_t>(value));
}

/// As it lies in memory: sums are of words in memory order.
void put_checksum(uint8_t* at, uint64_t sum) {
  const auto value = static_cast<uint16_t>(~fold_sum(sum));
  std::memcpy(at, &value, sizeof value);
}

/// Addresses, and the length and protocol that stand behind them in a pseudo header.
uint64_t pseudo_sum(const uint8_t* addresses, uint32_t bytes) {
  uint8_t tail[4] = {};
  put16(tail, kTcpBytes);
  tail[3] = static_cast<uint8_t>(IpProtocol::kTcp);
  return ones_sum(addresses, bytes) + ones_sum(tail, sizeof tail);
}

}  // namespace

uint32_t write_tcp_answer(const uint8_t* frame, const ParsedPacket& p, const TcpAnswer& answer,
                          uint8_t* out) noexcept {
  const bool back = answer.to == TcpAnswer::To::kSender;
  const uint32_t l2 = p.l3_offset;
  uint8_t head[14 + 8];
  std::memcpy(head, frame, l2);
  if (back) std::swap_ranges(head, head + kMacBytes, head + kMacBytes);
  const uint8_t* source = back ? p.destination : p.source;
  const uint8_t* destination = back ? p.source : p.destination;

  std::memset(out, 0, kMaxAnswerBytes);
  std::memcpy(out, head, l2);
  uint8_t* ip = out + l2;
  uint8_t* tcp;
  uint64_t sum;
  if (p.family == Family::kV4) {
    tcp = ip + 20;
    ip[0] = 0x45;
    put16(ip + 2, 20 + kTcpBytes);
    ip[6] = 0x40;  // DF
    ip[8] = kHops;
    ip[9] = static_cast<uint8_t>(IpProtocol::kTcp);
    std::memcpy(ip + 12, source, 4);
    std::memcpy(ip + 16, destination, 4);
    put_checksum(ip + 10, ones_sum(ip, 20));
    sum = pseudo_sum(ip + 12, 8);
  } else {
    tcp = ip + 40;
    ip[0] = 0x60;
    put16(ip + 4, kTcpBytes);
    ip[6] = static_cast<uint8_t>(IpProtocol::kTcp);
    ip[7] = kHops;
    std::memcpy(ip + 8, source, 16);
    std::memcpy(ip + 24, destination, 16);
    sum = pseudo_sum(ip + 8, 32);
  }
  put16(tcp, (back ? p.destination_port : p.source_port).host());
  put16(tcp + 2, (back ? p.source_port : p.destination_port).host());
  put32(tcp + 4, answer.sequence);
  put32(tcp + 8, answer.acknowledgement);
  tcp[12] = kTcpBytes / 4 << 4;
  tcp[13] = answer.flags;
  put_checksum(tcp + 16, sum + ones_sum(tcp, kTcpBytes));
  return std::max(kLeastFrame, static_cast<uint32_t>(tcp - out) + kTcpBytes);
}

}  // namespace rampart
