// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "dataplane/base/result.hpp"

namespace rampart::ctl {

/// One YAML document as JSON.
struct YamlDocument {
  std::string json;
  size_t line = 1;  ///< where its first node stands
};

/// A key that stands twice in one mapping.
struct YamlTwin {
  size_t offset = 0;  ///< byte of the later one
  std::string why;
};

/// The documents of a YAML stream as JSON text, typed as kubectl types them (sigs.k8s.io/yaml):
/// quoted scalars are strings; of the plain ones yes/no/on/off/y/n are booleans as in YAML 1.1, a
/// leading 0 is octal, `_` may group digits, and what looks like a date is a string. Anchors,
/// aliases and merge keys (`<<`) are resolved; a key that stands twice in one mapping is refused,
/// or noted in `twins`, and then the first counts. Documents without content are left out.
///
/// Error: `where` is "LINE:COLUMN". Any thread.
Result<std::vector<YamlDocument>> yaml_to_json(std::string_view yaml,
                                               std::vector<YamlTwin>* twins = nullptr);

/// How a plain scalar reads: the JSON for a null, boolean or number, otherwise an empty string
/// (then it is a string).
std::string resolve_plain_scalar(std::string_view text);

}  // namespace rampart::ctl
