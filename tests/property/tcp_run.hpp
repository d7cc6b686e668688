// SPDX-License-Identifier: Apache-2.0
//
// One run: two honest ends, a bad network, the middle, and what must hold of it all the time.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <deque>
#include <iostream>
#include <memory>
#include <optional>
#include <queue>
#include <sstream>
#include <string>
#include <vector>

#include "dataplane/flow/tcp_sequence.hpp"
#include "tests/property/tcp_middle.hpp"
#include "tests/support/tcp_model.hpp"
#include "tests/unit/flow/printers.hpp"

namespace rampart::test {

struct Totals {
  uint64_t segments = 0, strangers = 0, refused = 0, finished = 0, resets = 0, reused = 0,
           picked_up = 0, simultaneous = 0, beyond = 0, short_ways = 0;
};

/// What one run is about.
struct Story {
  bool strangers = false;
  bool restarts = false;  ///< the middle forgets the flow in the middle of it
  bool fragments = false;
};

class Run {
 public:
  Run(uint64_t run_seed, const Story& story, Totals& totals)
      : dice_(run_seed), story_(story), totals_(totals) {}

  void play() {
    network_ = {dice_.of({0U, 1U, 5U, 15U}), dice_.of({0U, 2U, 10U}), dice_.between(1, 20), 0};
    network_.most_ms = network_.least_ms + dice_.of({0U, 5U, 40U});
    simultaneous_ = dice_.percent(20);
    connect({habits(), habits()});
    const unsigned again = dice_.of({0U, 0U, 1U, 2U});
    for (unsigned n = 0; n <= again && !failed_; ++n) {
      run_until_over();
      if (failed_ || n == again || !may_reuse()) break;
      ++totals_.reused;
      reconnect();
    }
    totals_.short_ways += middle_.short_ways;
  }

 private:
  enum class Place : uint8_t { kMiddle, kEnd };
  struct Event {
    uint64_t at, order;
    Place place;
    Side from;
    ModelSegment segment;
    bool operator>(const Event& o) const { return std::pair(at, order) > std::pair(o.at, o.order); }
  };

  TcpHabits habits() {
    TcpHabits h;
    h.isn = dice_.of({dice_.any(), 0U - dice_.below(100000), 0x80000000 - dice_.below(100000)});
    h.mss = static_cast<uint16_t>(dice_.of({100U, 536U, 1460U, 8960U, 40000U}));
    h.buffer = dice_.of({2000U, 20000U, 65535U, 300000U, 4000000U});
    h.scale = static_cast<uint8_t>(
        dice_.of({unsigned{TcpFields::kNoScale}, 0U, dice_.below(9), dice_.below(15)}));
    // No stack's unit is larger than its buffer.
    while (h.scale != TcpFields::kNoScale && h.scale > 0 && h.buffer >> h.scale < 4) --h.scale;
    h.to_send = dice_.of({0U, 1U, dice_.below(2000), dice_.below(100000), dice_.below(400000)});
    h.to_send = std::min(h.to_send, uint32_t{h.mss} * 150);
    h.reads_per_ms = dice_.of({300U, 2000U, 20000U});
    h.delayed_ack_ms = dice_.of({0U, 0U, 40U, 200U});
    h.rto_ms = dice_.of({50U, 200U, 1000U});
    h.keep_alive_ms = dice_.of({0U, 300U});
    h.keep_alive_byte = dice_.percent(50);
    h.probes_with_data = dice_.percent(50);
    h.fin_beyond_window = dice_.percent(50);
    h.shrinks_window = dice_.percent(25);
    if (dice_.percent(15)) h.aborts_at_ms = dice_.between(1, 1500);
    return h;
  }

  void connect(const TcpHabits (&h)[2]) {
    const bool data_in_syn = dice_.percent(20);
    TcpHabits both[2] = {h[0], h[1]};
    for (unsigned s = 0; s < 2; ++s) {
      both[s].syn_data = data_in_syn && !simultaneous_;
      both[s].closes_after = dice_.percent(50) ? 0 : both[1 - s].to_send;
      if (both[s].aborts_at_ms != 0) both[s].aborts_at_ms += static_cast<uint32_t>(now_);
      ends_[s] = std::make_unique<TcpModel>(both[s], dice_.any());
      edge_[s].reset();
      isn_[s] = both[s].isn;
    }
    totals_.simultaneous += simultaneous_;
    ends_[0]->connect(now_);
    if (simultaneous_) {
      ends_[1]->connect(now_);
    } else {
      ends_[1]->listen();
    }
    doubtful_ = reset_seen_ = false;
    forget_at_ = story_.restarts ? now_ + dice_.between(50, 1500) : 0;
  }

