// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <map>
#include <random>
#include <vector>

#include "dataplane/packet/parsed_packet.hpp"

namespace rampart::test {

/// A segment between two TcpModels: what a header says, and how many bytes follow.
struct ModelSegment {
  uint8_t flags = 0;
  uint32_t seq = 0, ack = 0;
  uint16_t window = 0;  ///< as on the wire
  uint16_t bytes = 0;
  uint8_t scale = TcpFields::kNoScale;  ///< of a SYN

  bool has(uint8_t flag) const { return (flags & flag) != 0; }
  /// Bytes, SYN and FIN.
  uint32_t length() const {
    return bytes + (has(tcp_flag::kSyn) ? 1U : 0U) + (has(tcp_flag::kFin) ? 1U : 0U);
  }
};

/// What differs from stack to stack and from application to application.
struct TcpHabits {
  uint32_t isn = 0;
  uint16_t mss = 1460;
  uint32_t buffer = 65535;              ///< of the receiver, bytes
  uint8_t scale = TcpFields::kNoScale;  ///< offered in its SYN
  uint32_t to_send = 0;                 ///< bytes that the application writes
  uint32_t reads_per_ms = 1000;         ///< bytes that it takes in
  unsigned delayed_ack_ms = 0;          ///< 0: acknowledges at once
  unsigned rto_ms = 200;                ///< first retransmission; doubles up to 16 times
  unsigned keep_alive_ms = 0;           ///< 0: none
  bool keep_alive_byte = false;         ///< with a byte of garbage (RFC 1122 §4.2.3.6)
  bool probes_with_data = false;        ///< of a closed window: new data (BSD), or none (Linux)
  bool fin_beyond_window = false;       ///< BSD does not count a FIN as part of the window
  bool syn_data = false;                ///< TCP Fast Open, RFC 7413
  bool shrinks_window = false;          ///< takes back what it has announced (RFC 9293 §3.8.6)
  bool checks_resets = true;            ///< RFC 5961; without: any RST in the window is good
  uint32_t aborts_at_ms = 0;            ///< 0: never
  uint32_t closes_after = 0xffffffff;   ///< bytes received before it closes, when all is sent
};

/// One end of a TCP connection after RFC 9293 §3.10, small enough to be read: no congestion control
/// but a random number of segments at a time, no SACK, no content. Time is in milliseconds and
/// comes from the caller.
class TcpModel {
 public:
  enum class State : uint8_t {
    kClosed,
    kListen,
    kSynSent,
    kSynReceived,
    kEstablished,
    kFinWait1,
    kFinWait2,
    kCloseWait,
    kClosing,
    kLastAck,
    kTimeWait,
  };

  TcpModel(const TcpHabits& habits, uint32_t seed) : habits_(habits), random_(seed) {}

  void listen() { state_ = State::kListen; }
  void connect(uint64_t now);
  /// Timers and the application.
  void tick(uint64_t now);
  void receive(const ModelSegment& s, uint64_t now);
  /// What it has sent since the last call.
  std::vector<ModelSegment> sent();

  State state() const { return state_; }
  bool is_over() const { return state_ == State::kClosed || state_ == State::kTimeWait; }
  bool was_reset() const { return reset_; }  ///< by the other
  bool has_aborted() const { return aborted_; }
  bool gave_up() const { return gave_up_; }
  uint32_t bytes_received() const { return received_; }
  uint32_t bytes_acknowledged() const;
  /// The next number that it waits for; of nobody's data before the handshake.
  uint32_t next_expected() const { return rcv_nxt_; }
  /// The number of the SYN that it has taken.
  uint32_t peer_isn() const { return irs_; }
  /// Whether it would take no notice of this RST.
  bool ignores_reset(const ModelSegment& s) const;
  uint32_t send_limit() const { return snd_max_; }
  const TcpHabits& habits() const { return habits_; }

 private:
  bool is_synchronised() const { return state_ >= State::kEstablished; }
  uint32_t roll(uint32_t below) { return below == 0 ? 0 : random_() % below; }
  bool chance(unsigned percent) { return roll(100) < percent; }

  uint32_t window_bytes() const;
  uint16_t window_field();
  void emit(uint8_t flags, uint32_t seq, uint16_t bytes = 0);
  void emit_syn(bool with_ack);
  void emit_reset_for(const ModelSegment& s);
  void acknowledge() { emit(tcp_flag::kAck, snd_max_); }
  void emit_from(uint32_t seq, uint64_t now);
  void send_what_fits(uint64_t now);
  void retransmit(uint64_t now);
  void run_timers(uint64_t now);
  void close_when_done(uint64_t now);
  void end(bool by_reset);
  void arm(uint64_t now) { timer_ = now + (uint64_t{habits_.rto_ms} << backoff_); }

  void receive_in_syn_sent(const ModelSegment& s, uint64_t now);
  void receive_in_listen(const ModelSegment& s, uint64_t now);
  void take_syn(const ModelSegment& s);
  bool is_acceptable(const ModelSegment& s) const;
  bool take_ack(const ModelSegment& s, uint64_t now);
  void take_data(const ModelSegment& s, uint64_t now);
  void take_fin(uint64_t now);

  TcpHabits habits_;
  std::mt19937 random_;
  std::vector<ModelSegment> out_;
  State state_ = State::kClosed;
  bool reset_ = false, aborted_ = false, gave_up_ = false, passive_ = false;

  // Sending. Numbers as on the wire.
  uint32_t iss_ = 0, snd_una_ = 0, snd_max_ = 0, snd_wnd_ = 0, max_wnd_ = 0;
  uint32_t wl1_ = 0;  ///< sequence number of the segment that snd_wnd_ came with
  unsigned snd_shift_ = 0, rcv_shift_ = 0;
  bool fin_sent_ = false, fin_acked_ = false, wants_close_ = false;
  uint64_t timer_ = 0, keep_alive_at_ = 0, ack_due_ = 0, time_wait_ends_ = 0;
  unsigned backoff_ = 0, tries_ = 0, duplicates_ = 0;

  // Receiving.
  uint32_t irs_ = 0, rcv_nxt_ = 0, rcv_edge_ = 0, received_ = 0, unread_ = 0;
  bool fin_received_ = false, fin_known_ = false;
  uint32_t fin_at_ = 0;
  std::map<uint32_t, uint32_t> early_;  ///< pieces that came too soon: offset from irs_ to end
};

}  // namespace rampart::test
