// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "control/kube/model.hpp"
#include "dataplane/base/ids.hpp"
#include "dataplane/base/ip_address.hpp"
#include "dataplane/base/result.hpp"

/// The truth tables in tests/semantics/cases. A case is a cluster and the verdict on every new
/// connection in it; steps change the cluster and bring a table of their own.
namespace rampart::support {

/// One cell of a table: a new connection, and whether it must pass.
struct Probe {
  std::string source;       ///< "namespace/pod" (its first address) or an address
  std::string destination;  ///< the same
  std::string protocol;     ///< "TCP", "UDP", "SCTP" or "ICMP"
  L4Port port = 0;          ///< destination port; 0 for ICMP
  bool allow = false;

  /// IANA number; ICMP is ICMPv6 between IPv6 addresses.
  uint8_t protocol_number(Family family) const;
  /// "x/a -> y/b TCP/80".
  std::string text() const;
};

struct CaseStep {
  std::string objects;  ///< what this step brings, as a v1 List
  std::string events;   ///< the step's deletions and objects as watch events, in their order
  std::vector<Probe> probes;
};

struct Case {
  std::string name, source, notes;
  /// Never empty. The first step is the cluster as it starts; the others apply to what was before.
  std::vector<CaseStep> steps;
};

/// Reads one case file.
Result<Case> load_case(const std::string& path);
/// Reads every *.json of a directory, in the order of their names.
Result<std::vector<Case>> load_cases(const std::string& directory);

/// The cluster after a step: `before` is empty for the first one.
Result<kube::ClusterState> after(const kube::ClusterState& before, const CaseStep& step);
/// The address that a probe's end stands for.
Result<IpAddress> resolve(const kube::ClusterState& state, std::string_view end);

}  // namespace rampart::support
