// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "dataplane/flow/tracker.hpp"
#include "dataplane/packet/burst.hpp"
#include "dataplane/stages/l4_check.hpp"
#include "dataplane/state/rule_set.hpp"
#include "dataplane/state/worker_state.hpp"

/// What several stages do to flows.
namespace rampart {

inline RevisionMark changed_in(const AddressMap& map, const FlowKeyV4& key, unsigned end) {
  return map.changed_in_v4(key.address[end]);
}
inline RevisionMark changed_in(const AddressMap& map, const FlowKeyV6& key, unsigned end) {
  return map.changed_in_v6(key.address[end]);
}
inline RevisionMark roughly_changed_in(const AddressMap& map, const FlowKeyV4& key, unsigned end) {
  return map.roughly_changed_in_v4(key.address[end]);
}
inline RevisionMark roughly_changed_in(const AddressMap& map, const FlowKeyV6& key, unsigned end) {
  return map.roughly_changed_in_v6(key.address[end]);
}

/// Whether a flow's verdict may have changed after revision `judged_in`, by the tables of `r`.
template <typename Key>
inline bool is_touched(const Key& key, const RuleSet& r, RevisionMark judged_in) {
  const AddressMap& map = *r.addresses;
  // Without a branch at first: while pods come and go, every packet of every flow comes here.
  if (!(static_cast<unsigned>(is_after(revision_mark(r.policy_changed_in), judged_in)) |
        static_cast<unsigned>(is_after(roughly_changed_in(map, key, 0), judged_in)) |
        static_cast<unsigned>(is_after(roughly_changed_in(map, key, 1), judged_in)))) [[likely]] {
    return false;
  }
  return is_after(revision_mark(r.policy_changed_in), judged_in) ||
         is_after(changed_in(map, key, 0), judged_in) ||
         is_after(changed_in(map, key, 1), judged_in);
}

/// The same for a flow that was judged under another revision, or is condemned; is_current decides.
template <typename Key>
[[gnu::noinline]] bool is_untouched(FlowEntry<Key>& entry, const RuleSet& r) {
  FlowFacts& f = entry.facts;
  if (f.condemned != 0) return false;
  if (r.mode == RuleSet::Mode::kByTables && is_touched(entry.key, r, f.judged_in)) return false;
  f.judged_in = revision_mark(r.revision);
  return true;
}

/// Whether the place of a new flow is fetched as soon as its packet is known to be a first one, one
/// by one: that many lines at once would have to queue up. Under a flood most are put off.
inline bool finds_place_early(const WorkerState& w) {
  return !w.overload.active;
}

/// Whether the verdict that a flow got still stands: it is of this revision, or nothing that
/// changed since can have touched it (then it is marked as of this revision).
template <typename Key>
[[gnu::always_inline]] inline bool is_current(FlowEntry<Key>& entry, const RuleSet& r) {
  const FlowFacts& f = entry.facts;
  if (f.condemned == 0 && f.judged_in == revision_mark(r.revision)) [[likely]] {
    return true;
  }
  return is_untouched(entry, r);
}

/// Writes down under which revision and rules a flow is allowed. (Whoever takes a condemned flow
/// back into grace sets its worth again.)
inline void mark(FlowFacts& f, FlowTally& tally, const RuleSet& r, const Verdict& v) {
  f.judged_in = revision_mark(r.revision);
  f.condemned = 0;
  tally.egress_rule = v.egress_rule;
  tally.ingress_rule = v.ingress_rule;
}

constexpr bool is_half_open(FlowState state) {
  return state == FlowState::kTcpOpening || state == FlowState::kTcpSynReceived;
}

template <typename Key>
[[gnu::noinline]] void move_load(WorkerState& w, const FlowEntry<Key>& entry, FlowWorth from,
                                 FlowWorth to) {
  const unsigned opener = entry.facts.opener_end;
  w.sources.move(address_hash(entry.key, opener, w.seed), from, to);
  w.targets.move(address_hash(entry.key, 1 - opener, w.seed), from, to);
}
/// Says what a flow is worth from now on; `from`: what it was to its ends so far.
template <typename Key>
inline void count_worth(WorkerState& w, const FlowEntry<Key>& entry, FlowWorth from, FlowWorth to) {
  if (w.sources.is_on()) [[unlikely]] {
    move_load(w, entry, from, to);
  }
}
template <typename Key>
inline void change_worth(WorkerState& w, FlowTable<Key>& table, typename FlowTable<Key>::Slot slot,
                         FlowWorth next) {
  const FlowWorth before = table.worth(slot);
  if (next == before) return;
  count_worth(w, table[slot], before, next);
  table.set_worth(slot, next);
}

/// Whether a segment from the middle of a connection that nobody has seen begin may become a flow.
inline bool may_be_picked_up(const ParsedPacket& p, const WorkerState& w, Tsc now) {
  using namespace tcp_flag;
  return now < w.pick_up_until && p.protocol == static_cast<uint8_t>(IpProtocol::kTcp) &&
         (p.tcp_flags & (kSyn | kAck | kRst)) == kAck;
}

/// Whether this is a client's answer to a challenge.
template <typename Key>
bool is_proof(const ParsedPacket& p, const WorkerState& w, const FlowColumns<Key>& c, unsigned k,
              Tsc now) {
  using namespace tcp_flag;
  return static_cast<int32_t>(w.challenge.listen_until - tick_of(now)) > 0 &&
         p.protocol == static_cast<uint8_t>(IpProtocol::kTcp) &&
         (p.tcp_flags & (kSyn | kAck | kRst)) == kRst &&
         w.challenge.is_proof(p.tcp.sequence, c.key[k], c.end[k], tick_of(now));
}

/// Why a packet of no flow is dropped that opens none.
inline DropReason why_without_flow(const ParsedPacket& p) {
  if (p.kind == PacketKind::kFragment) return DropReason::kFragmentDenied;
  const auto protocol = static_cast<IpProtocol>(p.protocol);
  const bool icmp = p.kind == PacketKind::kIcmpError || protocol == IpProtocol::kIcmp ||
                    protocol == IpProtocol::kIcmpV6;
  return icmp ? DropReason::kIcmpUnrelated : DropReason::kNoFlow;
}

/// Gives a flow that has just been inserted its ends and its state, and counts it. (All else of its
/// facts and tally is the caller's to write.)
template <typename Key>
inline void begin_flow(WorkerState& w, FlowTable<Key>& table, typename FlowTable<Key>::Slot slot,
                       unsigned opener_end, FlowState state) {
  FlowFacts& f = table[slot].facts;
  f.opener_end = static_cast<uint8_t>(opener_end);
  f.state = state;
  w.half_open += is_half_open(state);
  if (worth_of(state) != FlowWorth::kWeak) table.set_worth(slot, worth_of(state));
  count_worth(w, table[slot], FlowWorth::kDead, worth_of(state));
}

/// Moves a flow to another state, and all that is counted by states with it.
template <typename Key>
inline void set_state(WorkerState& w, FlowTable<Key>& table, typename FlowTable<Key>::Slot slot,
                      FlowState next) {
  FlowFacts& f = table[slot].facts;
  w.half_open += static_cast<uint32_t>(is_half_open(next)) - is_half_open(f.state);
  change_worth(w, table, slot, worth_of(next));
  f.state = next;
}

/// Ends a flow. The only way in which one is taken from a table.
template <typename Key>
inline void end_flow(WorkerState& w, FlowTable<Key>& table, typename FlowTable<Key>::Slot slot,
                     uint64_t hash) {
  w.half_open -= is_half_open(table[slot].facts.state);
  count_worth(w, table[slot], table.worth(slot), FlowWorth::kDead);
  table.erase(slot, hash);
}

/// A TCP flow is no longer allowed, and waits for a packet that can tell both ends (--on-cut
/// reset).
template <typename Key>
inline void condemn(WorkerState& w, FlowTable<Key>& table, typename FlowTable<Key>::Slot slot,
                    const RuleSet& r) {
  FlowFacts& f = table[slot].facts;
  f.judged_in = revision_mark(r.revision);
  f.condemned = 1;
  change_worth(w, table, slot, FlowWorth::kDead);
}

/// An ICMP error about a flow that is allowed. It passes if it comes from where its quote was
/// going, and its quote may have been sent (RFC 5927 §4). It says nothing of the flow that anybody
/// could believe: neither clock nor state nor counters move.
template <typename Key>
inline void accept_error(Burst& b, unsigned i, WorkerState& w, const FlowEntry<Key>& entry,
                         Side quoted_sender) {
  const FlowFacts& f = entry.facts;
  const uint8_t senders_port = f.opener_port ^ static_cast<uint8_t>(quoted_sender);
  if (w.ports[b.in_port[i]].end == senders_port || !quote_fits(f, quoted_sender, b.packet[i])) {
    return b.drop(i, DropReason::kIcmpUnrelated);
  }
  b.fate[i] = Fate::kForward;
}

/// A later fragment of a flow that is allowed, and of a datagram whose first has passed. It has no
/// header, so it says nothing of the flow: that was up to the first.
template <typename Key>
inline void accept_fragment(Burst& b, unsigned i, FlowTable<Key>& table,
                            typename FlowTable<Key>::Slot slot, Side side) {
  table.tally(slot).count(side, b.frame_bytes[i]);
  b.fate[i] = Fate::kForward;
}

/// Does to packet i of an allowed flow what its tracker says, if its checksum permits. `then`: the
/// track afterwards, by judge_track.
template <typename Key>
inline void accept(Burst& b, unsigned i, WorkerState& w, FlowTable<Key>& table,
                   typename FlowTable<Key>::Slot slot, Side side, const Tracked& tracked,
                   const TcpTrack& then) {
  FlowFacts& f = table[slot].facts;
  switch (tracked.action) {
    case TrackAction::kAccept:
    case TrackAction::kAcceptUnproven:
      if (tracked.verify && !may_change_state(b, i, w)) return b.drop(i, DropReason::kL4Checksum);
      update_track(f, side, b.packet[i], then);
      if (tracked.next != f.state) set_state(w, table, slot, tracked.next);
      if (tracked.action == TrackAction::kAccept) f.last_seen = tick_of(b.now);
      break;
    case TrackAction::kPassUnchanged:
      break;
    case TrackAction::kDrop:
      return b.drop(i, tracked.reason);
    case TrackAction::kReopen:
      // Only track can ask policy about a new connection; it has seen to all but one that comes
      // behind the end of its predecessor in one burst. It will be sent again.
      return b.drop(i, DropReason::kTcpState);
  }
  table.tally(slot).count(side, b.frame_bytes[i]);
  b.fate[i] = Fate::kForward;
}

/// The same without knowing yet what the packet is to the flow.
template <typename Key>
inline void accept(Burst& b, unsigned i, WorkerState& w, FlowTable<Key>& table,
                   typename FlowTable<Key>::Slot slot, unsigned end) {
  const FlowFacts& f = table[slot].facts;
  const Side side = f.side(end);
  if (b.packet[i].kind == PacketKind::kIcmpError) {
    return accept_error(b, i, w, table[slot], side);
  }
  if (b.packet[i].kind == PacketKind::kFragment) return accept_fragment(b, i, table, slot, side);
  TcpTrack then;
  const Tracked tracked = judge_track(f, side, b.packet[i], then);
  accept(b, i, w, table, slot, side, tracked, then);
}

}  // namespace rampart
