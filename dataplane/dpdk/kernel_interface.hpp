// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include "dataplane/base/result.hpp"

namespace rampart {

/// What the kernel says about one of its interfaces in the caller's network namespace.
/// Control threads: each question is a few system calls.
struct KernelInterface {
  unsigned index = 0;
  uint32_t mtu = 0;
  bool up = false;           ///< IFF_UP: an administrator wants it up
  bool running = false;      ///< up, and there is a carrier
  bool promiscuous = false;  ///< somebody asked for all frames (flag or packet socket)
  uint32_t speed_mbps = 0;   ///< 0: unknown
  std::array<uint8_t, 6> mac{};

  /// Whether `name` can be an interface's name that also survives in a DPDK argument list: 1 to 15
  /// characters, no '/', ':', white space, ',', '=', '[' or ']', not "." or "..".
  static bool valid_name(std::string_view name);
  /// Errors: kNotFound, kIo.
  static Result<KernelInterface> query(const std::string& name);
  /// Sets it administratively up. Errors: kNotFound, kDenied, kIo.
  static Result<void> set_up(const std::string& name);
  /// Turns off what merges several frames into one on the way in (GRO, also that of the NIC, and
  /// LRO), for as long as the interface exists. Errors: kNotFound, kDenied, kUnsupported where
  /// the driver cannot do without, kIo.
  static Result<void> keep_frames_apart(const std::string& name);
};

}  // namespace rampart
