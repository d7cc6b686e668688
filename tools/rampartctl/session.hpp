// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <simdjson.h>

#include <cstdint>
#include <istream>
#include <memory>
#include <optional>
#include <ostream>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "tools/rampartctl/cli.hpp"
#include "tools/rampartctl/client.hpp"
#include "tools/rampartctl/table.hpp"

namespace rampart::ctl {

/// Exit statuses, the same in every program of Rampart.
inline constexpr int kDone = 0;
inline constexpr int kFailed = 1;
/// What compares (diff, apply --dry-run) exits as diff(1) does: kDone if there is no difference.
inline constexpr int kDiffers = 1;
inline constexpr int kTrouble = 2;
inline constexpr int kUsage = 2;

/// What surrounds one run of the program.
struct Console {
  std::istream& in;
  std::ostream& out;
  std::ostream& err;
  bool out_colour = false;
  bool err_colour = false;
  bool out_terminal = false;
  std::string socket = {};  ///< RAMPART_SOCKET, or empty
};

/// A value of an answer, or nothing. Members that are not there read as nothing, nothing reads as
/// "-", zero, false or empty: a newer or older rampartd must not break a table.
class Json {
 public:
  Json() = default;
  explicit Json(simdjson::dom::element element) : element_(element) {}

  Json operator[](std::string_view member) const;
  bool exists() const { return element_ && !element_->is_null(); }
  /// Strings as they are, numbers and booleans as JSON writes them.
  std::string text(std::string_view fallback = "-") const;
  uint64_t number() const;
  double real() const;
  bool truth() const;
  std::vector<Json> items() const;
  std::vector<std::pair<std::string, Json>> members() const;
  /// The texts of a list, joined; `fallback` if there are none.
  std::string joined(std::string_view glue = ",", std::string_view fallback = "-") const;

 private:
  std::optional<simdjson::dom::element> element_;
};

/// An answer's body with the parser that owns its values.
class Answer {
 public:
  static Result<Answer> parse(std::string_view body);
  const Json& root() const { return root_; }

 private:
  std::unique_ptr<simdjson::dom::parser> parser_;
  Json root_;
};

/// A warning of an answer, for people: "OBJECT: MESSAGE (CODE)".
std::string warning_text(const Json& warning);

/// One command being carried out.
class Session {
 public:
  Session(const Invocation& invocation, Console& console);

  const Invocation& invocation() const { return invocation_; }
  Console& console() { return console_; }
  std::ostream& out() { return console_.out; }
  bool wants_json() const { return format_ == "json"; }
  const std::string& format() const { return format_; }

  /// The answer to a request that was granted. Otherwise says on standard error why not and returns
  /// nothing; `place` may add where in the input the trouble is.
  std::optional<Response> call(const Request& request);
  /// The same without a word; for a command that wants to say it its own way.
  Result<Response> try_call(const Request& request);

  /// GETs a JSON document. With -o json it is printed already and `shown` is set. Nothing if there
  /// is none; then standard error says why.
  struct Fetched {
    Answer answer;
    bool shown = false;
  };
  std::optional<Fetched> get(std::string target);

  /// "error: …" on standard error; returns kFailed.
  int fail(const Error& error);
  int fail(std::string_view what);
  /// The command line is wrong after all: as `fail`, but kUsage.
  int fail_usage(std::string_view what);
  void warn(std::string_view what);
  void note(std::string_view what);  ///< on standard error, without a prefix
  /// What a refusal says, and the document itself with -o json; returns kFailed.
  int refuse(const Response& response, std::string_view place = {});
  int print_json(std::string_view json);
  void print(const Table& table) { table.print(out(), console_.out_colour); }
  std::string style(std::string_view text, Style style) const {
    return styled(text, style, console_.out_colour);
  }

 private:
  const Invocation& invocation_;
  Console& console_;
  std::string format_;
};

inline constexpr std::string_view kDefaultSocket = "/run/rampart/rampart.sock";

/// The whole program: reads the command line and carries it out. Returns the exit status.
int run(const std::vector<std::string>& arguments, Console& console);

}  // namespace rampart::ctl
