// SPDX-License-Identifier: Apache-2.0
#include "dataplane/packet/parse.hpp"

#include <rte_mbuf.h>

#include <algorithm>

#include "dataplane/base/prefetch.hpp"
#include "dataplane/stages/fragments.hpp"
#include "dataplane/stages/l4_check.hpp"
#include "dataplane/stages/parse_alone.hpp"
#include "dataplane/stages/plain_eights.hpp"
#include "dataplane/stages/plain_frames.hpp"
#include "dataplane/stages/stages.hpp"
#include "dataplane/stages/steering.hpp"

namespace rampart {
namespace {

/// The source that stands in the packet itself; for an ICMP error that is not the tuple's.
const uint8_t* outer_source(const rte_mbuf* m, const ParsedPacket& p) {
  const auto* l3 = rte_pktmbuf_mtod_offset(m, const uint8_t*, p.l3_offset);
  return l3 + ((l3[0] >> 4) == 4 ? 12 : 8);
}

bool is_spoofed(const rte_mbuf* m, const ParsedPacket& p, const SourceFilter& allowed) {
  return !allowed.is_off() && !allowed.allows(p.family, outer_source(m, p));
}

/// Whether a packet may be here, and goes on to be judged.
bool admit(Burst& b, unsigned i, const WorkerState& w, const rte_mbuf* m, const ParsedPacket& p) {
  if (is_spoofed(m, p, *w.ports[b.in_port[i]].sources)) {
    b.drop(i, DropReason::kSpoofed);
  } else if (p.tunnel && !w.pass_tunnels) {
    b.drop(i, DropReason::kTunnel);
  } else if (w.checksum == ChecksumMode::kAll && !l4_is_right(b, i)) {
    b.drop(i, DropReason::kL4Checksum);
  }
  return b.fate[i] == Fate::kPending;
}

/// Where its flow is looked up, or down for the worker who does.
void place(Burst& b, unsigned i, WorkerState& w, const RuleSet& r, const ParsedPacket& p) {
  const bool own = p.fragment                ? !steer_fragment(b, w, r, i)
                   : p.family == Family::kV4 ? keep_own(b, w, i, b.v4)
                                             : keep_own(b, w, i, b.v6);
  b.foreign |= !own;
}

/// Any frame, read wholly.
[[gnu::noinline]] void parse_closely(Burst& b, unsigned i, WorkerState& w, const RuleSet& r) {
  const rte_mbuf* m = b.mbuf[i];
  ParsedPacket& p = b.packet[i];
  parse_frame(rte_pktmbuf_mtod(m, const uint8_t*), m->data_len, m->pkt_len, p);
  b.tunnels |= uint64_t{p.tunnel} << i;
  switch (p.kind) {
    case PacketKind::kDropped:
      return b.drop(i, p.reason);
    case PacketKind::kPassAlways:
      b.fate[i] = Fate::kForward;
      ++w.counters.passed_always;
      return;
    case PacketKind::kNonIp:
      if (w.pass_non_ip) {
        b.fate[i] = Fate::kForward;
      } else {
        b.drop(i, DropReason::kNonIp);
      }
      return;
    case PacketKind::kFlow:
    case PacketKind::kFragment:
    case PacketKind::kIcmpError:
      if (admit(b, i, w, m, p)) place(b, i, w, r, p);
  }
}

/// A frame that is not an untagged one over IPv4, of 18 bytes at least.
[[gnu::noinline]] bool take_other_plain(Burst& b, unsigned i, WorkerState& w, const uint8_t* frame,
                                        uint32_t readable) {
  const PlainFrame at = look_at_plain_frame(frame);
  if (at.type == detail::kIpv6) return take_plain(b, i, w, frame, readable, at, b.v6);
  return at.type == detail::kIpv4 && take_plain(b, i, w, frame, readable, at, b.v4);
}

/// Notes eight frames from `first` on, or as many as there are, and fetches them.
[[gnu::always_inline]] inline void fetch_eight(Burst& b, unsigned first, Frames& f) {
  rte_mbuf* const* const mbuf = b.mbuf + first;
  const uint8_t** const behind = f.behind + first;
  uint16_t* const in_first = f.bytes + first;
  uint32_t* const frame_bytes = b.frame_bytes + first;
  uint64_t bytes = 0;
  unsigned segments = 0;
  const auto fetch = [&](unsigned j) {
    const rte_mbuf* m = mbuf[j];
    const auto* frame = rte_pktmbuf_mtod(m, const uint8_t*);
    prefetch_line(frame);
    behind[j] = frame + Frames::kHeader;
    in_first[j] = m->data_len;
    frame_bytes[j] = m->pkt_len;
    bytes += m->pkt_len;
    segments |= m->nb_segs;
  };
  if (first + 8 <= b.count) [[likely]] {
    for (unsigned j = 0; j < 8; ++j) fetch(j);
  } else {
    for (unsigned j = 0; first + j < b.count; ++j) fetch(j);
  }
  f.bytes_of_all += bytes;
  f.segments_of_all |= segments;
}

/// Any frame.
[[gnu::always_inline]] inline void parse_one(Burst& b, unsigned i, const uint8_t* frame,
                                             uint32_t readable, WorkerState& w, const RuleSet& r,
                                             uint64_t closely) {
  if ((closely >> b.in_port[i] & 1) == 0 && readable >= 18) {
    // Most frames have a way of their own, on which their headers stay in registers.
    constexpr PlainFrame kUntagged{14, 0, detail::kIpv4};
    if (detail::load<uint16_t>(frame + 12) == kUntagged.type
            ? take_plain(b, i, w, frame, readable, kUntagged, b.v4)
            : take_other_plain(b, i, w, frame, readable)) {
      return;
    }
  }
  parse_closely(b, i, w, r);
}

/// Fewer frames than that are looked at one by one.
constexpr unsigned kFewest = 3;

#ifdef __AVX2__
/// All frames by eights, but for the last ones if they are fewer than kFewest. Returns how many
/// these are not.
[[gnu::noinline]] unsigned parse_by_eights(Burst& b, Frames& frames, WorkerState& w,
                                           const RuleSet& r, uint64_t closely) {
  unsigned i = 0;
  for (; i + kFewest <= b.count; i += 8) {
    fetch_eight(b, i + 8, frames);
    for (unsigned none = b.count; none < i + 8; ++none) {
      frames.behind[none] = nullptr;
      frames.bytes[none] = 0;
      b.in_port[none] = b.in_port[i];
    }
    parse_eight(b, i, std::min(b.count - i, 8U), frames, w, closely, [&](unsigned k) {
      parse_one(b, k, frames.behind[k] - Frames::kHeader, frames.bytes[k], w, r, closely);
    });
  }
  return std::min(i, b.count);
}
#else
unsigned parse_by_eights(Burst& b, Frames& frames, WorkerState& /*w*/, const RuleSet& /*r*/,
                         uint64_t /*closely*/) {
  for (unsigned i = 8; i < b.count; i += 8) fetch_eight(b, i, frames);
  return 0;
}
#endif

}  // namespace

uint64_t close_ports(const WorkerState& w) noexcept {
  static_assert(kMaxPorts <= 64);
  uint64_t ports = 0;
  for (unsigned port = 0; port < w.port_count; ++port) {
    const bool closely = !w.ports[port].sources->is_off() || w.checksum == ChecksumMode::kAll;
    ports |= uint64_t{closely} << port;
  }
  return ports;
}

void begin_burst(Burst& b) noexcept {
  b.v4.count = b.v6.count = b.hanging.count = 0;
  b.tunnels = b.unread = b.segments = 0;
  b.foreign = false;
  b.crowded = 0;
  std::fill_n(b.fate, Burst::kSize, Fate::kPending);  // of so many a compiler makes two stores
}

void parse_alone(Burst& b, unsigned i, WorkerState& w, const RuleSet& r,
                 uint64_t closely) noexcept {
  const rte_mbuf* m = b.mbuf[i];
  parse_one(b, i, rte_pktmbuf_mtod(m, const uint8_t*), m->data_len, w, r, closely);
}

void parse(Burst& b, WorkerState& w, const RuleSet& r) noexcept {
  begin_burst(b);
  const uint64_t closely = close_ports(w);
  Frames frames;
  fetch_eight(b, 0, frames);
  // (Its preparations alone take as many instructions as half of a frame.)
  unsigned i = b.count < kFewest ? 0 : parse_by_eights(b, frames, w, r, closely);
  for (; i < b.count; ++i) {
    parse_one(b, i, frames.behind[i] - Frames::kHeader, frames.bytes[i], w, r, closely);
  }
  b.whole = frames.segments_of_all == 1;
  b.bytes = frames.bytes_of_all;
}

}  // namespace rampart
