// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>

#include "control/compile/boxes.hpp"

namespace rampart::compile {

/// Between the fourth stage and the fifth: classes of peers that nobody is of yet, so that a kind
/// of pods which comes later finds one.
///
/// Whoever comes later takes a class that is in no set which it is not in, and for each set that
/// this class lacks, the policies of all namespaces that speak of the set are compiled again. That
/// is much where many namespaces speak of one set ("from the namespace monitoring") and every pod
/// in it is in other sets as well. A spare is in sets of more than `few` namespaces only: in those
/// of them that some atom is in.
///
/// Adds spares to boxes.peer_sets, numbered from `atoms` + 1 on, and returns how many there are:
/// one for each distinct family of such sets, unless it is all that some atom is in.
uint32_t add_spares(uint32_t atoms, size_t few, Boxes& boxes);

}  // namespace rampart::compile
