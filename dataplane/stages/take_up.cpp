// SPDX-License-Identifier: Apache-2.0
#include <rte_mbuf.h>

#include <bit>

#include "dataplane/packet/parse_plain.hpp"
#include "dataplane/stages/parse_alone.hpp"
#include "dataplane/stages/plain_frames.hpp"
#include "dataplane/stages/stages.hpp"
#include "dataplane/state/handoff.hpp"

namespace rampart {
namespace {

[[gnu::always_inline]] inline void write_key(const uint8_t* ip, uint32_t ports, unsigned end,
                                             Zone zone, uint8_t protocol, FlowKeyV4& out) {
  const auto as_it_lies = detail::load64(ip + 12);
  const uint64_t addresses = std::rotl(as_it_lies, static_cast<int>(32 * end));
  // (Nobody uses the hash here, so none is made.)
  aim_in_order(addresses, detail::ports_by_end(ports, end), end, zone, protocol, {}, out);
}
[[gnu::always_inline]] inline void write_key(const uint8_t* ip, uint32_t ports, unsigned end,
                                             Zone zone, uint8_t protocol, FlowKeyV6& out) {
  aim_by_end(ip + 8, ports, end, zone, protocol, {}, out);
}

/// Into the columns with an unread packet, which its giver has found to be plain and our own. Of
/// its frame no more is read than its flow's key has to be compared with, and a segment's numbers.
/// False, and nothing done: it is no such packet any more (who lends us his memory may write
/// there).
template <typename Key>
[[gnu::always_inline]] inline bool take_unread(Burst& b, unsigned i, WorkerState& w, unsigned end,
                                               FlowColumns<Key>& c) {
  using Header = PlainHeader<Key>;
  const rte_mbuf* m = b.mbuf[i];
  const auto* frame = rte_pktmbuf_mtod(m, const uint8_t*);
  const PlainFrame at = look_at_plain_frame(frame);
  const uint8_t *ip = frame + at.l3, *l4 = ip + Header::kBytes;
  const uint8_t protocol = ip[Header::kProtocol];
  const bool segment = protocol == static_cast<uint8_t>(IpProtocol::kTcp);
  if (segment && !detail::read_middle_segment(l4, Header::payload(ip), b.packet[i].tcp)) {
    return false;
  }
  const unsigned n = c.count++;
  write_key(ip, detail::load32(l4), end, make_zone(w.ports[b.in_port[i]].wire, at.vlans), protocol,
            c.key[n]);
  const uint64_t hash = HandoffTag::read_hash(m);
  w.table<Key>().prefetch_home(hash);
  c.hash[n] = hash;
  c.end[n] = static_cast<uint8_t>(end);
  c.packet[n] = static_cast<uint8_t>(i);
  const uint64_t bit = uint64_t{1} << i;
  b.unread |= bit;
  b.segments |= uint64_t{segment} << i;
  return true;
}

}  // namespace

void take_up(Burst& b, WorkerState& w, const RuleSet& r) noexcept {
  begin_burst(b);
  b.checked = 0;
  bool whole = true;
  const uint64_t closely = close_ports(w);
  for (unsigned i = 0; i < b.count; ++i) {
    rte_mbuf* m = b.mbuf[i];
    const uint32_t tag = HandoffTag::take(m);
    b.in_port[i] = HandoffTag::in_port(tag);
    b.frame_bytes[i] = m->pkt_len;
    whole &= m->nb_segs == 1;
    if (i + kFetchAhead < b.count) fetch_handed(b.mbuf[i + kFetchAhead]);
    switch (HandoffTag::purpose(tag)) {
      case HandoffTag::kUnreadV4:
        if (!take_unread(b, i, w, HandoffTag::end(tag), b.v4)) parse_alone(b, i, w, r, closely);
        break;
      case HandoffTag::kUnreadV6:
        if (!take_unread(b, i, w, HandoffTag::end(tag), b.v6)) parse_alone(b, i, w, r, closely);
        break;
      case HandoffTag::kTransmit:
        b.fate[i] = Fate::kForward;
        break;
      case HandoffTag::kFragment:
        b.checked |= uint64_t{1} << i;
        [[fallthrough]];
      case HandoffTag::kJudge:
        parse_alone(b, i, w, r, closely);
    }
  }
  b.whole = whole;
  if (b.of_one_port()) {
    w.counters.ports[b.in_port[0]].taken += b.count;
  } else {
    for (unsigned i = 0; i < b.count; ++i) ++w.counters.ports[b.in_port[i]].taken;
  }
}

}  // namespace rampart
