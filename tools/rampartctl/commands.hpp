// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "tools/rampartctl/session.hpp"

/// What carries out each command; each returns the exit status. The table of commands points here.
namespace rampart::ctl {

int run_apply(Session& session);
int run_delta(Session& session);
int run_validate(Session& session);
int run_snapshot(Session& session);
int run_status(Session& session);
int run_endpoints(Session& session);
int run_policies(Session& session);
int run_flows(Session& session);
int run_stats(Session& session);
int run_reasons(Session& session);
int run_explain(Session& session);
int run_matrix(Session& session);
int run_diff(Session& session);
int run_history(Session& session);
int run_rollback(Session& session);
int run_metrics(Session& session);
int run_reset_port(Session& session);
int run_completion(Session& session);
int run_help(Session& session);

}  // namespace rampart::ctl
