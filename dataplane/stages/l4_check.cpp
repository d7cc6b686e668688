// SPDX-License-Identifier: Apache-2.0
#include "dataplane/stages/l4_check.hpp"

#include <rte_mbuf.h>

#include "dataplane/packet/checksum.hpp"

namespace rampart {

namespace {

/// Of a frame in several buffers.
[[gnu::noinline]] bool is_right_in_pieces(const rte_mbuf* m, const ParsedPacket& p) noexcept {
  constexpr unsigned kMaxSegments = 16;
  FrameSegment segments[kMaxSegments];
  unsigned n = 0;
  for (; m != nullptr; m = m->next) {
    if (n == kMaxSegments) return false;
    segments[n++] = {rte_pktmbuf_mtod(m, const uint8_t*), m->data_len};
  }
  return l4_checksum_ok(std::span<const FrameSegment>(segments, n), p);
}

}  // namespace

bool l4_is_right(const Burst& b, unsigned i) noexcept {
  const rte_mbuf* m = b.mbuf[i];
  const ParsedPacket& p = b.packet[i];
  const auto protocol = static_cast<IpProtocol>(p.protocol);
  // For an ICMP error the tuple is that of the quote, and no NIC has looked at ICMP.
  const uint64_t seen = m->ol_flags & RTE_MBUF_F_RX_L4_CKSUM_MASK;
  if (seen != RTE_MBUF_F_RX_L4_CKSUM_UNKNOWN && p.kind == PacketKind::kFlow && !p.fragment &&
      (protocol == IpProtocol::kTcp || protocol == IpProtocol::kUdp ||
       protocol == IpProtocol::kSctp)) {
    if (seen == RTE_MBUF_F_RX_L4_CKSUM_GOOD) return true;
    if (seen == RTE_MBUF_F_RX_L4_CKSUM_BAD) return false;
    // NONE means "wrong in the packet, but the data are good" (a sender on this host that leaves it
    // to hardware). We send frames as they came, so for the receiver it would be wrong.
  }
  if (m->nb_segs == 1) return l4_checksum_ok(rte_pktmbuf_mtod(m, const uint8_t*), p);
  return is_right_in_pieces(m, p);
}

}  // namespace rampart
