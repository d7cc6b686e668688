// SPDX-License-Identifier: Apache-2.0
#include "tools/rampartctl/session.hpp"

#include <sstream>

#include "tools/rampartctl/json_text.hpp"

namespace rampart::ctl {

Json Json::operator[](std::string_view member) const {
  simdjson::dom::element found;
  if (!element_ || element_->at_key(member).get(found) != simdjson::SUCCESS) return {};
  return Json(found);
}

std::string Json::text(std::string_view fallback) const {
  if (!exists()) return std::string(fallback);
  std::string_view string;
  if (element_->get(string) == simdjson::SUCCESS) return std::string(string);
  return simdjson::minify(*element_);
}

uint64_t Json::number() const {
  uint64_t value = 0;
  if (!element_ || element_->get(value) != simdjson::SUCCESS) return 0;
  return value;
}

double Json::real() const {
  double value = 0;
  if (!element_ || element_->get(value) != simdjson::SUCCESS) return 0;
  return value;
}

bool Json::truth() const {
  bool value = false;
  return element_ && element_->get(value) == simdjson::SUCCESS && value;
}

std::vector<Json> Json::items() const {
  std::vector<Json> all;
  simdjson::dom::array array;
  if (!element_ || element_->get(array) != simdjson::SUCCESS) return all;
  for (const simdjson::dom::element item : array) all.emplace_back(item);
  return all;
}

std::vector<std::pair<std::string, Json>> Json::members() const {
  std::vector<std::pair<std::string, Json>> all;
  simdjson::dom::object object;
  if (!element_ || element_->get(object) != simdjson::SUCCESS) return all;
  for (const auto& field : object) all.emplace_back(std::string(field.key), Json(field.value));
  return all;
}

std::string Json::joined(std::string_view glue, std::string_view fallback) const {
  std::string text;
  for (const Json& item : items()) text += (text.empty() ? "" : std::string(glue)) + item.text();
  return text.empty() ? std::string(fallback) : text;
}

Result<Answer> Answer::parse(std::string_view body) {
  Answer answer;
  answer.parser_ = std::make_unique<simdjson::dom::parser>();
  simdjson::dom::element root;
  const auto error = answer.parser_->parse(body.data(), body.size()).get(root);
  if (error != simdjson::SUCCESS) {
    return Error{ErrorCode::kIo,
                 std::string("the answer is not JSON: ") + simdjson::error_message(error),
                 {}};
  }
  answer.root_ = Json(root);
  return answer;
}

std::string warning_text(const Json& warning) {
  const std::string object = warning["object"].text("");
  return (object.empty() ? object : object + ": ") + warning["message"].text() + " (" +
         warning["code"].text() + ")";
}

Session::Session(const Invocation& invocation, Console& console)
    : invocation_(invocation), console_(console) {
  const auto& formats = invocation.command->formats;
  format_ = invocation.value("output", formats.empty() ? std::string_view() : formats.front());
}

Result<Response> Session::try_call(const Request& request) {
  // Compiling a large cluster takes its time, and other changes wait for it; questions do not.
  const bool long_call = request.method != "GET";
  uint64_t seconds = long_call ? 600 : 30;
  if (const std::string given = invocation_.value("timeout"); !given.empty()) {
    auto number = parse_number(given, 1, 86'400, "--timeout");
    if (!number) return std::move(number).error();
    seconds = *number;
  }
  const std::string path =
      invocation_.value("socket", console_.socket.empty() ? kDefaultSocket : console_.socket);
  return Client(path, std::chrono::seconds(seconds)).call(request);
}

std::optional<Response> Session::call(const Request& request) {
  auto response = try_call(request);
  if (!response) {
    fail(response.error());
    return std::nullopt;
  }
  if (!response->ok()) {
    refuse(*response);
    return std::nullopt;
  }
  return std::move(*response);
}

std::optional<Session::Fetched> Session::get(std::string target) {
  Request request;
  request.target = std::move(target);
  const auto response = call(request);
  if (!response) return std::nullopt;
  auto answer = Answer::parse(response->body);
  if (!answer) {
    fail(answer.error());
    return std::nullopt;
  }
  if (wants_json()) print_json(response->body);
  return Fetched{std::move(*answer), wants_json()};
}

int Session::fail(const Error& error) {
  return fail(error.text());
}

int Session::fail(std::string_view what) {
  console_.err << styled("error:", Style::kBad, console_.err_colour) << ' ' << printable(what)
               << '\n';
  return kFailed;
}

int Session::fail_usage(std::string_view what) {
  fail(what);
  note("try: rampartctl " + std::string(invocation_.command->name) + " --help");
  return kUsage;
}

void Session::warn(std::string_view what) {
  console_.err << styled("warning:", Style::kWarning, console_.err_colour) << ' ' << printable(what)
               << '\n';
}

void Session::note(std::string_view what) {
  console_.err << printable(what) << '\n';
}

int Session::refuse(const Response& response, std::string_view place) {
  const auto answer = Answer::parse(response.body);
  std::string what;
  if (answer) {
    what = answer->root()["detail"].text("");
    if (what.empty()) what = answer->root()["title"].text("");
    // Only where JSON was asked for: what `snapshot > FILE` writes must be a snapshot.
    if (invocation_.value("output") == "json") print_json(response.body);
  }
  if (what.empty()) what = "refused with HTTP status " + std::to_string(response.status);
  fail(what);
  if (!place.empty()) note("  in " + std::string(place));
  return kFailed;
}

int Session::print_json(std::string_view json) {
  console_.out << pretty_json(json);
  console_.out.flush();
  return console_.out.good() ? kDone : kFailed;
}

namespace {

int say_usage(Console& console, const Error& error, const std::vector<std::string>& arguments) {
  console.err << styled("error:", Style::kBad, console.err_colour) << ' ' << printable(error.what)
              << '\n';
  for (const std::string& word : arguments) {
    const Command* command = find_command(word);
    if (command == nullptr) continue;
    console.err << "usage: " << usage_line(*command) << "\ntry: rampartctl " << command->name
                << " --help\n";
    return kUsage;
  }
  console.err << "usage: rampartctl COMMAND [options]\ntry: rampartctl --help\n";
  return kUsage;
}

}  // namespace

int run(const std::vector<std::string>& arguments, Console& console) {
  if (arguments.empty()) {
    console.err << help_page();
    return kUsage;
  }
  const auto invocation = parse_command_line(arguments);
  if (!invocation) return say_usage(console, invocation.error(), arguments);
  if (invocation->version) {
    console.out << "rampartctl " RAMPART_VERSION "\n";
  } else if (invocation->help) {
    console.out << (invocation->command == nullptr ? help_page() : help_page(*invocation->command));
  } else {
    if (const std::string seconds = invocation->value("timeout"); !seconds.empty()) {
      const auto number = parse_number(seconds, 1, 86'400, "--timeout");
      if (!number) return say_usage(console, number.error(), arguments);
    }
    Session session(*invocation, console);
    const int status = invocation->command->run(session);
    console.out.flush();
    return status == kDone && !console.out.good() ? kFailed : status;
  }
  console.out.flush();
  return console.out.good() ? kDone : kFailed;
}

}  // namespace rampart::ctl
