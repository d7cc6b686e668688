// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <yaml-cpp/mark.h>

#include <cstdint>
#include <deque>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

/// A document as a tree that remembers where everything stands. (yaml-cpp has a tree of its own; it
/// forgets which scalars were quoted, and takes a key twice.) No thread of its own.
namespace rampart::ctl {

struct TreeNode {
  enum class Kind : uint8_t { kScalar, kList, kMap };
  Kind kind = Kind::kScalar;
  bool open = true;     ///< its end has not been read yet
  bool quoted = false;  ///< scalars: not plain
  bool string = false;  ///< scalars: tagged !!str
  YAML::Mark mark;      ///< pos: byte in the text; line and column from 0 (YAML only)
  std::string text;
  std::vector<TreeNode*> children;  ///< of maps: key, value, key, value …
};

struct Tree {
  std::deque<TreeNode> nodes;  // a deque: its elements stay where they are
  TreeNode* root = nullptr;    ///< null: a document without content
};

/// Throws what yaml-cpp throws for a text that is no YAML.
[[noreturn]] void refuse_yaml(const YAML::Mark& mark, const std::string& why);

/// Calls `each` for every document of a YAML stream. Throws YAML::Exception.
void read_yaml(std::string_view yaml, const std::function<void(Tree&)>& each);

/// The tree of one JSON value, which must be valid (see split_json).
Tree read_json_tree(std::string_view json);

/// What a path of kube::Refusal leads to.
struct Found {
  const TreeNode* key = nullptr;    ///< the key of a member; null for elements and for the root
  const TreeNode* value = nullptr;  ///< its value
  bool exact = false;               ///< otherwise the last part of the path that is there
};
Found find_path(const TreeNode& root, std::string_view path);

}  // namespace rampart::ctl
