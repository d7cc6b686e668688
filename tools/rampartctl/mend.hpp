// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "control/lint/lint.hpp"
#include "tools/rampartctl/sources.hpp"

/// From how a finding can be mended to changes of the text. Plain functions.
namespace rampart::ctl {

/// The bytes [begin, end) of a file become `text`.
struct Edit {
  size_t begin = 0, end = 0;
  std::string text;
};

/// The edits, in the order of the text, that carry out `mend` in the document, whose object stands
/// at `object_path`; none if it is written in a way in which that is not a matter of a few lines
/// (flow style, JSON …).
std::vector<Edit> edits_for(const lint::Mend& mend, const std::string& object_path,
                            const std::string& text, const SourceDocument& document,
                            const DocumentTree& tree);

/// The text after the edits. Of edits that overlap an earlier one only the earlier is carried out.
std::string edited(std::string_view text, std::vector<Edit> edits);

/// One after the last byte of the token (a key or a plain or quoted scalar) that starts at `at`.
size_t token_end(std::string_view text, size_t at);

}  // namespace rampart::ctl
