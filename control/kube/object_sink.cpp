// SPDX-License-Identifier: Apache-2.0
#include "control/kube/object_sink.hpp"

#include <algorithm>
#include <array>
#include <memory>
#include <nlohmann/json.hpp>
#include <utility>

#include "control/kube/decode_objects.hpp"
#include "control/kube/syntax.hpp"

namespace rampart::kube {
namespace {

using Step = JsonReader::Step;

/// Kinds of Calico that restrict traffic or that its policies refer to.
bool is_calico_policy(std::string_view kind) {
  static constexpr std::array<std::string_view, 3> kKinds{"NetworkSet", "GlobalNetworkSet", "Tier"};
  return kind.starts_with("Staged") ||
         std::find(kKinds.begin(), kKinds.end(), kind) != kKinds.end();
}

bool same_letters(std::string_view a, std::string_view b) {
  const auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c | 0x20) : c; };
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [&](char x, char y) { return lower(x) == lower(y); });
}

/// The kind of ours that has these letters in another case; empty: there is none. No API server
/// knows such a kind, and to skip it would lose a policy over a typing error.
std::string_view meant_kind(const Header& header) {
  static constexpr std::array<std::pair<std::string_view, std::string_view>, 4> kKinds{
      {{"v1", "Namespace"},
       {"v1", "Node"},
       {"v1", "Pod"},
       {"networking.k8s.io/v1", "NetworkPolicy"}}};
  for (const auto& [api_version, kind] : kKinds) {
    if (header.api_version == api_version && same_letters(header.kind, kind)) return kind;
  }
  return {};
}

/// {kind + "." + group, ns/name}: the key of the map of unsupported policies.
ObjectKey unsupported_key(const Header& header) {
  return {std::string(header.kind) + "." + std::string(header.group()), header.key().text()};
}

std::string json_string(std::string_view text) {
  return nlohmann::json(text).dump();
}

/// The object as it came, minified, but always with apiVersion and kind: items of a typed list need
/// not have them, and it will stand in another list when it is written out.
std::string whole_text(JsonReader::Element element, const Header& header) {
  std::string out = R"({"apiVersion":)" + json_string(header.api_version) + R"(,"kind":)" +
                    json_string(header.kind);
  simdjson::dom::object fields;
  if (element.get(fields) == simdjson::SUCCESS) {
    for (const auto& [key, value] : fields) {
      if (key == "apiVersion" || key == "kind") continue;
      out += "," + json_string(key) + ":" + std::string(simdjson::minify(value));
    }
  }
  return out + "}";
}

}  // namespace

ObjectClass classify(const Header& header) {
  const std::string_view group = header.group(), kind = header.kind;
  if (header.api_version == "v1") {
    if (kind == "Namespace") return ObjectClass::kNamespace;
    if (kind == "Pod") return ObjectClass::kPod;
    if (kind == "Node") return ObjectClass::kNode;
  }
  if (kind == "NetworkPolicy" && header.api_version == "networking.k8s.io/v1") {
    return ObjectClass::kPolicy;
  }
  const bool calico = group == "projectcalico.org" || group == "crd.projectcalico.org";
  if (kind.find("NetworkPolicy") != std::string_view::npos || (calico && is_calico_policy(kind))) {
    return ObjectClass::kUnsupportedPolicy;
  }
  return ObjectClass::kSkipped;
}

bool check_names(JsonReader& reader, ObjectClass object_class, Header& header) {
  if (object_class == ObjectClass::kUnsupportedPolicy && header.group().empty()) {
    const Step step(reader, "apiVersion");
    return reader.fail("is not known for a policy; NetworkPolicy's is networking.k8s.io/v1",
                       Fault::kKind);
  }
  if (object_class == ObjectClass::kSkipped) {
    if (const auto meant = meant_kind(header); !meant.empty()) {
      const Step step(reader, "kind");
      return reader.fail("is not known; " + std::string(meant) + " is", Fault::kKind);
    }
    // Another version of the core group would hold pods that we cannot read: no ground to skip it.
    if (!header.group().empty() || header.api_version == "v1") return true;
    const Step step(reader, "apiVersion");
    return reader.fail("is not known; the core group's is v1", Fault::kKind);
  }
  const bool namespaced = object_class == ObjectClass::kPod || object_class == ObjectClass::kPolicy;
  const Step step(reader, "metadata");
  {
    const Step inner(reader, "name");
    if (header.name.empty()) return reader.fail("is required", Fault::kMissing);
    if (!reader.check(object_class == ObjectClass::kNamespace ? check_dns_label(header.name)
                                                              : check_dns_subdomain(header.name),
                      Fault::kName) &&
        !reader.resume()) {
      return false;
    }
  }
  if (object_class == ObjectClass::kNamespace || object_class == ObjectClass::kNode) {
    header.ns.clear();
  }
  if (namespaced && header.ns.empty()) header.ns = "default";
  if (header.ns.empty()) return true;
  const Step inner(reader, "namespace");
  return reader.check(check_dns_label(header.ns), Fault::kName);
}

