// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "control/kube/evaluate.hpp"

/// Why a direction denied: the rules that came nearest to admitting the connection, and what of
/// it would have to be otherwise.
namespace rampart::explain {

/// A connection as one direction sees it.
struct Asked {
  kube::Direction direction = kube::Direction::kIngress;
  const kube::Pod* subject = nullptr;  ///< whom the policies isolate; never null
  IpAddress other;                     ///< the other end's address
  const kube::Pod* other_pod = nullptr;
  uint8_t protocol = 0;  ///< IANA number
  L4Port port = 0;       ///< of the destination
};

/// A rule that does not admit it. All of `what` would have to be otherwise.
struct Miss {
  kube::Admission rule;   ///< its peer and port: those that came nearest, none if they fit or "all"
  bool has_rule = true;   ///< false: the policy allows nothing at all in this direction
  std::string what;       ///< "would pass if the source had label app=web"
  unsigned distance = 0;  ///< how much is missing; less is nearer
};

/// The nearest rules of the policies that isolate the subject, at most `most`, nearest first; of
/// equally near ones in the order of keys and lists. The connection must be denied in this
/// direction, otherwise what is said is about the rules that do not admit it.
std::vector<Miss> nearest_misses(const kube::Evaluator& evaluator, const Asked& asked, size_t most);

}  // namespace rampart::explain
