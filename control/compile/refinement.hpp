// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <vector>

#include "control/compile/ranges.hpp"

namespace rampart::compile {

/// Partition refinement with an order: atoms that are in exactly the same sets end up in one
/// class, and the classes are numbered so that the sets are few ranges of numbers.
///
/// It begins with all atoms in one class. Each set splits every class that it holds a part of; the
/// two parts stay neighbours, so a set that is one range stays one for ever. Where a set reaches
/// over several classes, its part of the outer ones is put on the inner side. Given sets by falling
/// size, any family without crossings (any two disjoint, or one in the other) comes out as one
/// range a set, and so do chains that overlap like shingles; for others it is a good guess.
class Refinement {
 public:
  explicit Refinement(uint32_t atoms);

  /// Splits by `set`, numbers below `atoms`.
  void split(const Ranges& set) { split(set, false); }
  /// The same, but only if the set then is one range of classes; otherwise returns false and
  /// changes nothing.
  bool split_if_one_range(const Ranges& set) { return split(set, true); }

  uint32_t classes() const { return static_cast<uint32_t>(blocks_.size()); }
  /// The class of each atom, 0 … classes() - 1 in the order found.
  std::vector<uint32_t> numbers() const;

 private:
  /// The atoms order_[begin] … order_[end - 1]; the last `marked` of them are in the set at hand.
  struct Block {
    uint32_t begin = 0, end = 0, marked = 0;
  };
  bool split(const Ranges& set, bool only_if_one_range);
  bool is_full(uint32_t block) const {
    return blocks_[block].marked == blocks_[block].end - blocks_[block].begin;
  }

  std::vector<uint32_t> order_;     ///< atoms, block by block
  std::vector<uint32_t> position_;  ///< of each atom in order_
  std::vector<uint32_t> block_of_;  ///< of each atom
  std::vector<Block> blocks_;
  std::vector<uint32_t> touched_;  ///< scratch of split()
};

/// What `atoms` become when each is replaced by its number.
Ranges translate(const Ranges& atoms, const std::vector<uint32_t>& numbers);

}  // namespace rampart::compile
