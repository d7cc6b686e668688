// SPDX-License-Identifier: Apache-2.0
#include "control/kube/change.hpp"

#include <type_traits>
#include <utility>

#include "control/kube/decode_metadata.hpp"

namespace rampart::kube {
namespace {

/// Whether a map of namespaced objects holds any of that namespace.
template <typename T>
bool any_in(const ClusterState::Objects<T>& map, const std::string& ns) {
  const auto first = map.lower_bound(ObjectKey{ns, {}});
  return first != map.end() && first->first.ns == ns;
}

template <typename T>
void erase_all_in(ClusterState::Objects<T>& map, const std::string& ns) {
  auto next = map.lower_bound(ObjectKey{ns, {}});
  while (next != map.end() && next->first.ns == ns) next = map.erase(next);
}

std::shared_ptr<const Namespace> implied_namespace(const std::string& name) {
  Namespace made{name, {}, true};
  set_label(made.labels, kNamespaceNameLabel, name);
  return std::make_shared<const Namespace>(std::move(made));
}

}  // namespace

template <typename T>
ClusterState::Objects<T>& StateChanger::map_of() {
  if constexpr (std::is_same_v<T, Namespace>) {
    return state_.namespaces;
  } else if constexpr (std::is_same_v<T, Pod>) {
    return state_.pods;
  } else if constexpr (std::is_same_v<T, Node>) {
    return state_.nodes;
  } else if constexpr (std::is_same_v<T, NetworkPolicy>) {
    return state_.policies;
  } else {
    return state_.unsupported;
  }
}

void StateChanger::touch(const std::string& name) {
  // Content of a namespace comes in a row.
  if (last_touched_ == nullptr || *last_touched_ != name) {
    last_touched_ = &*touched_.insert(name).first;
  }
}

void StateChanger::apply(const Change& change) {
  std::visit(
      [&]<typename T>(const std::shared_ptr<const T>& object) {
        auto& map = map_of<T>();
        constexpr bool kContent = std::is_same_v<T, Pod> || std::is_same_v<T, NetworkPolicy>;
        if (object == nullptr) {
          if constexpr (std::is_same_v<T, Namespace>) {
            remove_namespace(change.key.name);
          } else {
            map.erase(change.key);
          }
          if constexpr (kContent) touch(change.key.ns);
          return;
        }
        // An object that says what it said before is the one that was there.
        const auto there = map.find(change.key);
        if (there == map.end()) {
          map.emplace(change.key, object);
          // What takes the place of content is not the first of its namespace.
          if constexpr (kContent) touch(change.key.ns);
        } else if (!(*there->second == *object)) {
          map.assign(there, object);
        }
      },
      change.object);
}

bool StateChanger::add(Change&& change) {
  return std::visit(
      [&]<typename T>(std::shared_ptr<const T>& object) {
        constexpr bool kContent = std::is_same_v<T, Pod> || std::is_same_v<T, NetworkPolicy>;
        if constexpr (kContent) touch(change.key.ns);
        return map_of<T>().emplace(std::move(change.key), std::move(object)).second;
      },
      change.object);
}

void StateChanger::remove_namespace(const std::string& name) {
  state_.namespaces.erase(ObjectKey{{}, name});
  erase_all_in(state_.pods, name);
  erase_all_in(state_.policies, name);
  erase_if(state_.unsupported, [&](const auto& entry) { return entry.second->ns == name; });
}

void StateChanger::settle_namespaces() {
  for (const std::string& name : touched_) {
    const bool has_content = any_in(state_.pods, name) || any_in(state_.policies, name);
    const ObjectKey key{{}, name};
    const auto found = state_.namespaces.find(key);
    if (found == state_.namespaces.end()) {
      if (has_content) state_.namespaces.emplace(key, implied_namespace(name));
    } else if (found->second->implied && !has_content) {
      state_.namespaces.erase(found);
    }
  }
}

ClusterState changed(const ClusterState& before, const Changes& changes) {
  ClusterState state = before;
  StateChanger changer(state);
  for (const Change& change : changes.list) changer.apply(change);
  changer.settle_namespaces();
  return state;
}

}  // namespace rampart::kube
