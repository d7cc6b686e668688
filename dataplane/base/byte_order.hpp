// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <bit>
#include <compare>
#include <cstdint>

namespace rampart {

static_assert(std::endian::native == std::endian::little, "the byte order types assume x86");

/// An integer in network byte order. It does not convert by itself in either direction: a host
/// number must be wrapped by name (`be16{443}`) and unwrapped by name (`port.host()`), so the
/// two cannot be mixed up by accident. Plain data: it can stand in a header or a key.
template <typename T>
class BigEndian {
 public:
  BigEndian() = default;
  /// From a number in host order.
  constexpr explicit BigEndian(T host_value) : raw_(swap(host_value)) {}
  /// From bytes that are in network order already (as they lie in a packet).
  static constexpr BigEndian from_raw(T network_value) {
    BigEndian r{};
    r.raw_ = network_value;
    return r;
  }
  constexpr T host() const { return swap(raw_); }
  constexpr T raw() const { return raw_; }
  constexpr bool operator==(const BigEndian&) const = default;

 private:
  static constexpr T swap(T v) {
    if constexpr (sizeof(T) == 2) {
      return __builtin_bswap16(v);
    } else if constexpr (sizeof(T) == 4) {
      return __builtin_bswap32(v);
    } else {
      return __builtin_bswap64(v);
    }
  }
  T raw_ = 0;
};

using be16 = BigEndian<uint16_t>;
using be32 = BigEndian<uint32_t>;

}  // namespace rampart
