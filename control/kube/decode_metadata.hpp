// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "control/kube/json_reader.hpp"
#include "control/kube/model.hpp"

namespace rampart::kube {

/// What every object has: apiVersion, kind, metadata.
struct Header {
  std::string_view api_version;
  std::string_view kind;
  std::string ns;  ///< metadata.namespace as it stands there
  std::string name;
  JsonReader::Slot labels, spec, status;

  /// The part of apiVersion before '/'; empty for the core group.
  std::string_view group() const;
  ObjectKey key() const { return {ns, name}; }
};

/// Reads `element` as an object of any kind, so far as to tell which one it is. `given` holds the
/// apiVersion and kind that count where the element names none (items of typed lists). Names are
/// not checked. On failure `out` still has what can be told of kind and names, for the refusal.
bool read_header(JsonReader& reader, JsonReader::Element element, const Header& given, Header& out);

/// Whether an object holds others. A list that cannot be anything else is one without `items` too:
/// then it is refused, for an empty desired state lets everything pass and must not come about by
/// an omission.
bool is_list(JsonReader::Element element, const Header& header);

/// metav1.ObjectMeta.labels: syntax checked, sorted.
bool read_labels(JsonReader& reader, const JsonReader::Slot& labels, Labels& out);

/// Sets a label; replaces the value it had.
void set_label(Labels& labels, std::string_view key, std::string_view value);

inline constexpr std::string_view kNamespaceNameLabel = "kubernetes.io/metadata.name";

}  // namespace rampart::kube
