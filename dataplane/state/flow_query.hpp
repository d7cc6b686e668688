// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>
#include <unordered_set>
#include <vector>

#include "dataplane/base/ids.hpp"
#include "dataplane/base/ip_address.hpp"
#include "dataplane/flow/flow_state.hpp"

namespace rampart {

/// A bit a state, for filters.
using FlowStates = uint32_t;
static_assert(kFlowStates <= 32);
inline constexpr FlowStates kAllFlowStates = ~FlowStates{0};

/// The states that answers call by this name; 0: there is none.
constexpr FlowStates flow_states_named(std::string_view name) {
  FlowStates found = 0;
  for (unsigned s = 0; s < kFlowStates; ++s) {
    if (name == kFlowStateNames[s]) found |= FlowStates{1} << s;
  }
  return found;
}

/// Numbers of rules, as in Verdict; 0, which is no rule, is not among them.
using RuleFilter = std::unordered_set<uint32_t>;

/// Live flows that fit all that is set.
struct FlowFilter {
  std::optional<IpAddress> address;  ///< of either end
  std::vector<IpAddress> addresses;  ///< one of them is that of an end; empty: any
  std::optional<L4Port> port;        ///< of either end
  std::optional<uint8_t> protocol;
  FlowStates states = kAllFlowStates;
  std::optional<RuleFilter> rules;  ///< one of them admitted the flow in one direction
  size_t limit = 1000;              ///< of a list; a cut has none
};

/// One live flow, oriented as it was opened.
struct FlowRecord {
  IpAddress source, destination;                 ///< the source opened it
  L4Port source_port = 0, destination_port = 0;  ///< ICMP echo: identifier and 0
  uint8_t protocol = 0;
  uint8_t wire = 0;
  uint8_t wire_end = 0;        ///< the end of the wire on which it was opened: see WorkerPort::end
  std::string_view opened_on;  ///< the name of that port; lives as long as the data path
  uint16_t outer_vlan = 0, inner_vlan = 0;
  const char* state = "";  ///< e.g. "established"; "cut": its next packet is answered with a reset
  WorkerId worker = 0;
  Revision revision = 0;                       ///< under which it was last judged
  uint32_t egress_rule = 0, ingress_rule = 0;  ///< as in Verdict
  uint64_t packets[2] = {0, 0};                ///< from the opener, from the other end
  uint64_t bytes[2] = {0, 0};                  ///< of whole frames, likewise
  uint32_t idle_ms = 0, expires_in_ms = 0;
};

/// What a control thread asks of one worker's live flows; the worker carries it out in slices.
struct FlowQuery {
  enum class Purpose : uint8_t { kList, kCut };
  Purpose purpose = Purpose::kList;
  FlowFilter filter;
  /// kList: filled up to filter.limit + 1 (so that the asker sees that there were more). The asker
  /// has reserved so much room; it never grows.
  std::vector<FlowRecord> found;
  uint64_t cut = 0;  ///< kCut: flows ended
  /// Where the worker is.
  uint32_t next_chunk = 0;
  bool in_v6 = false;
};

}  // namespace rampart
