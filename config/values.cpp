// SPDX-License-Identifier: Apache-2.0
#include "config/values.hpp"

#include <algorithm>
#include <charconv>

namespace rampart::config {
namespace {

constexpr unsigned kMostCpu = 4095;

Error wrong(std::string what) {
  return {ErrorCode::kInvalid, std::move(what), {}};
}

/// Port names stand in URLs, labels of metrics and lists with commas.
bool is_port_name(std::string_view text) {
  const auto allowed = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '_' || c == '.';
  };
  return !text.empty() && text.size() <= 31 && text != "." && text != ".." &&
         std::all_of(text.begin(), text.end(), allowed);
}

Error no_port_name(std::string_view text) {
  return wrong("'" + std::string(text) +
               "' is no port name (1 to 31 letters, digits, '-', '_' and '.')");
}

std::vector<std::string_view> split(std::string_view text, char at) {
  std::vector<std::string_view> parts;
  for (size_t begin = 0;;) {
    const size_t end = text.find(at, begin);
    parts.push_back(text.substr(begin, end - begin));
    if (end == std::string_view::npos) return parts;
    begin = end + 1;
  }
}

}  // namespace

Result<uint64_t> parse_number(std::string_view text, uint64_t least, uint64_t most) {
  uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error == std::errc::invalid_argument || end != text.data() + text.size()) {
    return wrong("'" + std::string(text) + "' is no whole number");
  }
  if (error != std::errc{} || value < least || value > most) {
    return wrong(std::string(text) + " is out of range");
  }
  return value;
}

Result<Settings::Port> parse_port(const std::string& text) {
  const size_t equals = text.find('=');
  if (equals == std::string::npos) return wrong("'" + text + "' has no '='");
  Settings::Port port{text.substr(0, equals), text.substr(equals + 1)};
  if (!is_port_name(port.name)) return no_port_name(port.name);
  if (port.device.empty()) return wrong("'" + text + "' names no device");
  return port;
}

Result<Settings::Wire> parse_wire(const std::string& text) {
  const auto ends = split(text, ',');
  if (ends.size() != 2) return wrong("'" + text + "' does not name two ports");
  for (const auto end : ends) {
    if (!is_port_name(end)) return no_port_name(end);
  }
  if (ends[0] == ends[1]) return wrong("'" + text + "' joins a port with itself");
  return Settings::Wire{std::string(ends[0]), std::string(ends[1])};
}

Result<Settings::PortSources> parse_port_sources(const std::string& text) {
  const size_t equals = text.find('=');
  if (equals == std::string::npos) return wrong("'" + text + "' has no '='");
  Settings::PortSources sources{text.substr(0, equals), {}};
  if (!is_port_name(sources.port)) return no_port_name(sources.port);
  for (const auto cidr : split(std::string_view(text).substr(equals + 1), ',')) {
    const auto prefix = IpPrefix::parse(cidr);
    if (!prefix) return wrong("'" + std::string(cidr) + "': " + prefix.error().what);
    sources.prefixes.push_back(*prefix);
  }
  return sources;
}

Result<std::vector<unsigned>> parse_cores(const std::string& text) {
  std::vector<unsigned> cores;
  if (text.empty()) return cores;
  for (const auto part : split(text, ',')) {
    const size_t dash = part.find('-');
    const auto first = parse_number(part.substr(0, dash), 0, kMostCpu);
    if (!first) return first.error();
    const auto last = dash == std::string_view::npos
                          ? first
                          : parse_number(part.substr(dash + 1), *first, kMostCpu);
    if (!last) return last.error();
    for (uint64_t cpu = *first; cpu <= *last; ++cpu) {
      if (std::find(cores.begin(), cores.end(), cpu) != cores.end()) {
        return wrong("CPU " + std::to_string(cpu) + " stands there twice");
      }
      cores.push_back(static_cast<unsigned>(cpu));
    }
  }
  return cores;
}

std::string cores_text(const std::vector<unsigned>& cores) {
  std::string text;
  for (size_t i = 0; i < cores.size();) {
    size_t last = i;
    while (last + 1 < cores.size() && cores[last + 1] == cores[last] + 1) ++last;
    text += (text.empty() ? "" : ",") + std::to_string(cores[i]);
    if (last > i) text += "-" + std::to_string(cores[last]);
    i = last + 1;
  }
  return text;
}

}  // namespace rampart::config
