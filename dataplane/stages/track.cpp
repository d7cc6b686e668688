// SPDX-License-Identifier: Apache-2.0
#include <rte_mbuf.h>

#include <algorithm>
#include <bit>

#include "dataplane/flow/tcp_goes_on.hpp"
#include "dataplane/packet/parse.hpp"
#include "dataplane/stages/flow_ops.hpp"
#include "dataplane/stages/stages.hpp"

namespace rampart {
namespace {

/// The packet of this column belongs to no flow, and may open one if policy allows it.
template <typename Key>
void ask_policy(FlowColumns<Key>& c, unsigned column) {
  c.slot[column] = FlowTable<Key>::kNone;
  c.pending[c.pending_count++] = static_cast<uint8_t>(column);
}

/// Whether a packet before this one in the burst may open the flow of this column.
template <typename Key>
bool may_find_flow(const FlowColumns<Key>& c, unsigned column) {
  return std::any_of(c.pending, c.pending + c.pending_count, [&](unsigned before) {
    return c.hash[before] == c.hash[column] && c.key[before] == c.key[column];
  });
}

/// Packet i belongs to no flow, and is no plain first one: may it open one, or find one that is
/// opened before its turn?
template <typename Key>
[[gnu::noinline]] void miss_closely(Burst& b, unsigned i, const WorkerState& w, const RuleSet& r,
                                    FlowColumns<Key>& c, unsigned column) {
  const ParsedPacket& p = b.packet[i];
  // Without a policy, connections that are older than we are go on.
  const bool passes = r.mode == RuleSet::Mode::kPassAll;
  if (r.mode == RuleSet::Mode::kDropAll) {
    b.drop(i, DropReason::kNoPolicyYet);
  } else if (p.kind == PacketKind::kFlow &&
             (p.opens_flow || may_be_picked_up(p, w, b.now) || is_proof(p, w, c, column, b.now) ||
              (!passes && may_find_flow(c, column)))) {
    ask_policy(c, column);
  } else if (passes) {
    b.fate[i] = Fate::kForward;
  } else {
    b.drop(i, why_without_flow(p));
  }
}

template <typename Key>
[[gnu::always_inline]] inline void miss(Burst& b, unsigned i, WorkerState& w, const RuleSet& r,
                                        FlowColumns<Key>& c, unsigned column) {
  const ParsedPacket& p = b.packet[i];
  if (p.kind == PacketKind::kFlow && p.opens_flow && r.mode != RuleSet::Mode::kDropAll) {
    if (finds_place_early(w)) {
      w.table<Key>().prefetch_place(c.key[column], c.hash[column], w.flows() >= w.max_flows);
    }
    return ask_policy(c, column);
  }
  miss_closely(b, i, w, r, c, column);
}

/// Reads a packet of which only the key was read so far.
[[gnu::noinline]] void read(Burst& b, unsigned i) {
  const rte_mbuf* m = b.mbuf[i];
  const auto* frame = rte_pktmbuf_mtod(m, const uint8_t*);
  if (!read_plain_frame(frame, b.packet[i])) {
    parse_frame(frame, m->data_len, m->pkt_len, b.packet[i]);
  }
  b.unread &= ~(uint64_t{1} << i);
}

/// Whether a datagram from this side leaves the flow in its state.
constexpr bool is_steady(FlowState state, unsigned side) {
  constexpr auto set_of = [](FlowState of, Side from) {
    return uint64_t{1} << (2 * static_cast<unsigned>(of) + static_cast<unsigned>(from));
  };
  static_assert(2 * kFlowStates <= 64);
  constexpr uint64_t kSteady = set_of(FlowState::kUdpReplied, Side::kOpener) |
                               set_of(FlowState::kUdpReplied, Side::kReplier) |
                               set_of(FlowState::kUdpOpening, Side::kOpener);
  return (kSteady >> (2 * static_cast<unsigned>(state) + side) & 1) != 0;
}

/// Takes in a segment that goes on, and counts it. (A function of its own: there are not registers
/// enough for this and the loop around it.)
[[gnu::noinline]] bool takes_segment(TcpTrack& track, FlowTally& tally, Side side,
                                     const TcpFields& segment, uint32_t frame_bytes) {
  if (!tcp_goes_on(track, side, segment)) return false;
  tally.count(side, frame_bytes);
  return true;
}

/// Takes packet i in, if it is nothing but one more of its flow, which goes on: a datagram that
/// changes nothing but the flow's clock and counters, or a segment that moves nothing but its
/// windows. `from`: the Side of its sender.
template <typename Key>
[[gnu::always_inline]] inline bool takes(Burst& b, unsigned i, const RuleSet& r,
                                         FlowTable<Key>& table, uint32_t slot, unsigned from) {
  FlowEntry<Key>& entry = table[slot];
  FlowFacts& f = entry.facts;
  const auto side = static_cast<Side>(from);
  const bool unread = (b.unread >> i & 1) != 0;
  if (f.state == FlowState::kTcpEstablished) {
    const ParsedPacket& p = b.packet[i];
    if (!unread && !(p.kind == PacketKind::kFlow && may_go_on(p))) return false;
    return is_current(entry, r) && takes_segment(f.track.tcp, table.tally_beside_track(slot), side,
                                                 p.tcp, b.frame_bytes[i]);
  }
  if (!unread || !is_steady(f.state, from) || !is_current(entry, r)) return false;
  table.tally_without_track(slot).count(side, b.frame_bytes[i]);
  return true;
}

/// Looks again for the flow of column k, which is not where fetch took it to be; one in twenty is
/// not.
template <typename Key>
[[gnu::noinline]] uint32_t find_again(const FlowTable<Key>& table, FlowColumns<Key>& c,
                                      unsigned k) {
  return c.slot[k] = table.find(c.key[k], c.hash[k]);
}

/// Flows of one kind, told by one comparison: of `condemned`, `state` and `judged_in`.
class Alike {
 public:
  /// As is_current has it of flows in `state`.
  Alike(const RuleSet& r, FlowState state)
      : wanted_(static_cast<uint64_t>(state) << 32 | revision_mark(r.revision)) {}

