// SPDX-License-Identifier: Apache-2.0
#include "control/lint/words.hpp"

#include <algorithm>
#include <array>

namespace rampart::lint {
namespace {

constexpr size_t kLongest = 64;

char lower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c | 0x20) : c;
}

}  // namespace

size_t edit_distance(std::string_view a, std::string_view b) {
  if (a.size() > kLongest || b.size() > kLongest) return std::max(a.size(), b.size());
  // Rows of the matrix for the prefixes of a: the one before the previous, the previous, this one.
  std::array<std::array<size_t, kLongest + 1>, 3> rows{};
  auto *before = &rows[0], *previous = &rows[1], *row = &rows[2];
  for (size_t j = 0; j <= b.size(); ++j) (*row)[j] = j;
  for (size_t i = 1; i <= a.size(); ++i) {
    auto* const oldest = before;
    before = previous;
    previous = row;
    row = oldest;
    (*row)[0] = i;
    for (size_t j = 1; j <= b.size(); ++j) {
      const bool same = lower(a[i - 1]) == lower(b[j - 1]);
      size_t best =
          std::min({(*previous)[j] + 1, (*row)[j - 1] + 1, (*previous)[j - 1] + (same ? 0 : 1)});
      if (i > 1 && j > 1 && lower(a[i - 1]) == lower(b[j - 2]) &&
          lower(a[i - 2]) == lower(b[j - 1])) {
        best = std::min(best, (*before)[j - 2] + 1);
      }
      (*row)[j] = best;
    }
  }
  return (*row)[b.size()];
}

std::string nearest(std::string_view word, std::span<const std::string> candidates) {
  size_t least = std::max<size_t>(2, word.size() / 3) + 1;
  std::string found;
  for (const std::string& candidate : candidates) {
    const size_t distance = edit_distance(word, candidate);
    // A word of two letters is not meant by another one of two letters.
    if (distance < least && distance < std::max(word.size(), candidate.size())) {
      least = distance;
      found = candidate;
    }
  }
  return found;
}

std::string enumerated(const std::vector<std::string>& words, size_t most) {
  const size_t shown = std::min(words.size(), most);
  std::string text;
  for (size_t i = 0; i < shown; ++i) {
    if (i > 0) text += i + 1 == words.size() ? " and " : ", ";
    text += words[i];
  }
  if (shown < words.size()) text += " … (" + std::to_string(words.size() - shown) + " more)";
  return text;
}

}  // namespace rampart::lint
