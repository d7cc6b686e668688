// SPDX-License-Identifier: Apache-2.0
#include "dataplane/packet/parse.hpp"

#include <rte_mbuf.h>

#include <algorithm>

#include "dataplane/base/prefetch.hpp"
#include "dataplane/packet/eight_heads.hpp"
#include "dataplane/stages/fragments.hpp"
#include "dataplane/stages/l4_check.hpp"
#include "dataplane/stages/stages.hpp"
#include "dataplane/stages/steering.hpp"

namespace rampart {
namespace {

/// The source that stands in the packet itself; for an ICMP error that is not the tuple's.
const uint8_t* outer_source(const rte_mbuf* m, const ParsedPacket& p) {
  const auto* l3 = rte_pktmbuf_mtod_offset(m, const uint8_t*, p.l3_offset);
  return l3 + ((l3[0] >> 4) == 4 ? 12 : 8);
}

bool is_spoofed(const rte_mbuf* m, const ParsedPacket& p, const SourceFilter& allowed) {
  return !allowed.is_off() && !allowed.allows(p.family, outer_source(m, p));
}

/// Whether a packet may be here, and goes on to be judged.
bool admit(Burst& b, unsigned i, const WorkerState& w, const rte_mbuf* m, const ParsedPacket& p) {
  if (is_spoofed(m, p, *w.ports[b.in_port[i]].sources)) {
    b.drop(i, DropReason::kSpoofed);
  } else if (p.tunnel && !w.pass_tunnels) {
    b.drop(i, DropReason::kTunnel);
  } else if (w.checksum == ChecksumMode::kAll && !l4_is_right(b, i)) {
    b.drop(i, DropReason::kL4Checksum);
  }
  return b.fate[i] == Fate::kPending;
}

/// Ports whose packets are all looked at closely, by bits.
uint64_t close_ports(const WorkerState& w) {
  static_assert(kMaxPorts <= 64);
  uint64_t ports = 0;
  for (unsigned port = 0; port < w.port_count; ++port) {
    const bool closely = !w.ports[port].sources->is_off() || w.checksum == ChecksumMode::kAll;
    ports |= uint64_t{closely} << port;
  }
  return ports;
}

/// Where its flow is looked up, or down for the worker who does.
void place(Burst& b, unsigned i, WorkerState& w, const RuleSet& r, const ParsedPacket& p) {
  const bool own = p.fragment                ? !steer_fragment(b, w, r, i)
                   : p.family == Family::kV4 ? keep_own(b, w, i, b.v4)
                                             : keep_own(b, w, i, b.v6);
  b.foreign |= !own;
}

/// Any frame, read wholly.
[[gnu::noinline]] void parse_closely(Burst& b, unsigned i, WorkerState& w, const RuleSet& r) {
  const rte_mbuf* m = b.mbuf[i];
  ParsedPacket& p = b.packet[i];
  parse_frame(rte_pktmbuf_mtod(m, const uint8_t*), m->data_len, m->pkt_len, p);
  b.tunnels |= uint64_t{p.tunnel} << i;
  switch (p.kind) {
    case PacketKind::kDropped:
      return b.drop(i, p.reason);
    case PacketKind::kPassAlways:
      b.fate[i] = Fate::kForward;
      ++w.counters.passed_always;
      return;
    case PacketKind::kNonIp:
      if (w.pass_non_ip) {
        b.fate[i] = Fate::kForward;
      } else {
        b.drop(i, DropReason::kNonIp);
      }
      return;
    case PacketKind::kFlow:
    case PacketKind::kFragment:
    case PacketKind::kIcmpError:
      if (admit(b, i, w, m, p)) place(b, i, w, r, p);
  }
}

[[gnu::always_inline]] inline bool check(const uint8_t* ip, uint32_t readable,
                                         detail::PlainTransport& t,
                                         const FlowColumns<FlowKeyV4>& /*c*/) {
  return detail::check_plain_v4(ip, readable, t);
}
[[gnu::always_inline]] inline bool check(const uint8_t* ip, uint32_t readable,
                                         detail::PlainTransport& t,
                                         const FlowColumns<FlowKeyV6>& /*c*/) {
  return detail::check_plain_v6(ip, readable, t);
}

[[gnu::always_inline]] inline bool fill(const uint8_t* ip, uint32_t l3,
                                        const detail::PlainTransport& t, ParsedPacket& out,
                                        const FlowColumns<FlowKeyV4>& /*c*/) {
  return detail::fill_plain_v4(ip, l3, t, out);
}
[[gnu::always_inline]] inline bool fill(const uint8_t* ip, uint32_t l3,
                                        const detail::PlainTransport& t, ParsedPacket& out,
                                        const FlowColumns<FlowKeyV6>& /*c*/) {
  return detail::fill_plain_v6(ip, l3, t, out);
}

/// Segment i stays unread but for its numbers, if it is from the middle of a connection. Arguments
/// as read_middle_segment.
[[gnu::always_inline]] inline bool leave_unread(Burst& b, unsigned i, const uint8_t* l4,
                                                uint32_t bytes) {
  if (!detail::read_middle_segment(l4, bytes, b.packet[i].tcp)) return false;
  b.unread |= uint64_t{1} << i;
  b.segments |= uint64_t{1} << i;
  return true;
}

/// A plain packet of the columns' family at `at`: into them with it, unread if it is likely to be
/// one more of its flow. False, and nothing done: it is not plain.
template <typename Key>
[[gnu::always_inline]] inline bool take_plain(Burst& b, unsigned i, WorkerState& w,
                                              const uint8_t* frame, uint32_t readable,
                                              const PlainFrame& at, FlowColumns<Key>& c) {
  const uint8_t* ip = frame + at.l3;
  detail::PlainTransport t;
  if (!check(ip, readable - at.l3, t, c)) return false;
  if (t.is_udp()) {
    b.unread |= uint64_t{1} << i;
  } else if (!leave_unread(b, i, t.header, t.bytes)) {
    b.packet[i].vlans = at.vlans;
    if (!fill(ip, at.l3, t, b.packet[i], c)) return false;
  }
  const Zone zone = make_zone(w.ports[b.in_port[i]].wire, at.vlans);
  b.foreign |= !keep_if_own(w, i, c, aim(w, ip, zone, t, c));
  return true;
}

/// A frame that is not an untagged one over IPv4, of 18 bytes at least.
[[gnu::noinline]] bool take_other_plain(Burst& b, unsigned i, WorkerState& w, const uint8_t* frame,
                                        uint32_t readable) {
  const PlainFrame at = look_at_plain_frame(frame);
  if (at.type == detail::kIpv6) return take_plain(b, i, w, frame, readable, at, b.v6);
  return at.type == detail::kIpv4 && take_plain(b, i, w, frame, readable, at, b.v4);
}

/// Any frame of a port that is not looked at closely.
[[gnu::always_inline]] inline void parse_one(Burst& b, unsigned i, WorkerState& w, const RuleSet& r,
                                             uint64_t closely) {
  const rte_mbuf* m = b.mbuf[i];
  const auto* frame = rte_pktmbuf_mtod(m, const uint8_t*);
  const uint32_t readable = m->data_len;
  b.frame_bytes[i] = m->pkt_len;
  b.whole &= m->nb_segs == 1;
  if ((closely >> b.in_port[i] & 1) == 0 && readable >= 18) {
    // Most frames have a way of their own, on which their headers stay in registers.
    constexpr PlainFrame kUntagged{14, 0, detail::kIpv4};
    if (detail::load<uint16_t>(frame + 12) == kUntagged.type
            ? take_plain(b, i, w, frame, readable, kUntagged, b.v4)
            : take_other_plain(b, i, w, frame, readable)) {
      return;
    }
  }
  parse_closely(b, i, w, r);
}

#ifdef __AVX2__
/// Eight frames from `first` on, of which the first is an untagged one over IPv4.
void parse_eight(Burst& b, unsigned first, WorkerState& w, const RuleSet& r, uint64_t closely) {
  static constexpr uint8_t kNothing[EightHeads::kLeastBytes] = {};
  const uint8_t* frame[8];
  uint32_t readable[8];
  bool whole = true;
  for (unsigned j = 0; j < 8; ++j) {
    const rte_mbuf* m = b.mbuf[first + j];
    const bool looked_at =
        m->data_len >= EightHeads::kLeastBytes && (closely >> b.in_port[first + j] & 1) == 0;
    frame[j] = looked_at ? rte_pktmbuf_mtod(m, const uint8_t*) : kNothing;
    readable[j] = m->data_len;
    b.frame_bytes[first + j] = m->pkt_len;
    whole &= m->nb_segs == 1;
  }
  b.whole &= whole;
  EightHeads heads;
  look_at_eight(frame, heads);
  for (unsigned j = 0; j < 8; ++j) {
    const unsigned i = first + j;
    const uint32_t bit = uint32_t{1} << j;
    if (((heads.udp | heads.tcp) & bit) == 0 || 14 + heads.total[j] > readable[j]) {
      parse_one(b, i, w, r, closely);
      continue;
    }
    uint8_t protocol = static_cast<uint8_t>(IpProtocol::kUdp);
    if ((heads.udp & bit) != 0) {
      b.unread |= uint64_t{1} << i;
    } else {
      const uint8_t* ip = frame[j] + 14;
      const uint32_t bytes = heads.total[j] - 20;
      protocol = static_cast<uint8_t>(IpProtocol::kTcp);
      if (!detail::has_both_ports(heads.ports[j]) || !leave_unread(b, i, ip + 20, bytes)) {
        detail::PlainTransport t;
        b.packet[i].vlans = 0;
        if (!detail::check_plain_transport(ip + 20, bytes, protocol, t) ||
            !detail::fill_plain_v4(ip, 14, t, b.packet[i])) {
          parse_one(b, i, w, r, closely);
          continue;
        }
      }
    }
    const Zone zone = make_zone(w.ports[b.in_port[i]].wire, 0);
    const Aim at = aim_in_order(heads.addresses[j], heads.ports[j], heads.end[j], zone, protocol,
                                w.seed, b.v4.key[b.v4.count]);
    b.foreign |= !keep_if_own(w, i, b.v4, put_aim(w, b.v4, at));
  }
}

/// Whether packet i is worth looking at together with the seven behind it.
bool leads_eight(const Burst& b, unsigned i, uint64_t closely) {
  const rte_mbuf* m = b.mbuf[i];
  return (closely >> b.in_port[i] & 1) == 0 && m->data_len >= EightHeads::kLeastBytes &&
         detail::load<uint16_t>(rte_pktmbuf_mtod(m, const uint8_t*) + 12) == detail::kIpv4;
}
#endif

}  // namespace

void parse(Burst& b, WorkerState& w, const RuleSet& r) noexcept {
  b.v4.count = b.v6.count = b.hanging.count = 0;
  b.tunnels = b.unread = b.segments = 0;
  b.foreign = false;
  b.whole = true;
  std::fill_n(b.fate, b.count, Fate::kPending);
  const uint64_t closely = close_ports(w);
  const auto fetch = [&](unsigned i) { prefetch_line(rte_pktmbuf_mtod(b.mbuf[i], const void*)); };
  constexpr unsigned kAhead = 8;
  for (unsigned i = 0; i < b.count && i < kAhead; ++i) fetch(i);
  for (unsigned i = 0; i < b.count;) {
    const unsigned end = std::min(i + 8, b.count);
    for (unsigned ahead = i + kAhead; ahead < std::min(end + kAhead, b.count); ++ahead)
      fetch(ahead);
#ifdef __AVX2__
    if (end - i == 8 && leads_eight(b, i, closely)) {
      parse_eight(b, i, w, r, closely);
      i = end;
      continue;
    }
#endif
    for (; i < end; ++i) parse_one(b, i, w, r, closely);
  }
  b.bytes = 0;
  for (unsigned i = 0; i < b.count; ++i) b.bytes += b.frame_bytes[i];
}

}  // namespace rampart
