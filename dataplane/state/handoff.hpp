// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <rte_mbuf.h>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <type_traits>

#include "dataplane/base/cacheline.hpp"
#include "dataplane/base/ids.hpp"
#include "dataplane/base/prefetch.hpp"
#include "dataplane/packet/flow_key.hpp"

namespace rampart {

/// What is written on a packet that goes through a ring between workers, so that its taker need not
/// find out again what its giver has. It stands in fields of the packet's buffer (mbuf) that
/// drivers fill in for whoever receives and nobody here reads, in the line that both workers touch
/// in any case: a line of its own for each packet costs both of them more than it tells.
///
/// packet_type: purpose, end of the key, port on which it came in, low half of the giver's last
/// report. hash: of the flow's key, if only that has been read.
struct HandoffTag {
  enum Purpose : uint8_t {
    kJudge,
    kTransmit,
    kFragment,  ///< to be judged, too: a fragment that the giver has checked
    kUnreadV4,  ///< to be judged, the taker's, and unread as Burst::unread has it
    kUnreadV6,  ///< the same over IPv6
  };
  static constexpr uint32_t pack(Purpose purpose, uint8_t in_port, uint32_t report,
                                 unsigned end = 0) {
    return uint32_t{purpose} << 25 | end << 24 | uint32_t{in_port} << 16 | (report & 0xffff);
  }
  static constexpr Purpose purpose(uint32_t tag) { return static_cast<Purpose>(tag >> 25); }
  /// Of an unread one: which end of the key its source is.
  static constexpr unsigned end(uint32_t tag) { return tag >> 24 & 1; }
  static constexpr uint8_t in_port(uint32_t tag) { return static_cast<uint8_t>(tag >> 16); }
  /// How many reports the giver was ahead of us; 0 or less: none.
  static constexpr int ahead_of(uint32_t tag, uint32_t made) {
    return static_cast<int16_t>(static_cast<uint16_t>(tag) - static_cast<uint16_t>(made));
  }
  template <typename Key>
  static constexpr Purpose unread = std::is_same_v<Key, FlowKeyV4> ? kUnreadV4 : kUnreadV6;

  static void write(rte_mbuf* m, uint32_t tag) { m->packet_type = tag; }
  static uint32_t read(const rte_mbuf* m) { return m->packet_type; }
  /// Reads it for good: a driver that sends the packet finds no type.
  static uint32_t take(rte_mbuf* m) {
    const uint32_t tag = m->packet_type;
    m->packet_type = 0;
    return tag;
  }
  static void write_hash(rte_mbuf* m, uint64_t hash) {
    static_assert(sizeof m->hash == sizeof hash);
    std::memcpy(&m->hash, &hash, sizeof hash);
  }
  static uint64_t read_hash(const rte_mbuf* m) { return detail::load64(&m->hash); }
};

/// So many packets before it is their turn take_up asks for what has been handed over; who calls it
/// does for the first ones. They are about as many lines as a core has on their way at once (Zen 3:
/// 22 to 24). What prefetches ask it for beyond these it forgets, and waits for it where it is
/// needed, one line after the other.
inline constexpr unsigned kFetchAhead = 7;

/// Asks for what another worker was the last to write to: the buffer's two lines, for who sends a
/// packet or frees it reads them both, and the first one of its frame. All of them to be written,
/// as they will be by who receives into such a buffer next.
inline void fetch_handed(const rte_mbuf* m) {
  const auto* lines = reinterpret_cast<const std::byte*>(m);
  prefetch_line_to_write(lines);
  prefetch_line_to_write(lines + kCacheLine);
  // Where a frame usually lies; the buffer, which would tell, is not here yet.
  prefetch_line_to_write(lines + sizeof(rte_mbuf) + RTE_PKTMBUF_HEADROOM);
}

}  // namespace rampart
