// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <numeric>
#include <utility>
#include <vector>

namespace rampart::reach {

/// Of the pairs of so many things, those of which one at least is wanted, and where each lies in
/// rows: the row of one that is wanted has a place for each other, that of one that is not has
/// places for the wanted only.
class Pairs {
 public:
  explicit Pairs(std::vector<bool> wanted)
      : wanted_(std::move(wanted)), all_(wanted_.size()), rank_(wanted_.size()) {
    std::iota(all_.begin(), all_.end(), size_t{0});
    for (size_t i = 0; i < wanted_.size(); ++i) {
      rank_[i] = chosen_.size();
      if (wanted_[i]) chosen_.push_back(i);
    }
  }

  bool wanted(size_t one) const { return wanted_[one]; }
  bool has(size_t a, size_t b) const { return wanted_[a] || wanted_[b]; }
  /// The wanted, and all, in order.
  const std::vector<size_t>& chosen() const { return chosen_; }
  const std::vector<size_t>& all() const { return all_; }
  /// Those that make a pair with `one`, in order.
  const std::vector<size_t>& others(size_t one) const { return wanted_[one] ? all_ : chosen_; }
  /// Where `other` stands in others(one); only if has(one, other).
  size_t place(size_t one, size_t other) const { return wanted_[one] ? other : rank_[other]; }
  /// How many pairs there are, each in both orders.
  size_t count() const { return chosen_.size() * (2 * all_.size() - chosen_.size()); }

 private:
  std::vector<bool> wanted_;
  std::vector<size_t> chosen_, all_, rank_;
};

}  // namespace rampart::reach
