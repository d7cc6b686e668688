// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "control/lint/lint.hpp"
#include "tools/rampartctl/json_text.hpp"
#include "tools/rampartctl/mend.hpp"
#include "tools/rampartctl/sources.hpp"

/// Files of objects against the rules of control/lint, with the place of everything. Pure; one
/// thread.
namespace rampart::ctl {

/// A stretch of a file.
struct Span {
  size_t file = 0;
  size_t begin = 0, end = 0;  ///< bytes
};

struct Remark {
  lint::Finding finding;
  Span span;
  std::optional<Span> related;
  std::vector<Edit> edits;  ///< of the file; none if it has to be mended by hand
};

/// A document with all mends carried out, as text.
struct Mended {
  Span document;       ///< where it stands now
  std::string object;  ///< "NetworkPolicy web/allow"
  std::string text;
  bool clean = false;  ///< nothing is left to say about it
};

struct Report {
  std::vector<Remark> remarks;  ///< by file and place
  std::vector<Mended> mended;   ///< by file and place
  size_t objects = 0;
  size_t policies = 0;
  size_t nameless = 0;  ///< documents that are no Kubernetes objects at all, and were passed over
  std::vector<kube::SkippedKind> skipped;
  lint::Blind blind;

  size_t count(lint::Severity severity) const;
};

/// All files are one input, but for the code blocks of Markdown, each of which is one by itself.
/// Findings of the rules in `ignored` are left out.
Report check_files(const std::vector<SourceFile>& files, const std::set<lint::RuleId>& ignored);

}  // namespace rampart::ctl
