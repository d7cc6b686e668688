// SPDX-License-Identifier: Apache-2.0
#include "tools/rampartctl/table.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <cstdio>

namespace rampart::ctl {
namespace {

struct Range {
  uint32_t first, last;
};

// Coarse, but right for what stands in manifests: the main blocks of Unicode's EastAsianWidth W and
// F.
constexpr std::array<Range, 9> kWide{{{0x1100, 0x115F},
                                      {0x2E80, 0x303E},
                                      {0x3041, 0xA4CF},
                                      {0xAC00, 0xD7A3},
                                      {0xF900, 0xFAFF},
                                      {0xFE30, 0xFE6F},
                                      {0xFF00, 0xFF60},
                                      {0x1F300, 0x1FAFF},
                                      {0x20000, 0x3FFFD}}};
constexpr std::array<Range, 4> kNone{
    {{0x0300, 0x036F}, {0x200B, 0x200F}, {0x20D0, 0x20FF}, {0xFE00, 0xFE0F}}};

template <size_t N>
bool within(const std::array<Range, N>& ranges, uint32_t c) {
  return std::any_of(ranges.begin(), ranges.end(),
                     [c](const Range& r) { return c >= r.first && c <= r.last; });
}

/// The code point at `at`, which moves behind it; a broken byte counts as one character.
uint32_t next_character(std::string_view text, size_t& at) {
  const auto lead = static_cast<unsigned char>(text[at++]);
  const int more = lead >= 0xF0 ? 3 : lead >= 0xE0 ? 2 : lead >= 0xC0 ? 1 : 0;
  uint32_t c = more == 3 ? lead & 0x07 : more == 2 ? lead & 0x0F : more == 1 ? lead & 0x1F : lead;
  for (int i = 0; i < more && at < text.size(); ++i) {
    c = c << 6 | (static_cast<unsigned char>(text[at++]) & 0x3F);
  }
  return c;
}

std::string_view escape_code(Style style) {
  switch (style) {
    case Style::kPlain:
      return {};
    case Style::kBold:
      return "\x1b[1m";
    case Style::kDim:
      return "\x1b[2m";
    case Style::kGood:
      return "\x1b[32m";
    case Style::kBad:
      return "\x1b[31m";
    case Style::kWarning:
      return "\x1b[33m";
  }
  return {};
}

}  // namespace

std::string styled(std::string_view text, Style style, bool colour) {
  const std::string_view code = escape_code(style);
  if (!colour || code.empty() || text.empty()) return std::string(text);
  return std::string(code) + std::string(text) + "\x1b[0m";
}

size_t display_width(std::string_view text) {
  size_t width = 0;
  for (size_t at = 0; at < text.size();) {
    const uint32_t c = next_character(text, at);
    width += within(kNone, c) ? 0 : within(kWide, c) ? 2 : 1;
  }
  return width;
}

std::string printable(std::string_view text) {
  std::string out(text);
  for (size_t at = 0; at < text.size();) {
    const size_t from = at;
    const uint32_t c = next_character(text, at);
    if (c >= 0x20 && (c < 0x7F || c > 0x9F)) continue;  // C0, DEL and C1
    for (size_t i = from; i < at; ++i) out[i] = '?';
  }
  return out;
}

std::string counted(uint64_t count, std::string_view noun) {
  std::string text = std::to_string(count) + " ";
  if (count == 1) return text + std::string(noun);
  if (noun.ends_with('y')) return text + std::string(noun.substr(0, noun.size() - 1)) + "ies";
  return text + std::string(noun) + (noun.ends_with('s') ? "es" : "s");
}

std::string duration_text(double seconds) {
  std::array<char, 48> text;
  const auto whole = static_cast<uint64_t>(seconds < 0 ? 0 : seconds);
  const auto show = [&](const char* format, uint64_t a, uint64_t b) {
    std::snprintf(text.data(), text.size(), format, static_cast<unsigned long long>(a),
                  static_cast<unsigned long long>(b));
    return std::string(text.data());
  };
  if (whole == 0) return show("%llu ms", static_cast<uint64_t>(std::max(0.0, seconds) * 1000), 0);
  if (whole < 120) return show("%llu s", whole, 0);
  if (whole < 7200) return show("%llum%02llus", whole / 60, whole % 60);
  if (whole < 172'800) return show("%lluh%02llum", whole / 3600, whole / 60 % 60);
  return show("%llud%02lluh", whole / 86400, whole / 3600 % 24);
}

void Table::add(std::vector<Cell> row) {
  for (Cell& cell : row) cell.text = printable(cell.text);
  rows_.push_back(std::move(row));
}

void Table::print(std::ostream& out, bool colour) const {
  std::vector<size_t> widths;
  for (size_t i = 0; i < columns_.size(); ++i) {
    size_t width = display_width(columns_[i].title);
    for (const auto& row : rows_) width = std::max(width, display_width(row[i].text));
    widths.push_back(width);
  }
  const auto print_row = [&](const std::vector<Cell>& row) {
    size_t end = columns_.size();
    while (end > 0 && row[end - 1].text.empty()) --end;  // no blanks at the end of a line
    for (size_t i = 0; i < end; ++i) {
      const std::string& text = row[i].text;
      const std::string padding(widths[i] - display_width(text), ' ');
      const bool right = columns_[i].align == Align::kRight;
      const bool last = i + 1 == end;
      if (right) out << padding;
      out << styled(text, row[i].style, colour);
      if (!right && !last) out << padding;
      if (!last) out << "  ";
    }
    out << '\n';
  };
  std::vector<Cell> titles;
  for (const Column& column : columns_) titles.emplace_back(column.title, Style::kBold);
  print_row(titles);
  for (const auto& row : rows_) print_row(row);
}

}  // namespace rampart::ctl
