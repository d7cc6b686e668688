// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <ostream>

#include "dataplane/packet/parse.hpp"
#include "tests/support/packet_builder.hpp"

namespace rampart {

inline std::ostream& operator<<(std::ostream& to, DropReason reason) {
  return to << to_string(reason);
}
inline std::ostream& operator<<(std::ostream& to, PacketKind kind) {
  static constexpr const char* kNames[] = {"dropped", "pass-always", "non-IP",
                                           "flow",    "fragment",    "ICMP error"};
  return to << kNames[static_cast<unsigned>(kind)];
}

namespace test {

/// Parses a frame of which `contiguous` bytes lie in the first segment, from a heap block of just
/// that size, so that AddressSanitizer sees every read beyond.
inline ParsedPacket parse(const Bytes& frame, size_t contiguous) {
  const auto first = std::make_unique<uint8_t[]>(contiguous);
  std::copy_n(frame.begin(), contiguous, first.get());
  ParsedPacket p;
  parse_frame(first.get(), static_cast<uint32_t>(contiguous), static_cast<uint32_t>(frame.size()),
              p);
  return p;
}
inline ParsedPacket parse(const Bytes& frame) {
  return parse(frame, frame.size());
}
inline ParsedPacket parse(const PacketBuilder& builder) {
  return parse(builder.bytes());
}

inline constexpr const char* kA4 = "10.0.1.7";
inline constexpr const char* kB4 = "10.0.2.9";
inline constexpr const char* kA6 = "fd00::7";
inline constexpr const char* kB6 = "fd00::9";

inline PacketBuilder v4() {
  return packet().ipv4(kA4, kB4);
}
inline PacketBuilder v6() {
  return packet().ipv6(kA6, kB6);
}

}  // namespace test
}  // namespace rampart
