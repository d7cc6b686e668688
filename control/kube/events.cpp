// SPDX-License-Identifier: Apache-2.0
#include "control/kube/events.hpp"

#include <optional>
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

/// Whether an event was of an object at all.
enum class Seen : uint8_t { kNothing, kObject };

/// One event. `header` tells the caller which object it was about.
bool read_event(JsonReader& reader, Element event, Header& header, Seen& seen,
                std::optional<Change>& change) {
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
  seen = Seen::kObject;
  return type == "DELETED" ? read_removal(reader, header, change)
                           : read_object(reader, *object, header, change);
}

}  // namespace

class EventsDecoder::Impl {
 public:
  explicit Impl(const Limits& limits) : limits_(limits) {}

  void put(std::string_view piece) {
    bytes_ += piece.size();
    if (bytes_ > limits_.bytes && !refusal_) {
      refusal_ = Refusal{ErrorCode::kTooLarge,
                         {},
                         {},
                         {},
                         "the events have " + std::to_string(bytes_) + " bytes, the limit is " +
                             std::to_string(limits_.bytes)};
    }
    while (!piece.empty() && !refusal_) {
      const size_t end = piece.find('\n');
      if (end == std::string_view::npos) {
        line_.append(piece);
        return;
      }
      // simdjson reads a little beyond the end; most lines have the next one there.
      if (line_.empty() && end + simdjson::SIMDJSON_PADDING <= piece.size()) {
        read_line(piece.substr(0, end));
      } else {
        line_.append(piece.substr(0, end));
        read_kept_line();
      }
      piece.remove_prefix(end + 1);
    }
  }

  Checked<Changes> finish() {
    if (!refusal_ && !line_.empty()) read_kept_line();
    if (refusal_) return *std::move(refusal_);
    changes_.skipped = skipped_.counted();
    return std::move(changes_);
  }

 private:
  void read_kept_line() {
    line_.reserve(line_.size() + simdjson::SIMDJSON_PADDING);
    read_line(line_);
    line_.clear();
  }

  void read_line(std::string_view line) {
    ++number_;
    if (is_blank(line)) return;
    const auto place = [this] { return "line " + std::to_string(number_); };
    if (++events_ > limits_.objects) {
      refusal_ = Refusal{ErrorCode::kTooLarge,
                         {},
                         place(),
                         {},
                         "more than " + std::to_string(limits_.objects) + " events"};
      return;
    }
    // In a list, where it will stand when it is written out, an object lies one level deeper.
    auto event = parse_json(parser_, line, limits_.bytes, limits_.depth - 1, JsonPadding::kThere);
    if (!event) {
      event.error().object = place();
      refusal_ = std::move(event).error();
      return;
    }
    JsonReader reader;
    Header header;
    Seen seen = Seen::kNothing;
    std::optional<Change> change;
    if (!read_event(reader, *event, header, seen, change)) {
      refusal_ = std::move(reader).refusal();
      refusal_->kind = header.kind;
      refusal_->object = header.name.empty() ? place() : header.key().text() + " (" + place() + ")";
    } else if (change) {
      changes_.list.push_back(*std::move(change));
    } else if (seen == Seen::kObject) {
      skipped_.add(header.kind);
    }
  }

  const Limits limits_;
  simdjson::dom::parser parser_;
  std::optional<Refusal> refusal_;
  Changes changes_;
  KindCounter skipped_;
  std::string line_;  ///< what has come of it in pieces before
  size_t bytes_ = 0, number_ = 0, events_ = 0;
};

EventsDecoder::EventsDecoder(const Limits& limits) : impl_(std::make_unique<Impl>(limits)) {}
EventsDecoder::~EventsDecoder() = default;

void EventsDecoder::put(std::string_view piece) {
  impl_->put(piece);
}

Checked<Changes> EventsDecoder::finish() && {
  return impl_->finish();
}

Checked<Decoded> apply_events(const ClusterState& before, std::string_view lines,
                              const Limits& limits) {
  EventsDecoder decoder(limits);
  decoder.put(lines);
  auto changes = std::move(decoder).finish();
  if (!changes) return std::move(changes).error();
  return Decoded{changed(before, *changes), std::move(changes->skipped)};
}

}  // namespace rampart::kube
