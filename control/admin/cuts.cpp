// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <utility>

#include "control/admin/documents.hpp"
#include "control/admin/json.hpp"

namespace rampart::admin {
namespace {

constexpr size_t kExamples = 100, kBatch = 64;
/// Flows that open while workers copy out what they have.
constexpr size_t kSlack = 1024;

Question question_of(const FlowRecord& flow, const RuleSet& rules) {
  const L4Port port = explain::has_ports(flow.protocol) ? flow.destination_port : L4Port{0};
  return {rules.addresses->find(flow.source), rules.addresses->find(flow.destination),
          flow.protocol, port};
}

}  // namespace

Result<Cuts> cuts_under(const RuleSet& rules, Dataplane& dataplane) {
  FlowFilter filter;
  filter.limit = kSlack;
  for (const WorkerStatus& worker : dataplane.status().workers) filter.limit += worker.flows;
  // Those that are cut already have nothing to lose.
  filter.states = kAllFlowStates & ~flow_states_named("cut");
  Cuts cuts;
  const auto flows = dataplane.flows(filter, cuts.truncated);
  if (!flows) return flows.error();
  cuts.live = flows->size();
  Question questions[kBatch];
  Verdict verdicts[kBatch];
  for (size_t at = 0; at < flows->size(); at += kBatch) {
    const size_t count = std::min(kBatch, flows->size() - at);
    for (size_t i = 0; i < count; ++i) questions[i] = question_of((*flows)[at + i], rules);
    judge(rules, questions, static_cast<unsigned>(count), verdicts);
    for (size_t i = 0; i < count; ++i) {
      if (verdicts[i].outcome == Outcome::kAllow) continue;
      ++cuts.cut;
      if (cuts.examples.size() < kExamples) cuts.examples.push_back((*flows)[at + i]);
    }
  }
  return cuts;
}

}  // namespace rampart::admin
