// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <string>
#include <vector>

#include "control/admin/facts.hpp"
#include "control/history/history.hpp"
#include "control/http/message.hpp"
#include "control/publish/applier.hpp"
#include "dataplane/base/result.hpp"
#include "dataplane/worker/dataplane.hpp"

/// The documents of docs/api.md, from what is in force and what the data path says. Functions of
/// their arguments alone; any control thread.
namespace rampart::admin {

using Query = std::map<std::string, std::string, std::less<>>;

/// What would become of the live flows under other rules.
struct Cuts {
  uint64_t live = 0;
  uint64_t cut = 0;
  std::vector<FlowRecord> examples;  ///< the first 100 of those that would be cut
  bool truncated = false;            ///< there are more flows than were judged
};
/// Asks `rules`, mode kByTables, about every live flow, as workers do when they judge it again. kIo
/// if a worker does not answer. Takes memory for a copy of the flow table.
Result<Cuts> cuts_under(const RuleSet& rules, Dataplane& dataplane);

/// The answer to PUT, PATCH and validate; `cuts` if they were asked for, `before` what was in
/// force.
http::Response accepted_response(const publish::Accepted& accepted);
http::Response accepted_response(const publish::Accepted& accepted, const Cuts& cuts,
                                 const publish::InForce& before);
http::Response refused_response(const publish::Refused& refused);
http::Response outcome_response(const publish::Outcome& outcome);

/// reason= of a change, or empty. kInvalid names another parameter, or one that is too long.
Result<std::string> reason_of(const http::Request& request);
/// The beginning of a history entry: who asks, and for what.
history::Entry entry_of(const http::Request& request, std::string action, std::string reason);
std::string history_document(const history::History& history);
/// A snapshot with the policies of that revision and everything else as it is. kInvalid: not a
/// number, kNotFound: not kept.
Result<std::string> rolled_back(const std::string& revision, const history::History& history);

std::string status_document(const Facts& facts, std::chrono::system_clock::time_point now,
                            const publish::InForce& in_force, const DataplaneStatus& status);
std::string stats_document(const DataplaneStatus& status);
/// All drop reasons there are, in the order of the list.
std::string reasons_document();
/// What the counters tell about how things are set up, a sentence each.
std::vector<std::string> hints(const DataplaneStatus& status);
std::string endpoints_document(const publish::InForce& in_force);
std::string policies_document(const publish::InForce& in_force);

/// address=, port=, protocol=, state=, pod=, policy=, limit=. kInvalid names the parameter,
/// kNotFound the pod or policy; kConflict: there is no snapshot yet that could name them.
Result<FlowFilter> flow_filter(const Query& query, const publish::InForce& in_force);
/// The same without limit=, for ending them: at least one of the others, or all=true alone.
Result<FlowFilter> cut_filter(const Query& query, const publish::InForce& in_force);
std::string flows_document(const std::vector<FlowRecord>& flows, bool truncated,
                           const publish::InForce& in_force);

/// from=, to=, protocol=, port=, flows=, from_port=. kInvalid names the parameter, kNotFound the
/// pod, kConflict: there is no snapshot yet, kIo: flows are wanted and a worker does not answer.
Result<std::string> explain_document(const Query& query, const publish::InForce& in_force,
                                     Dataplane& dataplane);

/// Prometheus text exposition format 0.0.4.
std::string metrics(const Facts& facts, const publish::InForce& in_force, uint64_t counterexamples,
                    const DataplaneStatus& status);

}  // namespace rampart::admin
