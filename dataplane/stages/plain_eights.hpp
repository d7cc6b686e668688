// SPDX-License-Identifier: Apache-2.0
#pragma once

#ifdef __AVX2__

#include <bit>
#include <cstring>

#include "dataplane/packet/eight_segments.hpp"
#include "dataplane/stages/plain_frames.hpp"

/// Eight plain packets at once. Part of parse; x86-64-v3 and above.
namespace rampart {

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
  // Copies, for bytes are stored here, which could be anything.
  const RssOwners* const owners = w.owners;
  const unsigned workers = w.workers;
  Giver giver(w);
  for (unsigned k = from; k < end; ++k) {
    const unsigned i = c.packet[k], n = c.count;
    const WorkerId owner = WorkerState::owner_of(c.key[k], c.hash[k], owners, workers);
    if (owner != w.id) {
      b.foreign = true;
      giver.give(owner, i, tag(b, w, i, c, k));
      continue;
    }
    c.key[n] = c.key[k];
    c.end[n] = c.end[k];
    c.hash[n] = c.hash[k];
    keep(w, i, c);
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
template <typename Key, typename Heads>
[[gnu::always_inline]] inline bool read_segment(Burst& b, unsigned i, const uint8_t* frame,
                                                const EightFrames& f, const Heads& h, unsigned j) {
  constexpr auto kTcp = static_cast<uint8_t>(IpProtocol::kTcp);
  constexpr uint32_t kHeader = PlainHeader<Key>::kBytes;
  const uint8_t* ip = f.ip[j];
  if (detail::has_both_ports(h.ports[j]) && leave_unread(b, i, ip + kHeader, h.payload[j])) {
    return true;
  }
  detail::PlainTransport t;
  return detail::check_plain_transport(ip + kHeader, h.payload[j], kTcp, t) &&
         detail::fill_plain<PlainHeader<Key>::kFamily>(ip, static_cast<uint32_t>(ip - frame),
                                                       f.vlans[j], t, b.packet[i]);
}

/// Such a packet: into the columns. False, and nothing done: it is not one.
template <typename Heads, typename Key>
[[gnu::always_inline]] inline bool take_segment(Burst& b, unsigned i, WorkerState& w,
                                                const uint8_t* frame, const EightFrames& f,
                                                const Zone (&zones)[8], const Heads& h, unsigned j,
                                                FlowColumns<Key>& c) {
  constexpr auto kTcp = static_cast<uint8_t>(IpProtocol::kTcp);
  if (!read_segment<Key>(b, i, frame, f, h, j)) return false;
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
  using Header = PlainHeader<Key>;
  const uint8_t* const* behind = all.behind + first;
  ParsedPacket* const packets = b.packet + first;
  if (read_eight_middles<Header::kFamily>(f, h.ports, h.payload, packets)) {
    b.unread |= uint64_t{0xff} << first;
    b.segments |= uint64_t{0xff} << first;
  } else if (!read_eight_syns<Header::kFamily>(f, behind, h.ports, h.payload, packets)) {
    for (unsigned j = 0; j < 8; ++j) {
      if (!read_segment<Key>(b, first + j, behind[j] - Frames::kHeader, f, h, j)) return false;
    }
  }
  take_eight(b, first, w, IpProtocol::kTcp, f, zones, h, c);
  return true;
}

/// Frames of ports that are not looked at closely, of eight from `first` on. Bit j: first + j.
inline uint32_t open_lanes(const Burst& b, unsigned first, uint64_t closely) {
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

/// `count` (up to eight) frames from `first` on. one(i) parses frame i, which is none of those that
/// are looked at by eights.
template <typename One>
[[gnu::always_inline]] inline void parse_eight(Burst& b, unsigned first, unsigned count,
                                               const Frames& all, WorkerState& w, uint64_t closely,
                                               One&& one) {
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
    one(i);
  }
}

}  // namespace rampart

#endif
