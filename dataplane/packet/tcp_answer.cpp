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

// Sums are taken of values, not of the bytes that were just written: a load that spans several
// stores in flight waits for all of them, which made up half of what an answer costs.

/// A word in host order, as a sum of words in memory order counts it.
constexpr uint64_t word(uint32_t value) {
  return __builtin_bswap16(static_cast<uint16_t>(value));
}
/// The same for two words.
constexpr uint64_t two_words(uint32_t value) {
  return __builtin_bswap32(value);
}

/// Addresses, and the length and protocol that stand behind them in a pseudo header.
uint64_t pseudo_sum(uint64_t addresses) {
  return addresses + word(kTcpBytes) + word(static_cast<uint32_t>(IpProtocol::kTcp));
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
    sum = ones_sum(source, 4) + ones_sum(destination, 4);
    put_checksum(ip + 10, sum + word(0x4500) + word(20 + kTcpBytes) + word(0x4000) +
                              word(kHops << 8 | static_cast<uint32_t>(IpProtocol::kTcp)));
  } else {
    tcp = ip + 40;
    ip[0] = 0x60;
    put16(ip + 4, kTcpBytes);
    ip[6] = static_cast<uint8_t>(IpProtocol::kTcp);
    ip[7] = kHops;
    std::memcpy(ip + 8, source, 16);
    std::memcpy(ip + 24, destination, 16);
    sum = ones_sum(source, 16) + ones_sum(destination, 16);
  }
  put16(tcp, (back ? p.destination_port : p.source_port).host());
  put16(tcp + 2, (back ? p.source_port : p.destination_port).host());
  put32(tcp + 4, answer.sequence);
  put32(tcp + 8, answer.acknowledgement);
  tcp[12] = kTcpBytes / 4 << 4;
  tcp[13] = answer.flags;
  put_checksum(tcp + 16, pseudo_sum(sum) + word(p.source_port.host()) +
                             word(p.destination_port.host()) + two_words(answer.sequence) +
                             two_words(answer.acknowledgement) +
                             word(uint32_t{tcp[12]} << 8 | answer.flags));
  return std::max(kLeastFrame, static_cast<uint32_t>(tcp - out) + kTcpBytes);
}

}  // namespace rampart
