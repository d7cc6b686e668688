// SPDX-License-Identifier: Apache-2.0
#include "control/compile/rules.hpp"

#include <algorithm>
#include <array>
#include <unordered_set>
#include <utility>

#include "control/compile/fair_share.hpp"

namespace rampart::compile {
namespace {

const Ranges kAllPeers{{0, 0xFFFFFFFF}};

/// All of a rule but the number that it reports.
std::vector<uint32_t> without_number(const AclRule& r) {
  return {uint32_t{r.protocol} << 1 | (r.any_protocol ? 1U : 0U),
          uint32_t{r.subject_first} << 16 | r.subject_last, r.peer_first, r.peer_last,
          uint32_t{r.port_first} << 16 | r.port_last};
}

}  // namespace

Rules make_rules(const Demands& demands, const Boxes& boxes, const Numbering& numbering,
                 size_t most) {
  std::vector<Cost> costs;
  for (const PolicyDemand& policy : demands.policies) {
    costs.push_back({demands.subjects[policy.subject].ns, 0});
  }
  for (size_t b = 0; b < boxes.boxes.size(); ++b) {
    costs[boxes.boxes[b].policy].amount += numbering.rules(numbering.of_box[b]);
  }
  Rules made;
  made.of_policy.resize(demands.policies.size());
  made.without_room = without_room(costs, most);

  // Of rules that differ in nothing but what they report, only the first could ever be reported.
  std::unordered_set<std::vector<uint32_t>, VectorHash> seen;
  for (size_t b = 0; b < boxes.boxes.size(); ++b) {
    const Box& box = boxes.boxes[b];
    const Numbering::Place& place = numbering.of_box[b];
    if (place.subjects == kNone) continue;
    if (std::binary_search(made.without_room.begin(), made.without_room.end(), box.policy)) {
      continue;
    }
    const Ranges& peers = place.peers == kNone ? kAllPeers : numbering.peer_ranges[place.peers];
    for (const Range& subject : numbering.subject_ranges[place.subjects]) {
      for (const Range& peer : peers) {
        AclRule rule;
        rule.protocol = box.service.any_protocol ? 0 : box.service.protocol;
        rule.any_protocol = box.service.any_protocol;
        rule.subject_first = static_cast<uint16_t>(subject.first);
        rule.subject_last = static_cast<uint16_t>(subject.last);
        rule.peer_first = peer.first;
        rule.peer_last = peer.last;
        rule.port_first = box.service.first;
        rule.port_last = box.service.last;
        rule.rule = box.origin + 1;
        if (!seen.insert(without_number(rule)).second) continue;
        made.rules.push_back(rule);
        ++made.of_policy[box.policy];
      }
    }
  }
  return made;
}

}  // namespace rampart::compile
