// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "dataplane/base/result.hpp"

namespace rampart::ctl {

struct Request {
  std::string method = "GET";
  std::string target = {};        ///< path and query, encoded
  std::string body = {};          ///< JSON
  std::string content_type = {};  ///< of the body
  std::string if_match = {};      ///< a revision, or empty
};

struct Response {
  unsigned status = 0;
  std::string content_type = {};
  std::string body = {};
  bool ok() const { return status >= 200 && status < 300; }
};

/// One HTTP/1.1 request over the control socket; a connection of its own each time. Blocks.
class Client {
 public:
  /// `timeout` is for the whole of a call, from connecting to the last byte.
  Client(std::string socket_path, std::chrono::seconds timeout)
      : socket_path_(std::move(socket_path)), timeout_(timeout) {}

  /// Any answer, also one that refuses. Errors: nobody listens, no permission, time-out, a peer
  /// that does not speak HTTP. `where` is the socket's path.
  Result<Response> call(const Request& request) const;

 private:
  std::string socket_path_;
  std::chrono::seconds timeout_;
};

/// "/v1/flows?address=10.0.0.1&state=established"; values are percent-encoded (RFC 3986 §2.1),
/// members with an empty value are left out.
std::string target_with_query(std::string_view path,
                              const std::vector<std::pair<std::string_view, std::string>>& query);
std::string percent_encoded(std::string_view text);

}  // namespace rampart::ctl
