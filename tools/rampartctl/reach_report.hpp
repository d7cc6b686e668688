// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "control/reach/difference.hpp"
#include "control/reach/overview.hpp"
#include "tools/rampartctl/session.hpp"

/// Matrices and what differs between two, in the ways in which they are shown.
namespace rampart::ctl {

using OrderedJson = nlohmann::ordered_json;

/// A matrix and how it is looked at.
struct Picture {
  const reach::Reach& reach;
  const reach::PortSets& sets;
  const reach::Overview& overview;
};

/// A grid if there are few groups and their ports fit into cells, otherwise a line for each group
/// and what it may use.
void print_matrix(Session& session, const Picture& picture);
/// The matrix, kind by kind, as far as it was computed, and the groups of the view.
OrderedJson matrix_json(const Picture& picture);
/// A page by itself (HTML with SVG): namespaces, then every kind. `source`: what it is a picture
/// of.
std::string matrix_page(const Picture& namespaces, const Picture& kinds, const std::string& source);

/// A line for each group of pairs that open or close alike.
void print_difference(Session& session, const reach::Difference& difference,
                      const reach::PortSets& sets);
OrderedJson difference_json(const reach::Difference& difference, const reach::PortSets& sets);
/// "3 pairs differ: 2 open, 1 closes"; "nothing opens or closes".
std::string difference_summary(const reach::Difference& difference);

}  // namespace rampart::ctl
