// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <istream>
#include <string>
#include <string_view>
#include <vector>

#include "dataplane/base/result.hpp"
#include "tools/rampartctl/yaml_tree.hpp"

/// Files as a checker reads them: nothing is refused, every document knows where it stands.
namespace rampart::ctl {

struct SourceFile {
  std::string name;    ///< as the user named it; "standard input" for "-"
  std::string text;    ///< UTF-8, or an error says that it is not
  bool asked = false;  ///< named on the command line, not found in a directory
  bool is_stdin = false;
};

/// Reads what `paths` name, as collect_files does, directories with all that is below them. Error:
/// a file cannot be read.
Result<std::vector<SourceFile>> read_sources(const std::vector<std::string>& paths,
                                             std::istream& standard_input);

/// One document of a file, as JSON.
struct SourceDocument {
  size_t file = 0;   ///< index
  size_t block = 0;  ///< of Markdown: which code block, from 1; 0 in other files
  /// The section of the file that it was read from (a code block, or the file), in bytes.
  size_t begin = 0, end = 0;
  size_t index = 0;  ///< within the section; documents without content do not count
  bool is_json = false;
  std::string json;  ///< empty if `wrong` is not
};

/// What is wrong with a text before there is an object in it.
struct SourceFault {
  size_t file = 0, block = 0;
  size_t offset = 0;  ///< byte in the file
  std::string why;
  bool twin = false;  ///< a key stands twice; the document was read all the same
};

struct Sources {
  std::vector<SourceDocument> documents;
  std::vector<SourceFault> faults;
};

/// The documents of a file: JSON, YAML, or the code blocks of Markdown (*.md) that say yaml or
/// json.
void split_source(const std::vector<SourceFile>& files, size_t file, Sources& out);

/// Where the documents of a section start (the offset of the root in the file), and the tree of
/// one.
struct DocumentTree {
  Tree tree;         ///< offsets (mark.pos) count from `begin`
  size_t begin = 0;  ///< byte of the file
};
DocumentTree tree_of(const std::string& text, const SourceDocument& document);

}  // namespace rampart::ctl
