// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "tests/unit/ctl/socket_server.hpp"

namespace rampart::ctl {

struct Outcome {
  int status = 0;
  std::string out;
  std::string err;
};

/// Runs rampartctl within this process.
Outcome run_program(const std::vector<std::string>& words, const std::string& standard_input = {},
                    const std::string& rampart_socket = {});

/// The example of an answer in docs/api.md that follows `heading`, a text of that page.
std::string api_example(const std::string& heading);

/// A stand-in for rampartd that gives one answer to everything, and runs rampartctl against it.
class Stand {
 public:
  explicit Stand(SocketServer::Handler handler) : server_(std::move(handler)) {}
  explicit Stand(std::string body, unsigned status = 200);

  Outcome run(const std::vector<std::string>& words, const std::string& standard_input = {}) const {
    return run_program(words, standard_input, server_.path());
  }
  std::vector<SocketServer::Asked> asked() const { return server_.asked(); }
  /// Method and target of each request.
  std::vector<std::string> calls() const;

 private:
  SocketServer server_;
};

}  // namespace rampart::ctl
