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

/// Label selectors over many objects. Keys and values become numbers first, and only those that
/// some selector mentions: a label that no selector knows tells no two objects apart.
namespace rampart::compile {

struct StringHash {
  using is_transparent = void;
  size_t operator()(std::string_view text) const noexcept {
    return std::hash<std::string_view>{}(text);
  }
};
template <typename T>
using StringMap = std::unordered_map<std::string, T, StringHash, std::equal_to<>>;

/// One label of an object in numbers. `value` 0: one that no selector mentions.
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

/// The numbers of keys and values.
class Vocabulary {
 public:
  Selector learn(const kube::LabelSelector& selector);
  /// What of an object's labels a selector may see, sorted by key.
  std::vector<Label> project(const kube::Labels& labels) const;

 private:
  struct Key {
    uint32_t number = 0;
    StringMap<uint32_t> values;
  };
  StringMap<Key> keys_;
};

/// Objects numbered in the order in which they came, to be found by selectors.
class LabelIndex {
 public:
  uint32_t add(std::vector<Label> labels);
  uint32_t size() const { return static_cast<uint32_t>(objects_.size()); }
  bool matches(const Selector& selector, uint32_t object) const {
    return compile::matches(selector, objects_[object]);
  }
  /// The shortest list known that holds every object which matches; null: nothing better than all.
  const std::vector<uint32_t>* candidates(const Selector& selector) const;
  /// All objects that match, rising.
  std::vector<uint32_t> select(const Selector& selector) const;

 private:
  std::vector<std::vector<Label>> objects_;
  std::unordered_map<uint64_t, std::vector<uint32_t>> having_label_;
  std::unordered_map<uint32_t, std::vector<uint32_t>> having_key_;
  std::vector<uint32_t> none_;
};

}  // namespace rampart::compile
