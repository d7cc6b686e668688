// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <simdjson.h>

#include <cstdint>
#include <initializer_list>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "control/kube/refusal.hpp"

namespace rampart::kube {

/// Whether simdjson::SIMDJSON_PADDING bytes behind a text can be read; otherwise it is copied.
enum class JsonPadding : uint8_t { kMissing, kThere };

/// Parses one JSON text of at most `max_bytes` bytes and `max_depth` levels. The element lives as
/// long as the parser and its next use. The refusal has no kind, object or field.
Checked<simdjson::dom::element> parse_json(simdjson::dom::parser& parser, std::string_view json,
                                           size_t max_bytes, size_t max_depth,
                                           JsonPadding padding = JsonPadding::kMissing);

/// Why a text is refused that has more levels.
std::string too_deep(size_t max_depth);

/// Reads parsed JSON while it remembers where it is, so that a wrong type or a bad value can be
/// named by its path. Every method returns false once something was refused; the first refusal
/// stays. JSON null reads as absent, as Go reads it, except as an element of a list.
///
/// That is how a desired state is read: all or nothing. A reader that collects is for those who
/// want to hear of everything at once: whoever reads goes on after a failure where resume() says
/// so, and what was read is then worth nothing, but all refusals are kept.
class JsonReader {
 public:
  enum class Mode : uint8_t { kFirst, kCollect };
  explicit JsonReader(Mode mode = Mode::kFirst) : mode_(mode) {
    path_.reserve(kUsualDepth);  // at once and not one by one
  }

  using Element = simdjson::dom::element;
  using Slot = std::optional<Element>;

  /// What to do with members of an object that the caller does not name.
  enum class Unknown : uint8_t {
    kIgnore,
    kNote,  ///< remember the path of the first (see unknown_path)
  };

  /// One more step of the path, for as long as it lives.
  class Step {
   public:
    /// A member of an object: ".key".
    Step(JsonReader& reader, std::string_view key) : Step(reader, Segment{key, kNoIndex, false}) {}
    /// An element of a list: "[index]".
    Step(JsonReader& reader, size_t index) : Step(reader, Segment{{}, index, false}) {}
    /// An entry of a map with free keys: "[key]".
    static Step entry(JsonReader& reader, std::string_view key) {
      return Step(reader, Segment{key, kNoIndex, true});
    }
    ~Step() { reader_.path_.pop_back(); }
    Step(const Step&) = delete;
    Step& operator=(const Step&) = delete;

   private:
    friend class JsonReader;
    static constexpr size_t kNoIndex = std::numeric_limits<size_t>::max();
    struct Segment {
      std::string_view key;
      size_t index;
      bool entry;
    };
    Step(JsonReader& reader, Segment segment) : reader_(reader) {
      reader_.path_.push_back(segment);
    }
    JsonReader& reader_;
  };

  struct Member {
    std::string_view name;
    Slot* slot;  ///< null: the name is known, the value is not wanted
  };

  /// A member that nobody named, and those that could have stood there.
  struct UnknownMember {
    std::string path;  ///< with the name
    std::string name;
    std::vector<std::string> known;
  };

  /// Fills the slots of the named members that are there and not null; a named member that stands
  /// there twice is refused (readers disagree about which one counts).
  bool members(Element object, std::initializer_list<Member> wanted,
               Unknown unknown = Unknown::kIgnore);
  bool array(Element element, simdjson::dom::array& out);
  bool object(Element element, simdjson::dom::object& out);
  bool string(Element element, std::string_view& out);
  bool string(Element element, std::string& out);
  bool integer(Element element, int64_t& out);
  bool boolean(Element element, bool& out);

  /// Refuses at the current path; always false.
  bool fail(std::string reason, Fault fault = Fault::kValue, ErrorCode code = ErrorCode::kInvalid);
  /// Refuses unless `why` is empty.
  bool check(std::string why, Fault fault) { return why.empty() || fail(std::move(why), fault); }
  /// Whether to read on beside what has just failed.
  bool resume() const { return mode_ == Mode::kCollect; }

  /// Like "spec.ingress[0].from"; starts where the path was empty.
  std::string path() const;
  /// Field and reason of the first refusal; the caller adds kind and object.
  Refusal&& refusal() && { return std::move(refusals_.front()); }
  bool refused() const { return !refusals_.empty(); }
  /// kCollect: all of them, in the order in which they were met.
  const std::vector<Refusal>& refusals() const { return refusals_; }
  /// kCollect: every unknown member, seen with Unknown::kNote.
  const std::vector<UnknownMember>& unknown_members() const { return unknown_members_; }
  /// Path of the first member that nobody named, seen with Unknown::kNote; empty if there is none.
  const std::string& unknown_path() const { return unknown_path_; }
  /// Whether the latest call of members() met an unknown member.
  bool met_unknown() const { return met_unknown_; }

 private:
  bool fail_type(std::string_view wanted, Element seen);
  void note_unknown(std::string_view key, std::initializer_list<Member> wanted);

  static constexpr size_t kUsualDepth = 12;

  const Mode mode_;
  std::vector<Step::Segment> path_;
  std::vector<Refusal> refusals_;  ///< kFirst: at most one
  std::vector<UnknownMember> unknown_members_;
  bool met_unknown_ = false;
  std::string unknown_path_;
};

}  // namespace rampart::kube
