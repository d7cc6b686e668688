// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "dataplane/packet/burst.hpp"
#include "dataplane/packet/parse_plain.hpp"
#include "dataplane/stages/steering.hpp"
#include "dataplane/state/worker_state.hpp"

/// Plain packets, which most are: into the columns with one, reading no more of it than is needed.
/// Part of parse.
namespace rampart {

/// Where things stand in the headers of a plain packet of the key's family.
template <typename Key>
struct PlainHeader;
template <>
struct PlainHeader<FlowKeyV4> {
  static constexpr Family kFamily = Family::kV4;
  static constexpr unsigned kBytes = detail::kPlainIpBytes<kFamily>, kProtocol = 9;
  static uint32_t payload(const uint8_t* ip) { return detail::read16(ip + 2) - kBytes; }
  [[gnu::always_inline]] static bool check(const uint8_t* ip, uint32_t readable,
                                           detail::PlainTransport& t) {
    return detail::check_plain_v4(ip, readable, t);
  }
};
template <>
struct PlainHeader<FlowKeyV6> {
  static constexpr Family kFamily = Family::kV6;
  static constexpr unsigned kBytes = detail::kPlainIpBytes<kFamily>, kProtocol = 6;
  static uint32_t payload(const uint8_t* ip) { return detail::read16(ip + 4); }
  [[gnu::always_inline]] static bool check(const uint8_t* ip, uint32_t readable,
                                           detail::PlainTransport& t) {
    return detail::check_plain_v6(ip, readable, t);
  }
};

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
  if (!PlainHeader<Key>::check(ip, readable - at.l3, t)) return false;
  if (t.is_udp()) {
    b.unread |= uint64_t{1} << i;
  } else if (!leave_unread(b, i, t.header, t.bytes) &&
             !detail::fill_plain<PlainHeader<Key>::kFamily>(ip, at.l3, at.vlans, t, b.packet[i])) {
    return false;
  }
  const Zone zone = make_zone(w.ports[b.in_port[i]].wire, at.vlans);
  b.foreign |= !keep_if_own(b, w, i, c, aim(w, ip, zone, t, c));
  return true;
}

}  // namespace rampart
