// SPDX-License-Identifier: Apache-2.0
#include "dataplane/packet/parse.hpp"

#include <rte_mbuf.h>

#include "dataplane/base/prefetch.hpp"
#include "dataplane/stages/l4_check.hpp"
#include "dataplane/stages/stages.hpp"

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

/// What goes on to be judged, unless it may not be here at all.
void admit(Burst& b, unsigned i, const WorkerState& w, const rte_mbuf* m, const ParsedPacket& p) {
  if (is_spoofed(m, p, *w.ports[b.in_port[i]].sources)) {
    b.drop(i, DropReason::kSpoofed);
  } else if (p.tunnel && !w.pass_tunnels) {
    b.drop(i, DropReason::kTunnel);
  } else if (w.checksum == ChecksumMode::kAll && !l4_is_right(b, i)) {
    b.drop(i, DropReason::kL4Checksum);
  }
}

/// A frame that is not plain.
[[gnu::noinline]] void parse_other(Burst& b, unsigned i, WorkerState& w, const rte_mbuf* m,
                                   ParsedPacket& p) {
  parse_any_frame(rte_pktmbuf_mtod(m, const uint8_t*), m->data_len, m->pkt_len, p);
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
      admit(b, i, w, m, p);
  }
}

}  // namespace

void parse(Burst& b, WorkerState& w, const RuleSet& /*r*/) noexcept {
  b.tunnels = 0;
  for_each_ahead<4>(
      b.count, [&](unsigned i) { prefetch_line(rte_pktmbuf_mtod(b.mbuf[i], const void*)); },
      [&](unsigned i) {
        const rte_mbuf* m = b.mbuf[i];
        ParsedPacket& p = b.packet[i];
        b.fate[i] = Fate::kPending;
        b.reason[i] = DropReason::kInternal;
        b.frame_bytes[i] = m->pkt_len;
        if (parse_plain_frame(rte_pktmbuf_mtod(m, const uint8_t*), m->data_len, m->pkt_len, p))
            [[likely]] {
          admit(b, i, w, m, p);
        } else {
          parse_other(b, i, w, m, p);
        }
      });
}

}  // namespace rampart
