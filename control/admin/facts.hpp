// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <string>

namespace rampart::admin {

/// What does not change while the daemon runs, in the words of the options.
struct Facts {
  std::string version;
  std::chrono::system_clock::time_point started;
  std::string startup;   ///< "drop", "pass"
  std::string checksum;  ///< "off", "state", "all"
  std::string non_ip;    ///< "drop", "pass"
  std::string tunnels;   ///< "drop", "pass"
};

}  // namespace rampart::admin
