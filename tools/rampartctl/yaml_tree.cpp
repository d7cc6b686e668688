// SPDX-License-Identifier: Apache-2.0
#include "tools/rampartctl/yaml_tree.hpp"

#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <charconv>
#include <istream>
#include <map>
#include <streambuf>
#include <utility>

#include "tools/rampartctl/yaml_json.hpp"

namespace rampart::ctl {
namespace {

constexpr std::string_view kTagPrefix = "tag:yaml.org,2002:";

class TreeBuilder : public YAML::EventHandler {
 public:
  /// The latest document.
  Tree& tree() { return tree_; }

  void OnDocumentStart(const YAML::Mark& mark) override {
    // Of a token that belongs to no document yaml-cpp makes empty ones without end.
    if (mark.pos == started_at_) refuse_yaml(mark, "this belongs to no document");
    started_at_ = mark.pos;
    tree_.nodes.clear();
    anchors_.clear();
    stack_.clear();
    tree_.root = nullptr;
  }
  void OnDocumentEnd() override {}
  void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    add(mark, TreeNode::Kind::kScalar, anchor)->open = false;
  }
  void OnAlias(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    TreeNode* target = anchors_[anchor];
    if (target == nullptr) refuse_yaml(mark, "an alias without its anchor");
    if (target->open) refuse_yaml(mark, "an alias within what it stands for");
    attach(target);
  }
  void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                const std::string& value) override {
    TreeNode* node = add(mark, TreeNode::Kind::kScalar, anchor);
    node->open = false;
    node->text = value;
    if (tag == "!") {
      node->quoted = true;
    } else if (tag == std::string(kTagPrefix) + "str") {
      node->string = true;
    } else if (tag != "?" && !tag.empty()) {
      check_scalar_tag(*node, tag);
    }
  }
  void OnSequenceStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                       YAML::EmitterStyle::value) override {
    start(mark, tag, "seq", TreeNode::Kind::kList, anchor);
  }
  void OnSequenceEnd() override { end(); }
  void OnMapStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                  YAML::EmitterStyle::value) override {
    start(mark, tag, "map", TreeNode::Kind::kMap, anchor);
  }
  void OnMapEnd() override { end(); }

 private:
  TreeNode* add(const YAML::Mark& mark, TreeNode::Kind kind, YAML::anchor_t anchor) {
    TreeNode* node = &tree_.nodes.emplace_back();
    node->mark = mark;
    node->kind = kind;
    if (anchor != YAML::NullAnchor) anchors_[anchor] = node;
    attach(node);
    return node;
  }
  void attach(TreeNode* node) {
    if (stack_.empty()) {
      tree_.root = node;
    } else {
      stack_.back()->children.push_back(node);
    }
  }
  void start(const YAML::Mark& mark, const std::string& tag, std::string_view expected,
             TreeNode::Kind kind, YAML::anchor_t anchor) {
    if (tag != "?" && tag != "!" && !tag.empty() &&
        tag != std::string(kTagPrefix) + std::string(expected)) {
      refuse_yaml(mark, "the tag " + tag + " has no meaning in a Kubernetes object");
    }
    stack_.push_back(add(mark, kind, anchor));
  }
  void end() {
    stack_.back()->open = false;
    stack_.pop_back();
  }
  /// !!int, !!float, !!bool, !!null: allowed where the text is one, quoted or not.
  static void check_scalar_tag(const TreeNode& node, const std::string& tag) {
    const std::string json = resolve_plain_scalar(node.text);
    const bool is_bool = json == "true" || json == "false";
    const bool is_number = !json.empty() && !is_bool && json != "null";
    const std::string_view name = std::string_view(tag).substr(
        tag.compare(0, kTagPrefix.size(), kTagPrefix) == 0 ? kTagPrefix.size() : 0);
    if ((name == "bool" && is_bool) || (name == "null" && json == "null") ||
        (name == "float" && is_number) ||
        (name == "int" && is_number && json.find_first_of(".e") == std::string::npos)) {
      return;
    }
    if (name == "bool" || name == "null" || name == "float" || name == "int") {
      refuse_yaml(node.mark, "'" + node.text + "' is no !!" + std::string(name));
    }
    refuse_yaml(node.mark, "the tag " + tag + " has no meaning in a Kubernetes object");
  }

  Tree tree_;
  std::map<YAML::anchor_t, TreeNode*> anchors_;
  std::vector<TreeNode*> stack_;
  int started_at_ = -1;  ///< byte where the latest document started
};

/// A stream over text that is already there, without a copy of it, and then "...", the end of a
/// document: yaml-cpp takes a quoted scalar that the end of the text cuts short after a newline.
class Stream : public std::streambuf {
 public:
  explicit Stream(std::string_view text) : more_(text.ends_with('\n') ? "...\n" : "") {
    show(text);
  }

