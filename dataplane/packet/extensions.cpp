// SPDX-License-Identifier: Apache-2.0
#include "dataplane/packet/ip_layer.hpp"

namespace rampart::detail {
namespace {

constexpr uint8_t kHopByHop = 0, kRouting = 43, kFragment = 44, kAuthentication = 51;

/// RFC 8200 §4.1 names six, each once. More than that is somebody making work.
constexpr unsigned kMaxExtensions = 8;

}  // namespace

ExtensionChain walk_extensions(const uint8_t* frame, uint32_t at, uint32_t readable,
                               uint8_t next_header) noexcept {
  ExtensionChain chain;
  const auto refuse = [&chain](DropReason reason) {
    chain.reason = reason;
    return chain;
  };
  const auto refuse_cut = [&] {
    chain.cut_short = true;
    return refuse(DropReason::kIpExtension);
  };
  for (unsigned n = 0; is_extension(next_header); ++n) {
    if (n == kMaxExtensions || is_unknown_extension(next_header))
      return refuse(DropReason::kIpExtension);
    if (at + 8 > readable) return refuse_cut();
    const uint8_t* header = frame + at;
    uint32_t length = (header[1] + 1U) * 8;
    switch (next_header) {
      case kHopByHop:
        // Elsewhere than first it is an unknown header to whoever receives it (§4.1, §4.3).
        if (n != 0) return refuse(DropReason::kIpExtension);
        break;
      case kRouting:
        // Type 0 is not to be used at all (RFC 5095). With segments left, of whatever type, the
        // packet is on its way to another address than the one that policy would look at.
        if (header[2] == 0 || header[3] != 0) return refuse(DropReason::kSourceRoute);
        break;
      case kAuthentication:
        length = (header[1] + 2U) * 4;  // RFC 4302 §2.2
        if (length < 12) return refuse(DropReason::kIpExtension);
        break;
      case kFragment: {
        if (chain.fragment) return refuse(DropReason::kIpExtension);
        length = 8;
        const uint16_t field = read16(header + 2);
        chain.fragment = true;
        chain.more = (field & 1) != 0;
        chain.offset = field & 0xfff8;
        chain.id = read32(header + 4);
        chain.fragment_data = at + length;
        break;
      }
      default:
        break;
    }
    next_header = header[0];
    at += length;
    if (at > readable) return refuse_cut();
    if (chain.offset != 0) break;
  }
  chain.protocol = next_header;
  chain.upper = at;
  return chain;
}

}  // namespace rampart::detail
