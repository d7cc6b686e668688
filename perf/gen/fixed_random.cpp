// SPDX-License-Identifier: Apache-2.0
//
// For LD_PRELOAD: getrandom(2) that always says the same. Which worker owns a flow depends on a
// number that the appliance draws at its start; under this, a flow has the same owner in every
// process, so that a file can be written that brings each worker its own packets, as a NIC would.
#include <sys/random.h>
#include <sys/types.h>

#include <cstddef>
#include <cstdint>

extern "C" ssize_t getrandom(void* buffer, size_t length, unsigned int /*flags*/) {
  auto* bytes = static_cast<uint8_t*>(buffer);
  for (size_t i = 0; i < length; ++i) bytes[i] = static_cast<uint8_t>(37 * i + 113);
  return static_cast<ssize_t>(length);
}
