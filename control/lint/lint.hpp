// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "control/kube/survey.hpp"
#include "control/lint/rules.hpp"

namespace rampart::lint {

/// How a finding can be mended, in terms of paths; whoever has the text makes edits of it.
struct Mend {
  enum class Kind : uint8_t {
    kRename,    ///< the key at `path` becomes `text`
    kMoveInto,  ///< the key at `path`, with its value, moves into the mapping at `text` (a path)
    kAppend,    ///< the list at `path` gets one more element, the YAML `text`
  };
  Kind kind = Kind::kRename;
  std::string path;
  std::string text;
  std::string what;  ///< "rename it to podSelector"
};

/// One thing to say, about one place.
struct Finding {
  RuleId rule = RuleId::kSyntax;
  kube::ObjectPlace place;
  std::string object;   ///< "NetworkPolicy web/allow"; may be empty
  std::string path;     ///< within the object: "spec.egress[0].podSelector"; may be empty
  std::string message;  ///< what is wrong; no full stop
  std::string hint;     ///< what to do; may be empty
  std::optional<Mend> mend = {};
  /// Another place that the message speaks of.
  struct Related {
    kube::ObjectPlace place;
    std::string path;
    std::string message;
  };
  std::optional<Related> related = {};
};

/// What an input does not let us judge.
struct Blind {
  bool pods = false;        ///< it holds neither pods nor workloads
  bool namespaces = false;  ///< it holds no Namespace
};
Blind blind_spots(const kube::Survey& survey);

/// All findings about what was surveyed, problems with the API first, each group in the order of
/// the input. Pure; any thread.
std::vector<Finding> examine(const kube::Survey& survey);

}  // namespace rampart::lint
