// SPDX-License-Identifier: Apache-2.0
#include "tools/rampartctl/yaml_json.hpp"

#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/yaml.h>

#include <deque>
#include <istream>
#include <map>
#include <streambuf>
#include <unordered_map>
#include <utility>

#include "tools/rampartctl/json_text.hpp"

// yaml-cpp's events become a small tree with the place of every node (its own tree forgets which
// scalars were quoted and takes a key twice), and the tree is written as JSON.
namespace rampart::ctl {
namespace {

constexpr size_t kMaxDepth = 256;  // as deep as the socket reads
constexpr std::string_view kTagPrefix = "tag:yaml.org,2002:";

struct Node {
  enum class Kind : uint8_t { kScalar, kList, kMap };
  Kind kind = Kind::kScalar;
  bool open = true;     ///< its end has not been read yet
  bool quoted = false;  ///< scalars: not plain
  bool string = false;  ///< scalars: tagged !!str
  YAML::Mark mark;
  std::string text;
  std::vector<Node*> children;  ///< of maps: key, value, key, value …
};

[[noreturn]] void refuse(const YAML::Mark& mark, const std::string& why) {
  throw YAML::ParserException(mark, why);  // caught in yaml_to_json, like the library's own
}

class TreeBuilder : public YAML::EventHandler {
 public:
  /// The root of the latest document; null if it had none.
  const Node* root() const { return root_; }

  void OnDocumentStart(const YAML::Mark&) override {
    nodes_.clear();
    anchors_.clear();
    stack_.clear();
    root_ = nullptr;
  }
  void OnDocumentEnd() override {}
  void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    add(mark, Node::Kind::kScalar, anchor)->open = false;
  }
  void OnAlias(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    Node* target = anchors_[anchor];
    if (target == nullptr) refuse(mark, "an alias without its anchor");
    if (target->open) refuse(mark, "an alias within what it stands for");
    attach(target);
  }
  void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                const std::string& value) override {
    Node* node = add(mark, Node::Kind::kScalar, anchor);
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
    start(mark, tag, "seq", Node::Kind::kList, anchor);
  }
  void OnSequenceEnd() override { end(); }
  void OnMapStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                  YAML::EmitterStyle::value) override {
    start(mark, tag, "map", Node::Kind::kMap, anchor);
  }
  void OnMapEnd() override { end(); }

 private:
  Node* add(const YAML::Mark& mark, Node::Kind kind, YAML::anchor_t anchor) {
    Node* node = &nodes_.emplace_back();
    node->mark = mark;
    node->kind = kind;
    if (anchor != YAML::NullAnchor) anchors_[anchor] = node;
    attach(node);
    return node;
  }
  void attach(Node* node) {
    if (stack_.empty()) {
      root_ = node;
    } else {
      stack_.back()->children.push_back(node);
    }
  }
  void start(const YAML::Mark& mark, const std::string& tag, std::string_view expected,
             Node::Kind kind, YAML::anchor_t anchor) {
    if (tag != "?" && tag != "!" && !tag.empty() &&
        tag != std::string(kTagPrefix) + std::string(expected)) {
      refuse(mark, "the tag " + tag + " has no meaning in a Kubernetes object");
    }
    stack_.push_back(add(mark, kind, anchor));
  }
  void end() {
    stack_.back()->open = false;
    stack_.pop_back();
  }
  /// !!int, !!float, !!bool, !!null: allowed where the text is one, quoted or not.
  static void check_scalar_tag(const Node& node, const std::string& tag) {
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
      refuse(node.mark, "'" + node.text + "' is no !!" + std::string(name));
    }
    refuse(node.mark, "the tag " + tag + " has no meaning in a Kubernetes object");
  }

  std::deque<Node> nodes_;  // a deque: its elements stay where they are
  std::map<YAML::anchor_t, Node*> anchors_;
  std::vector<Node*> stack_;
  Node* root_ = nullptr;
};

class JsonWriter {
 public:
  /// `limit`: bytes of JSON. Aliases of aliases grow without bound (the "billion laughs").
  explicit JsonWriter(size_t limit) : limit_(limit) {}

  void write(const Node& node) {
    if (out_.size() > limit_) refuse(node.mark, "aliases make this document too large");
    if (++depth_ > kMaxDepth) {
      refuse(node.mark, "nested more than " + std::to_string(kMaxDepth) + " levels deep");
    }
    switch (node.kind) {
      case Node::Kind::kScalar:
        write_scalar(node);
        break;
      case Node::Kind::kList:
        out_ += '[';
        for (size_t i = 0; i < node.children.size(); ++i) {
          if (i > 0) out_ += ',';
          write(*node.children[i]);
        }
        out_ += ']';
        break;
      case Node::Kind::kMap:
        write_map(node);
        break;
    }
    --depth_;
  }
  std::string take() { return std::move(out_); }

