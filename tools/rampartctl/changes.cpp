// SPDX-License-Identifier: Apache-2.0
#include "tools/rampartctl/changes.hpp"

#include <simdjson.h>

#include <type_traits>

namespace rampart::ctl {
namespace {

using Element = simdjson::dom::element;

template <typename T>
bool counts(const T& object) {
  if constexpr (std::is_same_v<T, kube::Namespace>) return !object.implied;
  return true;
}

std::string name_of(std::string_view kind, const kube::ObjectKey& key) {
  if (!kind.empty()) return std::string(kind) + " " + key.text();
  return key.ns + " " + key.name;  // unsupported kinds: the key's first half is kind.group
}

/// Both maps are sorted by key: one walk.
template <typename T>
void compare(const kube::ClusterState::Objects<T>& before,
             const kube::ClusterState::Objects<T>& after, std::string_view kind, Changes& changes) {
  for (const auto& [key, object] : after) {
    if (!counts(*object)) continue;
    const auto old = before.find(key);
    if (old == before.end() || !counts(*old->second)) {
      changes.added.push_back(name_of(kind, key));
    } else if (!(*old->second == *object)) {
      changes.changed.push_back(name_of(kind, key));
    }
  }
  for (const auto& [key, object] : before) {
    if (!counts(*object)) continue;
    const auto now = after.find(key);
    if (now == after.end() || !counts(*now->second)) changes.removed.push_back(name_of(kind, key));
  }
}

std::string_view string_at(Element element, std::string_view pointer) {
  std::string_view text;
  if (element.at_pointer(pointer).get(text) != simdjson::SUCCESS) return {};
  return text;
}

/// Whether `element`, or an item of it if it is a list, is the object looked for. `kind_of_items`
/// is what the items of a typed list are.
size_t occurrences(Element element, std::string_view kind, std::string_view name,
                   std::string_view kind_of_items) {
  std::string_view own = string_at(element, "/kind");
  if (own.empty()) own = kind_of_items;
  simdjson::dom::array items;
  if (own.ends_with("List") && element.at_key("items").get(items) == simdjson::SUCCESS) {
    size_t found = 0;
    for (const Element item : items) {
      if (item.is_object()) found += occurrences(item, kind, name, own.substr(0, own.size() - 4));
    }
    return found;
  }
  if (own != kind) return 0;
  const std::string_view ns = string_at(element, "/metadata/namespace");
  const std::string own_name(string_at(element, "/metadata/name"));
  const bool fits =
      name == own_name || name == std::string(ns.empty() ? "default" : ns) + "/" + own_name;
  return fits ? 1 : 0;
}

}  // namespace

Changes changes_between(const kube::ClusterState& before, const kube::ClusterState& after) {
  Changes changes;
  compare(before.namespaces, after.namespaces, "Namespace", changes);
  compare(before.nodes, after.nodes, "Node", changes);
  compare(before.pods, after.pods, "Pod", changes);
  compare(before.policies, after.policies, "NetworkPolicy", changes);
  compare(before.unsupported, after.unsupported, "", changes);
  return changes;
}

size_t object_count(const kube::ClusterState& state) {
  size_t count =
      state.pods.size() + state.nodes.size() + state.policies.size() + state.unsupported.size();
  for (const auto& [key, object] : state.namespaces) count += counts(*object) ? 1 : 0;
  return count;
}

std::string find_object(const std::vector<Document>& documents, std::string_view kind,
                        std::string_view name) {
  std::string places;
  simdjson::dom::parser parser;
  for (const Document& document : documents) {
    Element root;
    if (parser.parse(document.json).get(root) != simdjson::SUCCESS) continue;
    if (!root.is_object() || occurrences(root, kind, name, {}) == 0) continue;
    places += (places.empty() ? "" : " and ") + document.place();
  }
  return places;
}

}  // namespace rampart::ctl
