// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "config/settings.hpp"
#include "dataplane/base/result.hpp"

/// From text to values, and back. Errors say what is wrong with the text and nothing else.
namespace rampart::config {

/// A decimal number without sign, blanks or anything behind it.
Result<uint64_t> parse_number(std::string_view text, uint64_t least, uint64_t most);
/// "NAME=DEVICE".
Result<Settings::Port> parse_port(const std::string& text);
/// "A,B".
Result<Settings::Wire> parse_wire(const std::string& text);
/// "NAME=CIDR,CIDR,…".
Result<Settings::PortSources> parse_port_sources(const std::string& text);
/// "1,3-5".
Result<std::vector<unsigned>> parse_cores(const std::string& text);
/// "1,3-5".
std::string cores_text(const std::vector<unsigned>& cores);

}  // namespace rampart::config
