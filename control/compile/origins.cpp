// SPDX-License-Identifier: Apache-2.0
#include "control/compile/origins.hpp"

#include <algorithm>
#include <utility>

namespace rampart::compile {

bool PolicyPlace::operator==(const PolicyPlace& other) const {
  return first == other.first && acl_rules == other.acl_rules &&
         fails_closed == other.fails_closed &&
         (entries == other.entries || *entries == *other.entries);
}

const kube::Admission* Origins::find(uint32_t number) const {
  auto at = by_number_.lower_bound(number);
  if (at == by_number_.end() || at->first != number) {
    if (at == by_number_.begin()) return nullptr;
    --at;
  }
  const PolicyPlace& place = *at->second;
  const uint32_t entry = number - place.first;
  return entry < place.entries->size() ? &(*place.entries)[entry] : nullptr;
}

const PolicyPlace* Origins::of(const kube::ObjectKey& policy) const {
  const auto found = policies_.find(policy);
  return found == policies_.end() ? nullptr : found->second.get();
}

bool Origins::operator==(const Origins& other) const {
  return policies_.size() == other.policies_.size() &&
         std::equal(policies_.begin(), policies_.end(), other.policies_.begin(),
                    [](const auto& a, const auto& b) {
                      return a.first == b.first && (a.second == b.second || *a.second == *b.second);
                    });
}

uint32_t Origins::set(const kube::ObjectKey& policy, PolicyPlace place) {
  const PolicyPlace* before = of(policy);
  const size_t entries = place.entries->size();
  if (before != nullptr && before->entries->size() == entries) {
    place.first = before->first;
  } else {
    place.first = next_;
    next_ += static_cast<uint32_t>(entries);
  }
  if (before != nullptr && *before == place) return place.first;
  forget(policy);
  const uint32_t first = place.first;
  entries_ += entries;
  acl_rules_ += place.acl_rules;
  auto put = std::make_shared<const PolicyPlace>(std::move(place));
  if (entries != 0) by_number_.emplace(first, put);
  if (!put->fails_closed.empty()) failing_.emplace(policy, put);
  policies_.emplace(policy, std::move(put));
  return first;
}

void Origins::forget(const kube::ObjectKey& policy) {
  const auto found = policies_.find(policy);
  if (found == policies_.end()) return;
  const PolicyPlace& place = *found->second;
  entries_ -= place.entries->size();
  acl_rules_ -= place.acl_rules;
  if (!place.entries->empty()) by_number_.erase(place.first);
  if (!place.fails_closed.empty()) failing_.erase(policy);
  policies_.erase(policy);
}

}  // namespace rampart::compile
