// SPDX-License-Identifier: Apache-2.0
#include "tools/rampartctl/sources.hpp"

#include <simdjson.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <iterator>
#include <utility>

#include "tools/rampartctl/documents.hpp"
#include "tools/rampartctl/json_text.hpp"
#include "tools/rampartctl/yaml_json.hpp"

namespace rampart::ctl {
namespace {

struct Section {
  size_t block, begin, end;
  bool is_json;
};

/// The byte of "LINE:COLUMN"; columns count characters here, and bytes where yaml-cpp counts.
size_t offset_of(std::string_view text, std::string_view place) {
  size_t line = 0, column = 0;
  size_t* number = &line;
  for (const char c : place) {
    if (c == ':') {
      number = &column;
    } else {
      *number = *number * 10 + static_cast<size_t>(c - '0');
    }
  }
  size_t at = 0;
  for (; line > 1 && at < text.size(); --line)
    at = std::min(text.find('\n', at), text.size() - 1) + 1;
  return std::min(at + (column > 0 ? column - 1 : 0), text.size());
}

/// Fenced code blocks (CommonMark, section 4.5) whose info string starts with yaml, yml or json.
std::vector<Section> code_blocks(std::string_view text) {
  std::vector<Section> sections;
  std::string_view fence;  // of the open block
  size_t begin = 0, block = 0;
  bool wanted = false, is_json = false;
  for (size_t at = 0; at < text.size();) {
    const size_t end = std::min(text.find('\n', at), text.size());
    std::string_view line = text.substr(at, end - at);
    line.remove_prefix(std::min(line.find_first_not_of(' '), line.size()));
    const char mark = line.empty() ? ' ' : line[0];
    const size_t run = std::min(line.find_first_not_of(mark), line.size());
    const bool is_fence = (mark == '`' || mark == '~') && run >= 3;
    if (fence.empty() && is_fence) {
      std::string_view info = line.substr(run);
      info.remove_prefix(std::min(info.find_first_not_of(' '), info.size()));
      info = info.substr(0, info.find_first_of(" \t\r{"));
      fence = line.substr(0, run);
      is_json = info == "json";
      wanted = is_json || info == "yaml" || info == "yml";
      begin = std::min(end + 1, text.size());
    } else if (!fence.empty() && is_fence && mark == fence[0] && run >= fence.size() &&
               line.find_first_not_of(" \t\r", run) == std::string_view::npos) {
      if (wanted) sections.push_back({++block, begin, at, is_json});
      fence = {};
    }
    at = end + 1;
  }
  return sections;
}

class Splitter {
 public:
  Splitter(const std::vector<SourceFile>& files, size_t file, Sources& out)
      : files_(files), text_(files[file].text), name_(files[file].name), file_(file), out_(out) {}

  void run() {
    constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";
    if (!simdjson::validate_utf8(text_)) {
      out_.faults.push_back({file_, 0, 0, "is not UTF-8 text"});
    } else if (name_.ends_with(".md") || name_.ends_with(".markdown")) {
      for (const Section& section : code_blocks(text_)) read(section);
    } else {
      const size_t begin = text_.starts_with(kByteOrderMark) ? kByteOrderMark.size() : 0;
      const size_t first = text_.find_first_not_of(" \t\r\n", begin);
      if (first == std::string_view::npos) {
        // An empty pipe is a broken one: a pipeline must not take it for a clean bill of health.
        if (files_[file_].is_stdin) out_.faults.push_back({file_, 0, 0, "the input is empty"});
        return;
      }
      read({0, begin, text_.size(), text_[first] == '{' || name_.ends_with(".json")});
    }
  }

 private:
  std::string_view part(const Section& section) const {
    return text_.substr(section.begin, section.end - section.begin);
  }

  void read(const Section& section) {
    if (!section.is_json) return read_yaml_section(section);
    const auto values = split_json(part(section));
    if (!values) {
      // Flow style YAML starts with a brace too.
      const bool may_be_yaml = name_.ends_with(".yaml") || name_.ends_with(".yml") ||
                               part(section).find("\n---") != std::string_view::npos;
      if (may_be_yaml) return read_yaml_section(section);
      return fault(section, offset_of(part(section), values.error().where), values.error().what);
    }
    size_t index = 0;
    for (const std::string_view value : *values) add(section, index++, std::string(value));
  }

  void read_yaml_section(Section section) {
    section.is_json = false;
    std::vector<YamlTwin> twins;
    auto documents = yaml_to_json(part(section), &twins);
    for (const YamlTwin& twin : twins) fault(section, twin.offset, twin.why, true);
    if (!documents) {
      return fault(section, offset_of(part(section), documents.error().where),
                   documents.error().what);
    }
    size_t index = 0;
    for (YamlDocument& document : *documents) add(section, index++, std::move(document.json));
  }

  void add(const Section& section, size_t index, std::string json) {
    out_.documents.push_back({file_, section.block, section.begin, section.end, index,
                              section.is_json, std::move(json)});
  }
  void fault(const Section& section, size_t offset, std::string why, bool twin = false) {
    out_.faults.push_back({file_, section.block, section.begin + offset, std::move(why), twin});
  }

  const std::vector<SourceFile>& files_;
  std::string_view text_;
  const std::string& name_;
  size_t file_;
  Sources& out_;
};

}  // namespace

Result<std::vector<SourceFile>> read_sources(const std::vector<std::string>& paths,
                                             std::istream& standard_input) {
  std::vector<SourceFile> sources;
  auto files = collect_files(paths, true);
  if (!files) return std::move(files).error();
  for (const std::string& file : *files) {
    const bool is_stdin = file == "-";
    std::ifstream opened;
    if (!is_stdin) {
      opened.open(file, std::ios::binary);
      if (!opened) return Error{ErrorCode::kIo, std::strerror(errno), file};
    }
    std::istream& stream = is_stdin ? standard_input : opened;
    std::string text{std::istreambuf_iterator<char>(stream), {}};
    if (stream.bad()) return Error{ErrorCode::kIo, "cannot be read", file};
    const bool asked = std::find(paths.begin(), paths.end(), file) != paths.end();
    sources.push_back({is_stdin ? "standard input" : file, std::move(text), asked, is_stdin});
  }
  return sources;
}

void split_source(const std::vector<SourceFile>& files, size_t file, Sources& out) {
  Splitter(files, file, out).run();
}

DocumentTree tree_of(const std::string& text, const SourceDocument& document) {
  const std::string_view part =
      std::string_view(text).substr(document.begin, document.end - document.begin);
  DocumentTree found;
  size_t index = 0;
  if (document.is_json) {
    const auto values = split_json(part);
    const std::string_view value = values->at(document.index);
    return {read_json_tree(value),
            document.begin + static_cast<size_t>(value.data() - part.data())};
  }
  found.begin = document.begin;
  read_yaml(part, [&](Tree& tree) {
    const TreeNode* root = tree.root;
    if (root == nullptr ||
        (root->kind == TreeNode::Kind::kScalar && !root->quoted && root->text.empty())) {
      return;
    }
    if (index++ == document.index) std::swap(found.tree, tree);
  });
  return found;
}

}  // namespace rampart::ctl
