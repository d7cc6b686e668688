// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "control/http/message.hpp"
#include "dataplane/base/result.hpp"

namespace rampart::http {

/// A problem document (RFC 9457) with our extension members; empty ones are left out.
struct Problem {
  unsigned status = 500;
  std::string code;    ///< "invalid", "not-found" …: what a program may act on
  std::string detail;  ///< one sentence, for people
  std::string title;   ///< empty: the usual one of the status
  std::string kind, object, field, reason;
  std::optional<uint64_t> revision;  ///< in force
};

Response to_response(const Problem& problem);
/// The same for an error that no room has turned into anything better.
Response to_response(const Error& error);
unsigned status_of(ErrorCode code);

}  // namespace rampart::http
