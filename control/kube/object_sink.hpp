// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "control/kube/decode.hpp"
#include "control/kube/decode_metadata.hpp"

namespace rampart::kube {

/// What an object means to us.
enum class ObjectClass : uint8_t {
  kNamespace,
  kPod,
  kNode,
  kPolicy,
  kUnsupportedPolicy,  ///< restricts traffic, and we do not enforce it
  kSkipped,            ///< nothing that policy speaks of
};

ObjectClass classify(const Header& header);

/// Puts decoded objects into a ClusterState. Shared by snapshots and events.
class ObjectSink {
 public:
  enum class Existing : uint8_t { kRefuse, kReplace };

  ObjectSink(ClusterState& state, Existing existing) : state_(state), existing_(existing) {}

  /// Reads one object whose header has been read (with an empty path) and stores or counts it.
  /// On failure `reader` has field and reason; kind and object are header's.
  bool put(JsonReader& reader, JsonReader::Element element, Header& header);
  /// Removes the object with that header, if it is there; a Namespace with all its content.
  bool remove(JsonReader& reader, Header& header);
  /// Adds the namespaces that only their content tells of, and drops those that lost it. Call it
  /// once, after the last object.
  void settle_namespaces();

  std::vector<SkippedKind> skipped() const;

 private:
  template <typename T, typename Map>
  bool store(JsonReader& reader, Map& map, ObjectKey key, T object);
  void remove_namespace(const std::string& name);

  ClusterState& state_;
  const Existing existing_;
  std::map<std::string, uint64_t, std::less<>> skipped_;
  std::set<std::string> touched_;  ///< namespaces to settle
};

/// Checks metadata.name and metadata.namespace as the class demands, and fills in the default
/// namespace. For kSkipped nothing is checked but that apiVersion and kind are no misspelt ones.
bool check_names(JsonReader& reader, ObjectClass object_class, Header& header);

}  // namespace rampart::kube
