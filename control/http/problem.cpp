// SPDX-License-Identifier: Apache-2.0
#include "control/http/problem.hpp"

#include <nlohmann/json.hpp>

namespace rampart::http {
namespace {

std::string_view title_of(unsigned status) {
  switch (status) {
    case 400:
      return "Bad request";
    case 403:
      return "Not allowed";
    case 404:
      return "Not found";
    case 405:
      return "Method not allowed";
    case 408:
      return "Request took too long";
    case 409:
      return "Conflict with what is in force";
    case 412:
      return "Another revision is in force";
    case 413:
      return "Too large";
    case 415:
      return "Unsupported content encoding";
    case 417:
      return "Expectation not met";
    case 422:
      return "Invalid object";
    case 431:
      return "Header too large";
    case 501:
      return "Not supported";
    case 503:
      return "Not available";
    case 507:
      return "Out of memory";
    default:
      return "Failed";
  }
}

}  // namespace

unsigned status_of(ErrorCode code) {
  switch (code) {
    case ErrorCode::kInvalid:
      return 422;
    case ErrorCode::kNotFound:
      return 404;
    case ErrorCode::kConflict:
      return 409;
    case ErrorCode::kTooLarge:
      return 413;
    case ErrorCode::kNoMemory:
      return 507;
    case ErrorCode::kUnsupported:
      return 501;
    case ErrorCode::kIo:
      return 500;
    case ErrorCode::kDenied:
      return 403;
  }
  return 500;
}

Response to_response(const Problem& problem) {
  nlohmann::ordered_json out{
      {"type", "about:blank"},
      {"title", problem.title.empty() ? std::string(title_of(problem.status)) : problem.title},
      {"status", problem.status},
      {"code", problem.code},
      {"detail", problem.detail}};
  if (!problem.kind.empty()) out["kind"] = problem.kind;
  if (!problem.object.empty()) out["object"] = problem.object;
  if (!problem.field.empty()) out["field"] = problem.field;
  if (!problem.reason.empty()) out["reason"] = problem.reason;
  if (problem.revision) out["revision"] = *problem.revision;
  using Handler = nlohmann::ordered_json::error_handler_t;
  return {problem.status,
          "application/problem+json",
          out.dump(-1, ' ', false, Handler::replace) + "\n",
          {}};
}

Response to_response(const Error& error) {
  return to_response(Problem{.status = status_of(error.code),
                             .code = std::string(to_string(error.code)),
                             .detail = error.text(),
                             .title = {},
                             .kind = {},
                             .object = {},
                             .field = {},
                             .reason = {},
                             .revision = {}});
}

}  // namespace rampart::http
