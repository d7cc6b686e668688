// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "dataplane/packet/parsed_packet.hpp"

namespace rampart::test {

/// What the parser says of a TCP segment with these flags, but for its numbers.
inline ParsedPacket tcp_packet(uint8_t flags) {
  using namespace tcp_flag;
  ParsedPacket p;
  p.kind = PacketKind::kFlow;
  p.reason = DropReason::kNone;
  p.protocol = static_cast<uint8_t>(IpProtocol::kTcp);
  p.tcp_flags = flags;
  p.opens_flow = (flags & (kSyn | kAck | kRst | kFin)) == kSyn;
  return p;
}

}  // namespace rampart::test
