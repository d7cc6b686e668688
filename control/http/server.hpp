// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>

#include "control/http/router.hpp"
#include "control/http/socket_file.hpp"
#include "dataplane/base/result.hpp"

namespace rampart::http {

struct ServerParams {
  uint64_t max_body = uint64_t{512} << 20;  ///< bytes
  uint32_t max_header = 16384;              ///< bytes
  unsigned max_connections = 64;            ///< more wait in the kernel's queue
  std::chrono::milliseconds idle{60000};    ///< between two requests of a connection
  std::chrono::milliseconds header{10000};  ///< from a header's first byte to its last
  std::chrono::milliseconds body{60000};    ///< for a whole body
  std::chrono::milliseconds write{60000};   ///< for a whole answer
};

/// HTTP/1.1 over a Unix stream socket. One thread of its own reads and writes for all connections,
/// one thread per lane runs handlers; a slow client costs the others nothing but its buffers.
class Server {
 public:
  /// Serves what `file` listens to. `router` must outlive the server.
  static Result<std::unique_ptr<Server>> create(SocketFile file, const ServerParams& params,
                                                const Router& router);
  /// Takes no more requests, waits for handlers that run, closes, removes the socket file.
  ~Server();
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

 private:
  class Impl;
  explicit Server(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace rampart::http
