// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

namespace rampart {

/// Writes one line to stderr in one piece; control characters in it become blanks. Any thread but
/// the workers.
void log_line(const std::string& text);

}  // namespace rampart
