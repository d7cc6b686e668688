// SPDX-License-Identifier: Apache-2.0
#include "control/kube/decode.hpp"

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "control/kube/json_reader.hpp"
#include "control/kube/object_sink.hpp"
#include "control/kube/snapshot_decoder.hpp"
#include "control/kube/value_scanner.hpp"

namespace rampart::kube {
namespace {

using Element = JsonReader::Element;
using Step = JsonReader::Step;
using Padding = JsonPadding;

std::string item_place(size_t index) {
  return "items[" + std::to_string(index) + "]";
}

/// What a list says of its items. A v1 List says nothing.
Header given_by(const Header& list) {
  Header given;
  constexpr std::string_view kList = "List";
  if (list.kind == kList || !list.kind.ends_with(kList)) return given;
  given.api_version = list.api_version;
  given.kind = list.kind.substr(0, list.kind.size() - kList.size());
  return given;
}

bool names_its_kind(Element item) {
  std::string_view text;
  return item.at_key("apiVersion").get(text) == simdjson::SUCCESS &&
         item.at_key("kind").get(text) == simdjson::SUCCESS;
}

/// With room behind it for simdjson.
std::string padded(std::string_view text) {
  std::string copy;
  copy.reserve(text.size() + simdjson::SIMDJSON_PADDING);
  return copy.append(text);
}

std::string too_long(size_t bytes, const Limits& limits) {
  return "the JSON has " + std::to_string(bytes) + " bytes, the limit is " +
         std::to_string(limits.bytes);
}

/// The elements of a list that have been read already, and those that wait for what the list says
/// of them.
struct Streamed {
  struct Waiting {
    size_t index;
    std::string text;
  };
  std::vector<Waiting> waiting;
};

class SnapshotReader {
 public:
  explicit SnapshotReader(const Limits& limits) : limits_(limits) {}

  /// `place` names the element in the input for objects without a usable name; empty at the top.
  bool read(Element element, const Header& given, const std::string& place);
  /// Parses and reads the text of one item of the outermost list.
  /// Without `given`, one that does not name its kind is left alone: then waits() is true. 64 bytes
  /// behind the text can be read.
  bool read_item(std::string_view text, size_t index, const Header* given);
  bool waits() const { return waits_; }
  /// Reads the outermost list, whose items have been taken out of it but for an empty object each.
  bool read_rest(Element element, const Streamed& streamed);
  /// Refuses the whole text; always false.
  bool refuse(Refusal refusal) {
    refusal_ = std::move(refusal);
    return false;
  }
  Decoded finish() && {
    sink_.settle_namespaces();
    return Decoded{std::move(state_), sink_.skipped()};
  }
  Refusal&& refusal() && { return std::move(refusal_); }

 private:
  bool read_list(Element element, const Header& header, const std::string& place,
                 const Streamed* streamed = nullptr);
  bool refuse(JsonReader&& reader, const Header& header, const std::string& place);

  const Limits limits_;
  ClusterState state_;
  ObjectSink sink_{state_};
  simdjson::dom::parser parser_;  ///< for items
  size_t objects_ = 0;
  bool waits_ = false;
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

bool SnapshotReader::read_list(Element element, const Header& header, const std::string& place,
                               const Streamed* streamed) {
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
  const Header given = given_by(header);
  if (header.kind != "List") {
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
    const size_t number = index++;
    if (streamed != nullptr && item.is_object()) continue;
    const std::string where = item_place(number);
    if (!read(item, given, place.empty() ? where : place + "." + where)) return false;
  }
  if (streamed == nullptr) return true;
  return std::all_of(
      streamed->waiting.begin(), streamed->waiting.end(),
      [&](const Streamed::Waiting& item) { return read_item(item.text, item.index, &given); });
}

bool SnapshotReader::read_item(std::string_view text, size_t index, const Header* given) {
  // An item lies two levels deep.
  const size_t depth = limits_.depth > 2 ? limits_.depth - 2 : 0;
  auto item = parse_json(parser_, text, limits_.bytes, depth, Padding::kThere);
  if (!item) {
    if (item.error().code == ErrorCode::kTooLarge) item.error().reason = too_deep(limits_.depth);
    item.error().object = item_place(index);
    return refuse(std::move(item).error());
  }
  waits_ = given == nullptr && !names_its_kind(*item);
  return waits_ || read(*item, given != nullptr ? *given : Header{}, item_place(index));
}

bool SnapshotReader::read_rest(Element element, const Streamed& streamed) {
  JsonReader reader;
  Header header;
  if (!read_header(reader, element, Header{}, header)) {
    return refuse(std::move(reader), header, {});
  }
  if (is_list(element, header)) return read_list(element, header, {}, &streamed);
  const Step step(reader, "kind");
  reader.fail("has items and is no list");
  return refuse(std::move(reader), header, {});
}

}  // namespace

/// Takes the items of the outermost list out of the text. What is left, with an empty object in the
/// place of each, is JSON if the whole is and the items are.
class SnapshotDecoder::Impl {
 public:
  explicit Impl(const Limits& limits) : limits_(limits), reader_(limits) {}

  void put(std::string_view piece) {
    bytes_ += piece.size();
    if (bytes_ > limits_.bytes && !refused_) {
      refused_ = !reader_.refuse({ErrorCode::kTooLarge, {}, {}, {}, too_long(bytes_, limits_)});
    }
    while (!piece.empty() && !refused_) {
      switch (where_) {
        case Where::kAround:
          piece.remove_prefix(around(piece));
          break;
        case Where::kBetween:
          piece.remove_prefix(between(piece));
          break;
        case Where::kWithin:
          piece.remove_prefix(within(piece));
          break;
      }
    }
  }

