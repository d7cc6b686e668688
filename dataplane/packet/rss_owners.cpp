// SPDX-License-Identifier: Apache-2.0
#include "dataplane/packet/rss_owners.hpp"

#include <bit>

namespace rampart {
namespace {

/// The low half of the Toeplitz hash of one word: for each of its bits that is set, the key from
/// there on.
uint16_t hash_of_word(uint16_t key, unsigned word) {
  uint16_t hash = 0;
  for (int bit = 0; bit < 16; ++bit) {
    if ((word >> (15 - bit) & 1) != 0) hash ^= std::rotl(key, bit);
  }
  return hash;
}

}  // namespace

RssOwners::RssOwners(uint16_t key, unsigned entries, unsigned workers)
    : mask_(static_cast<uint16_t>(entries - 1)) {
  for (unsigned byte = 0; byte < 256; ++byte) {
    high_[byte] = hash_of_word(key, byte << 8);
    low_[byte] = hash_of_word(key, byte);
  }
  for (unsigned i = 0; i < kMostEntries; ++i) workers_[i] = static_cast<uint8_t>(i % workers);
}

}  // namespace rampart