 private:
  using Members = std::vector<std::pair<std::string, const Node*>>;
  using Places = std::unordered_map<std::string, YAML::Mark>;

  void write_scalar(const Node& node) {
    const std::string json = is_string(node) ? std::string() : resolve_plain_scalar(node.text);
    if (!json.empty()) {
      out_ += json;
    } else if (!is_string(node) && is_infinite(node.text)) {
      refuse(node.mark, "'" + node.text + "' cannot be said in JSON");
    } else {
      append_json_string(out_, node.text);
    }
  }
  static bool is_string(const Node& node) { return node.quoted || node.string; }
  static bool is_infinite(std::string_view text) {
    for (const std::string_view word : {".inf", ".Inf", ".INF", ".nan", ".NaN", ".NAN"}) {
      if (text == word ||
          (!text.empty() && text.substr(1) == word && (text[0] == '-' || text[0] == '+'))) {
        return true;
      }
    }
    return false;
  }

  /// JSON keys are strings: 80 becomes "80", yes becomes "true".
  static std::string key_of(const Node& node) {
    if (node.kind != Node::Kind::kScalar) refuse(node.mark, "a key must be a scalar");
    if (is_string(node)) return node.text;
    std::string json = resolve_plain_scalar(node.text);
    if (json == "null") refuse(node.mark, "a key may not be null");
    return json.empty() ? node.text : json;
  }
  static bool is_merge(const Node& key) {
    return key.kind == Node::Kind::kScalar && !is_string(key) && key.text == "<<";
  }

  /// Own members come first and win over merged ones; of several merged maps the first wins
  /// (https://yaml.org/type/merge.html).
  static void collect(const Node& map, Members& members, Places& places, size_t depth) {
    if (depth > kMaxDepth) refuse(map.mark, "merge keys nested too deeply");
    Places own;
    for (size_t i = 0; i + 1 < map.children.size(); i += 2) {
      const Node& key = *map.children[i];
      if (is_merge(key)) continue;
      std::string name = key_of(key);
      const auto [twin, fresh] = own.emplace(name, key.mark);
      if (!fresh) {
        refuse(key.mark, "the key " + json_string(name) +
                             " stands here for the second time (first in line " +
                             std::to_string(twin->second.line + 1) + ")");
      }
      if (!places.emplace(name, key.mark).second) continue;  // said by a map nearer to the reader
      members.emplace_back(std::move(name), map.children[i + 1]);
    }
    for (size_t i = 0; i + 1 < map.children.size(); i += 2) {
      if (is_merge(*map.children[i])) merge(*map.children[i + 1], members, places, depth);
    }
  }
  static void merge(const Node& value, Members& members, Places& places, size_t depth) {
    if (value.kind == Node::Kind::kMap) return collect(value, members, places, depth + 1);
    if (value.kind != Node::Kind::kList)
      refuse(value.mark, "'<<' wants a mapping or a list of mappings");
    for (const Node* item : value.children) {
      if (item->kind != Node::Kind::kMap)
        refuse(item->mark, "'<<' wants a mapping or a list of mappings");
      collect(*item, members, places, depth + 1);
    }
  }

  void write_map(const Node& node) {
    Members members;
    Places places;
    collect(node, members, places, 0);
    out_ += '{';
    for (size_t i = 0; i < members.size(); ++i) {
      if (i > 0) out_ += ',';
      append_json_string(out_, members[i].first);
      out_ += ':';
      write(*members[i].second);
    }
    out_ += '}';
  }

  size_t limit_;
  size_t depth_ = 0;
  std::string out_;
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

Result<std::vector<YamlDocument>> yaml_to_json(std::string_view yaml) {
  std::vector<YamlDocument> documents;
  Stream buffer(yaml);
  std::istream stream(&buffer);
  TreeBuilder tree;
  try {
    YAML::Parser parser(stream);
    while (parser.HandleNextDocument(tree)) {
      const Node* root = tree.root();
      if (root == nullptr) continue;
      if (root->kind == Node::Kind::kScalar && !root->quoted && root->text.empty()) continue;
      JsonWriter writer((size_t{1} << 20) + 100 * yaml.size());
      writer.write(*root);
      documents.push_back({writer.take(), static_cast<size_t>(root->mark.line) + 1});
    }
  } catch (const YAML::Exception& e) {
    const TextPlace place{static_cast<size_t>(e.mark.line) + 1,
                          static_cast<size_t>(e.mark.column) + 1};
    return Error{ErrorCode::kInvalid, e.msg, place.text()};
  }
  return documents;
}

}  // namespace rampart::ctl
