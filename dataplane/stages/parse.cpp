// SPDX-License-Identifier: Apache-2.0
#include "dataplane/packet/parse.hpp"

#include <rte_mbuf.h>

#include <algorithm>

#include "dataplane/base/prefetch.hpp"
#include "dataplane/packet/eight_heads.hpp"
#include "dataplane/stages/fragments.hpp"
#include "dataplane/stages/l4_check.hpp"
#include "dataplane/stages/parse_alone.hpp"
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
  b.foreign |= !keep_if_own(b, w, i, c, aim(w, ip, zone, t, c));
  return true;
}

/// A frame that is not an untagged one over IPv4, of 18 bytes at least.
[[gnu::noinline]] bool take_other_plain(Burst& b, unsigned i, WorkerState& w, const uint8_t* frame,
                                        uint32_t readable) {
  const PlainFrame at = look_at_plain_frame(frame);
  if (at.type == detail::kIpv6) return take_plain(b, i, w, frame, readable, at, b.v6);
  return at.type == detail::kIpv4 && take_plain(b, i, w, frame, readable, at, b.v4);
}

/// Where the frames of a burst lie, and how many of their bytes may be read there. Behind the last
/// one there are empty ones, so that all come in eights.
struct Frames {
  static constexpr uint32_t kHeader = 14;  ///< bytes of Ethernet's header without a tag
  const uint8_t* behind[Burst::kSize];     ///< where each goes on behind its header
  uint16_t bytes[Burst::kSize];            ///< of the whole frame
  uint64_t bytes_of_all = 0;               ///< whole packets
  unsigned segments_of_all = 1;            ///< numbers of buffers, one or the other
};
static_assert(Burst::kSize % 8 == 0);

/// Notes eight frames from `first` on, or as many as there are, and fetches them.
[[gnu::always_inline]] inline void fetch_eight(Burst& b, unsigned first, Frames& f) {
  rte_mbuf* const* const mbuf = b.mbuf + first;
  const uint8_t** const behind = f.behind + first;
  uint16_t* const in_first = f.bytes + first;
  uint32_t* const frame_bytes = b.frame_bytes + first;
  uint64_t bytes = 0;
  unsigned segments = 0;
  const auto fetch = [&](unsigned j) {
    const rte_mbuf* m = mbuf[j];
    const auto* frame = rte_pktmbuf_mtod(m, const uint8_t*);
    prefetch_line(frame);
    behind[j] = frame + Frames::kHeader;
    in_first[j] = m->data_len;
    frame_bytes[j] = m->pkt_len;
    bytes += m->pkt_len;
    segments |= m->nb_segs;
  };
  if (first + 8 <= b.count) [[likely]] {
    for (unsigned j = 0; j < 8; ++j) fetch(j);
  } else {
    for (unsigned j = 0; first + j < b.count; ++j) fetch(j);
  }
  f.bytes_of_all += bytes;
  f.segments_of_all |= segments;
}

