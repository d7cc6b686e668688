// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "dataplane/packet/ip_layer.hpp"

namespace rampart::detail {

bool read_syn_options(const uint8_t* options, uint32_t length, TcpFields& out) noexcept {
  constexpr uint8_t kEnd = 0, kNoOperation = 1, kWindowScale = 3, kWindowScaleBytes = 3;
  for (uint32_t at = 0; at < length;) {
    const uint8_t kind = options[at];
    if (kind == kEnd) break;
    if (kind == kNoOperation) {
      ++at;
      continue;
    }
    if (at + 2 > length || options[at + 1] < 2 || at + options[at + 1] > length) return false;
    if (kind == kWindowScale) {
      if (options[at + 1] != kWindowScaleBytes) return false;
      out.window_scale = std::min(options[at + 2], TcpFields::kMaxScale);
    }
    at += options[at + 1];
  }
  return true;
}

}  // namespace rampart::detail
