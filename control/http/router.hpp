// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "control/http/message.hpp"

namespace rampart::http {

/// Where a handler runs: each lane is one thread, so that a compilation of seconds holds up
/// neither reading requests nor those who only look.
enum class Lane : uint8_t { kRead, kChange };

/// Takes a whole request and may block; exceptions become a 500.
using Handler = std::function<Response(const Request&)>;

/// Gives a request its answer, on any thread, once.
using Answer = std::function<void(Response)>;

/// For requests that wait together: `submit` takes one, on the server's thread and without
/// waiting for anything; `work` runs on the lane afterwards, once for each, and answers at least
/// those that had been taken before it began. What `submit` throws is a 500.
struct Queued {
  std::function<void(const Request&, Answer)> submit;
  std::function<void()> work;
};

struct Route {
  std::string method;   ///< "GET" answers HEAD as well
  std::string pattern;  ///< a path; a segment {} stands for any one
  Lane lane = Lane::kRead;
  bool takes_body = false;
  Handler handler;  ///< empty if there is a queue
  /// Makes what takes the body as it comes; without it the body is kept for the handler.
  std::function<std::shared_ptr<BodyReader>()> body_reader = nullptr;
  Queued queue = {};  ///< in place of a handler
};

/// The calls there are. Filled before the server starts, then read only.
class Router {
 public:
  struct Match {
    const Route* route = nullptr;
    std::string parameter;
    std::string allow;  ///< without a route: the methods that the path knows; empty: no such path
  };

  void add(Route route) { routes_.push_back(std::move(route)); }
  Match find(std::string_view method, std::string_view path) const;

 private:
  std::vector<Route> routes_;
};

}  // namespace rampart::http
