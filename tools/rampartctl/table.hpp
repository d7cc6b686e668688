// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <ostream>
#include <string>
#include <string_view>
#include <vector>

/// Text for people: colours, widths, tables.
namespace rampart::ctl {

enum class Style : uint8_t { kPlain, kBold, kDim, kGood, kBad, kWarning };

/// `text` between the escape codes of its style, or as it is if `colour` is off.
std::string styled(std::string_view text, Style style, bool colour);

/// How many columns of a terminal UTF-8 text takes: combining marks none, wide East Asian
/// characters and emoji two.
size_t display_width(std::string_view text);

/// `text` with control characters shown as '?': what others wrote must not move the cursor.
std::string printable(std::string_view text);

/// "1 pod", "2 pods", "2 policies".
std::string counted(uint64_t count, std::string_view noun);

/// "950 ms", "12 s", "3m20s", "5h02m", "4d07h".
std::string duration_text(double seconds);

struct Cell {
  Cell(std::string cell_text, Style cell_style = Style::kPlain)
      : text(std::move(cell_text)), style(cell_style) {}
  Cell(const char* cell_text) : text(cell_text) {}
  Cell(uint64_t number) : text(std::to_string(number)) {}
  std::string text;
  Style style = Style::kPlain;
};

enum class Align : uint8_t { kLeft, kRight };

struct Column {
  std::string title;
  Align align = Align::kLeft;
};

/// Rows under titles, two spaces between the columns, nothing wrapped or cut.
class Table {
 public:
  explicit Table(std::vector<Column> columns) : columns_(std::move(columns)) {}
  /// As many cells as there are columns; they are made printable().
  void add(std::vector<Cell> row);
  bool empty() const { return rows_.empty(); }
  void print(std::ostream& out, bool colour) const;

 private:
  std::vector<Column> columns_;
  std::vector<std::vector<Cell>> rows_;
};

}  // namespace rampart::ctl