  bool was_aborted() const {
    const auto by = [](const TcpModel& m) { return m.was_reset() || m.has_aborted(); };
    return by(*ends_[0]) || by(*ends_[1]);
  }

  /// Both are done, and it could be known here.
  bool may_reuse() const {
    if (story_.fragments && !is_dead(*middle_.state)) return false;
    if (was_aborted() && !reset_seen_) return false;
    return ends_[0]->is_over() && ends_[1]->is_over() && !story_.restarts && !doubtful_ &&
           !ends_[0]->gave_up() && !ends_[1]->gave_up();
  }

  void reconnect() {
    TcpHabits h[2] = {habits(), habits()};
    // Clocks of initial numbers have gone on (RFC 6528).
    for (unsigned s = 0; s < 2; ++s)
      h[s].isn = ends_[s]->send_limit() + dice_.between(64000, 1 << 29);
    simultaneous_ = false;
    connect(h);
  }

  void run_until_over() {
    const uint64_t stop = now_ + 600000;
    uint64_t quiet_since = now_;
    uint64_t received = 0;
    moved_at_ = now_;
    while (now_ < stop && !failed_) {
      for (Side side : {Side::kOpener, Side::kReplier}) {
        end(side).tick(now_);
        collect(side);
      }
      while (!events_.empty() && events_.top().at <= now_) {
        const Event e = events_.top();
        events_.pop();
        if (e.place == Place::kMiddle) {
          at_middle(e.from, e.segment);
        } else {
          end(other(e.from)).receive(e.segment, now_);
          collect(other(e.from));
        }
        if (failed_) return;
        quiet_since = now_;
      }
      if (forget_at_ != 0 && now_ >= forget_at_ && may_forget()) {
        middle_.state.reset();
        forget_at_ = 0;
      }
      if (story_.strangers && dice_.percent(30)) stranger();
      const uint64_t arrived = uint64_t{ends_[0]->bytes_received()} + ends_[1]->bytes_received();
      if (arrived != received) moved_at_ = now_;
      received = arrived;
      const bool over = ends_[0]->is_over() && ends_[1]->is_over();
      if (over && events_.empty() && now_ > quiet_since + 10) break;
      now_ += over || dice_.percent(50) ? 1 : dice_.below(20);
    }
    check_end(now_ >= stop && now_ > moved_at_ + 100000);
  }

  bool may_forget() const {
    const auto open = [](const TcpModel& m) { return m.state() == TcpModel::State::kEstablished; };
    return open(*ends_[0]) && open(*ends_[1]);
  }

  void check_end(bool out_of_time) {
    if (failed_) return;
    if (ends_[0]->gave_up() || ends_[1]->gave_up()) return;
    // Aborted on one side; the other may never hear of it if it has nothing more to say.
    if (was_aborted()) {
      ++totals_.resets;
      return;
    }
    if (!ends_[0]->is_over() || !ends_[1]->is_over()) {
      // A lucky stranger may have closed an end's window for good.
      if (out_of_time && !story_.strangers) fail("nothing moves any more");
      return;  // slow, but it moves
    }
    for (unsigned s = 0; s < 2; ++s) {
      if (ends_[1 - s]->bytes_received() != ends_[s]->habits().to_send) {
        return fail("not all of it has arrived");
      }
    }
    ++totals_.finished;
    // Where a FIN in a fragment ends may not have shown.
    if (!story_.fragments && !(middle_.state && is_dead(*middle_.state))) {
      fail("both have ended, and the flow has not");
    }
  }

  TcpModel& end(Side side) { return *ends_[static_cast<unsigned>(side)]; }

  void post(Place place, Side from, const ModelSegment& s) {
    if (dice_.percent(network_.loss_percent)) return;
    const unsigned copies = dice_.percent(network_.double_percent) ? 2 : 1;
    for (unsigned n = 0; n < copies; ++n) {
      const uint64_t at = now_ + dice_.between(network_.least_ms, network_.most_ms);
      events_.push({at, order_++, place, from, s});
    }
  }
  void collect(Side side) {
    for (const ModelSegment& s : end(side).sent()) post(Place::kMiddle, side, s);
  }

