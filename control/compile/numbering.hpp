// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "control/compile/boxes.hpp"
#include "control/compile/classes.hpp"
#include "control/compile/ranges.hpp"
#include "dataplane/acl/acl_table.hpp"

/// Where each box lies in the numbers that ACL rules speak of.
///
/// Mostly these are the classes themselves. Selectors that cross each other (by app here, by tier
/// there) can leave no order of classes in which all of them are few ranges; then the AclPlan gives
/// every direction of every namespace an order of peers of its own choice, shared with as many
/// others as get along with it, and where even that is not enough, several orders, each for some of
/// its entries.
namespace rampart::compile {

/// As long as there are no more than this many ACL rules an entry, an order is good enough.
inline constexpr size_t kRulesPerEntry = 3;

struct Numbering {
  struct Place {
    uint32_t subjects = kNone;  ///< index into subject_ranges; kNone: the box was shut out
    uint32_t peers = kNone;     ///< index into peer_ranges; kNone: every address
  };
  std::vector<Place> of_box;
  std::vector<Ranges> subject_ranges, peer_ranges;
  AclPlan plan;

  /// How many ACL rules a box becomes.
  size_t rules(const Place& place) const {
    if (place.subjects == kNone) return 0;
    return subject_ranges[place.subjects].size() *
           (place.peers == kNone ? 1 : peer_ranges[place.peers].size());
  }
};

Numbering number_boxes(const Boxes& boxes, const SubjectClasses& subjects,
                       const PeerClasses& peers);

}  // namespace rampart::compile
