// SPDX-License-Identifier: Apache-2.0
#include "control/explain/document.hpp"

#include <string>
#include <utility>

#include "control/admin/documents.hpp"
#include "control/admin/json.hpp"
#include "control/explain/describe.hpp"

namespace rampart::admin {
namespace {

/// What the workers would do.
bool tables_allow(const RuleSet& rules, const explain::Question& asked) {
  const Question question{rules.addresses->find(asked.source),
                          rules.addresses->find(asked.destination), asked.protocol, asked.port};
  Verdict verdict;
  judge(rules, &question, 1, &verdict);
  return verdict.outcome == Outcome::kAllow || asked.source == asked.destination;
}

/// Whether they would do the same as the policies say, between all addresses of the two ends.
bool tables_agree(const RuleSet& rules, const explain::Question& asked,
                  const explain::Answer& made) {
  const auto others = asked.between_other_addresses();
  const explain::Json& said = made.json["other_addresses"];
  for (size_t i = 0; i < others.size(); ++i) {
    if (tables_allow(rules, others[i]) != (said[i]["verdict"] == "allow")) return false;
  }
  return tables_allow(rules, asked) == made.allowed;
}

bool between(const FlowRecord& flow, const IpAddress& from, const IpAddress& to) {
  return flow.source == from && flow.destination == to;
}

/// Live flows of which a packet from `from` to `to` would be one: those that it would open again,
/// and those that it answers.
Result<Json> flows_json(const explain::Question& asked, Dataplane& dataplane,
                        const publish::InForce& in_force) {
  FlowFilter filter;
  filter.address = asked.source;
  filter.addresses = {asked.destination};
  filter.protocol = asked.protocol;
  bool truncated = false;
  const auto found = dataplane.flows(filter, truncated);
  if (!found) return found.error();
  Json flows = Json::array();
  for (const FlowRecord& flow : *found) {
    const bool ports = explain::has_ports(asked.protocol);
    const bool forward = between(flow, asked.source, asked.destination) &&
                         (!ports || (flow.destination_port == asked.port &&
                                     (!asked.from_port || flow.source_port == *asked.from_port)));
    const bool answer =
        between(flow, asked.destination, asked.source) &&
        (!ports || (flow.source_port == asked.port &&
                    (!asked.from_port || flow.destination_port == *asked.from_port)));
    if (!forward && !answer) continue;
    Json one = flow_json(flow, in_force);
    one["answer"] = !forward;
    flows.push_back(std::move(one));
  }
  return flows;
}

}  // namespace

Result<std::string> explain_document(const Query& query, const publish::InForce& in_force,
                                     Dataplane& dataplane) {
  if (!in_force.compiled) {
    return Error{ErrorCode::kConflict, "there is no snapshot yet: nothing to explain", {}};
  }
  const auto& compiled = *in_force.compiled;
  const auto question = explain::read_question(query, *compiled.state);
  if (!question) return question.error();
  const explain::Answer made = explain::answer(*question, kube::Evaluator(*compiled.state));
  Json out{{"revision", in_force.revision}};
  out.update(made.json);
  out["tables_agree"] = tables_agree(*compiled.rules, *question, made);
  out["flows"] = Json();
  if (question->flows) {
    auto flows = flows_json(*question, dataplane, in_force);
    if (!flows) return std::move(flows).error();
    out["flows"] = *std::move(flows);
  }
  return dump(out);
}

}  // namespace rampart::admin
