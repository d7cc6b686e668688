// SPDX-License-Identifier: Apache-2.0
#include "tools/rampartctl/yaml_json.hpp"

#include <yaml-cpp/yaml.h>

#include <unordered_map>
#include <utility>

#include "tools/rampartctl/json_text.hpp"
#include "tools/rampartctl/yaml_tree.hpp"

namespace rampart::ctl {
namespace {

constexpr size_t kMaxDepth = 256;  // as deep as the socket reads
class JsonWriter {
 public:
  /// `limit`: bytes of JSON. Aliases of aliases grow without bound (the "billion laughs").
  /// `twins`: where to note keys that stand twice (the first then counts); null: they are refused.
  JsonWriter(size_t limit, std::vector<YamlTwin>* twins) : limit_(limit), twins_(twins) {}

  void write(const TreeNode& node) {
    if (out_.size() > limit_) refuse_yaml(node.mark, "aliases make this document too large");
    if (++depth_ > kMaxDepth) {
      refuse_yaml(node.mark, "nested more than " + std::to_string(kMaxDepth) + " levels deep");
    }
    switch (node.kind) {
      case TreeNode::Kind::kScalar:
        write_scalar(node);
        break;
      case TreeNode::Kind::kList:
        out_ += '[';
        for (size_t i = 0; i < node.children.size(); ++i) {
          if (i > 0) out_ += ',';
          write(*node.children[i]);
        }
        out_ += ']';
        break;
      case TreeNode::Kind::kMap:
        write_map(node);
        break;
    }
    --depth_;
  }
  std::string take() { return std::move(out_); }

 private:
  using Members = std::vector<std::pair<std::string, const TreeNode*>>;
  using Places = std::unordered_map<std::string, YAML::Mark>;

  void write_scalar(const TreeNode& node) {
    const std::string json = is_string(node) ? std::string() : resolve_plain_scalar(node.text);
    if (!json.empty()) {
      out_ += json;
    } else if (!is_string(node) && is_infinite(node.text)) {
      refuse_yaml(node.mark, "'" + node.text + "' cannot be said in JSON");
    } else {
      append_json_string(out_, node.text);
    }
  }
  static bool is_string(const TreeNode& node) { return node.quoted || node.string; }
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
  static std::string key_of(const TreeNode& node) {
    if (node.kind != TreeNode::Kind::kScalar) refuse_yaml(node.mark, "a key must be a scalar");
    if (is_string(node)) return node.text;
    std::string json = resolve_plain_scalar(node.text);
    if (json == "null") refuse_yaml(node.mark, "a key may not be null");
    return json.empty() ? node.text : json;
  }
  static bool is_merge(const TreeNode& key) {
    return key.kind == TreeNode::Kind::kScalar && !is_string(key) && key.text == "<<";
  }

  /// Own members come first and win over merged ones; of several merged maps the first wins
  /// (https://yaml.org/type/merge.html).
  void collect(const TreeNode& map, Members& members, Places& places, size_t depth) {
    if (depth > kMaxDepth) refuse_yaml(map.mark, "merge keys nested too deeply");
    Places own;
    for (size_t i = 0; i + 1 < map.children.size(); i += 2) {
      const TreeNode& key = *map.children[i];
      if (is_merge(key)) continue;
      std::string name = key_of(key);
      const auto [twin, fresh] = own.emplace(name, key.mark);
      if (!fresh) {
        const std::string why = "the key " + json_string(name) +
                                " stands here for the second time (first in line " +
                                std::to_string(twin->second.line + 1) + ")";
        if (twins_ == nullptr) refuse_yaml(key.mark, why);
        twins_->push_back({static_cast<size_t>(key.mark.pos), why});
        continue;
      }
      if (!places.emplace(name, key.mark).second) continue;  // said by a map nearer to the reader
      members.emplace_back(std::move(name), map.children[i + 1]);
    }
    for (size_t i = 0; i + 1 < map.children.size(); i += 2) {
      if (is_merge(*map.children[i])) merge(*map.children[i + 1], members, places, depth);
    }
  }
  void merge(const TreeNode& value, Members& members, Places& places, size_t depth) {
    if (value.kind == TreeNode::Kind::kMap) return collect(value, members, places, depth + 1);
    if (value.kind != TreeNode::Kind::kList)
      refuse_yaml(value.mark, "'<<' wants a mapping or a list of mappings");
    for (const TreeNode* item : value.children) {
      if (item->kind != TreeNode::Kind::kMap)
        refuse_yaml(item->mark, "'<<' wants a mapping or a list of mappings");
      collect(*item, members, places, depth + 1);
    }
  }

  void write_map(const TreeNode& node) {
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
  std::vector<YamlTwin>* twins_;
  size_t depth_ = 0;
  std::string out_;
};

}  // namespace

Result<std::vector<YamlDocument>> yaml_to_json(std::string_view yaml,
                                               std::vector<YamlTwin>* twins) {
  std::vector<YamlDocument> documents;
  try {
    read_yaml(yaml, [&](const Tree& tree) {
      const TreeNode* root = tree.root;
      if (root == nullptr) return;
      if (root->kind == TreeNode::Kind::kScalar && !root->quoted && root->text.empty()) return;
      JsonWriter writer((size_t{1} << 20) + 100 * yaml.size(), twins);
      writer.write(*root);
      documents.push_back({writer.take(), static_cast<size_t>(root->mark.line) + 1});
    });
  } catch (const YAML::Exception& e) {
    const TextPlace place{static_cast<size_t>(e.mark.line) + 1,
                          static_cast<size_t>(e.mark.column) + 1};
    return Error{ErrorCode::kInvalid, e.msg, place.text()};
  }
  return documents;
}

}  // namespace rampart::ctl