 protected:
  int_type underflow() override {
    show(std::exchange(more_, {}));
    return gptr() == egptr() ? traits_type::eof() : traits_type::to_int_type(*gptr());
  }

 private:
  void show(std::string_view text) {
    char* begin = const_cast<char*>(text.data());  // the get area is only read
    setg(begin, begin, begin + text.size());
  }
  std::string_view more_;
};

}  // namespace

void refuse_yaml(const YAML::Mark& mark, const std::string& why) {
  throw YAML::ParserException(mark, why);
}

void read_yaml(std::string_view yaml, const std::function<void(Tree&)>& each) {
  Stream buffer(yaml);
  std::istream stream(&buffer);
  TreeBuilder builder;
  YAML::Parser parser(stream);
  while (parser.HandleNextDocument(builder)) each(builder.tree());
}

namespace {

constexpr std::string_view kBlanks = " \t\r\n";

/// Builds the tree of JSON that is known to be valid, and not nested deeper than split_json takes.
class JsonTree {
 public:
  explicit JsonTree(std::string_view json) : json_(json) {}

  TreeNode* value() {
    skip_blanks();
    TreeNode* node = &tree_.nodes.emplace_back();
    node->mark.pos = static_cast<int>(at_);
    node->open = false;
    const char first = at_ < json_.size() ? json_[at_] : ' ';
    if (first == '{' || first == '[') {
      node->kind = first == '{' ? TreeNode::Kind::kMap : TreeNode::Kind::kList;
      children(*node, first == '{' ? '}' : ']');
    } else if (first == '"') {
      node->quoted = true;
      node->text = string();
    } else {
      const size_t end = std::min(json_.find_first_of(",]} \t\r\n", at_), json_.size());
      node->text = json_.substr(at_, end - at_);
      at_ = end;
    }
    return node;
  }
  Tree take() { return std::move(tree_); }

 private:
  void skip_blanks() { at_ = std::min(json_.find_first_not_of(kBlanks, at_), json_.size()); }

  /// Keys, colons and commas: every value between them is a child.
  void children(TreeNode& node, char close) {
    for (++at_; at_ < json_.size();) {
      skip_blanks();
      if (at_ == json_.size()) return;
      if (json_[at_] == close) return void(++at_);
      if (json_[at_] == ',' || json_[at_] == ':') {
        ++at_;
      } else {
        node.children.push_back(value());
      }
    }
  }

  /// The text between the quotes. Of escapes only those of one character are undone: names of
  /// fields have none, and of values only the place counts.
  std::string string() {
    std::string text;
    for (++at_; at_ < json_.size() && json_[at_] != '"'; ++at_) {
      if (json_[at_] == '\\' && at_ + 1 < json_.size()) ++at_;
      text += json_[at_];
    }
    ++at_;
    return text;
  }

  std::string_view json_;
  size_t at_ = 0;
  Tree tree_;
};

/// How much of `path` the member `name` takes: ".name", "name" at the start, or "[name]".
size_t taken_by(std::string_view path, std::string_view name) {
  if (path.starts_with('[')) {
    const std::string_view rest = path.substr(1);
    return rest.starts_with(name) && rest.substr(name.size()).starts_with(']') ? name.size() + 2
                                                                               : 0;
  }
  const size_t dot = path.starts_with('.') ? 1 : 0;
  const std::string_view rest = path.substr(dot);
  if (name.empty() || !rest.starts_with(name)) return 0;
  const char next = rest.size() > name.size() ? rest[name.size()] : '.';
  return next == '.' || next == '[' ? name.size() + dot : 0;
}

}  // namespace

Tree read_json_tree(std::string_view json) {
  JsonTree reader(json);
  TreeNode* root = reader.value();
  Tree tree = reader.take();
  tree.root = root;
  return tree;
}

Found find_path(const TreeNode& root, std::string_view path) {
  Found found{nullptr, &root, path.empty()};
  while (!path.empty()) {
    const TreeNode& node = *found.value;
    const TreeNode *key = nullptr, *value = nullptr;
    size_t taken = 0;
    if (node.kind == TreeNode::Kind::kMap) {
      // Names may hold dots and brackets: the longest that fits is the one.
      for (size_t i = 0; i + 1 < node.children.size(); i += 2) {
        const size_t length = taken_by(path, node.children[i]->text);
        if (length <= taken) continue;
        taken = length;
        key = node.children[i];
        value = node.children[i + 1];
      }
    } else if (node.kind == TreeNode::Kind::kList && path.starts_with('[')) {
      size_t index = 0;
      const auto [end, error] = std::from_chars(path.data() + 1, path.data() + path.size(), index);
      if (error == std::errc() && index < node.children.size()) {
        taken = static_cast<size_t>(end - path.data()) + 1;
        value = node.children[index];
      }
    }
    if (taken == 0) return found;
    found = {key, value, taken == path.size()};
    path.remove_prefix(taken);
  }
  return found;
}

}  // namespace rampart::ctl
