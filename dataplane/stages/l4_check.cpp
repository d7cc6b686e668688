// SPDX-License-Identifier: Apache-2.0
#include "dataplane/stages/l4_check.hpp"

#include <rte_mbuf.h>

#include <bit>

#include "dataplane/packet/checksum.hpp"
#include "dataplane/stages/plain_frames.hpp"

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

/// Whether it is a packet over the key's family that can be verified together with others; `out`:
/// which.
template <typename Key>
[[gnu::always_inline]] inline bool is_short_packet(const rte_mbuf* m, const ParsedPacket& p,
                                                   ShortPacket& out) noexcept {
  using Header = PlainHeader<Key>;
  constexpr uint32_t kAddressBytes = sizeof(Key::address);
  const uint8_t* l4 = rte_pktmbuf_mtod(m, const uint8_t*) + p.l4_offset;
  out = {l4 - kAddressBytes, p.l4_bytes, p.protocol};
  if (p.l3_offset + Header::kBytes != p.l4_offset || p.l4_bytes > 64 - kAddressBytes ||
      p.l4_bytes % 2 != 0 || m->nb_segs != 1 ||
      (m->ol_flags & RTE_MBUF_F_RX_L4_CKSUM_MASK) != RTE_MBUF_F_RX_L4_CKSUM_UNKNOWN) {
    return false;
  }
  const uint64_t head = detail::load64(&p);
  if (head == detail::head_of_plain(Header::kFamily, IpProtocol::kTcp)) return true;
  return head == detail::head_of_plain(Header::kFamily, IpProtocol::kUdp) &&
         detail::read16(l4 + 4) == p.l4_bytes && detail::load<uint16_t>(l4 + 6) != 0;
}

/// Stands in the place of one that cannot.
constexpr uint8_t kZeros[64] = {};
constexpr ShortPacket kNothing{kZeros + 16, 8, 0};

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

template <typename Key>
uint64_t which_may_change_state(const Burst& b, const uint8_t* packets, unsigned count,
                                const WorkerState& w) noexcept {
  if (w.checksum != ChecksumMode::kState || count == 0) return ~uint64_t{0};
  ShortPacket together[Burst::kSize];
  uint64_t others = 0;  // by place in `packets`
  for (unsigned n = 0; n < count; ++n) {
    const unsigned i = packets[n];
    if (!is_short_packet<Key>(b.mbuf[i], b.packet[i], together[n])) {
      together[n] = kNothing;
      others |= uint64_t{1} << n;
    }
  }
  uint64_t right = short_packets_ok(together, count, sizeof(Key::address)) & ~others;
  for (; others != 0; others &= others - 1) {
    const auto n = static_cast<unsigned>(std::countr_zero(others));
    right |= uint64_t{l4_is_right(b, packets[n])} << n;
  }
  return right;
}
template uint64_t which_may_change_state<FlowKeyV4>(const Burst&, const uint8_t*, unsigned,
                                                    const WorkerState&) noexcept;
template uint64_t which_may_change_state<FlowKeyV6>(const Burst&, const uint8_t*, unsigned,
                                                    const WorkerState&) noexcept;

}  // namespace rampart
