// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <nlohmann/json.hpp>

#include "control/explain/question.hpp"
#include "control/kube/evaluate.hpp"

namespace rampart::explain {

using Json = nlohmann::ordered_json;

/// An answer, and whether it is allowed.
struct Answer {
  bool allowed = false;
  Json json;
};

/// The document of `GET /v1/explain` (docs/api.md), but for what only a running appliance can add:
/// `revision`, `tables_agree`, `flows`. The daemon and `rampartctl explain -f` both get it here.
/// Pure; any thread.
Answer answer(const Question& question, const kube::Evaluator& evaluator);

}  // namespace rampart::explain
