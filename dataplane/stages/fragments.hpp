// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "dataplane/packet/burst.hpp"
#include "dataplane/state/rule_set.hpp"
#include "dataplane/state/worker_state.hpp"

/// How fragments get to their flows. A first fragment has ports and is judged like any packet; the
/// later ones of its datagram follow it.
///
///     received by      whoever the NIC gave it to
///     checked by       the fragment owner: a hash of what names the datagram. It sees all pieces,
///                      notes them down and holds those that come before the first
///     judged by        the owner of the flow, which the first one names. It gets the first and
///                      then the others from the fragment owner, through one ring, and knows of the
///                      datagram whether its first has passed
///
/// Each later fragment is looked up as a packet of its flow, so it needs the permission that is in
/// force when it comes, not only the one that its first had.
namespace rampart {

/// Fragment i of a burst on its way through steer: settles it, holds it, puts it down for another
/// worker, or into the columns of its flow. Says whether another worker is to get it.
bool steer_fragment(Burst& b, WorkerState& w, const RuleSet& r, unsigned i) noexcept;

/// Ends datagrams whose time is over, a few at a time: what they held was an orphan.
void expire_fragments(WorkerState& w, Tsc now) noexcept;

/// Drops all that is held, as kStopping. When the worker has ended.
void drop_held_fragments(WorkerState& w) noexcept;

}  // namespace rampart
