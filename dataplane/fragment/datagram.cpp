// SPDX-License-Identifier: Apache-2.0
#include "dataplane/fragment/datagram.hpp"

#include <algorithm>

namespace rampart {

Admission Datagram::admit(Piece p) noexcept {
  const uint32_t seen_to = ranges == 0 ? 0 : range[ranges - 1].end;
  // Every piece but the last says that more follows.
  const bool contradicts =
      total != 0 ? (p.more ? p.end >= total : p.end != total) : !p.more && p.end <= seen_to;
  if (contradicts) return Admission::kContradicts;

  unsigned at = 0;  // the first range that does not end before the piece
  while (at < ranges && range[at].end < p.offset) ++at;
  const bool joins_before = at < ranges && range[at].end == p.offset;
  const unsigned after = joins_before ? at + 1 : at;
  if (after < ranges && range[after].offset < p.end) {
    const bool inside = range[after].offset <= p.offset && p.end <= range[after].end;
    return inside ? Admission::kRepeated : Admission::kOverlap;
  }
  const bool joins_after = after < ranges && range[after].offset == p.end;
  if (pieces == kMaxPieces || (!joins_before && !joins_after && ranges == kMaxRanges)) {
    return Admission::kTooMany;
  }

  if (joins_before && joins_after) {
    range[at].end = range[after].end;
    std::copy(range + after + 1, range + ranges, range + after);
    --ranges;
  } else if (joins_before) {
    range[at].end = p.end;
  } else if (joins_after) {
    range[after].offset = p.offset;
  } else {
    std::copy_backward(range + at, range + ranges, range + ranges + 1);
    range[at] = {p.offset, p.end};
    ++ranges;
  }
  ++pieces;
  if (!p.more) total = p.end;
  return Admission::kNew;
}

}  // namespace rampart
