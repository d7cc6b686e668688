// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <rte_byteorder.h>

#include <cstdint>
#include <cstring>

namespace rampart::perf {

constexpr uint8_t kFin = 0x01, kSyn = 0x02, kPush = 0x08, kAck = 0x10;  // RFC 9293, section 3.1

/// Addresses and ports in host byte order.
struct Ends {
  uint32_t source, destination;
  uint16_t source_port, port;
};

/// A TCP segment without options in an IPv4 frame of 64 bytes, with ten bytes of data or with none
/// (then it is padded).
struct Segment {
  static constexpr uint16_t kBytes = 64, kData = 10;

  Ends ends{};
  uint32_t sequence = 0, acknowledged = 0;
  uint8_t flags = 0;
  bool data = false;

  /// What it advances its sender's sequence number by.
  uint32_t length() const {
    return (data ? kData : 0U) + ((flags & kSyn) != 0 ? 1 : 0) + ((flags & kFin) != 0 ? 1 : 0);
  }

  /// Looks at no checksum. False: not TCP over IPv4 as it is written here.
  bool read(const uint8_t* frame) {
    const uint8_t *ip = frame + 14, *tcp = ip + 20;
    if (ip[0] != 0x45 || ip[9] != 6) return false;
    ends = {get32(ip + 12), get32(ip + 16), get16(tcp), get16(tcp + 2)};
    sequence = get32(tcp + 4);
    acknowledged = get32(tcp + 8);
    flags = tcp[13];
    data = get16(ip + 2) == 40 + kData;
    return true;
  }

  /// Writes kBytes bytes; checksums are right. `from_client`: for the MAC addresses.
  void write(uint8_t* frame, bool from_client) const {
    static constexpr uint8_t kMac[] = {2, 0, 0, 0, 0, 2, 2, 0, 0, 0,    0,
                                       1, 2, 0, 0, 0, 0, 2, 8, 0, 0x45, 0};
    uint8_t *ip = frame + 14, *tcp = ip + 20;
    std::memcpy(frame, kMac + (from_client ? 0 : 6), 12);
    std::memcpy(frame + 12, kMac + 18, 4);
    const uint16_t l4 = static_cast<uint16_t>(20 + (data ? kData : 0));
    put16(ip + 2, static_cast<uint16_t>(20 + l4));
    put32(ip + 4, 0x4000);  // no identification, don't fragment
    put16(ip + 8, 64 << 8 | 6);
    put32(ip + 12, ends.source);
    put32(ip + 16, ends.destination);
    const uint64_t addresses = halves(ends.source) + halves(ends.destination);
    put16(ip + 10, folded(0x4500 + 20U + l4 + 0x4000 + (64 << 8 | 6) + addresses));
    put16(tcp, ends.source_port);
    put16(tcp + 2, ends.port);
    put32(tcp + 4, sequence);
    put32(tcp + 8, acknowledged);
    put16(tcp + 12, static_cast<uint16_t>(5 << 12 | flags));
    put16(tcp + 14, 0xffff);  // window
    put16(tcp + 18, 0);
    std::memset(tcp + 20, 0, kData);
    put16(tcp + 16, folded(addresses + 6U + l4 + ends.source_port + ends.port + halves(sequence) +
                           halves(acknowledged) + (5U << 12 | flags) + 0xffff));
  }

 private:
  static uint16_t get16(const uint8_t* at) {
    uint16_t out;
    std::memcpy(&out, at, sizeof out);
    return rte_be_to_cpu_16(out);
  }
  static uint32_t get32(const uint8_t* at) {
    uint32_t out;
    std::memcpy(&out, at, sizeof out);
    return rte_be_to_cpu_32(out);
  }
  static void put16(uint8_t* at, uint16_t value) {
    value = rte_cpu_to_be_16(value);
    std::memcpy(at, &value, sizeof value);
  }
  static void put32(uint8_t* at, uint32_t value) {
    value = rte_cpu_to_be_32(value);
    std::memcpy(at, &value, sizeof value);
  }
  static uint64_t halves(uint32_t word) { return (word >> 16) + (word & 0xffff); }
  static uint16_t folded(uint64_t sum) {
    while (sum >> 16 != 0) sum = (sum & 0xffff) + (sum >> 16);
    return static_cast<uint16_t>(~sum);
  }
};

}  // namespace rampart::perf
