// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "control/compile/kinds.hpp"
#include "control/compile/ranges.hpp"
#include "control/kube/evaluate.hpp"
#include "control/kube/model.hpp"

/// First stage: what policies ask of addresses and ports, each distinct thing once.
namespace rampart::compile {

/// Pods of one namespace that a podSelector matches: whom a policy isolates.
struct SubjectDemand {
  uint32_t ns = 0;
  uint32_t selector = 0;
};

/// One distinct NetworkPolicyPeer.
struct PeerDemand {
  uint32_t block = kNone;        ///< ipBlock; then the others mean nothing
  uint32_t ns = kNone;           ///< the one namespace, or kNone: those of ns_selector
  uint32_t ns_selector = kNone;  ///< kNone with ns == kNone: pods of all namespaces
  uint32_t selector = kNone;     ///< kNone: all pods of the namespaces
};

/// What an entry says of protocol and destination port.
struct Service {
  bool any_protocol = false;
  uint8_t protocol = 0;
  L4Port first = 0;
  L4Port last = 65535;
  uint32_t name = kNone;  ///< a named port (see Kinds) instead of first … last
};

/// One (rule × peer × port) entry of a policy.
struct Entry {
  uint32_t origin = 0;
  uint32_t policy = 0;
  kube::Direction direction = kube::Direction::kIngress;
  uint32_t peer = kNone;  ///< kNone: every address
  Service service;
};

struct PolicyDemand {
  const kube::NetworkPolicy* policy = nullptr;
  uint32_t subject = 0;
  bool isolates[2] = {false, false};  ///< by kube::Direction
  std::string fails_closed;           ///< not empty: it has no entries
};

/// Selectors and names in the numbers of Kinds.
struct Demands {
  std::vector<Selector> selectors;
  std::vector<Selector> namespace_selectors;
  std::vector<kube::IpBlock> blocks;
  std::vector<SubjectDemand> subjects;
  std::vector<PeerDemand> peers;
  std::vector<PolicyDemand> policies;
  std::vector<Entry> entries;  ///< by origin
  std::vector<kube::Admission> origins;
};

/// More entries than this are not compiled: namespaces share them fairly (see fair_share.hpp).
inline constexpr size_t kMaxEntries = size_t{1} << 18;

/// How many entries a policy has.
size_t entries_of(const kube::NetworkPolicy& policy);

/// What `policies` ask for. `kinds` must know the keys of their selectors.
Demands collect(const std::vector<const kube::NetworkPolicy*>& policies, Kinds& kinds);

/// The groups that each demand is about.
struct Members {
  std::vector<std::vector<uint32_t>> subjects;  ///< by SubjectDemand, rising
  std::vector<Ranges> peers;                    ///< by PeerDemand; empty for blocks
};
Members find_members(const Demands& demands, const Kinds& kinds);

}  // namespace rampart::compile
