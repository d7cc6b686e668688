// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <compare>
#include <cstdint>
#include <cstring>
#include <utility>
#include <vector>

#include "dataplane/addr/identity.hpp"

namespace rampart {

/// The IPv4 address space in pieces that lie side by side, each with an identity. The first level
/// is an index by the upper 16 bits, so only blocks longer than /16 are searched for.
class IntervalTableV4 {
 public:
  /// `firsts`: host order, rising, the first one 0; as many `identities`.
  IntervalTableV4(std::vector<uint32_t> firsts, std::vector<Identity> identities)
      : firsts_(std::move(firsts)), identities_(std::move(identities)), index_((1U << 16) + 1) {
    uint32_t interval = 0;
    for (uint32_t top = 0; top < 1U << 16; ++top) {
      while (interval + 1 < firsts_.size() && firsts_[interval + 1] <= top << 16) ++interval;
      index_[top] = interval;
    }
    index_[1U << 16] = static_cast<uint32_t>(firsts_.size() - 1);
  }

  const Identity* find(uint32_t host) const noexcept {
    // The last interval that begins at or before the address, between those that hold the first
    // address of this /16 and of the next one.
    uint32_t low = index_[host >> 16], high = index_[(host >> 16) + 1];
    while (low < high) {
      const uint32_t middle = (low + high + 1) / 2;
      if (firsts_[middle] <= host) {
        low = middle;
      } else {
        high = middle - 1;
      }
    }
    return &identities_[low];
  }
  size_t size() const noexcept { return firsts_.size(); }
  bool operator==(const IntervalTableV4& other) const {
    return firsts_ == other.firsts_ && identities_ == other.identities_;
  }

 private:
  std::vector<uint32_t> firsts_;
  std::vector<Identity> identities_;
  std::vector<uint32_t> index_;
};

/// The same for IPv6: a plain binary search, since few policies name more than a handful of blocks.
class IntervalTableV6 {
 public:
  struct Number {
    uint64_t high = 0, low = 0;
    static Number from_bytes(const uint8_t* bytes) noexcept {
      uint64_t half[2];
      std::memcpy(half, bytes, sizeof half);
      return {__builtin_bswap64(half[0]), __builtin_bswap64(half[1])};
    }
    auto operator<=>(const Number&) const = default;
  };

  /// `firsts`: rising, the first one 0; as many `identities`.
  IntervalTableV6(std::vector<Number> firsts, std::vector<Identity> identities)
      : firsts_(std::move(firsts)), identities_(std::move(identities)) {}

  const Identity* find(const uint8_t* bytes) const noexcept {
    const Number number = Number::from_bytes(bytes);
    size_t low = 0, high = firsts_.size() - 1;
    while (low < high) {
      const size_t middle = (low + high + 1) / 2;
      if (firsts_[middle] <= number) {
        low = middle;
      } else {
        high = middle - 1;
      }
    }
    return &identities_[low];
  }
  size_t size() const noexcept { return firsts_.size(); }
  bool operator==(const IntervalTableV6& other) const {
    return firsts_ == other.firsts_ && identities_ == other.identities_;
  }

 private:
  std::vector<Number> firsts_;
  std::vector<Identity> identities_;
};

}  // namespace rampart
