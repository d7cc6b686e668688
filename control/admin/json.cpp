// SPDX-License-Identifier: Apache-2.0
#include "control/admin/json.hpp"

#include <algorithm>
#include <ctime>

namespace rampart::admin {
std::string dump(const Json& json) {
  return json.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n";
}

std::string time_text(std::chrono::system_clock::time_point time) {
  const std::time_t seconds = std::chrono::system_clock::to_time_t(time);
  std::tm parts{};
  gmtime_r(&seconds, &parts);
  char text[32];
  return {text, std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &parts)};
}

Json object_counts(const publish::InForce& in_force) {
  static const kube::ClusterState kNothing;
  const auto& state = in_force.compiled ? *in_force.compiled->state : kNothing;
  return {{"namespaces", state.namespaces.size()},
          {"pods", state.pods.size()},
          {"nodes", state.nodes.size()},
          {"policies", state.policies.size()}};
}

std::vector<compile::Warning> warnings_of(const publish::InForce& in_force) {
  std::vector<compile::Warning> all;
  if (!in_force.not_stored.empty()) {
    all.push_back({"not-stored", "revision " + std::to_string(in_force.revision),
                   "in force but not on the disk, a restart would bring back an older one: " +
                       in_force.not_stored});
  }
  if (in_force.compiled) {
    const auto& compiled = in_force.compiled->warnings;
    all.insert(all.end(), compiled.begin(), compiled.end());
  }
  return all;
}

Json warnings_json(const std::vector<compile::Warning>& warnings) {
  Json out = Json::array();
  for (const auto& w : warnings) {
    out.push_back({{"code", w.code}, {"object", w.object}, {"message", w.message}});
  }
  return out;
}

const kube::Pod* pod_behind(const compile::Compiled& compiled, const IpAddress& address) {
  const Identity& identity = *compiled.rules->addresses->find(address);
  if ((identity.flags & Identity::kShared) != 0 || identity.endpoint == 0) return nullptr;
  if (identity.endpoint > compiled.endpoints.size()) return nullptr;
  return compiled.endpoints[identity.endpoint - 1];
}

void ListDocument::add(const Json& element) {
  text_ += first_ ? "\n" : ",\n";
  text_ += element.dump(-1, ' ', false, Json::error_handler_t::replace);
  first_ = false;
}

std::string ListDocument::finish(const Json& rest) && {
  text_ += "]";
  for (const auto& [name, value] : rest.items()) text_ += ",\"" + name + "\":" + value.dump();
  return std::move(text_) + "}\n";
}

}  // namespace rampart::admin