 protected:
  uint64_t differ(const FlowFacts& f) const {
    return (detail::load64(&f.judged_in) ^ wanted_) & kAsked;
  }

 private:
  static_assert(std::endian::native == std::endian::little &&
                offsetof(FlowFacts, state) == offsetof(FlowFacts, judged_in) + 4 &&
                offsetof(FlowFacts, condemned) == offsetof(FlowFacts, judged_in) + 7);
  static constexpr uint64_t kAsked = uint64_t{0xff} << 56 | uint64_t{0xff} << 32 | 0xffffffff;

  uint64_t wanted_;
};

/// Datagrams of which nothing but the key was read.
struct Datagrams : Alike {
  explicit Datagrams(const RuleSet& r) : Alike(r, FlowState::kUdpOpening) {}

  /// Whether the next one of a flow from this side leaves it as it is but for its clock and
  /// counters: is_steady() and is_current().
  bool go_on(const FlowFacts& f, unsigned side) const {
    // One bit tells the states apart: after the answer datagrams come from both sides.
    static_assert(static_cast<unsigned>(FlowState::kUdpOpening) % 2 == 0 &&
                  FlowState::kUdpReplied ==
                      FlowState{static_cast<uint8_t>(FlowState::kUdpOpening) + 1});
    return (differ(f) & ~(uint64_t{1} << 32)) == 0 && (side & ~static_cast<unsigned>(f.state)) == 0;
  }
  template <typename Key>
  static bool take(const Burst& b, unsigned i, FlowTable<Key>& /*table*/, uint32_t /*slot*/,
                   FlowEntry<Key>& entry, unsigned side) {
    FlowTable<Key>::tally_without_track(entry).count(static_cast<Side>(side), b.frame_bytes[i]);
    return true;
  }
};

/// Segments of which nothing but the key and the numbers were read.
struct Segments : Alike {
  explicit Segments(const RuleSet& r) : Alike(r, FlowState::kTcpEstablished) {}

