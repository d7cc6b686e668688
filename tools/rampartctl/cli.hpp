// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "dataplane/base/result.hpp"

/// The grammar of the command line. One table of commands (command_table.cpp) says what there is;
/// the parser, --help, the reference page and the bash completion are all made from it.
namespace rampart::ctl {

class Session;

/// What a word on the command line stands for; completion offers these.
enum class Word : uint8_t {
  kAnything,
  kFile,
  kCommand,
  kPort,
  kPeer,
  kPolicy,
  kProtocolPort,
  kNumber
};

struct Option {
  enum class Value : uint8_t { kNone, kRequired, kOptional };
  std::string_view name = {};   ///< long, without its dashes
  char letter = '\0';           ///< short form, or none
  Value takes = Value::kNone;   ///< kOptional: "--watch", "--watch=2" or "--watch 2" (a number)
  std::string_view value = {};  ///< how help calls the value: "FILE"
  std::string_view help = {};   ///< one sentence, no full stop
  std::vector<std::string_view> choices = {};  ///< not empty: the only values
  Word word = Word::kAnything;
  bool repeatable = false;
};

struct Operand {
  std::string_view name = {};
  std::string_view help = {};
  Word word = Word::kAnything;
  bool optional = false;
  bool repeatable = false;  ///< the last one: any number of words
};

struct Command {
  std::string_view name = {};
  std::string_view summary = {};      ///< one line, no full stop
  std::string_view description = {};  ///< paragraphs; a blank line between them
  std::string_view call = {};         ///< of the control socket; empty if it makes none
  std::vector<Operand> operands = {};
  std::vector<Option> options = {};
  std::vector<std::string_view> examples = {};
  std::vector<std::string_view> formats = {"table", "json"};  ///< of -o, the default first
  int (*run)(Session&) = nullptr;
  std::string (*appendix)() = nullptr;  ///< Markdown that the reference page adds
};

/// A command line that fits the grammar.
struct Invocation {
  const Command* command = nullptr;
  bool help = false;
  bool version = false;
  std::map<std::string_view, std::vector<std::string>> options;  ///< by long name
  std::vector<std::string> operands;

  bool has(std::string_view option) const { return options.count(option) > 0; }
  /// The last value given, or `fallback`.
  std::string value(std::string_view option, std::string_view fallback = {}) const;
  std::vector<std::string> values(std::string_view option) const;
};

/// Every command, in the order of the help page.
const std::vector<Command>& command_table();
/// The options that every command takes.
const std::vector<Option>& common_options();
const Command* find_command(std::string_view name);

/// Reads a command line (without the program's name). Options may stand anywhere, also before the
/// command; "--" ends them. Error: what to say beside "try --help" (exit status 2).
Result<Invocation> parse_command_line(const std::vector<std::string>& arguments);

/// A decimal number within [least, most]; `what` names it in the error.
Result<uint64_t> parse_number(std::string_view text, uint64_t least, uint64_t most,
                              std::string_view what);

std::string help_page();                         ///< `rampartctl --help`
std::string help_page(const Command& command);   ///< `rampartctl COMMAND --help`
std::string reference_page();                    ///< docs/rampartctl.md
std::string bash_completion();                   ///< `rampartctl completion bash`
std::string usage_line(const Command& command);  ///< "rampartctl explain FROM TO PROTO/PORT …"
/// How help writes an option: "-f, --filename FILE".
std::string option_usage(const Option& option);

}  // namespace rampart::ctl
