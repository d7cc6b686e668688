// SPDX-License-Identifier: Apache-2.0
#include "config/load.hpp"

#include <algorithm>
#include <boost/program_options.hpp>
#include <fstream>
#include <map>
#include <sstream>

#include "config/options.hpp"

namespace rampart::config {
namespace {

namespace po = boost::program_options;

/// Values by option, in the order in which they were given.
using Given = std::map<std::string, std::vector<std::string>, std::less<>>;

constexpr std::string_view kSwitches[] = {"help", "version", "help-markdown", "help-config"};

po::options_description describe() {
  po::options_description all;
  for (const Option& option : options()) {
    all.add_options()(std::string(option.name).c_str(), po::value<std::vector<std::string>>());
  }
  return all;
}

po::options_description describe_command_line() {
  po::options_description all = describe();
  all.add_options()("config", po::value<std::vector<std::string>>());
  for (const std::string_view name : kSwitches) {
    all.add_options()(std::string(name).c_str(),
                      po::value<std::vector<std::string>>()->zero_tokens());
  }
  return all;
}

Given collect(const po::parsed_options& parsed) {
  Given given;
  for (const auto& option : parsed.options) {
    auto& values = given[option.string_key];
    if (option.value.empty()) values.emplace_back();
    values.insert(values.end(), option.value.begin(), option.value.end());
  }
  return given;
}

Result<Given> read_command_line(const std::vector<std::string>& arguments) {
  const po::options_description known = describe_command_line();
  const po::positional_options_description none;
  namespace style = po::command_line_style;
  try {
    return collect(
        po::command_line_parser(arguments)
            .options(known)
            .positional(none)
            .style(style::allow_long | style::long_allow_next | style::long_allow_adjacent)
            .run());
  } catch (const po::too_many_positional_options_error&) {
    return Error{ErrorCode::kInvalid, "takes only options, and there is an argument that is none",
                 "command line"};
  } catch (const po::error& e) {
    return Error{ErrorCode::kInvalid, e.what(), "command line"};
  }
}

Result<Given> read_file(const std::string& path) {
  std::ifstream file(path);
  std::stringstream content;
  if (!file || !(content << file.rdbuf())) {
    return Error{ErrorCode::kIo, "cannot be read (or is empty)", "--config " + path};
  }
  try {
    return collect(po::parse_config_file(content, describe()));
  } catch (const po::error& e) {
    return Error{ErrorCode::kInvalid, e.what(), path};
  }
}

/// Puts the values of one option into the settings. `place` says where they stand.
Result<void> take(const Option& option, const std::vector<std::string>& values,
                  const std::string& place, Settings& settings) {
  if (values.size() > 1 && !option.repeatable) {
    return Error{ErrorCode::kInvalid, "stands there " + std::to_string(values.size()) + " times",
                 place};
  }
  for (const std::string& value : values) {
    auto done = option.set(settings, value);
    if (done) continue;
    Error error = std::move(done).error();
    error.what += " (accepted: " + option.accepts + ")";
    return std::move(error).within(place);
  }
  return {};
}

}  // namespace

Result<Loaded> load(const std::vector<std::string>& arguments) {
  auto line = read_command_line(arguments);
  if (!line) return std::move(line).error();
  Loaded loaded;
  constexpr Loaded::Action kActions[] = {Loaded::Action::kHelp, Loaded::Action::kVersion,
                                         Loaded::Action::kHelpMarkdown,
                                         Loaded::Action::kHelpConfig};
  for (size_t i = 0; i < std::size(kSwitches); ++i) {
    if (line->find(kSwitches[i]) == line->end()) continue;
    loaded.action = kActions[i];
    return loaded;
  }
  Given file;
  std::string file_name;
  if (const auto config = line->find("config"); config != line->end()) {
    if (config->second.size() > 1) {
      return Error{ErrorCode::kInvalid, "stands there more than once", "--config"};
    }
    file_name = config->second.front();
    auto read = read_file(file_name);
    if (!read) return std::move(read).error();
    file = *std::move(read);
  }
  for (const Option& option : options()) {
    const std::string name(option.name);
    Result<void> taken;
    if (const auto here = line->find(name); here != line->end()) {
      taken = take(option, here->second, "--" + name, loaded.settings);
    } else if (const auto there = file.find(name); there != file.end()) {
      taken = take(option, there->second, file_name + ": " + name, loaded.settings);
    }
    if (!taken) return std::move(taken).error();
  }
  if (auto fits = check_together(loaded.settings); !fits) return std::move(fits).error();
  return loaded;
}

}  // namespace rampart::config