  bool go_on(const FlowFacts& f, unsigned /*side*/) const { return differ(f) == 0; }
  template <typename Key>
  static bool take(const Burst& b, unsigned i, FlowTable<Key>& table, uint32_t slot,
                   FlowEntry<Key>& entry, unsigned side) {
    if (!tcp_goes_on(entry.facts.track.tcp, static_cast<Side>(side), b.packet[i].tcp)) return false;
    table.tally_beside_track(slot).count(static_cast<Side>(side), b.frame_bytes[i]);
    return true;
  }
};

/// What go_on does, for a burst of nothing but such packets, as far as they are what most are:
/// columns from `k` on. Returns the first that is not, or whose flow is not where fetch took it to
/// be. (For datagrams nothing is called from this loop: there are not registers enough for that.)
template <typename Packets, typename Key>
[[gnu::noinline]] unsigned forward_alike(Burst& b, const WorkerState& w, const RuleSet& r,
                                         FlowColumns<Key>& c, FlowTable<Key>& table, unsigned k) {
  const Tick now = tick_of(b.now);
  const Packets packets(r);
  FlowEntry<Key>* const entries = &table[0];
  const size_t count = c.count;
  size_t n = k;
  for (; n < count; ++n) {
    const uint32_t slot = c.slot[n];
    if (slot == FlowTable<Key>::kNone) [[unlikely]] {
      break;
    }
    FlowEntry<Key>& entry = entries[slot];
    FlowFacts& f = entry.facts;
    const unsigned side = unsigned{c.end[n]} ^ f.opener_end;
    const unsigned i = c.packet[n];
    if (!(entry.key == c.key[n]) || !packets.go_on(f, side) ||
        is_expired(f.last_seen, now, f.state, w.timeouts) ||
        !packets.take(b, i, table, slot, entry, side)) [[unlikely]] {
      break;
    }
    f.last_seen = now;
    b.fate[i] = Fate::kForward;
  }
  return static_cast<unsigned>(n);
}

/// The same, wherever their flows are. Returns how many they were.
template <typename Packets, typename Key>
unsigned forward_first(Burst& b, WorkerState& w, const RuleSet& r, FlowColumns<Key>& c,
                       FlowTable<Key>& table) {
  unsigned k = forward_alike<Packets>(b, w, r, c, table, 0);
  while (k != c.count && c.slot[k] != FlowTable<Key>::kNone &&
         !(table[c.slot[k]].key == c.key[k]) && find_again(table, c, k) != FlowTable<Key>::kNone) {
    k = forward_alike<Packets>(b, w, r, c, table, k);
  }
  w.counters.flow_hits += k;
  return k;
}

/// Whether packet i, which belongs to no flow, is a plain first one.
inline bool opens_plainly(const Burst& b, unsigned i) {
  const ParsedPacket& p = b.packet[i];
  return (b.unread >> i & 1) == 0 && p.kind == PacketKind::kFlow && p.opens_flow;
}

/// Forwards what goes on, from column `first`, and has plain first packets asked about. Leaves the
/// columns' indices of all others in `rest`, in order, and with them what comes behind one of these
/// in its flow. Returns how many they are.
template <typename Key>
[[gnu::noinline]] unsigned go_on(Burst& b, WorkerState& w, const RuleSet& r, FlowColumns<Key>& c,
                                 FlowTable<Key>& table, unsigned first, uint8_t* rest) {
  const Tick now = tick_of(b.now);
  const unsigned count = c.count;
  uint64_t waiting = 0;  // flows, by some bits of their hashes
  unsigned left = 0;
  // In a full table the place of a new flow is another's, which look_closely knows to fetch.
  const bool has_room =
      r.mode != RuleSet::Mode::kDropAll && finds_place_early(w) && w.flows() < w.max_flows;
  for (unsigned k = first; k < count; ++k) {
    const unsigned i = c.packet[k];
    auto slot = c.slot[k];
    const auto bit_of_flow = static_cast<unsigned>(c.hash[k] >> 8 & 63);
    if (slot != FlowTable<Key>::kNone && (waiting >> bit_of_flow & 1) == 0 &&
        (table[slot].key == c.key[k] || (slot = find_again(table, c, k)) != FlowTable<Key>::kNone))
        [[likely]] {
      FlowFacts& f = table[slot].facts;
      if (!is_expired(f.last_seen, now, f.state, w.timeouts) &&
          takes(b, i, r, table, slot, c.end[k] ^ f.opener_end)) [[likely]] {
        f.last_seen = now;
        b.fate[i] = Fate::kForward;
        continue;
      }
    }
    if (slot == FlowTable<Key>::kNone && has_room && (waiting >> bit_of_flow & 1) == 0 &&
        opens_plainly(b, i)) {
      table.prefetch_place(c.key[k], c.hash[k], false);
      table.prefetch_worths(c.hash[k]);
      ask_policy(c, k);
      continue;
    }
    waiting |= uint64_t{1} << bit_of_flow;
    table.prefetch_worths(c.hash[k]);  // its state may change, or another give up its place to it
    rest[left++] = static_cast<uint8_t>(k);
  }
  w.counters.flow_misses += c.pending_count;
  w.counters.flow_hits += count - first - left - c.pending_count;
  return left;
}

/// Judges one by one what does not go on: `count` columns, whose indices stand in `rest`.
template <typename Key>
[[gnu::noinline]] void look_closely(Burst& b, WorkerState& w, const RuleSet& r, FlowColumns<Key>& c,
                                    FlowTable<Key>& table, const uint8_t* rest, unsigned count) {
  // A packet before this one in the burst may have ended its flow; none opens one in this stage.
  bool ended = false;
  const Tick now = tick_of(b.now);
  for (unsigned n = 0; n < count; ++n) {
    const unsigned k = rest[n], i = c.packet[k];
    const ParsedPacket& p = b.packet[i];
    // What was not there has not come meanwhile.
    const auto slot = ended && c.slot[k] != FlowTable<Key>::kNone
                          ? table.find(c.key[k], c.hash[k])
                          : table.find(c.key[k], c.hash[k], c.slot[k]);
    if ((b.unread >> i & 1) != 0) {
      read(b, i);
      // That of one that was handed over comes with it; the place of a new flow is where its key
      // belongs.
      if (slot == FlowTable<Key>::kNone) c.hash[k] = hash_of(c.key[k], w.seed);
    }
    if (slot == FlowTable<Key>::kNone) {
      ++w.counters.flow_misses;
      miss(b, i, w, r, c, k);
      continue;
    }
    c.slot[k] = slot;
    FlowEntry<Key>& entry = table[slot];
    if (is_expired(entry.facts.last_seen, now, entry.facts.state, w.timeouts)) {
      end_flow(w, table, slot, c.hash[k]);
      ended = true;
      ++w.counters.flows_expired;
      ++w.counters.flow_misses;
      miss(b, i, w, r, c, k);
      continue;
    }
    const Side side = entry.facts.side(c.end[k]);
    if (p.kind != PacketKind::kFlow) {
      ++w.counters.flow_hits;
      if (!is_current(entry, r)) {
        c.pending[c.pending_count++] = static_cast<uint8_t>(k);
      } else if (p.kind == PacketKind::kIcmpError) {
        accept_error(b, i, w, entry, side);
      } else {
        accept_fragment(b, i, table, slot, side);
      }
      continue;
    }
    TcpTrack then;
    const Tracked tracked = judge_track(entry.facts, side, p, then);
    if (tracked.action == TrackAction::kReopen) {
      if (!may_change_state(b, i, w)) {
        b.drop(i, DropReason::kL4Checksum);
        continue;
      }
      end_flow(w, table, slot, c.hash[k]);
      ended = true;
      ++w.counters.flow_misses;
      miss(b, i, w, r, c, k);
      continue;
    }
    ++w.counters.flow_hits;
    if (is_current(entry, r)) {
      accept(b, i, w, table, slot, side, tracked, then);
    } else {
      c.pending[c.pending_count++] = static_cast<uint8_t>(k);
    }
  }
}

template <typename Key>
void track_family(Burst& b, WorkerState& w, const RuleSet& r, FlowColumns<Key>& c,
                  FlowTable<Key>& table) {
  c.pending_count = 0;
  const auto all = [&b](uint64_t packets) {
    return static_cast<unsigned>(std::popcount(packets)) == b.count;
  };
  const bool all_datagrams = all(b.unread ^ b.segments);
  table.fetch(c.key, c.hash, c.count, c.slot, !all_datagrams);
  const unsigned first = all_datagrams     ? forward_first<Datagrams>(b, w, r, c, table)
                         : all(b.segments) ? forward_first<Segments>(b, w, r, c, table)
                                           : 0;
  if (first == c.count) return;
  uint8_t rest[Burst::kSize];
  const unsigned count = go_on(b, w, r, c, table, first, rest);
  if (count != 0) look_closely(b, w, r, c, table, rest, count);
}

}  // namespace

void track(Burst& b, WorkerState& w, const RuleSet& r) noexcept {
  if (b.v4.count != 0) {
    track_family(b, w, r, b.v4, w.flows_v4);
  } else {
    b.v4.pending_count = 0;
  }
  if (b.v6.count != 0) {
    track_family(b, w, r, b.v6, w.flows_v6);
  } else {
    b.v6.pending_count = 0;
  }
}

}  // namespace rampart
