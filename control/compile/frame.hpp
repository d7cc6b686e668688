// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "control/compile/boxes.hpp"
#include "control/compile/classes.hpp"
#include "control/compile/compile.hpp"
#include "control/compile/groups.hpp"
#include "control/compile/rules.hpp"
#include "control/compile/zones.hpp"

/// All that policies, namespaces and kinds of pods decide, and no single pod does. It stays as it
/// is while only pods of known kinds come and go.
namespace rampart::compile {

/// A policy in a frame.
struct PolicyPlace {
  uint32_t subject = 0;  ///< index into Frame::selected
  size_t acl_rules = 0;
  std::string fails_closed;
};

struct Frame {
  Groups groups;
  Zones zones;
  Atoms atoms;
  PeerClasses peers;
  SubjectClasses subjects;
  std::shared_ptr<const std::vector<kube::Admission>> origins;
  std::vector<std::vector<uint32_t>> selected;  ///< groups, by subject demand
  std::vector<PolicyPlace> policies;            ///< by key
  std::vector<Warning> warnings;                ///< of policies that allow nothing
  size_t policy_entries = 0;
};

/// A frame, and what AclTable is to be built from.
struct NewFrame {
  std::shared_ptr<const Frame> frame;
  std::vector<AclRule> rules;
  AclPlan plan;
};
/// Runs all stages but the last.
NewFrame make_frame(const kube::ClusterState& state);

/// Whether a frame made for `a` holds for `b` as far as policies and namespaces go.
bool same_frame(const kube::ClusterState& a, const kube::ClusterState& b);

}  // namespace rampart::compile
