// SPDX-License-Identifier: Apache-2.0
#include "tools/rampartctl/in_force.hpp"

#include <utility>

#include "control/kube/decode.hpp"

namespace rampart::ctl {

std::optional<kube::ClusterState> state_in_force(Session& session) {
  Request request;
  request.target = "/v1/snapshot";
  const auto response = session.try_call(request);
  if (!response) {
    session.fail(response.error());
    return std::nullopt;
  }
  if (response->status == 404 || response->status == 409) return kube::ClusterState{};
  if (!response->ok()) {
    session.refuse(*response);
    return std::nullopt;
  }
  auto decoded = kube::decode_snapshot(response->body);
  if (!decoded) {
    session.fail("the snapshot in force cannot be read: " + decoded.error().text());
    return std::nullopt;
  }
  return std::move(decoded->state);
}

}  // namespace rampart::ctl
