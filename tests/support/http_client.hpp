// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <string>
#include <string_view>

namespace rampart::test {

struct HttpAnswer {
  unsigned status = 0;                         ///< 0: none came
  std::map<std::string, std::string> headers;  ///< names in lower case
  std::string body;
};

/// A blocking client on a Unix socket that says exactly what it is told to. Gives up after a few
/// seconds, so that a test fails and does not hang.
class HttpClient {
 public:
  /// Connects; connected() says whether that went well.
  explicit HttpClient(const std::string& path);
  ~HttpClient();
  HttpClient(const HttpClient&) = delete;
  HttpClient& operator=(const HttpClient&) = delete;

  bool connected() const { return connected_; }
  /// Sends bytes as they are. False if the other end does not take them any more.
  bool send(std::string_view bytes);
  /// Ends our direction.
  void finish();
  /// Reads one answer (with a length, or up to the end).  `to_head`: no body follows.
  HttpAnswer receive(bool to_head = false);
  /// Whether the other end has closed, waiting for it if need be.
  bool closed();
  /// One request with a body and its answer, on this connection.
  HttpAnswer call(std::string_view method, std::string_view target, std::string_view body = {},
                  std::string_view extra_headers = {});

 private:
  bool fill();

  int fd_ = -1;
  bool connected_ = false;
  std::string buffer_;
};

/// One request on a connection of its own.
HttpAnswer call(const std::string& path, std::string_view method, std::string_view target,
                std::string_view body = {}, std::string_view extra_headers = {});

}  // namespace rampart::test
