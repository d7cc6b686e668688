// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "control/kube/model.hpp"

/// Label selectors over many objects. Keys and values become numbers first, and only keys that
/// some selector mentions: a label that no selector knows tells no two objects apart. Values are
/// all told apart, so that a policy which mentions another one changes nobody's numbers.
namespace rampart::compile {

struct StringHash {
  using is_transparent = void;
  size_t operator()(std::string_view text) const noexcept {
    return std::hash<std::string_view>{}(text);
  }
};
template <typename T>
using StringMap = std::unordered_map<std::string, T, StringHash, std::equal_to<>>;

/// One label of an object in numbers.
struct Label {
  uint32_t key = 0;
  uint32_t value = 0;
  auto operator<=>(const Label&) const = default;
};

/// kube::LabelRequirement in numbers; `values` sorted.
struct Requirement {
  uint32_t key = 0;
  kube::LabelRequirement::Op op = kube::LabelRequirement::Op::kIn;
  std::vector<uint32_t> values;
};
using Selector = std::vector<Requirement>;

/// `labels` sorted by key.
bool matches(const Selector& selector, std::span<const Label> labels);

/// The numbers of keys and values. They grow, and what has a number keeps it.
class Vocabulary {
 public:
  Selector learn(const kube::LabelSelector& selector);
  /// The labels of an object, with all of their keys, sorted by key.
  std::vector<Label> learn(const kube::Labels& labels);
  /// What of an object's labels a selector may see, sorted by key.
  std::vector<Label> project(const kube::Labels& labels);

  bool knows(std::string_view key) const { return keys_.contains(key); }

 private:
  struct Key {
    uint32_t number = 0;
    StringMap<uint32_t> values;
    uint32_t value(const std::string& text) {
      return values.try_emplace(text, static_cast<uint32_t>(values.size() + 1)).first->second;
    }
  };
  Key& key(const std::string& name);
  StringMap<Key> keys_;
};

/// Objects numbered in the order in which they came, to be found by selectors.
class LabelIndex {
 public:
  uint32_t add(std::vector<Label> labels);
  /// Gives an object other labels.
  void replace(uint32_t object, std::vector<Label> labels);
  uint32_t size() const { return static_cast<uint32_t>(objects_.size()); }
  const std::vector<Label>& labels(uint32_t object) const { return objects_[object]; }
  bool matches(const Selector& selector, uint32_t object) const {
    return compile::matches(selector, objects_[object]);
  }
  /// The shortest list known that holds every object which matches (and perhaps others, or one
  /// twice, where labels were replaced); null: nothing better than all.
  const std::vector<uint32_t>* candidates(const Selector& selector) const;
  /// All objects that match, rising.
  std::vector<uint32_t> select(const Selector& selector) const;

 private:
  void list(uint32_t object);

  std::vector<std::vector<Label>> objects_;
  std::unordered_map<uint64_t, std::vector<uint32_t>> having_label_;
  std::unordered_map<uint32_t, std::vector<uint32_t>> having_key_;
  std::vector<uint32_t> none_;
  bool replaced_ = false;  ///< lists may be out of order and hold one twice
};

}  // namespace rampart::compile
