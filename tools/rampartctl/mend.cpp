// SPDX-License-Identifier: Apache-2.0
#include "tools/rampartctl/mend.hpp"

#include <algorithm>
#include <optional>

namespace rampart::ctl {
namespace {

size_t line_start(std::string_view text, size_t at) {
  const size_t newline = at == 0 ? std::string_view::npos : text.rfind('\n', at - 1);
  return newline == std::string_view::npos ? 0 : newline + 1;
}

size_t next_line(std::string_view text, size_t at) {
  const size_t newline = text.find('\n', at);
  return newline == std::string_view::npos ? text.size() : newline + 1;
}

size_t indent_at(std::string_view text, size_t start) {
  return std::min(text.find_first_not_of(' ', start), text.size()) - start;
}

bool is_blank_or_comment(std::string_view text, size_t start) {
  const size_t first = text.find_first_not_of(" \t\r", start);
  return first == std::string_view::npos || text[first] == '\n' || text[first] == '#';
}

/// The end of what starts in the line at `start`: of the lines after it those that are indented by
/// at least `indent`. Blank lines and comments at the end do not count.
size_t block_end(std::string_view text, size_t start, size_t indent) {
  size_t end = next_line(text, start);
  for (size_t line = end; line < text.size(); line = next_line(text, line)) {
    if (is_blank_or_comment(text, line)) continue;
    if (indent_at(text, line) < indent) break;
    end = next_line(text, line);
  }
  return end;
}

/// `lines` with `by` more spaces (or fewer) before each that is not empty.
std::string indented(std::string_view lines, std::ptrdiff_t by) {
  std::string out;
  for (size_t at = 0; at < lines.size();) {
    const size_t end = next_line(lines, at);
    std::string_view line = lines.substr(at, end - at);
    if (line.find_first_not_of(" \r\n") != std::string_view::npos) {
      if (by < 0) line.remove_prefix(std::min(static_cast<size_t>(-by), indent_at(line, 0)));
      if (by > 0) out.append(static_cast<size_t>(by), ' ');
    }
    out += line;
    at = end;
  }
  if (!out.ends_with('\n')) out += '\n';
  return out;
}

/// Documents are edited line by line only where each entry has lines of its own.
class Editor {
 public:
  Editor(const std::string& text, const SourceDocument& document, const DocumentTree& tree)
      : text_(std::string_view(text).substr(0, document.end)),
        is_json_(document.is_json),
        tree_(tree) {}

  std::vector<Edit> rename(const std::string& path, const std::string& name) const {
    const Found found = find(path);
    if (!found.exact || found.key == nullptr) return {};
    const size_t begin = offset(*found.key);
    const char first = text_[begin];
    const bool quoted = first == '"' || first == '\'';
    const std::string quote(quoted ? 1 : 0, first);
    return {{begin, token_end(text_, begin), quote + name + quote}};
  }

  std::vector<Edit> move_into(const std::string& path, const std::string& list_path) const {
    const Found moved = find(path), list = find(list_path);
    if (is_json_ || !moved.exact || !list.exact || moved.key == nullptr) return {};
    if (list.value->kind != TreeNode::Kind::kList || list.value->children.size() != 1) return {};
    const TreeNode& item = *list.value->children.front();
    const auto column = own_column(*moved.key);
    if (!column || item.kind != TreeNode::Kind::kMap || item.children.empty()) return {};
    const size_t first = offset(*item.children.front());
    const size_t wanted = first - line_start(text_, first);
    if (text_[offset(item)] == '{' ||
        text_.substr(line_start(text_, first), wanted).find_first_not_of(" -") !=
            std::string_view::npos) {
      return {};
    }
    const size_t begin = line_start(text_, offset(*moved.key));
    const size_t end = block_end(text_, begin, *column + 1);
    const size_t target = block_end(text_, line_start(text_, first), wanted);
    const auto by = static_cast<std::ptrdiff_t>(wanted) - static_cast<std::ptrdiff_t>(*column);
    std::string lines = indented(text_.substr(begin, end - begin), by);
    if (target == begin) return {{begin, end, std::move(lines)}};
    if (target > begin) return {{begin, end, {}}, {target, target, std::move(lines)}};
    return {{target, target, std::move(lines)}, {begin, end, {}}};
  }

