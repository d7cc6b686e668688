// SPDX-License-Identifier: Apache-2.0
#include <cmath>

#include "control/admin/documents.hpp"
#include "control/admin/json.hpp"
#include "control/http/problem.hpp"

namespace rampart::admin {
namespace {

double rounded(double milliseconds) {
  return std::round(milliseconds * 1000) / 1000;
}

Json accepted_json(const publish::Accepted& accepted) {
  const publish::InForce& now = *accepted.in_force;
  const publish::Timings& ms = accepted.milliseconds;
  Json skipped = Json::array();
  for (const auto& [kind, count] : accepted.skipped) {
    skipped.push_back({{"kind", kind}, {"count", count}});
  }
  return Json{{"revision", now.revision},
              {"changed", accepted.changed},
              {"objects", object_counts(now)},
              {"addresses", now.compiled->addresses},
              {"classes", now.compiled->classes},
              {"subjects", now.compiled->subjects},
              {"rules", now.compiled->acl_rules},
              {"milliseconds",
               {{"decode", rounded(ms.decode)},
                {"compile", rounded(ms.compile)},
                {"swap", rounded(ms.swap)},
                {"store", rounded(ms.store)}}},
              {"skipped", std::move(skipped)},
              {"warnings", warnings_json(warnings_of(now))}};
}

http::Response response_of(const publish::Accepted& accepted, const Json& json) {
  return {200,
          "application/json",
          dump(json),
          {{"ETag", "\"" + std::to_string(accepted.in_force->revision) + "\""}}};
}

}  // namespace

http::Response accepted_response(const publish::Accepted& accepted) {
  return response_of(accepted, accepted_json(accepted));
}

http::Response accepted_response(const publish::Accepted& accepted, const Cuts& cuts,
                                 const publish::InForce& before) {
  Json examples = Json::array();
  for (const FlowRecord& flow : cuts.examples) examples.push_back(flow_json(flow, before));
  Json json = accepted_json(accepted);
  json["flows"] = {{"live", cuts.live},
                   {"cut", cuts.cut},
                   {"examples", std::move(examples)},
                   {"truncated", cuts.truncated}};
  return response_of(accepted, json);
}

http::Response outcome_response(const publish::Outcome& outcome) {
  if (const auto* refused = std::get_if<publish::Refused>(&outcome)) {
    return refused_response(*refused);
  }
  return accepted_response(std::get<publish::Accepted>(outcome));
}

http::Response refused_response(const publish::Refused& refused) {
  http::Problem problem;
  problem.revision = refused.in_force;
  problem.detail = refused.refusal.text();
  problem.reason = refused.refusal.reason;
  switch (refused.why) {
    case publish::Refused::Why::kWrongRevision:
      problem.status = 412;
      problem.code = "precondition-failed";
      return http::to_response(problem);
    case publish::Refused::Why::kNoSnapshotYet:
      problem.status = 409;
      problem.code = "conflict";
      return http::to_response(problem);
    case publish::Refused::Why::kWrongRules:
      // The server's fault, and not the sender's to mend (RFC 9110 §15.6.1).
      problem.status = 500;
      problem.code = "wrong-rules";
      return http::to_response(problem);
    case publish::Refused::Why::kRefused:
      break;
  }
  problem.status = http::status_of(refused.refusal.code);
  problem.code = to_string(refused.refusal.code);
  problem.kind = refused.refusal.kind;
  problem.object = refused.refusal.object;
  problem.field = refused.refusal.field;
  return http::to_response(problem);
}

}  // namespace rampart::admin
