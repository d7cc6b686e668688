// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "control/kube/change.hpp"
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

/// Reads one object whose header has been read (with an empty path). `out` stays empty for a kind
/// that policy does not speak of. On failure `reader` has field and reason; kind and object are
/// header's.
bool read_object(JsonReader& reader, JsonReader::Element element, Header& header,
                 std::optional<Change>& out);
/// The same for an object that goes, of which the header is enough.
bool read_removal(JsonReader& reader, Header& header, std::optional<Change>& out);

/// Counts objects by kind.
class KindCounter {
 public:
  void add(std::string_view kind);
  std::vector<SkippedKind> counted() const;

 private:
  std::map<std::string, uint64_t, std::less<>> counts_;
};

/// Puts the objects of a snapshot into a ClusterState.
class ObjectSink {
 public:
  explicit ObjectSink(ClusterState& state) : changer_(state) {}

  /// read_object(), and stores what comes of it or counts it. An object that is there already is
  /// refused.
  bool put(JsonReader& reader, JsonReader::Element element, Header& header);
  /// Call it once, after the last object.
  void settle_namespaces() { changer_.settle_namespaces(); }
  std::vector<SkippedKind> skipped() const { return skipped_.counted(); }

 private:
  StateChanger changer_;
  KindCounter skipped_;
};

/// Checks metadata.name and metadata.namespace as the class demands, and fills in the default
/// namespace. For kSkipped nothing is checked but that apiVersion and kind are no misspelt ones.
bool check_names(JsonReader& reader, ObjectClass object_class, Header& header);

}  // namespace rampart::kube
