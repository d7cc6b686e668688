// SPDX-License-Identifier: Apache-2.0
//
// What stands between two TCP stacks: the tracker with its one flow, and the dice of the network.
#pragma once

#include <initializer_list>
#include <optional>
#include <random>
#include <string>
#include <utility>

#include "dataplane/flow/tcp_first.hpp"
#include "dataplane/flow/tcp_tracker.hpp"
#include "tests/support/tcp_model.hpp"
#include "tests/support/tcp_packet.hpp"
#include "tests/support/tcp_short_way.hpp"

namespace rampart::test {

using enum FlowState;
using namespace tcp_flag;

struct Dice {
  std::mt19937 random;
  explicit Dice(uint64_t from) : random(static_cast<uint32_t>(from)) {}
  uint32_t below(uint32_t n) { return n == 0 ? 0 : random() % n; }
  uint32_t between(uint32_t least, uint32_t most) { return least + below(most - least + 1); }
  bool percent(unsigned n) { return below(100) < n; }
  uint32_t any() { return random(); }
  template <typename T>
  T of(std::initializer_list<T> all) {
    return *(all.begin() + below(static_cast<uint32_t>(all.size())));
  }
};

struct Network {
  unsigned loss_percent, double_percent;
  unsigned least_ms, most_ms;  ///< of each of the two links that a segment takes
};

/// The tracker with a table of one flow. `end`: which of the two ends has sent a segment; the
/// opener is the one whose SYN passes here first.
class Middle {
 public:
  std::optional<FlowState> state;  ///< none: there is no flow
  uint64_t short_ways = 0;         ///< segments that tcp_goes_on has taken in

  Tracked judge(Side end, const ParsedPacket& p) {
    short_ways += short_way_agrees(track_, *state, side_of(end), p);
    return tcp_judge(track_, *state, side_of(end), p, next_);
  }
  /// Takes in what was judged last.
  void update(const Tracked& t) {
    track_ = next_;
    state = t.next;
  }
  void open(Side end, const ParsedPacket& p) {
    opener_ = end;
    tcp_open(track_, p);
    state = kTcpOpening;
  }
  bool pick_up(Side end, const ParsedPacket& p) {
    track_ = {};
    if (!tcp_pick_up(track_, side_of(end), p)) return false;
    state = kTcpPickedUp;
    return true;
  }

 private:
  Side side_of(Side end) const { return end == opener_ ? Side::kOpener : Side::kReplier; }
  Side opener_ = Side::kOpener;
  TcpTrack track_{}, next_{};
};

inline ParsedPacket parsed(const ModelSegment& s) {
  ParsedPacket p = tcp_packet(s.flags);
  p.tcp.sequence = s.seq;
  p.tcp.acknowledgement = s.ack;
  p.tcp.window = s.window;
  p.tcp.payload = s.bytes;
  p.tcp.window_scale = s.scale;
  return p;
}

inline std::string text(Side side, const ModelSegment& s) {
  std::string out = side == Side::kOpener ? "opener " : "replier ";
  for (const auto& [flag, name] : {std::pair{kSyn, 'S'}, {kFin, 'F'}, {kRst, 'R'}, {kAck, 'A'}}) {
    if (s.has(flag)) out += name;
  }
  return out + " seq " + std::to_string(s.seq) + " ack " + std::to_string(s.ack) + " bytes " +
         std::to_string(s.bytes) + " window " + std::to_string(s.window);
}

}  // namespace rampart::test
