// SPDX-License-Identifier: Apache-2.0
#include "control/kube/events.hpp"

#include <string>
#include <utility>

#include "control/kube/json_reader.hpp"
#include "control/kube/object_sink.hpp"

namespace rampart::kube {
namespace {

using Element = JsonReader::Element;
using Step = JsonReader::Step;

bool is_blank(std::string_view line) {
  return line.find_first_not_of(" \t\r") == std::string_view::npos;
}

/// ERROR carries a metav1.Status; what it says is the reason.
bool refuse_error_event(JsonReader& reader, const JsonReader::Slot& status) {
  std::string_view message;
  if (status) {
    if (status->at_key("message").get(message) != simdjson::SUCCESS) message = "no message";
  }
  return reader.fail("the watch failed: " + std::string(message.substr(0, 500)));
}

/// One event. `header` tells the caller which object it was about.
bool apply_event(JsonReader& reader, Element event, ObjectSink& sink, Header& header) {
  JsonReader::Slot type_slot, object;
  if (!reader.members(event, {{"type", &type_slot}, {"object", &object}})) return false;
  std::string_view type;
  {
    const Step step(reader, "type");
    if (!type_slot) return reader.fail("is required");
    if (!reader.string(*type_slot, type)) return false;
    if (type == "BOOKMARK") return true;
    if (type == "ERROR") return refuse_error_event(reader, object);
    if (type != "ADDED" && type != "MODIFIED" && type != "DELETED") {
      return reader.fail("must be ADDED, MODIFIED, DELETED, BOOKMARK or ERROR");
    }
  }
  if (!object) {
    const Step step(reader, "object");
    return reader.fail("is required");
  }
  if (!read_header(reader, *object, Header{}, header)) return false;
  if (is_list(*object, header) || header.kind == "Status") {
    const Step step(reader, "kind");
    return reader.fail("an event carries one object");
  }
  return type == "DELETED" ? sink.remove(reader, header) : sink.put(reader, *object, header);
}

}  // namespace

Checked<Decoded> apply_events(const ClusterState& before, std::string_view lines,
                              const Limits& limits) {
  if (lines.size() > limits.bytes) {
    return Refusal{ErrorCode::kTooLarge,
                   {},
                   {},
                   {},
                   "the events have " + std::to_string(lines.size()) + " bytes, the limit is " +
                       std::to_string(limits.bytes)};
  }
  Decoded result{before, {}};
  ObjectSink sink(result.state, ObjectSink::Existing::kReplace);
  simdjson::dom::parser parser;
  size_t number = 0, events = 0;
  while (!lines.empty()) {
    const size_t end = lines.find('\n');
    const std::string_view line = lines.substr(0, end);
    lines.remove_prefix(end == std::string_view::npos ? lines.size() : end + 1);
    ++number;
    if (is_blank(line)) continue;
    const std::string place = "line " + std::to_string(number);
    if (++events > limits.objects) {
      return Refusal{ErrorCode::kTooLarge,
                     {},
                     place,
                     {},
                     "more than " + std::to_string(limits.objects) + " events"};
    }
    // In a list, where it will stand when it is written out, an object lies one level deeper.
    auto event = parse_json(parser, line, limits.bytes, limits.depth - 1);
    if (!event) {
      event.error().object = place;
      return std::move(event).error();
    }
    JsonReader reader;
    Header header;
    if (apply_event(reader, *event, sink, header)) continue;
    Refusal refusal = std::move(reader).refusal();
    refusal.kind = header.kind;
    refusal.object = header.name.empty() ? place : header.key().text() + " (" + place + ")";
    return refusal;
  }
  sink.settle_namespaces();
  result.skipped = sink.skipped();
  return result;
}

}  // namespace rampart::kube
