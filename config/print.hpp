// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "config/settings.hpp"

/// The faces of the option table.
namespace rampart::config {

/// For a terminal.
std::string help();
/// docs/options.md.
std::string help_markdown();
/// config/rampart.conf.example.
std::string help_config();
/// All settings in one line, "name=value name=value …", for the log.
std::string effective(const Settings& settings);

}  // namespace rampart::config
