// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <sys/types.h>

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace rampart::http {

/// Who is at the other end, as the kernel noted when it connected.
struct Caller {
  uid_t uid = 0;
  pid_t pid = 0;
  std::string process;  ///< the name of that process, if it was still there
};

/// Takes a body as it comes, on the server's thread. Whatever it makes of it is for the handler.
class BodyReader {
 public:
  BodyReader() = default;
  virtual ~BodyReader() = default;
  BodyReader(const BodyReader&) = delete;
  BodyReader& operator=(const BodyReader&) = delete;
  /// Keeps nothing of `piece`. It may throw: std::bad_alloc is a 507.
  virtual void put(std::string_view piece) = 0;
};

/// A request as handlers see it: read in full, decoded, allowed to be made.
struct Request {
  std::string method;
  std::string path;                                       ///< percent-decoded
  std::map<std::string, std::string, std::less<>> query;  ///< percent-decoded, each name once
  std::string parameter;                                  ///< what stood for {} in the route
  std::optional<std::string> if_match;                    ///< the header as it came
  std::string user_agent;                                 ///< the header as it came
  Caller caller;
  std::string body;                         ///< empty if the route has a reader for it
  std::shared_ptr<BodyReader> body_reader;  ///< the route's, for this request
};

struct Response {
  unsigned status = 200;
  std::string content_type = "application/json";
  std::string body;
  std::vector<std::pair<std::string, std::string>> headers;
};

/// Splits a request target in origin form ("/path?a=b") and decodes it. Returns what is wrong with
/// it, or an empty string.
std::string parse_target(std::string_view target, Request& request);

}  // namespace rampart::http
