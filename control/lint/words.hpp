// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace rampart::lint {

/// How many letters must be added, removed, changed or swapped with their neighbour (optimal string
/// alignment) to make `b` of `a`, upper and lower case being the same. Texts above 64 bytes are as
/// far apart as they are long.
size_t edit_distance(std::string_view a, std::string_view b);

/// The candidate that `word` most likely was meant to be, or an empty text: at most a third of its
/// letters (but two at least) may be wrong.
std::string nearest(std::string_view word, std::span<const std::string> candidates);

/// "a", "a and b", "a, b and c"; of more than `most`, the first ones and "… (N more)".
std::string enumerated(const std::vector<std::string>& words, size_t most = 5);

}  // namespace rampart::lint
