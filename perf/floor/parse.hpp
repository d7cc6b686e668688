// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <rte_mbuf.h>

#include <cstdint>
#include <cstring>
#include <utility>

#include "perf/floor/rules.hpp"
#include "perf/floor/table.hpp"

/// Bytes to flow keys, with the length checks without which it would read what is not there.
namespace rampart::perf {

enum class Family : uint8_t { kNone, kV4, kV6 };

template <typename T>
T load(const uint8_t* from) {
  T out;
  std::memcpy(&out, from, sizeof out);
  return out;
}

constexpr uint16_t kVlan = 0x0081, kQinQ = 0xa888, kIpv4 = 0x0008,
                   kIpv6 = 0xdd86;  // as they lie there

/// An unfragmented IPv4 packet at `ip` (RFC 791): its key, and what the rules are asked.
inline bool parse_v4(const uint8_t* ip, unsigned length, KeyV4& key, Question& question) {
  if (length < 28 || ip[0] >> 4 != 4) return false;
  const unsigned header = (ip[0] & 0xfU) * 4;
  const auto total = __builtin_bswap16(load<uint16_t>(ip + 2));
  const bool fragment = (load<uint16_t>(ip + 6) & 0xff3f) != 0;
  if (header < 20 || total > length || header + 8 > total || fragment) return false;
  question.protocol = ip[9];
  question.source = load<uint32_t>(ip + 12);
  question.destination = load<uint32_t>(ip + 16);
  question.source_port = load<uint16_t>(ip + header);
  question.port = load<uint16_t>(ip + header + 2);
  const uint64_t from = question.source | uint64_t{question.source_port} << 32;
  const uint64_t to = question.destination | uint64_t{question.port} << 32;
  key.low = from < to ? from : to;
  key.high = (from < to ? to : from) | uint64_t{question.protocol} << 48 | uint64_t{1} << 56;
  return true;
}

/// The same for IPv6 without extension headers (RFC 8200).
inline bool parse_v6(const uint8_t* ip, unsigned length, KeyV6& key) {
  if (length < 48 || ip[0] >> 4 != 6) return false;
  if (40U + __builtin_bswap16(load<uint16_t>(ip + 4)) > length) return false;
  uint64_t from[2], to[2];
  std::memcpy(from, ip + 8, 16);
  std::memcpy(to, ip + 24, 16);
  uint64_t source_port = load<uint16_t>(ip + 40), port = load<uint16_t>(ip + 42);
  const bool swapped = from[0] != to[0]   ? from[0] > to[0]
                       : from[1] != to[1] ? from[1] > to[1]
                                          : source_port > port;
  std::memcpy(key.low, swapped ? to : from, 16);
  std::memcpy(key.high, swapped ? from : to, 16);
  if (swapped) std::swap(source_port, port);
  key.rest = source_port | port << 16 | uint64_t{ip[6]} << 32 | uint64_t{1} << 40;
  return true;
}

/// A frame with at most two VLAN tags.
inline Family parse(const rte_mbuf& frame, KeyV4& v4, Question& question, KeyV6& v6) {
  const auto* bytes = rte_pktmbuf_mtod(&frame, const uint8_t*);
  unsigned at = 12;
  if (frame.data_len < 22) return Family::kNone;
  auto type = load<uint16_t>(bytes + at);
  for (unsigned tags = 0; tags < 2 && (type == kVlan || type == kQinQ); ++tags) {
    at += 4;
    type = load<uint16_t>(bytes + at);
  }
  at += 2;
  const unsigned length = frame.data_len - at;
  if (type == kIpv4)
    return parse_v4(bytes + at, length, v4, question) ? Family::kV4 : Family::kNone;
  if (type == kIpv6) return parse_v6(bytes + at, length, v6) ? Family::kV6 : Family::kNone;
  return Family::kNone;
}

}  // namespace rampart::perf
