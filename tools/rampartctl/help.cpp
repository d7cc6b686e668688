// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <string>
#include <string_view>

#include "tools/rampartctl/cli.hpp"

// The pages that are made from the table of commands: help and docs/rampartctl.md.
namespace rampart::ctl {
namespace {

constexpr size_t kWidth = 80;

/// `text` in lines of at most kWidth characters that start `indent` spaces in; paragraphs (blank
/// lines) stay apart, and lines that start with a space stay as they are.
std::string wrap(std::string_view text, size_t indent) {
  std::string out;
  const std::string margin(indent, ' ');
  std::string line;
  const auto flush = [&] {
    if (!line.empty()) out += margin + line + "\n";
    line.clear();
  };
  while (!text.empty()) {
    const size_t end = std::min(text.find('\n'), text.size());
    std::string_view row = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    if (row.empty() || row[0] == ' ') {
      flush();
      out += row.empty() ? "\n" : margin + std::string(row) + "\n";
      continue;
    }
    while (!row.empty()) {
      const size_t space = std::min(row.find(' '), row.size());
      const std::string_view word = row.substr(0, space);
      row.remove_prefix(std::min(space + 1, row.size()));
      if (!line.empty() && indent + line.size() + 1 + word.size() > kWidth) flush();
      if (!line.empty()) line += ' ';
      line += word;
    }
  }
  flush();
  return out;
}

/// "  NAME       help, wrapped beside it"
std::string entry(const std::string& name, std::string_view help, size_t column) {
  const std::string beside = wrap(help, column);
  std::string head = "  " + name;
  if (head.size() + 2 > column) return head + "\n" + beside;
  head.resize(column, ' ');
  return head + beside.substr(column);
}

std::string option_list(const std::vector<Option>& options) {
  std::string out;
  for (const Option& option : options) out += entry(option_usage(option), option.help, 28);
  return out;
}

/// -o is a common option, but which formats there are is the command's own matter.
std::vector<Option> common_options_of(const Command& command) {
  const bool has_own_output =
      std::any_of(command.options.begin(), command.options.end(),
                  [](const Option& option) { return option.name == "output"; });
  std::vector<Option> options;
  for (const Option& option : common_options()) {
    if (option.name != "output") {
      if (!command.call.empty()) options.push_back(option);
    } else if (command.formats.size() > 1 && !has_own_output) {
      options.push_back(option);
    }
  }
  options.push_back({.name = "help", .letter = 'h', .help = "print this page"});
  return options;
}

std::string code(std::string_view text) {
  return "`" + std::string(text) + "`";
}

/// Text for a cell of a Markdown table, or outside of one.
std::string escaped(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == '|' || c == '*' || c == '<' || c == '_') out += '\\';
    out += c;
  }
  return out;
}

std::string option_rows(const std::vector<Option>& options) {
  std::string out = "| option | what it does |\n| --- | --- |\n";
  for (const Option& option : options) {
    out += "| " + code(option_usage(option)) + " | " + escaped(option.help) + " |\n";
  }
  return out;
}

constexpr std::string_view kExitStatus =
    "0: done. 1: refused or failed; standard error says why. 2: the command line is wrong.";

constexpr std::string_view kEnvironment =
    "RAMPART_SOCKET names the control socket if --socket does not. NO_COLOR, set to anything, "
    "switches colours off; there are none anyway where the output is no terminal.";

}  // namespace

std::string option_usage(const Option& option) {
  std::string text = option.letter == '\0' ? "" : std::string{'-', option.letter, ',', ' '};
  text += "--" + std::string(option.name);
  if (option.takes == Option::Value::kRequired) text += " " + std::string(option.value);
  if (option.takes == Option::Value::kOptional) text += " [" + std::string(option.value) + "]";
  return text;
}

std::string usage_line(const Command& command) {
  std::string line = "rampartctl " + std::string(command.name);
  for (const Option& option : command.options) {
    if (option.name == "filename" && command.operands.empty()) line += " -f FILE";
  }
  for (const Operand& operand : command.operands) {
    const std::string shown = std::string(operand.name) + (operand.repeatable ? "…" : "");
    line += operand.optional ? " [" + shown + "]" : " " + shown;
  }
  const bool only_file = command.options.size() == 1 && command.options[0].name == "filename";
  if (!command.options.empty() && !only_file) line += " [options]";
  return line;
}

std::string help_page() {
  std::string out =
      "rampartctl: the command line of rampartd, the Rampart firewall appliance.\n\n"
      "usage: rampartctl COMMAND [options]\n\ncommands:\n";
  for (const Command& command : command_table()) {
    out += entry(std::string(command.name), command.summary, 16);
  }
  out += "\noptions of every command:\n" + option_list(common_options());
  out += option_list({{.name = "help", .letter = 'h', .help = "print help, also of one command"},
                      {.name = "version", .help = "print the version"}});
  out += "\nexit status:\n" + wrap(kExitStatus, 2) + "\nenvironment:\n" + wrap(kEnvironment, 2);
  out += "\nrampartctl COMMAND --help says more about one command.\n";
  return out;
}

std::string help_page(const Command& command) {
  std::string out = "usage: " + usage_line(command) + "\n\n" + wrap(command.description, 0);
  if (!command.operands.empty()) {
    out += "\noperands:\n";
    for (const Operand& operand : command.operands) {
      out += entry(std::string(operand.name), operand.help, 16);
    }
  }
  out += "\noptions:\n" + option_list(command.options) + option_list(common_options_of(command));
  if (!command.examples.empty()) {
    out += "\nexamples:\n";
    for (const std::string_view example : command.examples)
      out += "  " + std::string(example) + "\n";
  }
  if (!command.call.empty()) out += "\ncontrol socket: " + std::string(command.call) + "\n";
  return out;
}

std::string reference_page() {
  std::string out =
      "# rampartctl\n\n"
      "Generated from the program's table of commands (`rampartctl help --markdown`); do not "
      "edit.\n\n"
      "`rampartctl COMMAND [options]` speaks to `rampartd` over its [control socket](api.md), but "
      "for "
      "what it\ncan do by itself (`validate`). Everything that changes something answers when the "
      "change is in force on every worker.\n\n"
      "| command | what it does |\n| --- | --- |\n";
  for (const Command& command : command_table()) {
    out += "| [" + code(command.name) + "](#" + std::string(command.name) + ") | " +
           std::string(command.summary) + " |\n";
  }
  out += "\nOptions of every command:\n\n" + option_rows(common_options());
  out += "\nExit status:\n" + escaped(wrap(kExitStatus, 0)) + "\nEnvironment:\n" +
         escaped(wrap(kEnvironment, 0));
  for (const Command& command : command_table()) {
    out += "\n## " + std::string(command.name) + "\n\n" + code(usage_line(command)) + "\n\n";
    out += escaped(wrap(command.description, 0));
    if (!command.operands.empty()) {
      out += "\n| operand | what it is |\n| --- | --- |\n";
      for (const Operand& operand : command.operands) {
        out += "| " + code(operand.name) + " | " + escaped(operand.help) + " |\n";
      }
    }
    if (!command.options.empty()) out += "\n" + option_rows(command.options);
    if (!command.examples.empty()) {
      out += "\n```\n";
      for (const std::string_view example : command.examples) out += std::string(example) + "\n";
      out += "```\n";
    }
    if (command.appendix != nullptr) out += "\n" + command.appendix();
    if (!command.call.empty()) out += "\nControl socket: " + std::string(command.call) + ".\n";
  }
  return out;
}

}  // namespace rampart::ctl
