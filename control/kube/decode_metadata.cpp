// SPDX-License-Identifier: Apache-2.0
#include "control/kube/decode_metadata.hpp"

#include <algorithm>
#include <array>

#include "control/kube/syntax.hpp"

namespace rampart::kube {
namespace {

/// What a refusal calls the object, as far as it can be told: it may be refused for its apiVersion.
void read_names(const JsonReader::Slot& kind, const JsonReader::Slot& metadata, Header& out) {
  std::string_view text;
  if (kind && kind->get(text) == simdjson::SUCCESS) out.kind = text;
  if (!metadata) return;
  if (metadata->at_key("name").get(text) == simdjson::SUCCESS) out.name = text;
  if (metadata->at_key("namespace").get(text) == simdjson::SUCCESS) out.ns = text;
}

}  // namespace

std::string_view Header::group() const {
  const size_t slash = api_version.find('/');
  return slash == std::string_view::npos ? std::string_view{} : api_version.substr(0, slash);
}

bool read_header(JsonReader& reader, JsonReader::Element element, const Header& given,
                 Header& out) {
  JsonReader::Slot api_version, kind, metadata, ns, name;
  out.api_version = given.api_version;
  out.kind = given.kind;
  const bool read = reader.members(element, {{"apiVersion", &api_version},
                                             {"kind", &kind},
                                             {"metadata", &metadata},
                                             {"spec", &out.spec},
                                             {"status", &out.status}});
  read_names(kind, metadata, out);
  if (!read) return false;
  {
    const JsonReader::Step step(reader, "apiVersion");
    if (api_version && !reader.string(*api_version, out.api_version)) return false;
    if (out.api_version.empty()) return reader.fail("is required", Fault::kMissing);
  }
  {
    const JsonReader::Step step(reader, "kind");
    if (kind && !reader.string(*kind, out.kind)) return false;
    if (out.kind.empty()) return reader.fail("is required", Fault::kMissing);
  }
  if (!metadata) return true;
  const JsonReader::Step step(reader, "metadata");
  if (!reader.members(*metadata, {{"name", &name}, {"namespace", &ns}, {"labels", &out.labels}})) {
    return false;
  }
  if (name) {
    const JsonReader::Step inner(reader, "name");
    if (!reader.string(*name, out.name)) return false;
  }
  if (ns) {
    const JsonReader::Step inner(reader, "namespace");
    if (!reader.string(*ns, out.ns)) return false;
  }
  return true;
}

bool is_list(JsonReader::Element element, const Header& header) {
  static constexpr std::array<std::string_view, 5> kKinds{"List", "NamespaceList", "NodeList",
                                                          "PodList", "NetworkPolicyList"};
  if (std::find(kKinds.begin(), kKinds.end(), header.kind) != kKinds.end()) return true;
  return header.kind.ends_with("List") && element.at_key("items").error() == simdjson::SUCCESS;
}

bool read_labels(JsonReader& reader, const JsonReader::Slot& labels, Labels& out) {
  out.clear();
  if (!labels) return true;
  const JsonReader::Step step(reader, "labels");
  simdjson::dom::object fields;
  if (!reader.object(*labels, fields)) return false;
  out.reserve(fields.size());
  for (const auto& [key, value] : fields) {
    const auto entry = JsonReader::Step::entry(reader, key);
    std::string text;
    if ((!reader.check(check_label_key(key), Fault::kLabel) || !reader.string(value, text) ||
         !reader.check(check_label_value(text), Fault::kLabel)) &&
        !reader.resume()) {
      return false;
    }
    out.emplace_back(key, std::move(text));
  }
  std::sort(out.begin(), out.end());
  const auto twice = std::adjacent_find(
      out.begin(), out.end(), [](const auto& a, const auto& b) { return a.first == b.first; });
  if (twice == out.end()) return true;
  const auto entry = JsonReader::Step::entry(reader, twice->first);
  return reader.fail("stands there twice", Fault::kTwice);
}

void set_label(Labels& labels, std::string_view key, std::string_view value) {
  const auto place = std::lower_bound(
      labels.begin(), labels.end(), key,
      [](const auto& label, std::string_view k) { return std::string_view(label.first) < k; });
  if (place != labels.end() && place->first == key) {
    place->second = value;
  } else {
    labels.emplace(place, key, value);
  }
}

}  // namespace rampart::kube
