// SPDX-License-Identifier: Apache-2.0
#include "tools/rampartctl/cli.hpp"

#include <algorithm>
#include <charconv>
#include <system_error>
#include <utility>

namespace rampart::ctl {
namespace {

Error usage(std::string what) {
  return Error{ErrorCode::kInvalid, std::move(what), {}};
}

/// Options of the command first, then those of every command.
const Option* find_option(const Command* command, std::string_view name, char letter) {
  const auto fits = [&](const Option& o) {
    return name.empty() ? o.letter == letter : o.name == name;
  };
  if (command != nullptr) {
    const auto it = std::find_if(command->options.begin(), command->options.end(), fits);
    if (it != command->options.end()) return &*it;
  }
  const auto& common = common_options();
  const auto it = std::find_if(common.begin(), common.end(), fits);
  return it == common.end() ? nullptr : &*it;
}

bool is_number(std::string_view text) {
  return !text.empty() && text.find_first_not_of("0123456789") == std::string_view::npos;
}

std::string choices_text(const std::vector<std::string_view>& choices) {
  std::string text;
  for (size_t i = 0; i < choices.size(); ++i) {
    if (i > 0) text += i + 1 == choices.size() ? " or " : ", ";
    text += choices[i];
  }
  return text;
}

/// The command's own name is the first word that is no option; only the options of every command
/// can stand before it.
const Command* scan_for_command(const std::vector<std::string>& arguments, std::string& unknown) {
  for (size_t i = 0; i < arguments.size(); ++i) {
    const std::string& word = arguments[i];
    if (word == "--") return nullptr;
    if (word.size() < 2 || word[0] != '-') {
      const Command* command = find_command(word);
      if (command == nullptr) unknown = word;
      return command;
    }
    const bool is_long = word.starts_with("--");
    if (word.find('=') != std::string::npos) continue;
    const Option* option = is_long ? find_option(nullptr, std::string_view(word).substr(2), '\0')
                                   : find_option(nullptr, {}, word[1]);
    const bool value_apart = is_long || word.size() == 2;
    if (option != nullptr && option->takes == Option::Value::kRequired && value_apart) ++i;
  }
  return nullptr;
}

class Parser {
 public:
  explicit Parser(const std::vector<std::string>& arguments) : arguments_(arguments) {}

  Result<Invocation> run() {
    std::string unknown;
    found_.command = scan_for_command(arguments_, unknown);
    if (!unknown.empty()) return usage("'" + unknown + "' is no command");
    bool command_seen = false, only_operands = false;
    while (at_ < arguments_.size()) {
      const std::string& word = arguments_[at_++];
      Result<void> done;
      if (!only_operands && word == "--") {
        only_operands = true;
      } else if (!only_operands && word.starts_with("--")) {
        done = long_option(word);
      } else if (!only_operands && word.size() > 1 && word[0] == '-') {
        done = short_options(word);
      } else if (!command_seen && found_.command != nullptr) {
        command_seen = true;
      } else {
        found_.operands.push_back(word);
      }
      if (!done) return std::move(done).error();
    }
    if (found_.help || found_.version) return std::move(found_);
    if (auto fits = check(); !fits) return std::move(fits).error();
    return std::move(found_);
  }

 private:
  Result<void> long_option(std::string_view word) {
    const size_t equals = word.find('=');
    const std::string_view name = word.substr(2, equals == word.npos ? word.npos : equals - 2);
    if (equals == word.npos && name == "help") return found_.help = true, Result<void>();
    if (equals == word.npos && name == "version") return found_.version = true, Result<void>();
    const Option* option = find_option(found_.command, name, '\0');
    if (option == nullptr || name.empty()) return unknown_option("--" + std::string(name));
    if (equals == word.npos) return take(*option, "--" + std::string(name), nullptr);
    const std::string value(word.substr(equals + 1));
    return take(*option, "--" + std::string(name), &value);
  }

