// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <vector>

#include "control/kube/model.hpp"

/// Whether one part of a policy covers another: whatever the small one admits, the wide one admits
/// too, in any cluster. Told from the texts alone, so "false" may mean that it cannot be told.
namespace rampart::lint {

bool covers(const kube::LabelSelector& wide, const kube::LabelSelector& small);
/// Blocks cover blocks and selectors cover selectors. `ns`: the namespace of both policies.
bool covers(const kube::PolicyPeer& wide, const kube::PolicyPeer& small, const std::string& ns);
bool covers(const kube::PolicyPort& wide, const kube::PolicyPort& small);
bool covers(const kube::PolicyRule& wide, const kube::PolicyRule& small, const std::string& ns);

/// Whether `blocks` together contain all of `prefix`.
bool exhausted(const IpPrefix& prefix, const std::vector<IpPrefix>& blocks);

}  // namespace rampart::lint
