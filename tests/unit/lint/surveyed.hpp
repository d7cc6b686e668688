// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "control/lint/lint.hpp"

/// YAML in, findings out: what the tests of the rules share.
namespace rampart::lint {

kube::Survey survey_of(const std::string& yaml);
std::vector<Finding> findings_in(const std::string& yaml);

/// "RULE PATH" of each finding.
std::vector<std::string> said_of(const std::string& yaml);

/// A NetworkPolicy of namespace shop with this spec (lines without indentation).
std::string policy(const std::string& name, const std::string& spec);

/// Two namespaces: shop with the pods web (port http, TCP 8080) and db, label team=a; and
/// monitoring with the pod prometheus.
extern const std::string kCluster;

}  // namespace rampart::lint
