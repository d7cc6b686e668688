// SPDX-License-Identifier: Apache-2.0
#include <simdjson.h>

#include <string>
#include <string_view>
#include <vector>

#include "tools/rampartctl/commands.hpp"
#include "tools/rampartctl/sending.hpp"

// delta: watch events, or plain objects made into them.
namespace rampart::ctl {
namespace {

/// One of the input's documents as a line of a PATCH. Lists become an event for each item.
Result<void> append_events(std::string& body, simdjson::dom::element element, std::string_view type,
                           std::vector<std::string>& places, const std::string& place) {
  std::string_view kind;
  simdjson::dom::element object;
  if (element.at_key("kind").get(kind) != simdjson::SUCCESS) {
    if (element.at_key("type").error() != simdjson::SUCCESS) {
      return Error{ErrorCode::kInvalid,
                   "is neither a watch event (type, object) nor an object (apiVersion, kind)",
                   place};
    }
    body += simdjson::minify(element) + "\n";
    places.push_back(place);
    return {};
  }
  simdjson::dom::array items;
  if (kind == "List" && element.at_key("items").get(items) == simdjson::SUCCESS) {
    for (const simdjson::dom::element item : items) {
      if (auto done = append_events(body, item, type, places, place); !done) return done;
    }
    return {};
  }
  body += "{\"type\":\"" + std::string(type) + "\",\"object\":" + simdjson::minify(element) + "}\n";
  places.push_back(place);
  return {};
}

/// "line 3", as a refusal names an event, to the place in the input of the third.
std::string place_of_line(std::string_view object, const std::vector<std::string>& places) {
  const size_t at = object.rfind("line ");
  if (at == std::string_view::npos) return {};
  std::string_view digits = object.substr(at + 5);
  digits = digits.substr(0, digits.find_first_not_of("0123456789"));
  const auto number = parse_number(digits, 1, places.size(), "line");
  return number ? places[*number - 1] : std::string();
}

}  // namespace

int run_delta(Session& session) {
  const Invocation& invocation = session.invocation();
  if (!invocation.has("filename")) return session.fail_usage("delta wants -f FILE");
  Request request;
  if (!take_if_match(session, request)) return kUsage;
  const auto documents = read_input(session);
  if (!documents) return kFailed;
  request.method = "PATCH";
  request.target =
      target_with_query("/v1/snapshot", {{"reason", session.invocation().value("reason")}});
  request.content_type = kEventsType;
  const std::string_view type = invocation.has("delete") ? "DELETED" : "MODIFIED";
  std::vector<std::string> places;
  simdjson::dom::parser parser;
  for (const Document& document : *documents) {
    simdjson::dom::element element;
    if (const auto error = parser.parse(document.json).get(element); error != simdjson::SUCCESS) {
      return session.fail(document.place() + ": " + simdjson::error_message(error));
    }
    auto done = append_events(request.body, element, type, places, document.place());
    if (!done) return session.fail(done.error());
  }
  if (places.empty()) return session.fail("the input is empty: no event and no object");
  const auto sent = send(session, request, [&](const Json& problem) {
    return places.size() < 2 ? std::string() : place_of_line(problem["object"].text(""), places);
  });
  return sent ? show_accepted(session, *sent) : kFailed;
}

}  // namespace rampart::ctl
