// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <vector>

#include "control/compile/compile.hpp"
#include "control/compile/origins.hpp"
#include "control/compile/place.hpp"
#include "dataplane/base/result.hpp"
#include "dataplane/state/rule_set.hpp"

/// From the revision before to the next one by what has changed alone.
namespace rampart::compile {

/// A compilation under way: what of the revision before it begins with, and what it comes to.
struct Attempt {
  Memory memory;
  kube::CowVector<const kube::Pod*> endpoints;
  std::shared_ptr<const Origins> origins;
  std::vector<RulePart> parts;  ///< as memory.parts
  std::shared_ptr<const std::vector<Subjects>> subjects;
  Addresses addresses;
  bool all = true;        ///< `addresses` are all of them, and not those that changed
  bool intervals = true;  ///< and hold the intervals
};

/// Brings `made`, which is as it was in `previous` but for its roster and endpoints, to `state`.
/// `touched`: addresses that may be somebody else's now; those that mean something else are added.
///
/// Namespaces whose policies changed, or speak of a kind of pods that there was not before in a way
/// that was not needed before, move to a part of their own, together with others of late. False:
/// that would be too many, or the numbers of too many addresses would change; all is to be made
/// anew, and `made` is of no use any more. Errors: as Part::make.
Result<bool> advance(const kube::ClusterState& state, const Changes& changes,
                     const Compiled& previous, const Effort& effort,
                     std::vector<IpAddress>& touched, Attempt& made);

/// Writes the subjects of all groups of some namespaces, as the parts that they are in say.
void write_subjects(const std::vector<uint32_t>& namespaces, const Memory& memory,
                    std::vector<Subjects>& subjects);

}  // namespace rampart::compile
