// SPDX-License-Identifier: Apache-2.0
#include "control/kube/json_reader.hpp"

#include <algorithm>

namespace rampart::kube {
namespace {

std::string_view type_name(simdjson::dom::element_type type) {
  using simdjson::dom::element_type;
  switch (type) {
    case element_type::ARRAY:
      return "a list";
    case element_type::OBJECT:
      return "an object";
    case element_type::INT64:
    case element_type::UINT64:
      return "an integer";
    case element_type::DOUBLE:
      return "a fraction";
    case element_type::STRING:
      return "a string";
    case element_type::BOOL:
      return "a boolean";
    case element_type::NULL_VALUE:
      return "null";
  }
  return "something else";
}

Refusal unreadable(simdjson::error_code error, size_t max_depth) {
  switch (error) {
    case simdjson::DEPTH_ERROR:
      return {ErrorCode::kTooLarge, {}, {}, {}, too_deep(max_depth)};
    case simdjson::MEMALLOC:
      return {ErrorCode::kNoMemory, {}, {}, {}, "no memory to read the JSON"};
    default:
      return {ErrorCode::kInvalid,
              {},
              {},
              {},
              std::string("this is not JSON: ") + simdjson::error_message(error)};
  }
}

}  // namespace

std::string too_deep(size_t max_depth) {
  return "the JSON is nested deeper than " + std::to_string(max_depth) + " levels";
}

Checked<simdjson::dom::element> parse_json(simdjson::dom::parser& parser, std::string_view json,
                                           size_t max_bytes, size_t max_depth,
                                           JsonPadding padding) {
  if (json.size() > max_bytes) {
    return Refusal{ErrorCode::kTooLarge,
                   {},
                   {},
                   {},
                   "the JSON has " + std::to_string(json.size()) + " bytes, the limit is " +
                       std::to_string(max_bytes)};
  }
  constexpr size_t kLeastCapacity = 64;
  simdjson::error_code error = simdjson::SUCCESS;
  if (parser.capacity() < json.size() || parser.max_depth() != max_depth) {
    error = parser.allocate(std::max(json.size(), kLeastCapacity), max_depth);
  }
  simdjson::dom::element root;
  if (error == simdjson::SUCCESS) {
    error = parser.parse(json.data(), json.size(), padding == JsonPadding::kMissing).get(root);
  }
  if (error != simdjson::SUCCESS) return unreadable(error, max_depth);
  return root;
}

bool JsonReader::members(Element element, std::initializer_list<Member> wanted, Unknown unknown) {
  met_unknown_ = false;
  simdjson::dom::object fields;
  if (!object(element, fields)) return false;
  // A slot may stay empty although its member was there, as null: so duplicates need their own set.
  uint64_t seen = 0;
  for (const auto& [key, value] : fields) {
    const auto* known = std::find_if(wanted.begin(), wanted.end(),
                                     [k = key](const Member& m) { return m.name == k; });
    if (known == wanted.end()) {
      if (unknown == Unknown::kNote && !value.is_null()) note_unknown(key, wanted);
      continue;
    }
    const uint64_t bit = uint64_t{1} << (known - wanted.begin());
    if ((seen & bit) != 0) {
      const Step step(*this, key);
      if (!fail("stands there twice", Fault::kTwice) && !resume()) return false;
    }
    seen |= bit;
    if (known->slot != nullptr && !value.is_null()) *known->slot = value;
  }
  return true;
}

void JsonReader::note_unknown(std::string_view key, std::initializer_list<Member> wanted) {
  met_unknown_ = true;
  const Step step(*this, key);
  if (unknown_path_.empty()) unknown_path_ = path();
  if (mode_ == Mode::kFirst) return;
  UnknownMember& member = unknown_members_.emplace_back();
  member.path = path();
  member.name = key;
  for (const Member& known : wanted) member.known.emplace_back(known.name);
}

bool JsonReader::array(Element element, simdjson::dom::array& out) {
  return element.get(out) == simdjson::SUCCESS || fail_type("a list", element);
}

bool JsonReader::object(Element element, simdjson::dom::object& out) {
  return element.get(out) == simdjson::SUCCESS || fail_type("an object", element);
}

bool JsonReader::string(Element element, std::string_view& out) {
  return element.get(out) == simdjson::SUCCESS || fail_type("a string", element);
}

bool JsonReader::string(Element element, std::string& out) {
  std::string_view view;
  if (!string(element, view)) return false;
  out = view;
  return true;
}

bool JsonReader::integer(Element element, int64_t& out) {
  if (element.type() == simdjson::dom::element_type::UINT64) {
    return fail("is too large", Fault::kType);  // only numbers above 2^63 - 1 are of this type
  }
  return element.get(out) == simdjson::SUCCESS || fail_type("an integer", element);
}

bool JsonReader::boolean(Element element, bool& out) {
  return element.get(out) == simdjson::SUCCESS || fail_type("a boolean", element);
}

bool JsonReader::fail(std::string reason, Fault fault, ErrorCode code) {
  if (refusals_.empty() || mode_ == Mode::kCollect) {
    refusals_.push_back({code, {}, {}, path(), std::move(reason), fault});
  }
  return false;
}

bool JsonReader::fail_type(std::string_view wanted, Element seen) {
  return fail("must be " + std::string(wanted) + ", not " + std::string(type_name(seen.type())),
              Fault::kType);
}

std::string JsonReader::path() const {
  constexpr size_t kShown = 80;  // of a key: it comes from outside and may be of any length
  std::string text;
  for (const auto& segment : path_) {
    if (segment.index != Step::kNoIndex) {
      text += "[" + std::to_string(segment.index) + "]";
    } else if (segment.entry) {
      text += "[" + std::string(segment.key.substr(0, kShown)) + "]";
    } else {
      if (!text.empty()) text += ".";
      text += segment.key.substr(0, kShown);
    }
  }
  return text;
}

}  // namespace rampart::kube
