// SPDX-License-Identifier: Apache-2.0
#include "control/kube/model.hpp"

#include <algorithm>

namespace rampart::kube {
namespace {

bool holds(const LabelRequirement& requirement, const Labels& labels) {
  const std::string* value = find_label(labels, requirement.key);
  const auto listed = [&] {
    return std::binary_search(requirement.values.begin(), requirement.values.end(), *value);
  };
  switch (requirement.op) {
    case LabelRequirement::Op::kIn:
      return value != nullptr && listed();
    case LabelRequirement::Op::kNotIn:
      return value == nullptr || !listed();
    case LabelRequirement::Op::kExists:
      return value != nullptr;
    case LabelRequirement::Op::kDoesNotExist:
      return value == nullptr;
  }
  return false;
}

/// Whether two maps hold equal objects under equal keys.
template <typename T>
bool same_objects(const ClusterState::Objects<T>& a, const ClusterState::Objects<T>& b) {
  if (a.size() != b.size()) return false;
  bool equal = true;
  ClusterState::Objects<T>::for_each_difference(
      a, b,
      [&](const ObjectKey&, const std::shared_ptr<const T>* x, const std::shared_ptr<const T>* y) {
        equal = x != nullptr && y != nullptr && **x == **y;
        return equal;
      });
  return equal;
}

}  // namespace

const std::string* find_label(const Labels& labels, std::string_view key) {
  const auto found =
      std::lower_bound(labels.begin(), labels.end(), key,
                       [](const auto& label, std::string_view k) { return label.first < k; });
  return found != labels.end() && found->first == key ? &found->second : nullptr;
}

bool LabelSelector::matches(const Labels& labels) const {
  return std::all_of(requirements.begin(), requirements.end(),
                     [&](const LabelRequirement& r) { return holds(r, labels); });
}

bool IpBlock::contains(const IpAddress& a) const {
  return cidr.contains(a) && std::none_of(except.begin(), except.end(),
                                          [&](const IpPrefix& e) { return e.contains(a); });
}

bool same(const ClusterState& a, const ClusterState& b) {
  return same_objects(a.namespaces, b.namespaces) && same_objects(a.pods, b.pods) &&
         same_objects(a.nodes, b.nodes) && same_objects(a.policies, b.policies) &&
         same_objects(a.unsupported, b.unsupported);
}

}  // namespace rampart::kube