/// Any frame.
[[gnu::always_inline]] inline void parse_one(Burst& b, unsigned i, const uint8_t* frame,
                                             uint32_t readable, WorkerState& w, const RuleSet& r,
                                             uint64_t closely) {
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
[[gnu::always_inline]] inline Aim aim(const EightFrames& /*f*/, const EightHeadsV4& h, unsigned j,
                                      Zone zone, uint8_t protocol, const HashSeed& seed,
                                      FlowKeyV4& out) {
  return aim_in_order(h.addresses[j], h.ports[j], h.end(j), zone, protocol, seed, out);
}
[[gnu::always_inline]] inline Aim aim(const EightFrames& f, const EightHeadsV6& h, unsigned j,
                                      Zone zone, uint8_t protocol, const HashSeed& seed,
                                      FlowKeyV6& out) {
  return aim_by_end(f.ip[j] + 8, h.ports[j], h.end(j), zone, protocol, seed, out);
}

/// Whether all flows of the columns from `from` to `end` are ours, as they are behind a NIC that
/// spreads packets as workers own flows.
template <typename Key>
[[gnu::always_inline]] inline bool are_own(unsigned from, unsigned end, const WorkerState& w,
                                           const FlowColumns<Key>& c) {
  for (unsigned k = from; k < end; ++k) {
    if (w.owner_of(c.key[k], c.hash[k]) != w.id) return false;
  }
  return true;
}

/// Leaves in the columns, of those from `from` to `end`, those whose flows are ours, and gives
/// away the others.
template <typename Key>
[[gnu::noinline]] void keep_own_of(Burst& b, unsigned from, unsigned end, WorkerState& w,
                                   FlowColumns<Key>& c) {
  c.count = from;
  for (unsigned k = from; k < end; ++k) {
    const unsigned i = c.packet[k], n = c.count;
    const WorkerId owner = w.owner_of(c.key[k], c.hash[k]);
    c.key[n] = c.key[k];
    c.end[n] = c.end[k];
    c.hash[n] = c.hash[k];
    b.foreign |= !keep_if_own(b, w, i, c, owner);
  }
}

/// Those of eight packets from `first` on that are plain datagrams of the columns' family: into
/// them with them.
template <typename Heads, typename Key>
[[gnu::always_inline]] inline void take_datagrams(Burst& b, unsigned first, uint32_t lanes,
                                                  WorkerState& w, const EightFrames& f,
                                                  const Zone (&zones)[8], const Heads& h,
                                                  FlowColumns<Key>& c) {
  // Copies, for bytes are stored here, which could be anything.
  const HashSeed seed = w.seed;
  const unsigned from = c.count;
  unsigned n = from;
  constexpr auto kUdp = static_cast<uint8_t>(IpProtocol::kUdp);
  for (; lanes != 0; lanes &= lanes - 1) {
    const auto j = static_cast<unsigned>(std::countr_zero(lanes));
    const Aim at = aim(f, h, j, zones[j], kUdp, seed, c.key[n]);
    c.hash[n] = at.hash;
    c.end[n] = static_cast<uint8_t>(at.end);
    c.packet[n++] = static_cast<uint8_t>(first + j);
  }
  if (w.workers != 1) return keep_own_of(b, from, n, w, c);
  c.count = n;
  const FlowTable<Key>& table = w.table<Key>();
  for (unsigned k = from; k < n; ++k) table.prefetch_home(c.hash[k]);
}

/// Eight packets from `first` on, all plain ones of `protocol` and the columns' family, into them.
template <typename Heads, typename Key>
[[gnu::always_inline]] inline void take_eight(Burst& b, unsigned first, WorkerState& w,
                                              IpProtocol protocol, const EightFrames& f,
                                              const Zone (&zones)[8], const Heads& h,
                                              FlowColumns<Key>& c) {
  const HashSeed seed = w.seed;
  const unsigned from = c.count;
  aim_eight(f, h, zones, static_cast<uint8_t>(protocol), seed, c.key + from, c.hash + from);
  std::memcpy(c.end + from, &h.ends, 8);
  const uint64_t packets = 0x0706050403020100 + 0x0101010101010101 * uint64_t{first};
  std::memcpy(c.packet + from, &packets, 8);
  if (w.workers != 1 && !are_own(from, from + 8, w, c)) {
    return keep_own_of(b, from, from + 8, w, c);
  }
  c.count = from + 8;
  const FlowTable<Key>& table = w.table<Key>();
  for (unsigned j = 0; j < 8; ++j) table.prefetch_home(c.hash[from + j]);
}

/// Reads one of eight packets that may be a plain segment of the columns' family, as far as it has
/// to be. False: it is not.
template <typename Heads, typename Key>
[[gnu::always_inline]] inline bool read_segment(Burst& b, unsigned i, const uint8_t* frame,
                                                const EightFrames& f, const Heads& h, unsigned j,
                                                const FlowColumns<Key>& c) {
  constexpr auto kTcp = static_cast<uint8_t>(IpProtocol::kTcp);
  constexpr uint32_t kHeader = std::is_same_v<Key, FlowKeyV4> ? 20 : 40;
  const uint8_t* ip = f.ip[j];
  if (detail::has_both_ports(h.ports[j]) && leave_unread(b, i, ip + kHeader, h.payload[j])) {
    return true;
  }
  detail::PlainTransport t;
  b.packet[i].vlans = f.vlans[j];
  return detail::check_plain_transport(ip + kHeader, h.payload[j], kTcp, t) &&
         fill(ip, static_cast<uint32_t>(ip - frame), t, b.packet[i], c);
}

/// Such a packet: into the columns. False, and nothing done: it is not one.
template <typename Heads, typename Key>
[[gnu::always_inline]] inline bool take_segment(Burst& b, unsigned i, WorkerState& w,
                                                const uint8_t* frame, const EightFrames& f,
                                                const Zone (&zones)[8], const Heads& h, unsigned j,
                                                FlowColumns<Key>& c) {
  constexpr auto kTcp = static_cast<uint8_t>(IpProtocol::kTcp);
  if (!read_segment(b, i, frame, f, h, j, c)) return false;
  const Aim at = aim(f, h, j, zones[j], kTcp, w.seed, c.key[c.count]);
  b.foreign |= !keep_if_own(b, w, i, c, put_aim(w, c, at));
  return true;
}

/// Eight of them. False: one is none, and they have yet to be taken one by one.
template <typename Heads, typename Key>
[[gnu::always_inline]] inline bool take_eight_segments(Burst& b, unsigned first, const Frames& all,
                                                       WorkerState& w, const EightFrames& f,
                                                       const Zone (&zones)[8], const Heads& h,
                                                       FlowColumns<Key>& c) {
  for (unsigned j = 0; j < 8; ++j) {
    const uint8_t* frame = all.behind[first + j] - Frames::kHeader;
    if (!read_segment(b, first + j, frame, f, h, j, c)) return false;
  }
  take_eight(b, first, w, IpProtocol::kTcp, f, zones, h, c);
  return true;
}

/// Fewer frames than that are looked at one by one.
constexpr unsigned kFewest = 3;

/// Frames of ports that are not looked at closely, of eight from `first` on. Bit j: first + j.
uint32_t open_lanes(const Burst& b, unsigned first, uint64_t closely) {
  if (closely == 0) [[likely]] {
    return 0xff;
  }
  uint32_t lanes = 0;
  for (unsigned j = 0; j < 8; ++j) lanes |= (~closely >> b.in_port[first + j] & 1) << j;
  return lanes;
}

/// The zones of eight frames from `first` on.
[[gnu::always_inline]] inline void find_zones(const Burst& b, unsigned first, const WorkerState& w,
                                              const EightFrames& f, Zone (&out)[8]) {
  const uint8_t* ports = b.in_port + first;
  const Zone of_port = make_zone(w.ports[ports[0]].wire, 0);
  if (detail::load64(ports) == 0x0101010101010101 * uint64_t{ports[0]}) [[likely]] {
    return detail::store_lanes(out, detail::either(detail::load_lanes(f.vlans),
                                                   _mm256_set1_epi32(static_cast<int>(of_port))));
  }
  for (unsigned j = 0; j < 8; ++j) out[j] = make_zone(w.ports[ports[j]].wire, f.vlans[j]);
}

/// `count` (up to eight) frames from `first` on.
[[gnu::always_inline]] inline void parse_eight(Burst& b, unsigned first, unsigned count,
                                               const Frames& all, WorkerState& w, const RuleSet& r,
                                               uint64_t closely) {
  EightFrames f;
  find_eight(all.behind + first, all.bytes + first, f);
  const uint32_t lanes = open_lanes(b, first, closely);
  f.v4 &= lanes;
  f.v6 &= lanes;
  EightHeadsV4 v4;
  EightHeadsV6 v6;
  v4.udp = v4.tcp = v6.udp = v6.tcp = 0;
  v4.ends = v6.ends = 0;
  if (f.v4 != 0) look_at_eight_v4(f, v4);
  if (f.v6 != 0) look_at_eight_v6(f, v6);
  alignas(32) Zone zones[8];
  find_zones(b, first, w, f, zones);
  const uint32_t datagrams = v4.udp | v6.udp;
  b.unread |= uint64_t{datagrams} << first;
  if (v4.udp == 0xff) return take_eight(b, first, w, IpProtocol::kUdp, f, zones, v4, b.v4);
  if (v6.udp == 0xff) return take_eight(b, first, w, IpProtocol::kUdp, f, zones, v6, b.v6);
  if (v4.tcp == 0xff && take_eight_segments(b, first, all, w, f, zones, v4, b.v4)) return;
  if (v6.tcp == 0xff && take_eight_segments(b, first, all, w, f, zones, v6, b.v6)) return;
  for (unsigned j = 0; j < count; ++j) {
    // As far as there is nothing else. One of a family may stand before one of the other that came
    // first: they are in different columns.
    const auto more = static_cast<unsigned>(std::countr_one(datagrams >> j));
    const uint32_t these = ((uint32_t{1} << more) - 1) << j;
    if ((v4.udp & these) != 0) take_datagrams(b, first, v4.udp & these, w, f, zones, v4, b.v4);
    if ((v6.udp & these) != 0) take_datagrams(b, first, v6.udp & these, w, f, zones, v6, b.v6);
    j += more;
    if (j >= count) break;
    const unsigned i = first + j;
    const uint8_t* frame = all.behind[i] - Frames::kHeader;
    if ((v4.tcp >> j & 1) != 0 && take_segment(b, i, w, frame, f, zones, v4, j, b.v4)) continue;
    if ((v6.tcp >> j & 1) != 0 && take_segment(b, i, w, frame, f, zones, v6, j, b.v6)) continue;
    parse_one(b, i, frame, all.bytes[i], w, r, closely);
  }
}

/// All frames by eights, but for the last ones if they are fewer than kFewest. Returns how many
/// these are not.
[[gnu::noinline]] unsigned parse_by_eights(Burst& b, Frames& frames, WorkerState& w,
                                           const RuleSet& r, uint64_t closely) {
  unsigned i = 0;
  for (; i + kFewest <= b.count; i += 8) {
    fetch_eight(b, i + 8, frames);
    for (unsigned none = b.count; none < i + 8; ++none) {
      frames.behind[none] = nullptr;
      frames.bytes[none] = 0;
      b.in_port[none] = b.in_port[i];
    }
    parse_eight(b, i, std::min(b.count - i, 8U), frames, w, r, closely);
  }
  return std::min(i, b.count);
}
#else
unsigned parse_by_eights(Burst& b, Frames& frames, WorkerState& /*w*/, const RuleSet& /*r*/,
                         uint64_t /*closely*/) {
  for (unsigned i = 8; i < b.count; i += 8) fetch_eight(b, i, frames);
  return 0;
}
#endif

}  // namespace

