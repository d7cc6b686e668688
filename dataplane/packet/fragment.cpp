// SPDX-License-Identifier: Apache-2.0
#include "dataplane/packet/fragment.hpp"

#include <algorithm>
#include <cstring>

#include "dataplane/packet/ip_layer.hpp"

namespace rampart {

Fragment read_fragment(const uint8_t* frame, uint32_t contiguous, const ParsedPacket& p,
                       uint8_t in_port) noexcept {
  const uint8_t* header = frame + p.l3_offset;
  Fragment f{};
  std::memcpy(f.key.source, p.source, 16);
  std::memcpy(f.key.destination, p.destination, 16);
  f.key.id = p.fragment_id;
  f.key.vlans = p.vlans;
  f.key.in_port = in_port;
  f.key.family = static_cast<uint8_t>(p.family);
  uint32_t offset = 0, data = 0;
  if (p.family == Family::kV4) {
    f.key.protocol = p.protocol;
    const uint16_t field = detail::read16(header + 6);
    offset = (field & 0x1fffU) * 8;
    data = detail::read16(header + 2) - (header[0] & 0xfU) * 4;
    f.piece.more = (field & 0x2000) != 0;
  } else {
    const uint32_t first = p.l3_offset + 40U, end = first + detail::read16(header + 4);
    const detail::ExtensionChain chain =
        detail::walk_extensions(frame, first, std::min(contiguous, end), header[6]);
    offset = chain.offset;
    data = end - chain.fragment_data;
    f.piece.more = chain.more;
  }
  f.piece.offset = static_cast<uint16_t>(offset);
  f.piece.end = static_cast<uint16_t>(offset + data);
  return f;
}

}  // namespace rampart
