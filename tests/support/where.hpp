// SPDX-License-Identifier: Apache-2.0
#pragma once

namespace rampart::test {

/// Where a helper was called from, so that a failure names the test's line. (std::source_location
/// would be that, but the clang that the sanitizers need does not know the one of g++ 12.)
class Where {
 public:
  static constexpr Where current(const char* file = __builtin_FILE(), int line = __builtin_LINE()) {
    return {file, line};
  }
  constexpr const char* file_name() const { return file_; }
  constexpr int line() const { return line_; }

 private:
  constexpr Where(const char* file, int line) : file_(file), line_(line) {}

  const char* file_;
  int line_;
};

}  // namespace rampart::test