  /// "-f FILE", "-fFILE", "-Rf FILE".
  Result<void> short_options(std::string_view word) {
    for (size_t i = 1; i < word.size(); ++i) {
      const std::string shown{'-', word[i]};
      if (word[i] == 'h') {
        found_.help = true;
        continue;
      }
      const Option* option = find_option(found_.command, {}, word[i]);
      if (option == nullptr) return unknown_option(shown);
      if (option->takes == Option::Value::kNone || i + 1 == word.size()) {
        if (auto taken = take(*option, shown, nullptr); !taken) return taken;
        continue;
      }
      const std::string value(word.substr(i + 1 + (word[i + 1] == '=' ? 1 : 0)));
      return take(*option, shown, &value);
    }
    return {};
  }

  Error unknown_option(const std::string& shown) const {
    return usage(found_.command == nullptr
                     ? shown + " is no option"
                     : shown + " is no option of " + std::string(found_.command->name));
  }

  Result<void> take(const Option& option, const std::string& shown, const std::string* attached) {
    std::vector<std::string>& values = found_.options[option.name];
    if (option.takes == Option::Value::kNone) {
      if (attached != nullptr) return usage(shown + " takes no value");
      if (values.empty()) values.emplace_back();
      return {};
    }
    std::string value;
    if (attached != nullptr) {
      value = *attached;
    } else if (option.takes == Option::Value::kRequired) {
      if (at_ == arguments_.size()) {
        return usage(shown + " wants a value: " + std::string(option.value));
      }
      value = arguments_[at_++];
    } else if (at_ < arguments_.size() && is_number(arguments_[at_])) {
      value = arguments_[at_++];
    }
    const bool given = attached != nullptr || option.takes == Option::Value::kRequired;
    if (given && value.empty())
      return usage(shown + " wants a value: " + std::string(option.value));
    if (!values.empty() && !option.repeatable) return usage(shown + " is given more than once");
    if (!option.choices.empty() &&
        std::find(option.choices.begin(), option.choices.end(), value) == option.choices.end()) {
      return usage(shown + " is " + choices_text(option.choices) + ", not '" + value + "'");
    }
    values.push_back(std::move(value));
    return {};
  }

  Result<void> check() {
    if (found_.command == nullptr) return usage("a command is missing");
    const Command& command = *found_.command;
    const auto& operands = command.operands;
    for (size_t i = found_.operands.size(); i < operands.size(); ++i) {
      if (!operands[i].optional) {
        return usage(std::string(command.name) + " wants " + std::string(operands[i].name));
      }
    }
    const bool any_number = !operands.empty() && operands.back().repeatable;
    if (found_.operands.size() > operands.size() && !any_number) {
      return usage(std::string(command.name) + " does not know what to do with '" +
                   found_.operands[operands.size()] + "'");
    }
    const std::string format = found_.value("output");
    if (!format.empty() && std::find(command.formats.begin(), command.formats.end(), format) ==
                               command.formats.end()) {
      return usage(command.formats.empty()
                       ? std::string(command.name) + " takes no --output"
                       : "--output of " + std::string(command.name) + " is " +
                             choices_text(command.formats) + ", not '" + format + "'");
    }
    return {};
  }

  const std::vector<std::string>& arguments_;
  size_t at_ = 0;
  Invocation found_;
};

}  // namespace

std::string Invocation::value(std::string_view option, std::string_view fallback) const {
  const auto it = options.find(option);
  return it == options.end() || it->second.back().empty() ? std::string(fallback)
                                                          : it->second.back();
}

std::vector<std::string> Invocation::values(std::string_view option) const {
  const auto it = options.find(option);
  return it == options.end() ? std::vector<std::string>{} : it->second;
}

const Command* find_command(std::string_view name) {
  for (const Command& command : command_table()) {
    if (command.name == name) return &command;
  }
  return nullptr;
}

Result<Invocation> parse_command_line(const std::vector<std::string>& arguments) {
  return Parser(arguments).run();
}

Result<uint64_t> parse_number(std::string_view text, uint64_t least, uint64_t most,
                              std::string_view what) {
  uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || value < least || value > most) {
    return usage(std::string(what) + " is a number from " + std::to_string(least) + " to " +
                 std::to_string(most) + ", not '" + std::string(text) + "'");
  }
  return value;
}

}  // namespace rampart::ctl