  void at_middle(Side side, const ModelSegment& s) {
    ++totals_.segments;
    ParsedPacket p = parsed(s);
    if (story_.fragments && s.bytes > 100 && dice_.percent(10)) {
      p.fragment = true;
      p.tcp.payload = static_cast<uint16_t>(dice_.between(8, s.bytes - 1));
    }
    if (!middle_.state) {
      if (p.opens_flow) {
        middle_.open(side, p);
      } else if (middle_.pick_up(side, p)) {
        ++totals_.picked_up;
      }
      // A RST of a connection that we do not know goes on for the sake of this test.
      note_edge(side, s);
      return post(Place::kEnd, side, s);
    }
    const Tracked t = middle_.judge(side, p);
    note(side, s, p, t);
    switch (t.action) {
      case TrackAction::kAccept:
      case TrackAction::kAcceptUnproven:
        middle_.update(t);
        reset_seen_ |= s.has(kRst);
        break;
      case TrackAction::kPassUnchanged:
        // Its receiver may take it, and we shall not know.
        doubtful_ |= s.has(kRst);
        break;
      case TrackAction::kReopen:
        middle_.open(side, p);
        opened_by_double_ = end(side).state() != TcpModel::State::kSynSent;
        break;
      case TrackAction::kDrop:
        // An old double of a SYN has opened the flow that was forgotten.
        if (story_.restarts && middle_.state == kTcpOpening && middle_.pick_up(side, p)) break;
        if (is_useless(side, s)) {
          ++totals_.refused;
          return;
        }
        return fail(std::string("dropped as ") + std::string(to_string(t.reason)) + ": " +
                    text(side, s));
    }
    note_edge(side, s);
    if (s.flags == kAck && dice_.percent(5)) beyond_the_window(side, s.ack);
    post(Place::kEnd, side, s);
  }

  /// What may be dropped without harm: a RST that its receiver would take no notice of (an answer
  /// to an old segment or to a stranger's); a double of which its receiver has all and more than a
  /// window behind it; what was under way when an end aborted, once a double of its SYN has opened
  /// the flow again.
  bool is_useless(Side side, const ModelSegment& s) {
    const TcpModel& to = end(other(side));
    // A closed end answers a stranger's SYN with the number 0 (RFC 9293 §3.10.7.1), wherever that
    // lies in windows of which we may not have heard.
    const bool to_stranger = story_.strangers && s.flags == (kRst | kAck) && s.seq == 0;
    if (to_stranger && to.state() >= TcpModel::State::kEstablished) return true;
    if (talks_to_a_stranger(Side::kOpener) || talks_to_a_stranger(Side::kReplier)) return true;
    if (s.has(kRst)) return to.ignores_reset(s);
    if (to.state() >= TcpModel::State::kEstablished &&
        tcp_sequence::before(s.seq + 65535, to.next_expected()) &&
        !tcp_sequence::after(s.seq + s.length(), to.next_expected())) {
      return true;
    }
    return opened_by_double_;
  }

  /// Whether an end has taken a stranger's SYN, listening again after a RST.
  bool talks_to_a_stranger(Side side) const {
    const TcpModel& m = *ends_[static_cast<unsigned>(side)];
    return story_.strangers && m.state() >= TcpModel::State::kSynReceived &&
           m.peer_isn() != isn_[1 - static_cast<unsigned>(side)];
  }

  /// The largest number that each side has been permitted, by our own reckoning.
  void note_edge(Side side, const ModelSegment& s) {
    if (s.has(kRst)) return;
    const unsigned mine = static_cast<unsigned>(side), theirs = 1 - mine;
    uint32_t window = s.window;
    if (s.has(kSyn)) {
      scale_[mine] = s.scale;
      raise_edge(mine, s.seq + s.length());
    } else if (scale_[0] != TcpFields::kNoScale && scale_[1] != TcpFields::kNoScale) {
      window <<= scale_[mine];
    }
    raise_edge(theirs, (s.has(kAck) ? s.ack : isn_[theirs] + 1) + window);
  }
  void raise_edge(unsigned side, uint32_t to) {
    edge_[side] = edge_[side] ? tcp_sequence::later(*edge_[side], to) : to;
  }

  /// Two bytes more than were ever permitted, with an acknowledgement that is right.
  void beyond_the_window(Side side, uint32_t ack) {
    const auto& edge = edge_[static_cast<unsigned>(side)];
    // Windows that were picked up, data in a fragmented SYN and lucky strangers make it laxer.
    if (story_.restarts || story_.fragments || story_.strangers) return;
    if (!edge || *middle_.state < kTcpEstablished || *middle_.state > kTcpClosing) return;
    ModelSegment s;
    s.flags = kAck;
    s.seq = *edge;
    s.ack = ack;
    s.bytes = 2;
    ++totals_.beyond;
    const Tracked t = middle_.judge(side, parsed(s));
    if (t.action != TrackAction::kDrop) fail("passes beyond the window: " + text(side, s));
  }

