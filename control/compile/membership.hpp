// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "control/kube/evaluate.hpp"

namespace rampart::compile {

/// What is in exactly the same sets is of one class. So that a class can be found by its sets, each
/// set has a mark, drawn by lot when the process began, and a class is known by the sum of its
/// sets' marks: that two differ and have the same sum happens once in 2^64 times, and nobody can
/// bring it about.
uint64_t mark_of(uint32_t set);
/// The same for subject classes: sets of groups, of one direction of one namespace.
uint64_t mark_of_subject(uint32_t ns, kube::Direction direction, uint64_t sets);

}  // namespace rampart::compile
