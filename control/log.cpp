// SPDX-License-Identifier: Apache-2.0
#include "control/log.hpp"

#include <unistd.h>

#include <algorithm>

namespace rampart {

void log_line(const std::string& text) {
  std::string line = "rampartd: " + text;
  std::replace_if(
      line.begin(), line.end(), [](char c) { return (c >= 0 && c < ' ') || c == 0x7f; }, ' ');
  line += '\n';
  // Nobody could be told that the log is gone.
  [[maybe_unused]] const ssize_t written = write(STDERR_FILENO, line.data(), line.size());
}

}  // namespace rampart