  std::vector<Edit> append(const std::string& list_path, const std::string& yaml) const {
    const Found list = find(list_path);
    if (is_json_ || !list.exact || list.value->kind != TreeNode::Kind::kList ||
        list.value->children.empty()) {
      return {};
    }
    const size_t first = offset(*list.value->children.front());
    const size_t start = line_start(text_, first);
    const size_t dash = indent_at(text_, start);
    if (start + dash >= text_.size() || text_[start + dash] != '-') return {};
    const size_t last = line_start(text_, offset(*list.value->children.back()));
    const size_t target = block_end(text_, last, dash + 1);
    std::string lines = indented(yaml, static_cast<std::ptrdiff_t>(dash) + 2);
    lines[dash] = '-';
    if (target > 0 && text_[target - 1] != '\n') lines.insert(0, 1, '\n');
    return {{target, target, std::move(lines)}};
  }

 private:
  Found find(const std::string& path) const { return find_path(*tree_.tree.root, path); }
  size_t offset(const TreeNode& node) const {
    return tree_.begin + static_cast<size_t>(node.mark.pos);
  }
  /// The column of a key that stands first in its line.
  std::optional<size_t> own_column(const TreeNode& key) const {
    const size_t at = offset(key), start = line_start(text_, at);
    if (indent_at(text_, start) != at - start) return std::nullopt;
    return at - start;
  }

  std::string_view text_;  // up to the end of the section: no block reaches beyond
  bool is_json_;
  const DocumentTree& tree_;
};

}  // namespace

std::vector<Edit> edits_for(const lint::Mend& mend, const std::string& object_path,
                            const std::string& text, const SourceDocument& document,
                            const DocumentTree& tree) {
  const Editor editor(text, document, tree);
  const std::string before = object_path.empty() ? "" : object_path + ".";
  switch (mend.kind) {
    case lint::Mend::Kind::kRename:
      return editor.rename(before + mend.path, mend.text);
    case lint::Mend::Kind::kMoveInto:
      return editor.move_into(before + mend.path, before + mend.text);
    case lint::Mend::Kind::kAppend:
      return editor.append(before + mend.path, mend.text);
  }
  return {};
}

std::string edited(std::string_view text, std::vector<Edit> edits) {
  std::stable_sort(edits.begin(), edits.end(),
                   [](const Edit& a, const Edit& b) { return a.begin < b.begin; });
  std::string out;
  size_t done = 0;
  for (const Edit& edit : edits) {
    if (edit.begin < done) continue;
    out += text.substr(done, edit.begin - done);
    out += edit.text;
    done = edit.end;
  }
  out += text.substr(done);
  return out;
}

size_t token_end(std::string_view text, size_t at) {
  if (at >= text.size()) return text.size();
  const char quote = text[at];
  if (quote == '"' || quote == '\'') {
    size_t end = at + 1;
    while (end < text.size() && text[end] != quote && text[end] != '\n') {
      end += quote == '"' && text[end] == '\\' ? 2 : 1;
    }
    return std::min(end + (end < text.size() && text[end] == quote ? 1 : 0), text.size());
  }
  size_t end = at;
  while (end < text.size() && text[end] != '\n' && text[end] != '\r') {
    const char c = text[end], next = end + 1 < text.size() ? text[end + 1] : '\n';
    if (c == ':' && (next == ' ' || next == '\n' || next == '\r')) break;
    if (c == ',' || c == '}' || c == ']' || (c == ' ' && next == '#')) break;
    ++end;
  }
  while (end > at && text[end - 1] == ' ') --end;
  return std::max(end, std::min(at + 1, text.size()));
}

}  // namespace rampart::ctl
