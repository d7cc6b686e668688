// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "control/admin/facts.hpp"
#include "control/history/history.hpp"
#include "control/http/router.hpp"
#include "control/publish/applier.hpp"
#include "dataplane/worker/dataplane.hpp"

namespace rampart::admin {

/// Adds all calls of docs/api.md to a router. The arguments must outlive it.
void add_calls(http::Router& router, publish::Applier& applier, Dataplane& dataplane,
               history::History& history, const Facts& facts);

}  // namespace rampart::admin
