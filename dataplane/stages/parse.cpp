// SPDX-License-Identifier: Apache-2.0
#include "dataplane/packet/parse.hpp"

#include <rte_mbuf.h>

#include <algorithm>

#include "dataplane/base/prefetch.hpp"
#include "dataplane/stages/fragments.hpp"
#include "dataplane/stages/l4_check.hpp"
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

/// The rare reasons for which a packet may not be here.
[[gnu::noinline]] bool admit_closely(Burst& b, unsigned i, const WorkerState& w, const rte_mbuf* m,
                                     const ParsedPacket& p) {
  if (is_spoofed(m, p, *w.ports[b.in_port[i]].sources)) {
    b.drop(i, DropReason::kSpoofed);
  } else if (p.tunnel && !w.pass_tunnels) {
    b.drop(i, DropReason::kTunnel);
  } else if (w.checksum == ChecksumMode::kAll && !l4_is_right(b, i)) {
    b.drop(i, DropReason::kL4Checksum);
  }
  return b.fate[i] == Fate::kPending;
}

/// Whether a packet goes on to be judged. If there is nothing to look at more closely, no call
/// comes between its headers and its key.
bool admit(Burst& b, unsigned i, const WorkerState& w, const rte_mbuf* m, const ParsedPacket& p) {
  const bool plain =
      w.ports[b.in_port[i]].sources->is_off() && w.checksum != ChecksumMode::kAll && !p.tunnel;
  return plain || admit_closely(b, i, w, m, p);
}

/// Where its flow is looked up, or down for the worker who does.
void place(Burst& b, unsigned i, WorkerState& w, const RuleSet& r, const ParsedPacket& p) {
  const bool own = p.fragment                ? !steer_fragment(b, w, r, i)
                   : p.family == Family::kV4 ? keep_own(b, w, i, b.v4)
                                             : keep_own(b, w, i, b.v6);
  b.foreign |= !own;
}

/// A frame that has tags, or is not IPv4, or not plain.
[[gnu::noinline]] void parse_other(Burst& b, unsigned i, WorkerState& w, const RuleSet& r,
                                   const rte_mbuf* m, ParsedPacket& p) {
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

}  // namespace

void parse(Burst& b, WorkerState& w, const RuleSet& r) noexcept {
  b.v4.count = b.v6.count = b.hanging.count = 0;
  b.tunnels = 0;
  b.foreign = false;
  std::fill_n(b.fate, b.count, Fate::kPending);
  for_each_ahead<4>(
      b.count, [&](unsigned i) { prefetch_line(rte_pktmbuf_mtod(b.mbuf[i], const void*)); },
      [&](unsigned i) {
        const rte_mbuf* m = b.mbuf[i];
        ParsedPacket& p = b.packet[i];
        b.frame_bytes[i] = m->pkt_len;
        if (!parse_plainest_frame(rte_pktmbuf_mtod(m, const uint8_t*), m->data_len, p)) {
          parse_other(b, i, w, r, m, p);
        } else if (admit(b, i, w, m, p)) {
          b.foreign |= !keep_own(b, w, i, b.v4);
        }
      });
}

}  // namespace rampart
