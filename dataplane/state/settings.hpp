// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

namespace rampart {

/// What happens to packets before the first snapshot.
enum class StartupMode : uint8_t { kDrop, kPass };
/// When the transport checksum is verified: never, before a packet may change state, always.
enum class ChecksumMode : uint8_t { kOff, kState, kAll };

}  // namespace rampart
