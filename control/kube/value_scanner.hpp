// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace rampart::kube {

/// Finds where a JSON object or list ends in a text that comes in pieces, by its brackets outside
/// of strings, 64 bytes at a time. It says nothing of whether the text is JSON: what it cuts out is
/// parsed, and so is what is left around it.
class ValueScanner {
 public:
  static constexpr size_t kNotYet = static_cast<size_t>(-1);

  /// Begins with a new value; the next piece starts with its bracket.
  void begin() { *this = {}; }
  /// How many bytes of the piece belong to the value if it ends there, or kNotYet if all of them
  /// do and there are more to come.
  size_t find_end(std::string_view piece);

 private:
  size_t find_end_in_block(const char* block);

  uint64_t depth_ = 0;
  uint64_t in_string_ = 0;  ///< all ones within a string
  bool backslash_ = false;  ///< the last byte was one that takes the next byte's meaning away
};

}  // namespace rampart::kube
