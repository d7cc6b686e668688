// SPDX-License-Identifier: Apache-2.0
#include <initializer_list>
#include <string>
#include <string_view>
#include <vector>

#include "tools/rampartctl/cli.hpp"

// The completion script for bash, made from the table of commands. It asks `rampartctl completion
// words KIND` for names that only rampartd knows.
namespace rampart::ctl {
namespace {

std::string concat(std::initializer_list<std::string_view> parts) {
  std::string text;
  for (const std::string_view part : parts) text += part;
  return text;
}

std::string dashed(const Option& option) {
  std::string text = "--" + std::string(option.name);
  if (option.letter != '\0') text += " -" + std::string(1, option.letter);
  return text;
}

std::string names_of(const std::vector<Option>& options) {
  std::string text;
  for (const Option& option : options) text += (text.empty() ? "" : " ") + dashed(option);
  return text;
}

/// The shell's words for a kind of word; printed as the body of a case.
std::string reply(Word word) {
  switch (word) {
    case Word::kFile:
      return "COMPREPLY=($(compgen -f -- \"$current\")); compopt -o filenames 2>/dev/null";
    case Word::kCommand:
      return "COMPREPLY=($(compgen -W \"$commands\" -- \"$current\"))";
    case Word::kPort:
      return "COMPREPLY=($(compgen -W \"$(_rampartctl_ask ports)\" -- \"$current\"))";
    case Word::kPeer:
      return "COMPREPLY=($(compgen -W \"$(_rampartctl_ask pods)\" -- \"$current\"))";
    case Word::kPolicy:
      return "COMPREPLY=($(compgen -W \"$(_rampartctl_ask policies)\" -- \"$current\"))";
    case Word::kProtocolPort:
      return "COMPREPLY=($(compgen -W 'TCP/ UDP/ SCTP/ ICMP' -- \"$current\")); "
             "compopt -o nospace 2>/dev/null";
    case Word::kAnything:
    case Word::kNumber:
      break;
  }
  return ":";
}

std::string joined(const std::vector<std::string_view>& words) {
  std::string text;
  for (const std::string_view word : words) {
    if (!text.empty()) text += ' ';
    text += word;
  }
  return text;
}

/// A case for each option whose value can be completed; `prefix` is "COMMAND:" or "*:".
std::string value_cases(const std::vector<Option>& options, const std::string& prefix) {
  std::string out;
  for (const Option& option : options) {
    if (option.takes != Option::Value::kRequired) continue;
    std::string pattern = concat({prefix, "--", option.name});
    if (option.letter != '\0') pattern += concat({" | ", prefix, "-", {&option.letter, 1}});
    const std::string body =
        option.choices.empty()
            ? reply(option.word)
            : concat({"COMPREPLY=($(compgen -W '", joined(option.choices), "' -- \"$current\"))"});
    out += concat({"    ", pattern, ") ", body, "; return ;;\n"});
  }
  return out;
}

/// Options with a value of their own word, which is no operand.
std::string value_options() {
  std::string out;
  const auto add = [&](const std::vector<Option>& options, const std::string& prefix) {
    for (const Option& option : options) {
      if (option.takes != Option::Value::kRequired) continue;
      if (!out.empty()) out += " | ";
      out += concat({prefix, "--", option.name});
      if (option.letter != '\0') out += concat({" | ", prefix, "-", {&option.letter, 1}});
    }
  };
  add(common_options(), "*:");
  for (const Command& command : command_table()) {
    add(command.options, std::string(command.name) + ":");
  }
  return out;
}

}  // namespace

std::string bash_completion() {
  std::string names, options, values, operands;
  for (const Command& command : command_table()) {
    const std::string name(command.name);
    names += concat({names.empty() ? "" : " ", name});
    const std::string own = names_of(command.options);
    options +=
        concat({"    ", name, ") options=\"", own, own.empty() ? "" : " ", "$options\" ;;\n"});
    values += value_cases(command.options, name + ":");
    for (size_t i = 0; i < command.operands.size(); ++i) {
      const Operand& operand = command.operands[i];
      const std::string body = name == "completion"
                                   ? "COMPREPLY=($(compgen -W 'bash' -- \"$current\"))"
                                   : reply(operand.word);
      const std::string which = operand.repeatable ? "*" : std::to_string(i);
      operands += concat({"    ", name, ":", which, ") ", body, " ;;\n"});
    }
  }
  values += value_cases(common_options(), "*:");
  return "# bash completion of rampartctl; made by: rampartctl completion bash\n"
         "\n"
         "# Names that only rampartd knows; nothing if it is not there.\n"
         "_rampartctl_ask() {\n"
         "  local socket=()\n"
         "  [ -n \"$rampartctl_socket\" ] && socket=(--socket \"$rampartctl_socket\")\n"
         "  \"${COMP_WORDS[0]}\" \"${socket[@]}\" --timeout 2 completion words \"$1\" 2>/dev/null\n"
         "}\n"
         "\n"
         "_rampartctl() {\n"
         "  local current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD - 1]}\n"
         "  local commands='" +
         names +
         "'\n"
         "  local options='" +
         names_of(common_options()) +
         " --help -h'\n"
         "  local command= operands=0 rampartctl_socket= i=1\n"
         "  COMPREPLY=()\n"
         "  while [ $i -lt \"$COMP_CWORD\" ]; do\n"
         "    case \"$command:${COMP_WORDS[i]}\" in\n"
         "      *:--socket) rampartctl_socket=${COMP_WORDS[i + 1]}; i=$((i + 1)) ;;\n"
         "      " +
         value_options() +
         ") i=$((i + 1)) ;;\n"
         "      *:-*) ;;\n"
         "      :*) command=${COMP_WORDS[i]} ;;\n"
         "      *) operands=$((operands + 1)) ;;\n"
         "    esac\n"
         "    i=$((i + 1))\n"
         "  done\n"
         "  case \"$command:$previous\" in\n" +
         values +
         "  esac\n"
         "  case $command in\n"
         "    '') options=\"$options --version\" ;;\n" +
         options +
         "  esac\n"
         "  if [[ $current == -* ]]; then\n"
         "    COMPREPLY=($(compgen -W \"$options\" -- \"$current\"))\n"
         "    return\n"
         "  fi\n"
         "  case \"$command:$operands\" in\n"
         "    :0) COMPREPLY=($(compgen -W \"$commands\" -- \"$current\")) ;;\n" +
         operands +
         "  esac\n"
         "}\n"
         "\n"
         "complete -F _rampartctl rampartctl\n";
}

}  // namespace rampart::ctl
