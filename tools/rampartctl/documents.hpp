// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <istream>
#include <string>
#include <string_view>
#include <vector>

#include "dataplane/base/result.hpp"

/// What `-f` names, as JSON documents. Reads files and the standard input; no thread of its own.
namespace rampart::ctl {

/// One JSON object and where it came from.
struct Document {
  std::string json;
  std::string file;  ///< as the user named it; "standard input" for "-"
  size_t line = 1;   ///< where it starts

  std::string place() const { return file + ":" + std::to_string(line); }
};

/// The files that `paths` name, in their order: a file is itself, "-" is the standard input, a
/// directory stands for its *.yaml, *.yml and *.json, sorted by name (with `recursive` those of the
/// directories below it too, except hidden ones). A directory without any is an error.
Result<std::vector<std::string>> collect_files(const std::vector<std::string>& paths,
                                               bool recursive);

/// The documents in one text, JSON or YAML, one or many. Anything but an object is an error.
/// Errors: `where` is "NAME:LINE:COLUMN".
Result<std::vector<Document>> parse_documents(std::string_view text, const std::string& name);

/// All documents of all files that `paths` name; "-" reads `standard_input` to its end.
Result<std::vector<Document>> read_documents(const std::vector<std::string>& paths, bool recursive,
                                             std::istream& standard_input);

}  // namespace rampart::ctl
