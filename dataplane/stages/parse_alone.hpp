// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "dataplane/packet/burst.hpp"
#include "dataplane/state/rule_set.hpp"
#include "dataplane/state/worker_state.hpp"

/// The parts of parse that take_up needs, too. Both are in parse.cpp.
namespace rampart {

/// Nothing is known yet of any packet of the burst.
void begin_burst(Burst& b) noexcept;

/// Ports whose packets are all looked at closely, by bits.
uint64_t close_ports(const WorkerState& w) noexcept;

/// Does with packet i what parse does with each. `closely`: close_ports().
void parse_alone(Burst& b, unsigned i, WorkerState& w, const RuleSet& r, uint64_t closely) noexcept;

}  // namespace rampart
