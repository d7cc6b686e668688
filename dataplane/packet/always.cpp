// SPDX-License-Identifier: Apache-2.0
// The messages that pass whatever the policy says, each as narrow as its protocol allows.
#include "dataplane/packet/ip_layer.hpp"

namespace rampart::detail {
namespace {

constexpr uint8_t kAllDhcpAgents[16] = {0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 2};

bool is_link_local(const uint8_t* v6) {
  return v6[0] == 0xfe && (v6[1] & 0xc0) == 0x80;
}
bool is_unspecified(const uint8_t* v6) {
  return (read64(v6) | read64(v6 + 8)) == 0;
}
bool is_multicast(const uint8_t* v6) {
  return v6[0] == 0xff;
}
bool is_link_multicast(const uint8_t* v6) {
  return is_multicast(v6) && (v6[1] & 0x0f) == 2;
}
/// ff02::1:ff00:0/104 (RFC 4291 §2.7.1).
bool is_solicited_node(const uint8_t* v6) {
  return read64(v6) == 0xff02'0000'0000'0000 && read32(v6 + 8) == 1 && v6[12] == 0xff;
}

}  // namespace

bool is_neighbour_discovery(const IpLayer& ip, const ParsedPacket& out) noexcept {
  const uint8_t* icmp = ip.frame + out.l4_offset;
  const uint8_t* from = out.source;
  const uint8_t* to = out.destination;
  if (ip.fragment || icmp[1] != 0) return false;  // RFC 6980 §5; the code is 0 in all of them
  // Who can be a neighbour cannot be told from the address, but from the hop limit (RFC 4861 §6.1,
  // §7.1, §8.1): no router has let it through. To multicast groups of the link only.
  const bool neighbour = ip.hops == 255 && (!is_multicast(to) || is_link_multicast(to));
  // RFC 2710 §3, RFC 3810 §5: never leaves the link, and RFC 3590 allows :: as source.
  const bool listener = ip.hops == 1 && is_multicast(to) && out.l4_bytes >= 8;
  switch (out.icmp_type) {
    case 133:  // router solicitation
      return neighbour && out.l4_bytes >= 8;
    case 134:  // router advertisement
      return neighbour && out.l4_bytes >= 16 && is_link_local(from);
    case 135:  // neighbour solicitation; from :: it is duplicate address detection
      return neighbour && out.l4_bytes >= 24 && (!is_unspecified(from) || is_solicited_node(to));
    case 136:  // neighbour advertisement
      return neighbour && out.l4_bytes >= 24 && !is_unspecified(from);
    case 137:  // redirect
      return neighbour && out.l4_bytes >= 40 && is_link_local(from);
    case 130:  // listener query
      return listener && is_link_local(from);
    case 131:  // listener report, version 1
    case 132:  // listener done
    case 143:  // listener report, version 2
      return listener && (is_link_local(from) || is_unspecified(from));
    default:
      return false;
  }
}

bool is_igmp(const IpLayer& ip, const ParsedPacket& out) noexcept {
  if (ip.fragment || ip.hops != 1 || (out.destination[0] & 0xf0) != 0xe0 || out.l4_bytes < 8 ||
      ip.bytes_from(out.l4_offset) < 8) {
    return false;
  }
  switch (ip.frame[out.l4_offset]) {
    case 0x11:  // query
    case 0x12:  // report, version 1 (RFC 1112)
    case 0x16:  // report, version 2 (RFC 2236)
    case 0x17:  // leave
    case 0x22:  // report, version 3 (RFC 3376)
      return true;
    default:
      return false;
  }
}

bool is_dhcp(const IpLayer& ip, const ParsedPacket& out) noexcept {
  if (ip.fragment) return false;
  const uint16_t from = out.source_port.host(), to = out.destination_port.host();
  if (out.family == Family::kV4) {
    // Only what is broadcast (RFC 2131 §4.1); renewals, relays and offers by unicast are policy's.
    if (read32(out.destination) != 0xffffffff) return false;
    return (from == 68 && to == 67) || (from == 67 && to == 68 && read32(out.source) != 0);
  }
  // RFC 8415 §7.1, §13, §16: clients speak from link-local addresses; source ports are free.
  if (!is_link_local(out.source)) return false;
  if (to == 547) return std::memcmp(out.destination, kAllDhcpAgents, 16) == 0;
  return to == 546 && is_link_local(out.destination);
}

}  // namespace rampart::detail
