// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstring>

#include "dataplane/packet/parsed_packet.hpp"

/// Whether two parsers say the same of a frame, field by field.
namespace rampart::support {

inline bool same_transport(const ParsedPacket& a, const ParsedPacket& b) {
  switch (a.protocol) {
    case 6:
    case 17:  // all at rest
      return a.tcp.sequence == b.tcp.sequence && a.tcp.acknowledgement == b.tcp.acknowledgement &&
             a.tcp.window == b.tcp.window && a.tcp.payload == b.tcp.payload &&
             a.tcp.window_scale == b.tcp.window_scale;
    case 132:
      return a.sctp.tag == b.sctp.tag && a.sctp.initiate_tag == b.sctp.initiate_tag &&
             a.sctp.reflected_tag == b.sctp.reflected_tag;
    default:
      return true;
  }
}

inline bool same(const ParsedPacket& a, const ParsedPacket& b) {
  return a.kind == b.kind && a.reason == b.reason && a.family == b.family &&
         a.protocol == b.protocol && a.tcp_flags == b.tcp_flags && a.sctp_chunk == b.sctp_chunk &&
         a.icmp_type == b.icmp_type && a.fragment == b.fragment && a.opens_flow == b.opens_flow &&
         a.changes_state == b.changes_state && a.tunnel == b.tunnel && a.l3_offset == b.l3_offset &&
         a.l4_offset == b.l4_offset && a.l4_bytes == b.l4_bytes && a.fragment_id == b.fragment_id &&
         a.vlans == b.vlans && a.source_port == b.source_port &&
         a.destination_port == b.destination_port && std::memcmp(a.source, b.source, 16) == 0 &&
         std::memcmp(a.destination, b.destination, 16) == 0 && same_transport(a, b);
}

}  // namespace rampart::support
