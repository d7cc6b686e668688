// SPDX-License-Identifier: Apache-2.0
#include "control/compile/groups.hpp"

#include <algorithm>
#include <utility>

namespace rampart::compile {

size_t VectorHash::operator()(const std::vector<uint32_t>& words) const noexcept {
  constexpr uint64_t kMix = 0x9E3779B97F4A7C15;
  uint64_t hash = words.size();
  for (const uint32_t word : words) {
    hash = (hash ^ word) * kMix;
    hash ^= hash >> 29;
  }
  return hash;
}

uint32_t Groups::add(uint32_t ns, std::vector<Label> labels, std::vector<NamedPort> ports) {
  std::vector<uint32_t> row{ns, static_cast<uint32_t>(labels.size())};
  row.reserve(row.size() + 2 * (labels.size() + ports.size()));
  for (const Label& label : labels) row.insert(row.end(), {label.key, label.value});
  for (const NamedPort& port : ports) row.insert(row.end(), {port.name, port.number});
  const auto [entry, added] = known_.try_emplace(std::move(row), size());
  if (added) {
    if (of_namespace_.size() <= ns) of_namespace_.resize(ns + 1);
    of_namespace_[ns].push_back(size());
    ns_.push_back(ns);
    ports_.push_back(std::move(ports));
    index_.add(std::move(labels));
  }
  return entry->second;
}

bool Groups::has(uint32_t group, NamedPort port) const {
  return std::binary_search(ports_[group].begin(), ports_[group].end(), port);
}

std::vector<uint32_t> Groups::select_in(uint32_t ns, const Selector& selector) const {
  std::vector<uint32_t> found;
  const std::vector<uint32_t>& all = of_namespace(ns);
  const std::vector<uint32_t>* some = index_.candidates(selector);
  const auto& shorter = some != nullptr && some->size() < all.size() ? *some : all;
  for (const uint32_t group : shorter) {
    if (ns_[group] == ns && index_.matches(selector, group)) found.push_back(group);
  }
  return found;
}

}  // namespace rampart::compile
