// SPDX-License-Identifier: Apache-2.0
#include "dataplane/base/ip_address.hpp"

#include <arpa/inet.h>

#include <charconv>
#include <cstring>

namespace rampart {
namespace {

Error invalid(std::string what) {
  return Error{ErrorCode::kInvalid, std::move(what), {}};
}

/// A dotted quad read as decimal, leading zeros and all (the API server's "sloppy" reading).
bool parse_sloppy_quad(std::string_view text, uint32_t& out) {
  out = 0;
  for (int i = 0; i < 4; ++i) {
    const size_t dot = i < 3 ? text.find('.') : text.size();
    if (dot == std::string_view::npos || dot == 0) return false;
    unsigned part = 0;
    const auto [end, ec] = std::from_chars(text.data(), text.data() + dot, part);
    if (ec != std::errc{} || end != text.data() + dot || part > 255) return false;
    out = out << 8 | part;
    text.remove_prefix(i < 3 ? dot + 1 : dot);
  }
  return true;
}

IpAddress with_bits(const IpAddress& a, unsigned length, bool set_host_bits) {
  std::array<uint8_t, 16> bytes = a.bytes();
  const unsigned total = a.bits() / 8;
  for (unsigned i = 0; i < total; ++i) {
    const unsigned kept = length >= 8 * (i + 1) ? 8 : length > 8 * i ? length - 8 * i : 0;
    const auto mask = static_cast<uint8_t>(0xFF00 >> kept);
    bytes[i] = static_cast<uint8_t>(set_host_bits ? bytes[i] | static_cast<uint8_t>(~mask)
                                                  : bytes[i] & mask);
  }
  return IpAddress::from_bytes(a.family(), bytes.data());
}

}  // namespace

IpAddress IpAddress::from_bytes(Family family, const void* bytes) {
  IpAddress a;
  a.family_ = family;
  std::memcpy(a.bytes_.data(), bytes, family == Family::kV4 ? 4 : 16);
  return a;
}

Result<IpAddress> IpAddress::parse(std::string_view text) {
  const std::string copy(text);
  uint8_t bytes[16];
  if (copy.size() == text.size() && copy.find('\0') == std::string::npos) {
    if (inet_pton(AF_INET, copy.c_str(), bytes) == 1) return from_bytes(Family::kV4, bytes);
    if (inet_pton(AF_INET6, copy.c_str(), bytes) == 1) return from_bytes(Family::kV6, bytes);
  }
  return invalid("'" + copy + "' is not an IP address");
}

std::string IpAddress::text() const {
  char buffer[INET6_ADDRSTRLEN];
  inet_ntop(is_v4() ? AF_INET : AF_INET6, bytes_.data(), buffer, sizeof buffer);
  return buffer;
}

IpPrefix::IpPrefix(IpAddress address, unsigned length)
    : address_(with_bits(address, length, false)), length_(length) {}

Result<IpPrefix> IpPrefix::parse(std::string_view text) {
  const auto bad = [&](const char* why) {
    return invalid("'" + std::string(text) + "' is not a CIDR block: " + why);
  };
  const size_t slash = text.find('/');
  if (slash == std::string_view::npos) return bad("there is no '/LENGTH'");
  const std::string_view digits = text.substr(slash + 1);
  unsigned length = 0;
  const auto [end, ec] = std::from_chars(digits.data(), digits.data() + digits.size(), length);
  if (digits.empty() || ec != std::errc{} || end != digits.data() + digits.size()) {
    return bad("the length is not a number");
  }
  uint32_t quad = 0;
  IpAddress address;
  if (parse_sloppy_quad(text.substr(0, slash), quad)) {
    address = IpAddress::v4(quad);
  } else {
    auto parsed = IpAddress::parse(text.substr(0, slash));
    if (!parsed) return bad("the address cannot be read");
    address = *parsed;
  }
  if (length > address.bits()) return bad("the length is too large for the family");
  static constexpr uint8_t kMapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF};
  if (!address.is_v4() && length >= 96 && std::memcmp(address.bytes().data(), kMapped, 12) == 0) {
    address = IpAddress::from_bytes(Family::kV4, address.bytes().data() + 12);
    length -= 96;
  }
  return IpPrefix(address, length);
}

bool IpPrefix::contains(const IpAddress& a) const {
  return a.family() == family() && with_bits(a, length_, false) == address_;
}

bool IpPrefix::contains(const IpPrefix& p) const {
  return p.length_ >= length_ && contains(p.address_);
}

IpAddress IpPrefix::last() const {
  return with_bits(address_, length_, true);
}

std::string IpPrefix::text() const {
  return address_.text() + "/" + std::to_string(length_);
}

IpAddress successor(const IpAddress& a) {
  std::array<uint8_t, 16> bytes = a.bytes();
  for (unsigned i = a.bits() / 8; i-- > 0;) {
    if (++bytes[i] != 0) break;
  }
  return IpAddress::from_bytes(a.family(), bytes.data());
}

IpAddress predecessor(const IpAddress& a) {
  std::array<uint8_t, 16> bytes = a.bytes();
  for (unsigned i = a.bits() / 8; i-- > 0;) {
    if (bytes[i]-- != 0) break;
  }
  return IpAddress::from_bytes(a.family(), bytes.data());
}

}  // namespace rampart