  void stranger() {
    if (!middle_.state) return;
    const bool opening = *middle_.state == kTcpOpening;
    const Side side = dice_.percent(50) ? Side::kOpener : Side::kReplier;
    ModelSegment s;
    s.flags = dice_.of(
        {kSyn, uint8_t{kSyn | kAck}, kRst, uint8_t{kRst | kAck}, kAck, kAck, uint8_t{kFin | kAck}});
    if (opening && simultaneous_ && s.flags == kSyn) return;
    s.seq = dice_.any();
    s.ack = s.has(kAck) ? dice_.any() : 0;
    s.window = static_cast<uint16_t>(dice_.any());
    s.bytes =
        s.has(kRst) || dice_.percent(50) ? uint16_t{0} : static_cast<uint16_t>(dice_.below(1400));
    if (s.has(kSyn)) s.scale = static_cast<uint8_t>(dice_.below(15));
    // Half of them know one number, none knows both. (For a handshake one would do, for a FIN it
    // leaves a chance of one in some thousands while much is under way.)
    const TcpModel& me = end(side);
    if (dice_.percent(50) && !opening && *middle_.state != kTcpSynReceived && !s.has(kFin) &&
        me.state() >= TcpModel::State::kEstablished) {
      if (dice_.percent(50)) {
        s.seq = me.send_limit() + (s.has(kRst | kSyn) ? 1 : 0) + dice_.below(1000);
      } else {
        s.ack = me.next_expected();
      }
    }
    ++totals_.strangers;
    const ParsedPacket p = parsed(s);
    const FlowState before = *middle_.state;
    const Tracked t = middle_.judge(side, p);
    if (t.action != TrackAction::kDrop) note(side, s, p, t, " (a stranger)");
    if (t.action == TrackAction::kReopen) {
      // Nothing is left to lose.
      const auto live = [](const TcpModel& m) {
        return m.state() >= TcpModel::State::kEstablished && !m.is_over();
      };
      if (!is_dead(before) && live(*ends_[0]) && live(*ends_[1]))
        fail("a stranger's SYN reopens: " + text(side, s));
      return;
    }
    if (is_accepted(t.action)) {
      middle_.update(t);
      // A lucky one has moved `end` to where none of its receiver's numbers is: a RST there counts
      // until the receiver goes on talking.
      const bool in_doubt = t.next == kTcpReset && s.seq != end(other(side)).next_expected();
      if (t.next != before && !in_doubt) {
        return fail("a stranger moves the state: " + text(side, s));
      }
    }
    if (t.action != TrackAction::kDrop && !opening && before != kTcpSynReceived) {
      post(Place::kEnd, side, s);
    }
  }

  void note(Side side, const ModelSegment& s, const ParsedPacket& p, const Tracked& t,
            const char* who = "") {
    std::ostringstream line;
    line << now_ << " ms " << *middle_.state << ": " << text(side, s)
         << (p.fragment ? " (first fragment)" : "") << who << " -> " << t.action << ", " << t.next;
    history_.push_back(line.str());
    if (history_.size() > 60) history_.pop_front();
  }

  void fail(const std::string& what) {
    failed_ = true;
    for (const std::string& line : history_) std::cout << "  " << line << "\n";
    ADD_FAILURE() << "after " << now_ << " ms in "
                  << (middle_.state ? to_string(*middle_.state) : "no flow") << ": " << what
                  << " (isn " << isn_[0] << ", " << isn_[1] << ")";
  }

  Dice dice_;
  Story story_;
  Totals& totals_;
  Network network_{};
  bool simultaneous_ = false, opened_by_double_ = false, reset_seen_ = false, doubtful_ = false,
       failed_ = false;
  uint64_t now_ = 1, order_ = 0, forget_at_ = 0, moved_at_ = 0;
  std::unique_ptr<TcpModel> ends_[2];
  std::priority_queue<Event, std::vector<Event>, std::greater<>> events_;
  Middle middle_;
  std::deque<std::string> history_;  ///< what the middle has seen last
  std::optional<uint32_t> edge_[2];
  uint8_t scale_[2] = {TcpFields::kNoScale, TcpFields::kNoScale};
  uint32_t isn_[2] = {0, 0};
};

}  // namespace rampart::test
