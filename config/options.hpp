// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "config/settings.hpp"
#include "dataplane/base/result.hpp"

namespace rampart::config {

/// One setting, as the command line, the file, --help, the reference page and the example know it.
struct Option {
  std::string_view group;     ///< heading it stands under
  std::string_view name;      ///< kebab-case, the same in the file; the unit is in the name
  std::string_view argument;  ///< "NAME=DEVICE"
  std::string accepts;        ///< what a value may be, for people and for error messages
  std::string_view help;      ///< one or two sentences
  std::string_view example;   ///< a value for the example file where the default is empty
  bool repeatable = false;
  /// Checks one value and stores it; the error says what is wrong, not where.
  std::function<Result<void>(Settings&, const std::string&)> set;
  /// The values that set() would take to come to this; none: empty.
  std::function<std::vector<std::string>(const Settings&)> get;
};

/// The table, in the order in which it is printed. Built once; any thread.
const std::vector<Option>& options();

/// What no single value can tell: ports that a wire names, ports that none does, names that come
/// twice, cores for all workers. The error's `where` is the option.
Result<void> check_together(const Settings& settings);

}  // namespace rampart::config
