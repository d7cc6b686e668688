// SPDX-License-Identifier: Apache-2.0
#include "control/kube/decode.hpp"

#include <utility>

#include "control/kube/json_reader.hpp"
#include "control/kube/object_sink.hpp"

namespace rampart::kube {
namespace {

using Element = JsonReader::Element;
using Step = JsonReader::Step;

class SnapshotReader {
 public:
  explicit SnapshotReader(const Limits& limits) : limits_(limits) {}

  /// `place` names the element in the input for objects without a usable name; empty at the top.
  bool read(Element element, const Header& given, const std::string& place);
  Decoded finish() && {
    sink_.settle_namespaces();
    return Decoded{std::move(state_), sink_.skipped()};
  }
  Refusal&& refusal() && { return std::move(refusal_); }

 private:
  bool read_list(Element element, const Header& header, const std::string& place);
  bool refuse(JsonReader&& reader, const Header& header, const std::string& place);

  const Limits limits_;
  ClusterState state_;
  ObjectSink sink_{state_, ObjectSink::Existing::kRefuse};
  size_t objects_ = 0;
  Refusal refusal_;
};

bool SnapshotReader::refuse(JsonReader&& reader, const Header& header, const std::string& place) {
  refusal_ = std::move(reader).refusal();
  refusal_.kind = header.kind;
  refusal_.object = header.name.empty() ? place : header.key().text();
  return false;
}

bool SnapshotReader::read(Element element, const Header& given, const std::string& place) {
  JsonReader reader;
  Header header;
  if (!read_header(reader, element, given, header)) {
    return refuse(std::move(reader), header, place);
  }
  if (is_list(element, header)) return read_list(element, header, place);
  if (header.kind == "Status") {
    const Step step(reader, "kind");
    reader.fail("an API server's error answer is no desired state");
    return refuse(std::move(reader), header, place);
  }
  if (place.empty() && classify(header) == ObjectClass::kSkipped) {
    const Step step(reader, "kind");
    reader.fail("alone is no desired state");
    return refuse(std::move(reader), header, place);
  }
  if (++objects_ > limits_.objects) {
    reader.fail("more than " + std::to_string(limits_.objects) + " objects", Fault::kValue,
                ErrorCode::kTooLarge);
    return refuse(std::move(reader), header, place);
  }
  return sink_.put(reader, element, header) || refuse(std::move(reader), header, place);
}

bool SnapshotReader::read_list(Element element, const Header& header, const std::string& place) {
  JsonReader reader;
  JsonReader::Slot items, metadata, more;
  if (!reader.members(element, {{"items", &items}, {"metadata", &metadata}})) {
    return refuse(std::move(reader), header, place);
  }
  if (metadata) {
    const Step step(reader, "metadata");
    if (!reader.members(*metadata, {{"continue", &more}})) {
      return refuse(std::move(reader), header, place);
    }
    std::string_view token;
    const Step inner(reader, "continue");
    if (more && (!reader.string(*more, token) ||
                 (!token.empty() && !reader.fail("the list is incomplete: it has more pages")))) {
      return refuse(std::move(reader), header, place);
    }
  }
  Header given;
  if (header.kind != "List") {
    given.api_version = header.api_version;
    given.kind = header.kind.substr(0, header.kind.size() - std::string_view("List").size());
    if (place.empty() && classify(given) == ObjectClass::kSkipped) {
      const Step step(reader, "kind");
      reader.fail("alone is no desired state");
      return refuse(std::move(reader), header, place);
    }
  }
  const Step step(reader, "items");
  if (!items) {
    // Go writes an empty list of a typed list as null.
    if (element.at_key("items").error() == simdjson::SUCCESS) return true;
    reader.fail("is required");
    return refuse(std::move(reader), header, place);
  }
  simdjson::dom::array list;
  if (!reader.array(*items, list)) return refuse(std::move(reader), header, place);
  size_t index = 0;
  for (const auto item : list) {
    const std::string where = "items[" + std::to_string(index++) + "]";
    if (!read(item, given, place.empty() ? where : place + "." + where)) return false;
  }
  return true;
}

}  // namespace

Checked<Decoded> decode_snapshot(std::string_view json, const Limits& limits) {
  simdjson::dom::parser parser;
  const auto root = parse_json(parser, json, limits.bytes, limits.depth);
  if (!root) return root.error();
  SnapshotReader reader(limits);
  if (!reader.read(*root, Header{}, {})) return std::move(reader).refusal();
  return std::move(reader).finish();
}

}  // namespace rampart::kube
