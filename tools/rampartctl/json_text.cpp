// SPDX-License-Identifier: Apache-2.0
#include "tools/rampartctl/json_text.hpp"

#include <algorithm>
#include <cstdint>

namespace rampart::ctl {
namespace {

constexpr std::string_view kBlanks = " \t\r\n";
constexpr size_t kMaxDepth = 500;  // the socket takes 256; the limit here only saves our stack

/// Walks over one value; the first thing that breaks the grammar stops it.
class Scanner {
 public:
  Scanner(std::string_view text, size_t at) : text_(text), at_(at) {}

  bool value() {
    if (at_ == text_.size()) return fail("the text ends where a value should stand");
    switch (text_[at_]) {
      case '{':
        return nested('{');
      case '[':
        return nested('[');
      case '"':
        return string();
      case 't':
        return word("true");
      case 'f':
        return word("false");
      case 'n':
        return word("null");
      default:
        return number();
    }
  }

  void blanks() { at_ = std::min(text_.find_first_not_of(kBlanks, at_), text_.size()); }
  size_t at() const { return at_; }
  Error error() const {
    return Error{ErrorCode::kInvalid, why_, place_in(text_, std::min(at_, text_.size())).text()};
  }

 private:
  bool fail(std::string why) {
    why_ = std::move(why);
    return false;
  }
  bool at_char(char c) const { return at_ < text_.size() && text_[at_] == c; }
  bool unclosed(size_t opened) {
    return fail(std::string("the text ends before '") + text_[opened] + "' of line " +
                std::to_string(place_in(text_, opened).line) + " is closed");
  }

  bool nested(char open) {
    if (++depth_ > kMaxDepth) return fail("nested too deeply");
    const size_t opened = at_++;
    const char close = open == '{' ? '}' : ']';
    blanks();
    if (at_char(close)) return ++at_, --depth_, true;
    for (;;) {
      if (at_ == text_.size()) return unclosed(opened);
      if (open == '{') {
        if (!at_char('"')) return fail("expected the name of a member, in double quotes");
        if (!string()) return false;
        blanks();
        if (at_ == text_.size()) return unclosed(opened);
        if (!at_char(':')) return fail("expected ':' after the name of a member");
        ++at_;
        blanks();
        if (at_ == text_.size()) return unclosed(opened);
      }
      if (!value()) return false;
      blanks();
      if (at_ == text_.size()) return unclosed(opened);
      if (at_char(close)) return ++at_, --depth_, true;
      if (!at_char(',')) return fail(std::string("expected ',' or '") + close + "'");
      ++at_;
      blanks();
      if (at_char(close))
        return fail(std::string("a value is missing between ',' and '") + close + "'");
    }
  }

  bool string() {
    const size_t opened = at_++;
    while (at_ < text_.size()) {
      const auto c = static_cast<unsigned char>(text_[at_]);
      if (c == '"') return ++at_, true;
      if (c < 0x20) return fail("a control character (or the end of the line) within a string");
      if (c == '\\') {
        ++at_;
        if (at_ == text_.size()) break;
        if (text_[at_] == 'u') {
          for (int i = 0; i < 4; ++i) {
            if (++at_ == text_.size()) break;
            if (!is_hex(text_[at_])) return fail("'\\u' wants four hexadecimal digits");
          }
        } else if (std::string_view("\"\\/bfnrt").find(text_[at_]) == std::string_view::npos) {
          return fail("not an escape that JSON knows");
        }
      }
      ++at_;
    }
    at_ = opened;
    return fail("the string is never closed");
  }

  static bool is_hex(char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
  }

  size_t digits() {
    const size_t from = at_;
    while (at_ < text_.size() && text_[at_] >= '0' && text_[at_] <= '9') ++at_;
    return at_ - from;
  }

  bool number() {
    const size_t from = at_;
    if (at_char('-')) ++at_;
    const size_t first = at_;
    const size_t whole = digits();
    if (whole == 0) {
      at_ = from;
      return fail("expected a value");
    }
    if (whole > 1 && text_[first] == '0') {
      at_ = from;
      return fail("a number may not start with 0");
    }
    if (at_char('.')) {
      ++at_;
      if (digits() == 0) return fail("expected a digit after '.'");
    }
    if (at_char('e') || at_char('E')) {
      ++at_;
      if (at_char('+') || at_char('-')) ++at_;
      if (digits() == 0) return fail("expected a digit in the exponent");
    }
    return true;
  }

  bool word(std::string_view expected) {
    if (text_.substr(at_, expected.size()) != expected) return fail("expected a value");
    at_ += expected.size();
    return true;
  }

  std::string_view text_;
  size_t at_;
  size_t depth_ = 0;
  std::string why_;
};

void indent(std::string& out, size_t depth) {
  out += '\n';
  out.append(2 * depth, ' ');
}

/// The index behind the string that starts at `at`.
size_t end_of_string(std::string_view json, size_t at) {
  for (++at; at < json.size() && json[at] != '"'; ++at) {
    if (json[at] == '\\') ++at;
  }
  return std::min(at + 1, json.size());
}

}  // namespace

TextPlace place_in(std::string_view text, size_t offset) {
  const std::string_view before = text.substr(0, offset);
  const size_t line_start = before.rfind('\n') + 1;  // npos + 1 is 0
  TextPlace place;
  place.line += static_cast<size_t>(std::count(before.begin(), before.end(), '\n'));
  for (const char c : before.substr(line_start)) {
    if ((static_cast<unsigned char>(c) & 0xC0) != 0x80) ++place.column;
  }
  return place;
}

void append_json_string(std::string& out, std::string_view text) {
  constexpr std::string_view kHex = "0123456789abcdef";
  out += '"';
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (c == '\n') {
      out += "\\n";
    } else if (c == '\t') {
      out += "\\t";
    } else if (byte < 0x20) {
      out += "\\u00";
      out += kHex[byte >> 4];
      out += kHex[byte & 15];
    } else {
      out += c;
    }
  }
  out += '"';
}

std::string json_string(std::string_view text) {
  std::string out;
  append_json_string(out, text);
  return out;
}

Result<std::vector<std::string_view>> split_json(std::string_view text) {
  std::vector<std::string_view> values;
  Scanner scanner(text, 0);
  for (scanner.blanks(); scanner.at() < text.size(); scanner.blanks()) {
    const size_t from = scanner.at();
    if (!scanner.value()) return scanner.error();
    values.push_back(text.substr(from, scanner.at() - from));
  }
  return values;
}

std::string pretty_json(std::string_view json) {
  std::string out;
  out.reserve(json.size() + json.size() / 2);
  size_t depth = 0;
  for (size_t at = 0; at < json.size();) {
    const char c = json[at];
    if (c == '"') {
      const size_t end = end_of_string(json, at);
      out += json.substr(at, end - at);
      at = end;
      continue;
    }
    ++at;
    if (kBlanks.find(c) != std::string_view::npos) continue;
    if (c == '{' || c == '[') {
      out += c;
      const size_t next = json.find_first_not_of(kBlanks, at);
      if (next != std::string_view::npos && (json[next] == '}' || json[next] == ']')) {
        out += json[next];
        at = next + 1;
      } else {
        indent(out, ++depth);
      }
    } else if (c == '}' || c == ']') {
      if (depth > 0) --depth;
      indent(out, depth);
      out += c;
    } else if (c == ',') {
      out += c;
      indent(out, depth);
    } else if (c == ':') {
      out += ": ";
    } else {
      out += c;
    }
  }
  out += '\n';
  return out;
}

}  // namespace rampart::ctl