  Checked<Decoded> finish() {
    if (!refused_ && where_ == Where::kWithin) {
      refused_ = !reader_.refuse({ErrorCode::kInvalid,
                                  {},
                                  item_place(index_),
                                  {},
                                  "this is not JSON: the text ends within this item"});
    }
    if (refused_) return std::move(reader_).refusal();
    simdjson::dom::parser parser;
    const auto root = parse_json(parser, rest_, limits_.bytes, limits_.depth);
    if (!root) return root.error();
    if (!(streaming_ ? reader_.read_rest(*root, streamed_) : reader_.read(*root, Header{}, {}))) {
      return std::move(reader_).refusal();
    }
    return std::move(reader_).finish();
  }

 private:
  enum class Where : uint8_t {
    kAround,   ///< before and behind the items
    kBetween,  ///< in their list
    kWithin,   ///< in one of them
  };

  /// True: the byte is one of a string.
  bool skip_string(char c) {
    if (!in_string_) return c == '"' && (in_string_ = true);
    if (escaped_) {
      escaped_ = false;
    } else if (c == '\\') {
      escaped_ = true;
    } else if (c == '"') {
      in_string_ = false;
    }
    return true;
  }

  size_t around(std::string_view piece) {
    for (size_t i = 0; i < piece.size(); ++i) {
      const char c = piece[i];
      const bool begins = !in_string_ && c == '"';
      if (skip_string(c)) {
        if (depth_ != 1 || !in_key_place_) continue;
        if (begins) key_.clear();
        if (key_.size() <= kItems.size() + 1) key_ += c;
        continue;
      }
      if (c == '{' || c == '[') {
        if (c == '[' && depth_ == 1 && items_next_ && !streaming_) {
          rest_.append(piece.substr(0, i + 1));
          begin_items();
          return i + 1;
        }
        in_key_place_ = ++depth_ == 1 && c == '{';
      } else if (c == '}' || c == ']') {
        --depth_;
      } else if (depth_ == 1 && c == ',') {
        in_key_place_ = true;
        items_next_ = false;
      } else if (depth_ == 1 && c == ':') {
        items_next_ = in_key_place_ && key_ == kItems;
        in_key_place_ = false;
      }
    }
    rest_.append(piece);
    return piece.size();
  }

  /// What has been said so far of the list tells what its items are, unless it comes later.
  void begin_items() {
    streaming_ = true;
    where_ = Where::kBetween;
    const auto root = parse_json(before_items_, rest_ + "]}", limits_.bytes, limits_.depth);
    if (!root) return;
    JsonReader reader;
    Header header;
    if (!read_header(reader, *root, Header{}, header)) return;
    list_known_ = true;
    given_ = given_by(header);
  }

  size_t between(std::string_view piece) {
    for (size_t i = 0; i < piece.size(); ++i) {
      const char c = piece[i];
      if (skip_string(c)) continue;
      if (c == '{' || c == '[') {
        rest_.append(piece.substr(0, i)).append("{}");
        scanner_.begin();
        where_ = Where::kWithin;
        return i;
      }
      if (c == ',') ++index_;
      if (c == ']') {
        where_ = Where::kAround;
        rest_.append(piece.substr(0, i + 1));
        return i + 1;
      }
    }
    rest_.append(piece);
    return piece.size();
  }

  size_t within(std::string_view piece) {
    const size_t end = scanner_.find_end(piece);
    if (end == ValueScanner::kNotYet) {
      item_.append(piece);
      return piece.size();
    }
    where_ = Where::kBetween;
    // simdjson reads a little beyond the end; most items have the next one there.
    if (item_.empty() && end + simdjson::SIMDJSON_PADDING <= piece.size()) {
      read_item(piece.substr(0, end));
      return end;
    }
    item_.append(piece.substr(0, end));
    item_.reserve(item_.size() + simdjson::SIMDJSON_PADDING);
    read_item(item_);
    item_.clear();
    return end;
  }

  void read_item(std::string_view text) {
    if (!reader_.read_item(text, index_, list_known_ ? &given_ : nullptr)) {
      refused_ = true;
    } else if (reader_.waits()) {
      streamed_.waiting.push_back({index_, padded(text)});
    }
  }

  static constexpr std::string_view kItems = "\"items\"";

  const Limits limits_;
  SnapshotReader reader_;
  bool refused_ = false;
  size_t bytes_ = 0;
  Where where_ = Where::kAround;
  std::string rest_;  ///< all but the items

  // Around the items.
  bool in_string_ = false, escaped_ = false;
  size_t depth_ = 0;
  bool in_key_place_ = false;  ///< a string at depth 1 is a key here
  std::string key_;            ///< the latest at depth 1, with its quotes; cut off if it is longer
  bool items_next_ = false;

  // The items.
  bool streaming_ = false;
  simdjson::dom::parser before_items_;  ///< holds what given_ refers to
  bool list_known_ = false;
  Header given_;
  Streamed streamed_;
  ValueScanner scanner_;
  std::string item_;  ///< what has come of it in pieces before
  size_t index_ = 0;
};

SnapshotDecoder::SnapshotDecoder(const Limits& limits) : impl_(std::make_unique<Impl>(limits)) {}
SnapshotDecoder::~SnapshotDecoder() = default;

void SnapshotDecoder::put(std::string_view piece) {
  impl_->put(piece);
}

Checked<Decoded> SnapshotDecoder::finish() && {
  return impl_->finish();
}

Checked<Decoded> decode_snapshot(std::string_view json, const Limits& limits) {
  SnapshotDecoder decoder(limits);
  decoder.put(json);
  return std::move(decoder).finish();
}

}  // namespace rampart::kube
