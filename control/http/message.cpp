// SPDX-License-Identifier: Apache-2.0
#include "control/http/message.hpp"

namespace rampart::http {
namespace {

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/// RFC 3986 §2.1.
bool percent_decode(std::string_view text, std::string& out) {
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      out += text[i];
      continue;
    }
    if (i + 2 >= text.size()) return false;
    const int high = hex_digit(text[i + 1]), low = hex_digit(text[i + 2]);
    if (high < 0 || low < 0 || (high == 0 && low == 0)) return false;
    out += static_cast<char>(high * 16 + low);
    i += 2;
  }
  return true;
}

}  // namespace

std::string parse_target(std::string_view target, Request& request) {
  if (!target.starts_with('/')) return "the request target does not start with /";
  const size_t mark = target.find('?');
  if (!percent_decode(target.substr(0, mark), request.path)) return "bad percent-encoding in path";
  if (mark == std::string_view::npos) return {};
  std::string_view rest = target.substr(mark + 1);
  while (!rest.empty()) {
    const size_t end = rest.find('&');
    const std::string_view pair = rest.substr(0, end);
    rest.remove_prefix(end == std::string_view::npos ? rest.size() : end + 1);
    if (pair.empty()) continue;
    const size_t equals = pair.find('=');
    std::string name, value;
    if (!percent_decode(pair.substr(0, equals), name) ||
        (equals != std::string_view::npos && !percent_decode(pair.substr(equals + 1), value))) {
      return "bad percent-encoding in query";
    }
    if (!request.query.emplace(name, std::move(value)).second) {
      return "query parameter " + name + " stands there twice";
    }
  }
  return {};
}

}  // namespace rampart::http
