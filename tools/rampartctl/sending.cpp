// SPDX-License-Identifier: Apache-2.0
#include "tools/rampartctl/sending.hpp"

#include <array>
#include <cstdint>
#include <cstdio>
#include <limits>
#include <utility>

namespace rampart::ctl {
namespace {

std::string milliseconds(const Json& number) {
  std::array<char, 32> text;
  std::snprintf(text.data(), text.size(), "%.1f ms", number.real());
  return text.data();
}

}  // namespace

std::optional<std::vector<Document>> read_input(Session& session) {
  const Invocation& invocation = session.invocation();
  const auto files = invocation.values("filename");
  auto documents = read_documents(files, invocation.has("recursive"), session.console().in);
  if (!documents) {
    session.fail(documents.error());
    return std::nullopt;
  }
  return std::move(*documents);
}

std::string list_of(const std::vector<Document>& documents) {
  size_t size = 64;
  for (const Document& document : documents) size += document.json.size() + 2;
  std::string body = R"({"apiVersion":"v1","kind":"List","items":[)";
  body.reserve(size);
  for (const Document& document : documents) {
    if (&document != &documents.front()) body += ",\n";
    body += document.json;
  }
  body += "]}";
  return body;
}

bool take_if_match(Session& session, Request& request) {
  if (!session.invocation().has("if-match")) return true;
  const std::string revision = session.invocation().value("if-match");
  const auto number = parse_number(revision, 0, std::numeric_limits<uint32_t>::max(), "--if-match");
  if (!number) {
    session.fail_usage(number.error().what);
    return false;
  }
  request.if_match = std::to_string(*number);
  return true;
}

std::optional<Sent> send(Session& session, const Request& request,
                         const std::function<std::string(const Json&)>& place_of) {
  auto response = session.try_call(request);
  if (!response) {
    session.fail(response.error());
    return std::nullopt;
  }
  auto answer = Answer::parse(response->body);
  if (!response->ok()) {
    session.refuse(*response, answer ? place_of(answer->root()) : std::string());
    return std::nullopt;
  }
  if (!answer) {
    session.fail(answer.error());
    return std::nullopt;
  }
  return Sent{std::move(*response), std::move(*answer)};
}

void print_outcome(Session& session, const Json& answer, Swapped swapped) {
  const Json objects = answer["objects"], times = answer["milliseconds"];
  if (objects.exists()) {
    session.out() << "  objects   " << counted(objects["namespaces"].number(), "namespace") << ", "
                  << counted(objects["pods"].number(), "pod") << ", "
                  << counted(objects["nodes"].number(), "node") << ", "
                  << counted(objects["policies"].number(), "policy") << '\n';
    session.out() << "  compiled  " << counted(answer["addresses"].number(), "address") << " in "
                  << counted(answer["classes"].number(), "class") << ", "
                  << counted(answer["subjects"].number(), "subject") << ", "
                  << counted(answer["rules"].number(), "rule") << '\n';
  }
  if (times.exists()) {
    session.out() << "  took      decode " << milliseconds(times["decode"]) << ", compile "
                  << milliseconds(times["compile"]);
    if (swapped == Swapped::kYes) session.out() << ", swap " << milliseconds(times["swap"]);
    session.out() << '\n';
  }
  std::string skipped;
  for (const Json& kind : answer["skipped"].items()) {
    skipped += (skipped.empty() ? "" : ", ") + kind["count"].text() + " " + kind["kind"].text();
  }
  if (!skipped.empty()) {
    session.out() << "  skipped   " << printable(skipped) << " (policy does not speak of them)\n";
  }
  session.out().flush();
  for (const Json& warning : answer["warnings"].items()) session.warn(warning_text(warning));
}

int show_accepted(Session& session, const Sent& sent) {
  if (session.wants_json()) return session.print_json(sent.response.body);
  const Json& answer = sent.answer.root();
  if (answer["changed"].truth()) {
    session.out() << "revision " << answer["revision"].text() << " is in force on every worker\n";
  } else {
    session.out() << "nothing changed: revision " << answer["revision"].text()
                  << " stays in force\n";
  }
  print_outcome(session, answer, answer["changed"].truth() ? Swapped::kYes : Swapped::kNo);
  return kDone;
}

}  // namespace rampart::ctl
