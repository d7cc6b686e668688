// SPDX-License-Identifier: Apache-2.0
// Frames: the parser, the checksums and the flow keys. The first two bytes of an input say how
// much of the frame lies in its first segment, the rest is the frame.
#include <algorithm>
#include <cstring>
#include <memory>
#include <vector>

#include "dataplane/packet/checksum.hpp"
#include "dataplane/packet/flow_key.hpp"
#include "dataplane/packet/fragment.hpp"
#include "dataplane/packet/parse.hpp"
#include "tests/fuzz/fuzz.hpp"
#include "tests/support/same_packet.hpp"

namespace rampart {
namespace {

using Bytes = std::vector<uint8_t>;
using support::same;

/// The straight way through a plain frame, where there is one, and the other say the same.
ParsedPacket parse(const Bytes& frame, size_t contiguous) {
  // A block of just that size, so that AddressSanitizer sees every read beyond.
  const auto first = std::make_unique<uint8_t[]>(contiguous);
  std::copy_n(frame.begin(), contiguous, first.get());
  const auto read = [&](auto how) {
    ParsedPacket p;
    std::memset(reinterpret_cast<uint8_t*>(&p), 0xa5, sizeof p);
    p.kind = PacketKind::kFlow;
    p.fragment = p.opens_flow = p.changes_state = p.tunnel = true;
    how(first.get(), static_cast<uint32_t>(contiguous), static_cast<uint32_t>(frame.size()), p);
    return p;
  };
  const ParsedPacket p = read(parse_frame);
  RAMPART_MUST(same(p, read(parse_any_frame)));
  return p;
}

/// Few inputs have a right IPv4 header checksum by chance; most would end there.
void repair_ip_checksum(Bytes& frame, const ParsedPacket& p) {
  uint8_t* header = frame.data() + p.l3_offset;
  header[10] = header[11] = 0;
  const auto sum = static_cast<uint16_t>(~fold_sum(ones_sum(header, (header[0] & 0xfU) * 4)));
  std::memcpy(header + 10, &sum, 2);
}

bool has_ports(uint8_t protocol) {
  return protocol == 6 || protocol == 17 || protocol == 132;
}

void check_fields(const ParsedPacket& p, const Bytes& frame, size_t contiguous) {
  RAMPART_MUST((p.kind == PacketKind::kDropped) == (p.reason != DropReason::kNone));
  RAMPART_MUST(p.reason < DropReason::kCount && p.reason != DropReason::kInternal);
  RAMPART_MUST(p.l3_offset == 0 || (p.l3_offset >= 14 && p.l3_offset <= 22));
  RAMPART_MUST((p.vlans >> 24) == 0);
  if (p.kind == PacketKind::kDropped) return;
  RAMPART_MUST(p.l3_offset != 0 && p.l3_offset <= contiguous);
  if (p.kind == PacketKind::kNonIp || p.l4_offset == 0) {  // ARP has no transport header
    RAMPART_MUST(p.kind == PacketKind::kNonIp || p.kind == PacketKind::kPassAlways);
    return;
  }
  const bool v4 = p.family == Family::kV4;
  RAMPART_MUST(p.l4_offset >= p.l3_offset + (v4 ? 20 : 40) && p.l4_offset <= contiguous);
  RAMPART_MUST(p.l4_offset + p.l4_bytes <= frame.size());
  RAMPART_MUST(!p.opens_flow || p.kind == PacketKind::kFlow);
  RAMPART_MUST(!p.changes_state || p.kind == PacketKind::kFlow);
  RAMPART_MUST(!p.fragment || p.kind != PacketKind::kPassAlways);
  RAMPART_MUST(p.tcp_flags == 0 || p.protocol == 6);
  RAMPART_MUST(p.sctp_chunk == 0 || p.protocol == 132);
  if (p.kind == PacketKind::kFragment) {
    RAMPART_MUST(p.fragment && p.source_port.raw() == 0 && p.destination_port.raw() == 0 &&
                 p.tcp_flags == 0);
    return;
  }
  if (p.kind == PacketKind::kFlow) {
    RAMPART_MUST(std::memcmp(p.source, p.destination, 16) != 0);
    RAMPART_MUST(!has_ports(p.protocol) || p.destination_port.raw() != 0);
    RAMPART_MUST(p.protocol != 6 || (p.tcp_flags & 0x17) != 0);
    RAMPART_MUST(p.protocol != 6 || p.tcp.payload + 20U <= p.l4_bytes);
    RAMPART_MUST(p.protocol != 6 || p.tcp.window_scale == TcpFields::kNoScale ||
                 (p.tcp.window_scale <= 14 && (p.tcp_flags & tcp_flag::kSyn) != 0));
    RAMPART_MUST(p.protocol != 132 ||
                 (p.sctp.initiate_tag != 0) == (p.sctp_chunk == 1 || p.sctp_chunk == 2));
  }
}

/// What read_fragment says of a piece is what the parser checked, and needs no byte more.
void check_fragment(const ParsedPacket& p, const Bytes& frame, size_t contiguous) {
  if (!p.fragment || p.kind == PacketKind::kDropped) return;
  const auto first = std::make_unique<uint8_t[]>(contiguous);
  std::copy_n(frame.begin(), contiguous, first.get());
  const Fragment f = read_fragment(first.get(), static_cast<uint32_t>(contiguous), p, 3);
  RAMPART_MUST(f.piece.offset % 8 == 0 && f.piece.end > f.piece.offset);
  RAMPART_MUST(!f.piece.more || f.piece.end % 8 == 0);
  RAMPART_MUST((f.piece.offset == 0) == (p.kind != PacketKind::kFragment));
  RAMPART_MUST(f.piece.offset != 0 || f.piece.more);
  RAMPART_MUST(f.piece.end - f.piece.offset >= static_cast<int>(p.l4_bytes));
  RAMPART_MUST(f.key.id == p.fragment_id && f.key.in_port == 3 && f.key.vlans == p.vlans);
  RAMPART_MUST(p.kind != PacketKind::kIcmpError);
  RAMPART_MUST(std::memcmp(f.key.destination, p.destination, 16) == 0);
}

/// With less of the frame in the first segment it is the same packet or cut short, never another.
void check_shorter(const ParsedPacket& whole, const Bytes& frame, size_t contiguous) {
  const ParsedPacket part = parse(frame, contiguous);
  check_fields(part, frame, contiguous);
  check_fragment(part, frame, contiguous);
  if (same(part, whole)) return;
  const bool cut = part.reason == DropReason::kRunt || part.reason == DropReason::kIpTruncated ||
                   part.reason == DropReason::kIpExtension ||
                   part.reason == DropReason::kL4Truncated;
  // IGMP that cannot be read is left to policy.
  const bool igmp =
      part.protocol == 2 && part.kind == PacketKind::kFlow && whole.kind == PacketKind::kPassAlways;
  RAMPART_MUST(cut || igmp || whole.kind == PacketKind::kDropped);
  RAMPART_MUST(cut || igmp || part.kind == PacketKind::kDropped);
}

void check_checksum(const ParsedPacket& p, const Bytes& frame, size_t piece) {
  const auto whole = std::make_unique<uint8_t[]>(frame.size());
  std::copy(frame.begin(), frame.end(), whole.get());
  std::vector<FrameSegment> pieces;
  std::vector<std::unique_ptr<uint8_t[]>> blocks;
  for (size_t at = 0; at < frame.size(); at += piece) {
    const size_t n = std::min(piece, frame.size() - at);
    blocks.push_back(std::make_unique<uint8_t[]>(n));
    std::copy_n(frame.data() + at, n, blocks.back().get());
    pieces.push_back({blocks.back().get(), static_cast<uint32_t>(n)});
  }
  RAMPART_MUST(l4_checksum_ok(whole.get(), p) == l4_checksum_ok(pieces, p));
}

template <typename Key>
void check_key(const ParsedPacket& p) {
  ParsedPacket back = p;
  std::swap(back.source, back.destination);
  std::swap(back.source_port, back.destination_port);
  Key there, here;
  const unsigned end = make_key(p, 3, there), other = make_key(back, 3, here);
  RAMPART_MUST(there == here);
  RAMPART_MUST(hash_of(there, {}) == hash_of(here, {}));
  const bool one_end =
      std::memcmp(p.source, p.destination, 16) == 0 && p.source_port == p.destination_port;
  RAMPART_MUST(end <= 1 && (end != other || one_end));
  RAMPART_MUST(there.port[end] == p.source_port && there.port[!end] == p.destination_port);
  RAMPART_MUST(there.zone == make_zone(3, p.vlans) && there.protocol == p.protocol);
}

}  // namespace
}  // namespace rampart

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace rampart;
  if (size < 2) return 0;
  const size_t chosen = size_t{data[0]} << 8 | data[1];
  Bytes frame(data + 2, data + size);
  ParsedPacket whole = parse(frame, frame.size());
  if (whole.reason == DropReason::kIpChecksum) {
    repair_ip_checksum(frame, whole);
    whole = parse(frame, frame.size());
    RAMPART_MUST(whole.reason != DropReason::kIpChecksum);
  }
  check_fields(whole, frame, frame.size());
  check_fragment(whole, frame, frame.size());
  const size_t contiguous = frame.empty() ? 0 : chosen % (frame.size() + 1);
  check_shorter(whole, frame, contiguous);

  Bytes padded = frame;
  padded.resize(frame.size() + 7, 0xee);
  const ParsedPacket longer = parse(padded, padded.size());
  if (whole.kind != PacketKind::kDropped) RAMPART_MUST(same(whole, longer));

  if (whole.kind == PacketKind::kDropped) return 0;
  check_checksum(whole, frame, contiguous + 1);
  if (whole.kind == PacketKind::kNonIp || whole.l4_offset == 0) return 0;
  if (whole.family == Family::kV4) {
    check_key<FlowKeyV4>(whole);
  } else {
    check_key<FlowKeyV6>(whole);
  }
  return 0;
}
