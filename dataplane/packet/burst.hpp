// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <emmintrin.h>

#include <cstdint>
#include <type_traits>

#include "dataplane/base/cacheline.hpp"
#include "dataplane/base/ids.hpp"
#include "dataplane/packet/flow_key.hpp"
#include "dataplane/packet/parsed_packet.hpp"

struct rte_mbuf;

namespace rampart {

/// What becomes of a packet. Every packet starts pending, and one that is still pending at the end
/// is dropped: passing has to be earned.
enum class Fate : uint8_t {
  kPending,
  kForward,     ///< to the other port of its wire
  kDrop,        ///< under `reason`
  kAnswered,    ///< dropped under `reason`; its buffer has gone on as an answer of ours
  kHandedOver,  ///< lies in the ring to another worker, who counts it from there, or is held
};

/// The packets of one family that flows are about, side by side in packet order. `packet[i]` is
/// the index in the burst.
template <typename Key>
struct FlowColumns {
  unsigned count;
  unsigned pending_count;
  uint8_t packet[64];
  uint8_t end[64];      ///< which end of the key the packet's (or the quote's) source is
  uint8_t pending[64];  ///< indices into these columns: to be judged
  uint32_t slot[64];    ///< in the flow table; with `pending`: the flow to be judged again
  uint64_t hash[64];
  Key key[64];
};

/// The packets that go through the pipeline together, in columns.
struct alignas(kCacheLine) Burst {
  static constexpr unsigned kSize = 64;

  unsigned count;
  Tsc now;  ///< one clock read for all of them, at the start of the loop that has received them
  rte_mbuf* mbuf[kSize];
  uint8_t in_port[kSize];  ///< index of the port that received it
  Fate fate[kSize];
  DropReason reason[kSize];
  uint32_t frame_bytes[kSize];
  ParsedPacket packet[kSize];  ///< of those that are unread, `tcp` at the most
  uint64_t bytes;              ///< of all frames, as parse has met them
  bool whole;                  ///< every packet is known to lie in one buffer
  bool foreign;                ///< some belong to other workers, and stand in the outboxes
  uint32_t crowded;            ///< bit n: see Backpressure::targets; as steer has found it
  uint64_t tunnels;            ///< bit i: packet i is encapsulated traffic
  /// Bit i: of packet i, a plain datagram of UDP or segment from the middle of a TCP connection,
  /// nothing but the key has been read, and of the segment its numbers (`tcp`). Only parse, take_up
  /// and track meet such packets: those that are more than one of a flow that goes on, track reads.
  uint64_t unread;
  uint64_t segments;  ///< those that are segments, of the unread as parse has left them
  /// Bit i: a fragment that has been checked (see stages/fragments.hpp).
  uint64_t checked;
  /// Fragments on whose fate in this burst others hang, and those that hang on it, in packet order.
  struct Hanging {
    unsigned count;
    uint8_t packet[kSize];
    uint32_t datagram[kSize];  ///< its number in the FragmentTable
  } hanging;
  FlowColumns<FlowKeyV4> v4;
  FlowColumns<FlowKeyV6> v6;

  void drop(unsigned i, DropReason why) {
    fate[i] = Fate::kDrop;
    reason[i] = why;
  }
  /// Whether every packet has this fate.
  bool all(Fate one) const { return all_are(fate, static_cast<uint8_t>(one)); }
  /// As in most bursts: every packet goes out.
  bool all_forward() const { return all(Fate::kForward); }
  bool of_one_port() const { return all_are(in_port, in_port[0]); }

 private:
  /// Whether the packets' bytes in a column are all the same. The whole column is read.
  bool all_are(const void* column, uint8_t value) const {
    static_assert(kSize == 64);
    const auto* from = static_cast<const __m128i*>(column);
    uint64_t others = 0;
    for (unsigned n = 0; n < 4; ++n) {
      const __m128i same =
          _mm_cmpeq_epi8(_mm_loadu_si128(from + n), _mm_set1_epi8(static_cast<char>(value)));
      others |= uint64_t{static_cast<uint16_t>(~_mm_movemask_epi8(same))} << 16 * n;
    }
    return count == 0 || others << (kSize - count) == 0;
  }
};
static_assert(std::is_trivially_copyable_v<Burst>);

}  // namespace rampart
