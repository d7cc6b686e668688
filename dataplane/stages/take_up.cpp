// SPDX-License-Identifier: Apache-2.0
#include <rte_mbuf.h>

#include <algorithm>
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

/// What take_up has of a burst in registers: bytes are stored there, which could be anything, so a
/// compiler would store these before each and load them again behind it.
struct Taken {
  unsigned v4 = 0, v6 = 0;  ///< counts of the columns
  uint64_t unread = 0, segments = 0;
  unsigned port = kMaxPorts;  ///< on which the last packet came in
  Zone zone = 0;              ///< of that port, untagged
};

/// Into the columns with an unread packet, which its giver has found to be plain and our own. Of
/// its frame no more is read than its flow's key has to be compared with, and a segment's numbers.
/// False, and nothing done: it is no such packet any more (who lends us his memory may write
/// there). `n`: how many are in the columns.
template <typename Key>
[[gnu::always_inline]] inline bool take_unread(Burst& b, unsigned i, const rte_mbuf* m,
                                               unsigned end, Taken& so_far, unsigned& n,
                                               FlowColumns<Key>& c) {
  using Header = PlainHeader<Key>;
  const auto* frame = rte_pktmbuf_mtod(m, const uint8_t*);
  const PlainFrame at = look_at_plain_frame(frame);
  const uint8_t *ip = frame + at.l3, *l4 = ip + Header::kBytes;
  const uint8_t protocol = ip[Header::kProtocol];
  const uint64_t bit = uint64_t{1} << i;
  if (protocol == static_cast<uint8_t>(IpProtocol::kTcp)) {
    if (!detail::read_middle_segment(l4, Header::payload(ip), b.packet[i].tcp)) return false;
    so_far.segments |= bit;
  }
  so_far.unread |= bit;
  write_key(ip, detail::load32(l4), end, so_far.zone | at.vlans, protocol, c.key[n]);
  c.hash[n] = HandoffTag::read_hash(m);
  c.end[n] = static_cast<uint8_t>(end);
  c.packet[n++] = static_cast<uint8_t>(i);
  return true;
}

template <typename Key>
void fetch_homes(unsigned from, unsigned end, const FlowTable<Key>& table,
                 const FlowColumns<Key>& c) {
  for (unsigned k = from; k < end; ++k) table.prefetch_home(c.hash[k]);
}

}  // namespace

void take_up(Burst& b, WorkerState& w, const RuleSet& r) noexcept {
  begin_burst(b);
  b.checked = 0;
  const uint64_t closely = close_ports(w);
  const unsigned count = b.count;
  unsigned segments_of_all = 1;  // numbers of buffers, one or the other
  Taken so_far;
  // By eights, so that what is fetched of a flow table is not too much in a row. (parse_alone has
  // fetched for itself.)
  for (unsigned first = 0; first < count; first += 8) {
    const unsigned from_v4 = so_far.v4, from_v6 = so_far.v6, end = std::min(first + 8, count);
    for (unsigned i = first; i < end; ++i) {
      rte_mbuf* m = b.mbuf[i];
      const uint32_t tag = HandoffTag::take(m);
      b.in_port[i] = HandoffTag::in_port(tag);
      if (HandoffTag::in_port(tag) != so_far.port) {
        so_far.port = HandoffTag::in_port(tag);
        so_far.zone = make_zone(w.ports[so_far.port].wire, 0);
      }
      b.frame_bytes[i] = m->pkt_len;
      segments_of_all |= m->nb_segs;
      if (i + kFetchAhead < count) fetch_handed(b.mbuf[i + kFetchAhead]);
      const unsigned source = HandoffTag::end(tag);
      switch (HandoffTag::purpose(tag)) {
        case HandoffTag::kUnreadV4:
          if (take_unread(b, i, m, source, so_far, so_far.v4, b.v4)) continue;
          break;
        case HandoffTag::kUnreadV6:
          if (take_unread(b, i, m, source, so_far, so_far.v6, b.v6)) continue;
          break;
        case HandoffTag::kTransmit:
          b.fate[i] = Fate::kForward;
          continue;
        case HandoffTag::kFragment:
          b.checked |= uint64_t{1} << i;
          break;
        case HandoffTag::kJudge:
          break;
      }
      b.v4.count = so_far.v4;
      b.v6.count = so_far.v6;
      parse_alone(b, i, w, r, closely);
      so_far.v4 = b.v4.count;
      so_far.v6 = b.v6.count;
    }
    fetch_homes(from_v4, so_far.v4, w.flows_v4, b.v4);
    fetch_homes(from_v6, so_far.v6, w.flows_v6, b.v6);
  }
  b.v4.count = so_far.v4;
  b.v6.count = so_far.v6;
  b.unread |= so_far.unread;
  b.segments |= so_far.segments;
  b.whole = segments_of_all == 1;
  if (b.of_one_port()) {
    w.counters.ports[b.in_port[0]].taken += count;
  } else {
    for (unsigned i = 0; i < count; ++i) ++w.counters.ports[b.in_port[i]].taken;
  }
}

}  // namespace rampart
