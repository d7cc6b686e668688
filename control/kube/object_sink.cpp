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

template <typename T, typename Map>
bool ObjectSink::store(JsonReader& reader, Map& map, ObjectKey key, T object) {
  auto shared = std::make_shared<const T>(std::move(object));
  if (existing_ == Existing::kReplace) {
    const auto there = map.find(key);
    // An object that says what it said before is the one that was there.
    if (there == map.end() || !(*there->second == *shared)) {
      map.insert_or_assign(std::move(key), std::move(shared));
    }
    return true;
  }
  return map.emplace(std::move(key), std::move(shared)).second ||
         reader.fail("stands in the list twice", Fault::kTwice);
}

bool ObjectSink::put(JsonReader& reader, JsonReader::Element element, Header& header) {
  const ObjectClass object_class = classify(header);
  if (!check_names(reader, object_class, header)) return false;
  switch (object_class) {
    case ObjectClass::kNamespace: {
      Namespace made{header.name, {}, false};
      return read_namespace(reader, header, made) &&
             store(reader, state_.namespaces, header.key(), std::move(made));
    }
    case ObjectClass::kPod: {
      Pod made;
      made.ns = header.ns;
      made.name = header.name;
      touched_.insert(header.ns);
      return read_pod(reader, header, made) &&
             store(reader, state_.pods, header.key(), std::move(made));
    }
    case ObjectClass::kNode: {
      Node made;
      made.name = header.name;
      return read_node(reader, header, made) &&
             store(reader, state_.nodes, header.key(), std::move(made));
    }
    case ObjectClass::kPolicy: {
      NetworkPolicy made;
      made.ns = header.ns;
      made.name = header.name;
      touched_.insert(header.ns);
      return read_policy(reader, header, made) &&
             store(reader, state_.policies, header.key(), std::move(made));
    }
    case ObjectClass::kUnsupportedPolicy:
      return store(reader, state_.unsupported, unsupported_key(header),
                   UnsupportedPolicy{std::string(header.api_version), std::string(header.kind),
                                     header.ns, header.name, whole_text(element, header)});
    case ObjectClass::kSkipped:
      ++skipped_[std::string(header.kind)];
      return true;
  }
  return true;
}

bool ObjectSink::remove(JsonReader& reader, Header& header) {
  const ObjectClass object_class = classify(header);
  if (!check_names(reader, object_class, header)) return false;
  switch (object_class) {
    case ObjectClass::kNamespace:
      remove_namespace(header.name);
      break;
    case ObjectClass::kPod:
      state_.pods.erase(header.key());
      touched_.insert(header.ns);
      break;
    case ObjectClass::kNode:
      state_.nodes.erase(header.key());
      break;
    case ObjectClass::kPolicy:
      state_.policies.erase(header.key());
      touched_.insert(header.ns);
      break;
    case ObjectClass::kUnsupportedPolicy:
      state_.unsupported.erase(unsupported_key(header));
      break;
    case ObjectClass::kSkipped:
      ++skipped_[std::string(header.kind)];
      break;
  }
  return true;
}

void ObjectSink::remove_namespace(const std::string& name) {
  state_.namespaces.erase(ObjectKey{{}, name});
  erase_all_in(state_.pods, name);
  erase_all_in(state_.policies, name);
  erase_if(state_.unsupported, [&](const auto& entry) { return entry.second->ns == name; });
}

void ObjectSink::settle_namespaces() {
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

std::vector<SkippedKind> ObjectSink::skipped() const {
  std::vector<SkippedKind> list;
  for (const auto& [kind, count] : skipped_) list.push_back({kind, count});
  return list;
}

}  // namespace rampart::kube
