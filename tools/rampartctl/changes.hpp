// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "control/kube/model.hpp"
#include "tools/rampartctl/documents.hpp"

/// What a desired state would change, and where in the input an object stands. Plain functions.
namespace rampart::ctl {

struct Changes {
  std::vector<std::string> added;  ///< "NetworkPolicy web/allow"
  std::vector<std::string> changed;
  std::vector<std::string> removed;
  bool none() const { return added.empty() && changed.empty() && removed.empty(); }
};

/// The objects that differ, by kind and name. Namespaces that nobody gave (implied by their
/// content) do not count.
Changes changes_between(const kube::ClusterState& before, const kube::ClusterState& after);

/// How many objects policy can speak of.
size_t object_count(const kube::ClusterState& state);

/// Where the object of a refusal was read: "FILE:LINE", both places if it stands there twice, or
/// empty if it is not found. `kind` and `name` ("web/allow") as in the problem document.
std::string find_object(const std::vector<Document>& documents, std::string_view kind,
                        std::string_view name);

}  // namespace rampart::ctl
