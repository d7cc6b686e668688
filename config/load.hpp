// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "config/settings.hpp"
#include "dataplane/base/result.hpp"

namespace rampart::config {

/// What the command line asks for.
struct Loaded {
  enum class Action : uint8_t { kRun, kHelp, kVersion, kHelpMarkdown, kHelpConfig };
  Action action = Action::kRun;
  Settings settings;  ///< with kRun: checked
};

/// Reads the command line (without the program's name) and the file that its --config names. Per
/// option the command line goes over the file, and the file over the default; a repeatable option
/// on the command line replaces all of the file's. Unknown names, values out of range and options
/// that come twice are errors that name the option, where it stands and what it accepts.
Result<Loaded> load(const std::vector<std::string>& arguments);

}  // namespace rampart::config
