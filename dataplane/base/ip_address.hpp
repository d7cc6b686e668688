// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <functional>
#include <string>
#include <string_view>
#include <type_traits>

#include "dataplane/base/result.hpp"

namespace rampart {

enum class Family : uint8_t { kV4 = 4, kV6 = 6 };

/// An IPv4 or IPv6 address: 16 bytes in network order; an IPv4 address uses the first four and
/// leaves the rest zero. The family is part of its identity: `::ffff:10.0.0.1` is not `10.0.0.1`.
/// Ordered by family, then numerically.
class IpAddress {
 public:
  constexpr IpAddress() = default;
  static constexpr IpAddress v4(uint32_t host_value) {
    IpAddress a;
    a.family_ = Family::kV4;
    for (int i = 0; i < 4; ++i) a.bytes_[i] = static_cast<uint8_t>(host_value >> (24 - 8 * i));
    return a;
  }
  static constexpr IpAddress v6(const std::array<uint8_t, 16>& bytes) {
    IpAddress a;
    a.family_ = Family::kV6;
    a.bytes_ = bytes;
    return a;
  }
  /// From packet bytes: 4 or 16 of them in network order.
  static IpAddress from_bytes(Family family, const void* bytes);
  /// Dotted quad or RFC 4291 text; no zone, no port, no spaces, no leading zeros in a quad.
  static Result<IpAddress> parse(std::string_view text);

  constexpr Family family() const { return family_; }
  constexpr bool is_v4() const { return family_ == Family::kV4; }
  constexpr unsigned bits() const { return is_v4() ? 32 : 128; }
  constexpr const std::array<uint8_t, 16>& bytes() const { return bytes_; }
  /// The IPv4 address in host order; meaningless for IPv6.
  constexpr uint32_t v4_host() const {
    return uint32_t{bytes_[0]} << 24 | uint32_t{bytes_[1]} << 16 | uint32_t{bytes_[2]} << 8 |
           bytes_[3];
  }
  /// Dotted quad or RFC 5952 text.
  std::string text() const;

  constexpr bool operator==(const IpAddress&) const = default;
  constexpr std::strong_ordering operator<=>(const IpAddress& other) const {
    if (family_ != other.family_) return family_ <=> other.family_;
    for (const size_t i : {0, 8}) {
      const uint64_t mine = word(i), theirs = other.word(i);
      if (mine != theirs) return mine <=> theirs;
    }
    return std::strong_ordering::equal;
  }

 private:
  /// Eight bytes as a number: comparing two of them is cheaper than arrays of bytes.
  constexpr uint64_t word(size_t first) const {
    uint64_t value = 0;
    if (std::is_constant_evaluated()) {
      for (size_t i = first; i < first + 8; ++i) value = value << 8 | bytes_[i];
      return value;
    }
    std::memcpy(&value, bytes_.data() + first, sizeof value);
    return __builtin_bswap64(value);
  }

  Family family_ = Family::kV4;
  std::array<uint8_t, 16> bytes_{};
};

/// A CIDR block. `address` is masked: host bits are zero.
class IpPrefix {
 public:
  IpPrefix() = default;
  /// Masks the host bits. `length` must not exceed `address.bits()`.
  IpPrefix(IpAddress address, unsigned length);
  /// "ADDRESS/LENGTH" as the Kubernetes API accepts it: host bits may be set and are masked,
  /// leading zeros in a quad are decimal, `::ffff:a.b.c.d/96…128` is the IPv4 block it maps to.
  static Result<IpPrefix> parse(std::string_view text);

  const IpAddress& address() const { return address_; }
  unsigned length() const { return length_; }
  Family family() const { return address_.family(); }
  bool contains(const IpAddress& a) const;
  bool contains(const IpPrefix& p) const;
  IpAddress first() const { return address_; }
  IpAddress last() const;
  std::string text() const;

  auto operator<=>(const IpPrefix&) const = default;

 private:
  IpAddress address_;
  unsigned length_ = 0;
};

/// The address after `a` in its family; wraps to the first one.
IpAddress successor(const IpAddress& a);
/// The address before `a` in its family; wraps to the last one.
IpAddress predecessor(const IpAddress& a);

}  // namespace rampart

template <>
struct std::hash<rampart::IpAddress> {
  std::size_t operator()(const rampart::IpAddress& a) const noexcept {
    return std::hash<std::string_view>{}(
        {reinterpret_cast<const char*>(a.bytes().data()), a.is_v4() ? 4U : 16U});
  }
};
