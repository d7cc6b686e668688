// SPDX-License-Identifier: Apache-2.0
#include "control/http/router.hpp"

namespace rampart::http {
namespace {

bool fits(std::string_view pattern, std::string_view path, std::string& parameter) {
  const size_t hole = pattern.find("{}");
  if (hole == std::string_view::npos) return pattern == path;
  const std::string_view before = pattern.substr(0, hole), behind = pattern.substr(hole + 2);
  if (path.size() <= before.size() + behind.size() || !path.starts_with(before) ||
      !path.ends_with(behind)) {
    return false;
  }
  const auto middle = path.substr(hole, path.size() - before.size() - behind.size());
  if (middle.find('/') != std::string_view::npos) return false;
  parameter = middle;
  return true;
}

}  // namespace

Router::Match Router::find(std::string_view method, std::string_view path) const {
  Match match;
  const std::string_view wanted = method == "HEAD" ? std::string_view("GET") : method;
  for (const Route& route : routes_) {
    if (!fits(route.pattern, path, match.parameter)) continue;
    if (route.method == wanted) {
      match.route = &route;
      return match;
    }
    match.allow += (match.allow.empty() ? "" : ", ") + route.method;
    if (route.method == "GET") match.allow += ", HEAD";
  }
  return match;
}

}  // namespace rampart::http