uint64_t close_ports(const WorkerState& w) noexcept {
  static_assert(kMaxPorts <= 64);
  uint64_t ports = 0;
  for (unsigned port = 0; port < w.port_count; ++port) {
    const bool closely = !w.ports[port].sources->is_off() || w.checksum == ChecksumMode::kAll;
    ports |= uint64_t{closely} << port;
  }
  return ports;
}

void begin_burst(Burst& b) noexcept {
  b.v4.count = b.v6.count = b.hanging.count = 0;
  b.tunnels = b.unread = b.segments = 0;
  b.foreign = false;
  std::fill_n(b.fate, Burst::kSize, Fate::kPending);  // of so many a compiler makes two stores
}

void parse_alone(Burst& b, unsigned i, WorkerState& w, const RuleSet& r,
                 uint64_t closely) noexcept {
  const rte_mbuf* m = b.mbuf[i];
  parse_one(b, i, rte_pktmbuf_mtod(m, const uint8_t*), m->data_len, w, r, closely);
}

void parse(Burst& b, WorkerState& w, const RuleSet& r) noexcept {
  begin_burst(b);
  const uint64_t closely = close_ports(w);
  Frames frames;
  fetch_eight(b, 0, frames);
  for (unsigned i = parse_by_eights(b, frames, w, r, closely); i < b.count; ++i) {
    parse_one(b, i, frames.behind[i] - Frames::kHeader, frames.bytes[i], w, r, closely);
  }
  b.whole = frames.segments_of_all == 1;
  b.bytes = frames.bytes_of_all;
}

}  // namespace rampart
