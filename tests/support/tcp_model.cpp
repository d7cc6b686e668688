// SPDX-License-Identifier: Apache-2.0
#include "tests/support/tcp_model.hpp"

#include <algorithm>
#include <utility>

#include "dataplane/flow/tcp_sequence.hpp"

namespace rampart::test {
namespace {

using tcp_sequence::after;
using tcp_sequence::before;
using tcp_sequence::later;
using tcp_sequence::within;
using namespace tcp_flag;
using enum TcpModel::State;

constexpr unsigned kMostTries = 60;
constexpr uint64_t kTimeWaitMs = 1000;

}  // namespace

// --- sending ---------------------------------------------------------------------------------

uint32_t TcpModel::window_bytes() const {
  const uint32_t used = unread_;
  return used < habits_.buffer ? habits_.buffer - used : 0;
}

uint16_t TcpModel::window_field() {
  const uint32_t most = 65535U << rcv_shift_;
  uint32_t edge = rcv_nxt_ + (std::min(window_bytes(), most) >> rcv_shift_ << rcv_shift_);
  if (!habits_.shrinks_window) edge = later(edge, rcv_edge_);
  const uint32_t field = std::min<uint32_t>((edge - rcv_nxt_) >> rcv_shift_, 65535);
  rcv_edge_ = later(rcv_edge_, rcv_nxt_ + (field << rcv_shift_));
  return static_cast<uint16_t>(field);
}

void TcpModel::emit(uint8_t flags, uint32_t seq, uint16_t bytes) {
  ModelSegment s;
  s.flags = flags;
  s.seq = seq;
  s.bytes = bytes;
  if (s.has(kAck)) {
    s.ack = rcv_nxt_;
    s.window = window_field();
    ack_due_ = 0;
  }
  snd_max_ = later(snd_max_, seq + s.length());
  out_.push_back(s);
}

void TcpModel::emit_syn(bool with_ack) {
  ModelSegment s;
  s.flags = static_cast<uint8_t>(with_ack ? kSyn | kAck : kSyn);
  s.seq = iss_;
  s.ack = with_ack ? rcv_nxt_ : 0;
  s.window = static_cast<uint16_t>(std::min<uint32_t>(window_bytes(), 65535));
  s.scale = habits_.scale;
  if (!with_ack && habits_.syn_data && tries_ == 0) {
    s.bytes = static_cast<uint16_t>(std::min<uint32_t>(habits_.mss, habits_.to_send));
  }
  if (with_ack) rcv_edge_ = later(rcv_edge_, rcv_nxt_ + s.window);
  snd_max_ = later(snd_max_, s.seq + s.length());
  out_.push_back(s);
}

/// RFC 9293 §3.10.7.1.
void TcpModel::emit_reset_for(const ModelSegment& s) {
  if (s.has(kRst)) return;
  ModelSegment r;
  r.flags = s.has(kAck) ? kRst : uint8_t{kRst | kAck};
  r.seq = s.has(kAck) ? s.ack : 0;
  r.ack = s.has(kAck) ? 0 : s.seq + s.length();
  out_.push_back(r);
}

/// One segment from `seq` on, of what may be sent there: new, or sent before and cut otherwise.
void TcpModel::emit_from(uint32_t seq, uint64_t now) {
  const uint32_t data_end = iss_ + 1 + habits_.to_send;
  uint32_t bytes = before(seq, data_end) ? std::min<uint32_t>(data_end - seq, habits_.mss) : 0;
  if (bytes > 1 && chance(30)) bytes = 1 + roll(bytes);
  const uint32_t edge = snd_una_ + snd_wnd_;
  if (after(seq + bytes, edge)) bytes = after(edge, seq) ? edge - seq : 0;
  bool fin = wants_close_ && seq + bytes == data_end;
  if (fin && !habits_.fin_beyond_window && !before(seq + bytes, edge)) fin = false;
  if (bytes == 0 && !fin) return;
  uint8_t flags = kAck;
  if (chance(20)) flags |= kPsh;
  if (fin) {
    flags |= kFin;
    if (!fin_sent_) state_ = state_ == kCloseWait ? kLastAck : kFinWait1;
    fin_sent_ = true;
  }
  emit(flags, seq, static_cast<uint16_t>(bytes));
  if (timer_ == 0) arm(now);
}

void TcpModel::send_what_fits(uint64_t now) {
  if (!is_synchronised() || fin_sent_ || state_ == kTimeWait) return;
  for (uint32_t n = 1 + roll(8); n > 0; --n) {
    const uint32_t seq = snd_max_;
    emit_from(seq, now);
    if (snd_max_ == seq || fin_sent_) break;
  }
  const bool waits = snd_una_ == snd_max_ &&
                     (snd_max_ != iss_ + 1 + habits_.to_send || (wants_close_ && !fin_sent_));
  if (waits && timer_ == 0) arm(now);  // the persist timer
}

void TcpModel::retransmit(uint64_t now) {
  if (++tries_ > kMostTries) {
    gave_up_ = true;
    return end(false);
  }
  if (backoff_ < 4) ++backoff_;
  timer_ = 0;
  arm(now);
  if (state_ == kSynSent) return emit_syn(false);
  if (state_ == kSynReceived) return emit_syn(true);
  if (snd_wnd_ == 0 || snd_una_ == snd_max_) {
    // A closed window (RFC 9293 §3.8.6.1).
    const bool has_new = before(snd_max_, iss_ + 1 + habits_.to_send);
    if (habits_.probes_with_data && snd_una_ == snd_max_ && has_new) return emit(kAck, snd_max_, 1);
    if (habits_.probes_with_data && snd_una_ != snd_max_ &&
        before(snd_una_, iss_ + 1 + habits_.to_send)) {
      return emit(kAck, snd_una_, 1);
    }
    return emit(kAck, snd_una_ - 1);
  }
  emit_from(snd_una_, now);
  if (chance(30)) emit_from(snd_una_, now);
}

void TcpModel::run_timers(uint64_t now) {
  if (timer_ != 0 && now >= timer_) retransmit(now);
  if (ack_due_ != 0 && now >= ack_due_) acknowledge();
  if (keep_alive_at_ != 0 && now >= keep_alive_at_ && state_ == kEstablished) {
    keep_alive_at_ = now + habits_.keep_alive_ms;
    if (snd_una_ == snd_max_) emit(kAck, snd_una_ - 1, habits_.keep_alive_byte ? 1 : 0);
  }
  if (state_ == kTimeWait && now >= time_wait_ends_) state_ = kClosed;
}

void TcpModel::close_when_done(uint64_t now) {
  if (wants_close_ || !is_synchronised()) return;
  const bool all_sent = snd_max_ == iss_ + 1 + habits_.to_send;
  if (!all_sent || (received_ < habits_.closes_after && !fin_received_)) return;
  wants_close_ = true;
  send_what_fits(now);
}

void TcpModel::tick(uint64_t now) {
  if (state_ == kClosed || state_ == kListen) return;
  if (habits_.aborts_at_ms != 0 && now >= habits_.aborts_at_ms && is_synchronised() &&
      state_ != kTimeWait) {
    // As Linux: behind what was sent, as far as the window goes.
    const uint32_t edge = snd_una_ + snd_wnd_;
    emit(kRst | kAck, before(snd_max_, edge) ? snd_max_ : later(edge, snd_una_));
    aborted_ = true;
    return end(false);
  }
  run_timers(now);
  if (state_ == kClosed) return;
  const bool closed = unread_ > 0 && window_bytes() < habits_.mss;
  unread_ -= std::min(unread_, roll(2 * habits_.reads_per_ms + 1));
  if (closed && window_bytes() >= habits_.mss && is_synchronised()) acknowledge();
  send_what_fits(now);
  close_when_done(now);
}

void TcpModel::connect(uint64_t now) {
  iss_ = snd_una_ = snd_max_ = habits_.isn;
  state_ = kSynSent;
  passive_ = reset_ = false;
  emit_syn(false);
  arm(now);
}

void TcpModel::end(bool by_reset) {
  reset_ = by_reset;
  state_ = kClosed;
  timer_ = ack_due_ = 0;
}

std::vector<ModelSegment> TcpModel::sent() {
  return std::exchange(out_, {});
}

uint32_t TcpModel::bytes_acknowledged() const {
  return std::min(snd_una_ - iss_ - 1, habits_.to_send);
}

// --- receiving -------------------------------------------------------------------------------

/// The other's SYN: numbers, window and scale.
void TcpModel::take_syn(const ModelSegment& s) {
  irs_ = s.seq;
  rcv_nxt_ = s.seq + 1;
  rcv_edge_ = rcv_nxt_ + std::min<uint32_t>(window_bytes(), 65535);
  snd_wnd_ = max_wnd_ = s.window;
  wl1_ = s.seq;
  if (s.scale != TcpFields::kNoScale && habits_.scale != TcpFields::kNoScale) {
    snd_shift_ = s.scale;
    rcv_shift_ = habits_.scale;
  }
}

void TcpModel::receive_in_listen(const ModelSegment& s, uint64_t now) {
  if (s.has(kRst)) return;
  if (s.has(kAck) || !s.has(kSyn)) return emit_reset_for(s);
  iss_ = snd_una_ = snd_max_ = habits_.isn;
  take_syn(s);
  if (s.bytes != 0 && habits_.syn_data) {
    received_ += s.bytes;
    unread_ += s.bytes;
    rcv_nxt_ += s.bytes;
  }
  state_ = kSynReceived;
  passive_ = true;
  tries_ = backoff_ = 0;
  emit_syn(true);
  arm(now);
}

void TcpModel::receive_in_syn_sent(const ModelSegment& s, uint64_t now) {
  const bool good = s.has(kAck) && within(s.ack, iss_ + 1, snd_max_);
  if (s.has(kAck) && !good) return emit_reset_for(s);
  if (s.has(kRst)) {
    if (good) end(true);
    return;
  }
  if (!s.has(kSyn)) return;
  take_syn(s);
  tries_ = backoff_ = 0;
  if (good) {
    snd_una_ = s.ack;
    snd_max_ = later(iss_ + 1, snd_una_);  // what came with the SYN may have to be sent again
    state_ = kEstablished;
    timer_ = 0;
    if (habits_.keep_alive_ms != 0) keep_alive_at_ = now + habits_.keep_alive_ms;
    acknowledge();
    send_what_fits(now);
  } else {
    state_ = kSynReceived;
    emit_syn(true);
    arm(now);
  }
}

bool TcpModel::is_acceptable(const ModelSegment& s) const {
  const uint32_t first = s.seq, last = s.seq + s.length() - 1, window = rcv_edge_ - rcv_nxt_;
  if (s.length() == 0) return first == rcv_nxt_ || (window > 0 && first - rcv_nxt_ < window);
  return window > 0 && (first - rcv_nxt_ < window || last - rcv_nxt_ < window);
}

bool TcpModel::ignores_reset(const ModelSegment& s) const {
  if (state_ == kClosed || state_ == kListen) return true;
  if (state_ == kSynSent) return !s.has(kAck) || !within(s.ack, iss_ + 1, snd_max_);
  return !within(s.seq, rcv_nxt_, rcv_edge_);
}

/// False: the segment ends here.
bool TcpModel::take_ack(const ModelSegment& s, uint64_t now) {
  if (after(s.ack, snd_max_)) {
    acknowledge();
    return false;
  }
  if (before(s.ack, snd_una_ - max_wnd_ - 65535)) return false;
  if (state_ == kSynReceived) {
    if (!within(s.ack, iss_ + 1, snd_max_)) return false;
    state_ = kEstablished;
    tries_ = backoff_ = 0;
    timer_ = 0;
    if (habits_.keep_alive_ms != 0) keep_alive_at_ = now + habits_.keep_alive_ms;
  }
  const bool advances = after(s.ack, snd_una_);
  if (advances) {
    snd_una_ = s.ack;
    tries_ = backoff_ = 0;
    timer_ = 0;
    if (snd_una_ != snd_max_) arm(now);
    duplicates_ = 0;
  } else if (snd_una_ != snd_max_ && s.length() == 0 && s.ack == snd_una_ &&
             ++duplicates_ % 3 == 0) {
    emit_from(snd_una_, now);  // fast retransmit
  }
  // With the numbers that the window came with, never with others: what is permitted is the sum.
  const uint32_t window = uint32_t{s.window} << (s.has(kSyn) ? 0 : snd_shift_);
  if (advances ||
      (s.ack == snd_una_ && (after(s.seq, wl1_) || (s.seq == wl1_ && window > snd_wnd_)))) {
    snd_wnd_ = window;
    max_wnd_ = std::max(max_wnd_, snd_wnd_);
    wl1_ = s.seq;
    if (snd_wnd_ != 0) tries_ = 0;
  }
  fin_acked_ = fin_sent_ && snd_una_ == snd_max_;
  if (fin_acked_) {
    if (state_ == kFinWait1) state_ = kFinWait2;
    if (state_ == kClosing) state_ = kTimeWait;
    if (state_ == kTimeWait) time_wait_ends_ = now + kTimeWaitMs;
    if (state_ == kLastAck) {
      end(false);
      return false;
    }
  }
  return true;
}

void TcpModel::take_fin(uint64_t now) {
  fin_received_ = true;
  rcv_nxt_ = fin_at_ + 1;
  acknowledge();
  if (state_ == kEstablished || state_ == kSynReceived) state_ = kCloseWait;
  if (state_ == kFinWait1) state_ = kClosing;
  if (state_ == kFinWait2) state_ = kTimeWait;
  if (state_ == kTimeWait) {
    time_wait_ends_ = now + kTimeWaitMs;
    timer_ = 0;
  }
}

void TcpModel::take_data(const ModelSegment& s, uint64_t now) {
  const uint32_t start = s.has(kSyn) ? s.seq + 1 : s.seq;
  if (s.has(kFin)) {
    fin_known_ = true;
    fin_at_ = start + s.bytes;
  }
  // By offsets from the SYN, which do not wrap in a test.
  uint32_t from = start - irs_;
  uint32_t to = start + s.bytes - irs_;
  const uint32_t next = rcv_nxt_ - irs_, edge = rcv_edge_ - irs_;
  from = before(start, rcv_nxt_) ? next : from;
  to = std::min(to, edge);
  const bool in_order = from == next;
  if (s.bytes != 0 && from < to) early_[from] = std::max(early_[from], to);
  uint32_t reached = next;
  while (!early_.empty() && early_.begin()->first <= reached) {
    reached = std::max(reached, early_.begin()->second);
    early_.erase(early_.begin());
  }
  received_ += reached - next;
  unread_ += reached - next;
  rcv_nxt_ = irs_ + reached;
  if (fin_known_ && !fin_received_ && rcv_nxt_ == fin_at_) return take_fin(now);
  if (s.length() == 0) return;
  if (!in_order || reached == next || habits_.delayed_ack_ms == 0 || ack_due_ != 0) {
    acknowledge();
  } else {
    ack_due_ = now + habits_.delayed_ack_ms;
  }
}

void TcpModel::receive(const ModelSegment& s, uint64_t now) {
  switch (state_) {
    case kClosed:
      return emit_reset_for(s);
    case kListen:
      return receive_in_listen(s, now);
    case kSynSent:
      return receive_in_syn_sent(s, now);
    default:
      break;
  }
  // RFC 9293 §3.10.7.4 with RFC 5961.
  if (s.has(kRst)) {
    const uint32_t window = rcv_edge_ - rcv_nxt_;
    if (s.seq == rcv_nxt_ || (!habits_.checks_resets && s.seq - rcv_nxt_ < window)) {
      if (passive_ && state_ == kSynReceived) return listen();
      end(true);
    } else if (s.seq - rcv_nxt_ < window) {
      acknowledge();
    }
    return;
  }
  if (s.has(kSyn)) {
    if (state_ == kSynReceived && s.seq == irs_) {
      if (!s.has(kAck)) return emit_syn(true);
      // The second half of a simultaneous open, whose window is not scaled.
      if (!take_ack(s, now)) return;
      acknowledge();
      return send_what_fits(now);
    }
    return acknowledge();
  }
  if (!is_acceptable(s)) {
    // An end that has announced no window takes acknowledgements all the same.
    const bool pure = s.length() == 0 || rcv_edge_ == rcv_nxt_;
    if (pure && s.seq == rcv_nxt_ && s.has(kAck)) take_ack(s, now);
    if (state_ == kTimeWait) time_wait_ends_ = now + kTimeWaitMs;
    return acknowledge();
  }
  if (!s.has(kAck) || !take_ack(s, now)) return;
  if (state_ != kTimeWait) take_data(s, now);
  if (state_ != kClosed) {
    send_what_fits(now);
    close_when_done(now);
  }
}

}  // namespace rampart::test
