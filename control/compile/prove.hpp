// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>

#include "control/compile/compile.hpp"

/// The check before publication: a compiled rule set against the plain evaluator, on connections
/// drawn from the policies themselves.
namespace rampart::compile {

struct Proof {
  size_t probes = 0;     ///< connections that both were asked about
  bool complete = true;  ///< false: time ran out before all were asked that were meant to be
  std::string wrong;     ///< the first that they disagree about, in words; empty: none
};

/// Asks `made.rules` and kube::Evaluator about the same connections, for at most `budget`:
///
/// - every pod that is other than in `previous` (or was there, or is not any more), at its old and
///   new addresses: under the policies that isolate it, and as a peer of some other pods';
/// - every policy that is other: for some of the pods that it selects and one that it does not,
///   each of its entries with members and neighbours of the peer (the addresses at the boundaries
///   of blocks and exceptions and beside them; a pod that the selectors match and one that they do
///   not), on each boundary of the ports, the numbers beside it, and other protocols;
/// - every namespace with other labels: some of its pods as peers of policies that select it now or
///   did before and do not both; every node that is other: some of its pods and it, and others;
/// - then policies and pods drawn by lot, as many as there is a share of the budget left for.
///
/// Verdict, the direction that denies and the entry that allows must be the same; of an address
/// that several claim, only the verdict. A connection whose flow would not be judged again must
/// have the verdict that it had in `previous`. Who claims an address is taken from the tables, so
/// for the pods and nodes at hand it is compared with what the objects say.
///
/// `previous`: what is in force; may be null: then everything is drawn by lot. `seed`: of the lots.
/// Control threads.
Proof prove(const Compiled& made, const Compiled* previous, std::chrono::microseconds budget,
            uint64_t seed);

}  // namespace rampart::compile
