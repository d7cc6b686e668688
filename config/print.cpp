// SPDX-License-Identifier: Apache-2.0
#include "config/print.hpp"

#include <string_view>

#include "config/options.hpp"

namespace rampart::config {
namespace {

/// Breaks a text at blanks into lines of at most `width` columns, each after `indent`.
std::string wrap(std::string_view text, std::string_view indent, size_t width) {
  std::string out, line;
  const auto flush = [&] {
    if (!line.empty()) out += std::string(indent) + line + "\n";
    line.clear();
  };
  while (!text.empty()) {
    const size_t end = text.find(' ');
    const std::string_view word = text.substr(0, end);
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
    if (!line.empty() && indent.size() + line.size() + 1 + word.size() > width) flush();
    line += (line.empty() ? "" : " ") + std::string(word);
  }
  flush();
  return out;
}

std::string default_of(const Option& option) {
  const auto values = option.get(Settings{});
  return values.empty() ? std::string() : values.front();
}

/// "accepts …; default …".
std::string facts(const Option& option) {
  const std::string value = default_of(option);
  return "Accepts " + option.accepts +
         (value.empty() ? "; no default." : "; default " + value + ".");
}

}  // namespace

std::string help() {
  std::string out =
      "rampartd: a firewall between Kubernetes pods and the rest, moving packets with DPDK.\n\n"
      "usage: rampartd --port NAME=DEVICE … --wire A,B … [options]\n"
      "       rampartd --config FILE [options]\n\n"
      "  --config FILE\n"
      "        Reads the options below from a file, `name = value` a line. The command line\n"
      "        goes over the file, the file over the defaults.\n"
      "  --help, --version\n"
      "        Print this or the version and end.\n";
  std::string_view group;
  for (const Option& option : options()) {
    if (option.group != group) out += "\n" + std::string(option.group) + ":\n";
    group = option.group;
    out += "  --" + std::string(option.name) + " " + std::string(option.argument) + "\n";
    out += wrap(std::string(option.help) + " " + facts(option), "        ", 90);
  }
  out += "\nExit status: 0 ended by SIGTERM or SIGINT, 1 could not start or failed, 2 bad usage.\n";
  return out;
}

std::string help_markdown() {
  std::string out =
      "# Options of rampartd\n\n"
      "Printed by `rampartd --help-markdown` from `config/options.cpp`: edit that table, not this "
      "page.\n\n"
      "Every option may stand on the command line (`--name value`) or, without the dashes, in the "
      "file that\n"
      "`--config` names (`name = value` a line, `#` starts a comment). The command line goes over "
      "the file, the file\n"
      "over the default; a repeatable option on the command line replaces all of the file's. An "
      "unknown name or a bad\n"
      "value stops the start. Beside these: `--help`, `--version`.\n";
  std::string_view group;
  for (const Option& option : options()) {
    if (option.group != group) {
      out += "\n## " + std::string(option.group) +
             "\n\n| option | meaning | accepts | default |\n| --- | --- | --- | --- |\n";
    }
    group = option.group;
    const std::string value = default_of(option);
    out += "| `--" + std::string(option.name) + " " + std::string(option.argument) + "` | " +
           std::string(option.help) + " | " + option.accepts + " | " +
           (value.empty() ? "" : "`" + value + "`") + " |\n";
  }
  return out;
}

std::string help_config() {
  std::string out =
      "# Settings of rampartd: rampartd --config FILE\n"
      "#\n"
      "# Printed by `rampartd --help-config`. Lines that start with #name show the default, or an\n"
      "# example where there is none. port, wire and port-sources may come more than once.\n";
  std::string_view group;
  for (const Option& option : options()) {
    if (option.group != group) out += "\n\n### " + std::string(option.group) + "\n";
    group = option.group;
    out += "\n" + wrap(std::string(option.help) + " " + facts(option), "# ", 100);
    const std::string value = default_of(option);
    out += "#" + std::string(option.name) + " = " +
           (value.empty() ? std::string(option.example) : value) + "\n";
  }
  return out;
}

std::string effective(const Settings& settings) {
  std::string out;
  for (const Option& option : options()) {
    for (const std::string& value : option.get(settings)) {
      const bool quote = value.find(' ') != std::string::npos;
      out += (out.empty() ? "" : " ") + std::string(option.name) + "=" +
             (quote ? "\"" + value + "\"" : value);
    }
  }
  return out;
}

}  // namespace rampart::config
