// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "dataplane/base/result.hpp"

/// JSON as text: what a program needs that passes documents on and prints them, and does not want
/// to change a byte of their numbers and strings. No thread of its own.
namespace rampart::ctl {

/// A place in a text, for people: both count from 1, columns in characters.
struct TextPlace {
  size_t line = 1;
  size_t column = 1;
  std::string text() const { return std::to_string(line) + ":" + std::to_string(column); }
};

/// Where byte `offset` of `text` is.
TextPlace place_in(std::string_view text, size_t offset);

/// Appends `text` (UTF-8) as a JSON string with its quotes.
void append_json_string(std::string& out, std::string_view text);
std::string json_string(std::string_view text);

/// The JSON values of a text that stand one after the other with white space between them, each
/// checked against the grammar (RFC 8259). Error: `where` is "LINE:COLUMN".
Result<std::vector<std::string_view>> split_json(std::string_view text);

/// The same JSON with two spaces of indentation, as kubectl prints it; ends with a newline.
/// `json` must be one valid value.
std::string pretty_json(std::string_view json);

}  // namespace rampart::ctl
