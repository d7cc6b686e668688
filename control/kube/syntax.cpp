// SPDX-License-Identifier: Apache-2.0
#include "control/kube/syntax.hpp"

#include <algorithm>

namespace rampart::kube {
namespace {

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}
bool is_lower(char c) {
  return c >= 'a' && c <= 'z';
}
bool is_upper(char c) {
  return c >= 'A' && c <= 'Z';
}
bool is_lower_alnum(char c) {
  return is_lower(c) || is_digit(c);
}
bool is_alnum(char c) {
  return is_lower_alnum(c) || is_upper(c);
}

/// [a-z0-9]([-a-z0-9]*[a-z0-9])?
bool is_lower_word(std::string_view text) {
  return !text.empty() && is_lower_alnum(text.front()) && is_lower_alnum(text.back()) &&
         std::all_of(text.begin(), text.end(),
                     [](char c) { return is_lower_alnum(c) || c == '-'; });
}

/// [A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?
bool is_label_word(std::string_view text) {
  return !text.empty() && is_alnum(text.front()) && is_alnum(text.back()) &&
         std::all_of(text.begin(), text.end(),
                     [](char c) { return is_alnum(c) || c == '-' || c == '_' || c == '.'; });
}

/// The text for a message: bounded, for it comes from outside.
std::string quoted(std::string_view text) {
  constexpr size_t kShown = 80;
  return "'" + std::string(text.substr(0, kShown)) + (text.size() > kShown ? "…'" : "'");
}

std::string too_long(std::string_view text, size_t limit) {
  return quoted(text) + " must be no more than " + std::to_string(limit) + " characters";
}

}  // namespace

std::string check_dns_label(std::string_view text) {
  if (text.size() > 63) return too_long(text, 63);
  if (is_lower_word(text)) return {};
  return quoted(text) +
         " must consist of lower case alphanumeric characters or '-', and start and end with an "
         "alphanumeric character";
}

std::string check_dns_subdomain(std::string_view text) {
  if (text.size() > 253) return too_long(text, 253);
  std::string_view rest = text;
  for (;;) {
    const size_t dot = rest.find('.');
    if (!is_lower_word(rest.substr(0, dot))) {
      return quoted(text) +
             " must consist of lower case alphanumeric characters, '-' or '.', and each part must "
             "start and end with an alphanumeric character";
    }
    if (dot == std::string_view::npos) return {};
    rest.remove_prefix(dot + 1);
  }
}

std::string check_label_key(std::string_view text) {
  const size_t slash = text.find('/');
  const std::string_view name = slash == std::string_view::npos ? text : text.substr(slash + 1);
  if (slash != std::string_view::npos) {
    if (std::string why = check_dns_subdomain(text.substr(0, slash)); !why.empty()) {
      return "the prefix of " + quoted(text) + ": " + why;
    }
  }
  if (name.size() > 63) return too_long(name, 63);
  if (is_label_word(name)) return {};
  return quoted(text) +
         " must be a name of alphanumeric characters, '-', '_' or '.', that starts and ends with "
         "an alphanumeric character, with an optional DNS subdomain and '/' before it";
}

std::string check_label_value(std::string_view text) {
  if (text.size() > 63) return too_long(text, 63);
  if (text.empty() || is_label_word(text)) return {};
  return quoted(text) +
         " must be empty or consist of alphanumeric characters, '-', '_' or '.', and start and end "
         "with an alphanumeric character";
}

std::string check_port_name(std::string_view text) {
  if (text.size() > 15) return too_long(text, 15);
  if (!is_lower_word(text)) {
    return quoted(text) +
           " must consist of lower case alphanumeric characters or '-', and not start or end with "
           "'-'";
  }
  if (std::none_of(text.begin(), text.end(), is_lower)) {
    return quoted(text) + " must contain at least one letter";
  }
  if (text.find("--") != std::string_view::npos) {
    return quoted(text) + " must not contain two '-' in a row";
  }
  return {};
}

}  // namespace rampart::kube
