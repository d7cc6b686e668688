// SPDX-License-Identifier: Apache-2.0
#include "control/compile/labels.hpp"

#include <algorithm>
#include <utility>

namespace rampart::compile {
namespace {

using Op = kube::LabelRequirement::Op;

uint64_t packed(const Label& label) {
  return uint64_t{label.key} << 32 | label.value;
}

}  // namespace

bool matches(const Selector& selector, std::span<const Label> labels) {
  return std::all_of(selector.begin(), selector.end(), [&](const Requirement& r) {
    const auto found =
        std::lower_bound(labels.begin(), labels.end(), r.key,
                         [](const Label& label, uint32_t key) { return label.key < key; });
    const bool there = found != labels.end() && found->key == r.key;
    const auto listed = [&] {
      return std::binary_search(r.values.begin(), r.values.end(), found->value);
    };
    switch (r.op) {
      case Op::kIn:
        return there && listed();
      case Op::kNotIn:
        return !there || !listed();
      case Op::kExists:
        return there;
      case Op::kDoesNotExist:
        return !there;
    }
    return false;
  });
}

Vocabulary::Key& Vocabulary::key(const std::string& name) {
  const auto [entry, added] = keys_.try_emplace(name);
  if (added) entry->second.number = static_cast<uint32_t>(keys_.size());
  return entry->second;
}

Selector Vocabulary::learn(const kube::LabelSelector& selector) {
  Selector learnt;
  for (const kube::LabelRequirement& r : selector.requirements) {
    Key& known = key(r.key);
    Requirement requirement{known.number, r.op, {}};
    for (const std::string& value : r.values) requirement.values.push_back(known.value(value));
    std::sort(requirement.values.begin(), requirement.values.end());
    learnt.push_back(std::move(requirement));
  }
  return learnt;
}

std::vector<Label> Vocabulary::learn(const kube::Labels& labels) {
  for (const auto& [name, unused] : labels) key(name);
  return project(labels);
}

std::vector<Label> Vocabulary::project(const kube::Labels& labels) {
  std::vector<Label> seen;
  for (const auto& [name, text] : labels) {
    const auto known = keys_.find(std::string_view(name));
    if (known == keys_.end()) continue;
    seen.push_back({known->second.number, known->second.value(text)});
  }
  std::sort(seen.begin(), seen.end());
  return seen;
}

void LabelIndex::list(uint32_t object) {
  for (const Label& label : objects_[object]) {
    having_key_[label.key].push_back(object);
    having_label_[packed(label)].push_back(object);
  }
}

uint32_t LabelIndex::add(std::vector<Label> labels) {
  const uint32_t object = size();
  objects_.push_back(std::move(labels));
  list(object);
  return object;
}

void LabelIndex::replace(uint32_t object, std::vector<Label> labels) {
  objects_[object] = std::move(labels);
  list(object);
  replaced_ = true;
}

const std::vector<uint32_t>* LabelIndex::candidates(const Selector& selector) const {
  const std::vector<uint32_t>* best = nullptr;
  const auto consider = [&](const auto& lists, auto key) {
    const auto found = lists.find(key);
    const std::vector<uint32_t>* list = found == lists.end() ? &none_ : &found->second;
    if (best == nullptr || list->size() < best->size()) best = list;
  };
  for (const Requirement& r : selector) {
    if (r.op == Op::kIn && r.values.size() == 1) {
      consider(having_label_, packed({r.key, r.values.front()}));
    } else if (r.op == Op::kIn || r.op == Op::kExists) {
      consider(having_key_, r.key);
    }
  }
  return best;
}

std::vector<uint32_t> LabelIndex::select(const Selector& selector) const {
  std::vector<uint32_t> found;
  if (const std::vector<uint32_t>* some = candidates(selector)) {
    std::copy_if(some->begin(), some->end(), std::back_inserter(found),
                 [&](uint32_t object) { return matches(selector, object); });
    if (replaced_) {
      std::sort(found.begin(), found.end());
      found.erase(std::unique(found.begin(), found.end()), found.end());
    }
  } else {
    for (uint32_t object = 0; object < size(); ++object) {
      if (matches(selector, object)) found.push_back(object);
    }
  }
  return found;
}

}  // namespace rampart::compile
