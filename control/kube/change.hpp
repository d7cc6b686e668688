// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <set>
#include <string>
#include <variant>
#include <vector>

#include "control/kube/decode.hpp"
#include "control/kube/model.hpp"

namespace rampart::kube {

/// An object that comes, in the place of the one that had its key, or one that goes. It has been
/// checked, and knows nothing of the state that it will change.
struct Change {
  /// The key in the map of its kind.
  ObjectKey key;
  /// Null: it goes. A Namespace takes its content along.
  std::variant<std::shared_ptr<const Namespace>, std::shared_ptr<const Pod>,
               std::shared_ptr<const Node>, std::shared_ptr<const NetworkPolicy>,
               std::shared_ptr<const UnsupportedPolicy>>
      object;
};

/// What a batch of watch events changes, in their order.
struct Changes {
  std::vector<Change> list;
  std::vector<SkippedKind> skipped;  ///< by kind
};

/// Puts changes into a state, and in the end settles its namespaces.
class StateChanger {
 public:
  explicit StateChanger(ClusterState& state) : state_(state) {}

  /// Puts an object in, over the one that was there; an equal one stays.
  void apply(const Change& change);
  /// Puts an object in. False: one of that key is there.
  bool add(Change&& change);
  /// Adds the namespaces that only their content tells of, and drops those that lost it.
  void settle_namespaces();

 private:
  template <typename T>
  ClusterState::Objects<T>& map_of();
  void touch(const std::string& name);
  void remove_namespace(const std::string& name);

  ClusterState& state_;
  std::set<std::string> touched_;  ///< namespaces to settle
  const std::string* last_touched_ = nullptr;
};

/// The state that comes of `before`; objects that no change names are shared with it.
ClusterState changed(const ClusterState& before, const Changes& changes);

}  // namespace rampart::kube
