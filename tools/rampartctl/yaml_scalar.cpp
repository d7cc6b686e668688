// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstdint>
#include <string>
#include <string_view>
#include <system_error>

#include "tools/rampartctl/yaml_json.hpp"

// What plain scalars are, as the YAML library under sigs.k8s.io/yaml resolves them
// (https://yaml.org/type/, YAML 1.1, with Go's spelling of integers).
namespace rampart::ctl {
namespace {

constexpr std::array<std::string_view, 11> kTrue{"y",    "Y",    "yes", "Yes", "YES", "true",
                                                 "True", "TRUE", "on",  "On",  "ON"};
constexpr std::array<std::string_view, 11> kFalse{"n",     "N",     "no",  "No",  "NO", "false",
                                                  "False", "FALSE", "off", "Off", "OFF"};
constexpr std::array<std::string_view, 5> kNull{"", "~", "null", "Null", "NULL"};

template <size_t N>
bool one_of(const std::array<std::string_view, N>& words, std::string_view text) {
  return std::find(words.begin(), words.end(), text) != words.end();
}

/// [+-] then decimal, 0x…, 0b…, 0o… or 0… (octal); at most 64 bits. Empty if it is none.
std::string as_integer(std::string_view text) {
  std::string out;
  if (text[0] == '+' || text[0] == '-') {
    if (text[0] == '-') out = "-";
    text.remove_prefix(1);
  }
  int base = 10;
  if (text.size() > 1 && text[0] == '0') {
    const char mark = text[1];
    if (mark == 'x' || mark == 'X') base = 16;
    if (mark == 'b' || mark == 'B') base = 2;
    if (mark == 'o' || mark == 'O') base = 8;
    if (base == 10) {
      base = 8;
      text.remove_prefix(1);
    } else {
      text.remove_prefix(2);
    }
  }
  uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, base);
  if (text.empty() || error != std::errc() || end != text.data() + text.size()) return {};
  if (out == "-" && value > uint64_t{1} << 63) return {};
  if (value == 0) return "0";
  return out + std::to_string(value);
}

/// [-+]?(.DIGITS|DIGITS[.DIGITS])([eE][-+]?DIGITS)?
bool looks_like_float(std::string_view text) {
  size_t at = 0;
  const auto digits = [&] {
    const size_t from = at;
    while (at < text.size() && text[at] >= '0' && text[at] <= '9') ++at;
    return at - from;
  };
  if (text[at] == '+' || text[at] == '-') ++at;
  const size_t whole = digits();
  if (at < text.size() && text[at] == '.') {
    ++at;
    if (digits() == 0 && whole == 0) return false;
  } else if (whole == 0) {
    return false;
  }
  if (at < text.size() && (text[at] == 'e' || text[at] == 'E')) {
    ++at;
    if (at < text.size() && (text[at] == '+' || text[at] == '-')) ++at;
    if (digits() == 0) return false;
  }
  return at == text.size();
}

std::string as_float(std::string_view text) {
  if (!looks_like_float(text)) return {};
  if (text[0] == '+') text.remove_prefix(1);
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || !std::isfinite(value)) return {};
  std::array<char, 32> buffer;
  const auto written = std::to_chars(buffer.data(), buffer.data() + buffer.size(), value);
  return {buffer.data(), written.ptr};
}

}  // namespace

std::string resolve_plain_scalar(std::string_view text) {
  if (one_of(kNull, text)) return "null";
  if (one_of(kTrue, text)) return "true";
  if (one_of(kFalse, text)) return "false";
  if (std::string_view("+-.0123456789").find(text[0]) == std::string_view::npos) return {};
  std::string plain(text);
  plain.erase(std::remove(plain.begin(), plain.end(), '_'), plain.end());
  if (plain.empty()) return {};
  std::string number = as_integer(plain);
  return number.empty() ? as_float(plain) : number;
}

}  // namespace rampart::ctl