namespace {

template <typename T>
bool made(bool read, ObjectKey key, std::shared_ptr<T> object, std::optional<Change>& out) {
  if (read) out = Change{std::move(key), std::shared_ptr<const T>(std::move(object))};
  return read;
}

}  // namespace

bool read_object(JsonReader& reader, JsonReader::Element element, Header& header,
                 std::optional<Change>& out) {
  const ObjectClass object_class = classify(header);
  if (!check_names(reader, object_class, header)) return false;
  switch (object_class) {
    case ObjectClass::kNamespace: {
      auto object = std::make_shared<Namespace>();
      object->name = header.name;
      return made(read_namespace(reader, header, *object), header.key(), object, out);
    }
    case ObjectClass::kPod: {
      auto object = std::make_shared<Pod>();
      object->ns = header.ns;
      object->name = header.name;
      return made(read_pod(reader, header, *object), header.key(), object, out);
    }
    case ObjectClass::kNode: {
      auto object = std::make_shared<Node>();
      object->name = header.name;
      return made(read_node(reader, header, *object), header.key(), object, out);
    }
    case ObjectClass::kPolicy: {
      auto object = std::make_shared<NetworkPolicy>();
      object->ns = header.ns;
      object->name = header.name;
      return made(read_policy(reader, header, *object), header.key(), object, out);
    }
    case ObjectClass::kUnsupportedPolicy:
      return made(true, unsupported_key(header),
                  std::make_shared<UnsupportedPolicy>(
                      UnsupportedPolicy{std::string(header.api_version), std::string(header.kind),
                                        header.ns, header.name, whole_text(element, header)}),
                  out);
    case ObjectClass::kSkipped:
      return true;
  }
  return true;
}

bool read_removal(JsonReader& reader, Header& header, std::optional<Change>& out) {
  const ObjectClass object_class = classify(header);
  if (!check_names(reader, object_class, header)) return false;
  switch (object_class) {
    case ObjectClass::kNamespace:
      out = Change{header.key(), std::shared_ptr<const Namespace>()};
      break;
    case ObjectClass::kPod:
      out = Change{header.key(), std::shared_ptr<const Pod>()};
      break;
    case ObjectClass::kNode:
      out = Change{header.key(), std::shared_ptr<const Node>()};
      break;
    case ObjectClass::kPolicy:
      out = Change{header.key(), std::shared_ptr<const NetworkPolicy>()};
      break;
    case ObjectClass::kUnsupportedPolicy:
      out = Change{unsupported_key(header), std::shared_ptr<const UnsupportedPolicy>()};
      break;
    case ObjectClass::kSkipped:
      break;
  }
  return true;
}

void KindCounter::add(std::string_view kind) {
  const auto found = counts_.find(kind);
  if (found != counts_.end()) {
    ++found->second;
  } else {
    counts_.emplace(kind, 1);
  }
}

std::vector<SkippedKind> KindCounter::counted() const {
  std::vector<SkippedKind> list;
  for (const auto& [kind, count] : counts_) list.push_back({kind, count});
  return list;
}

bool ObjectSink::put(JsonReader& reader, JsonReader::Element element, Header& header) {
  std::optional<Change> object;
  if (!read_object(reader, element, header, object)) return false;
  if (!object) {
    skipped_.add(header.kind);
    return true;
  }
  return changer_.add(*std::move(object)) || reader.fail("stands in the list twice", Fault::kTwice);
}

}  // namespace rampart::kube
