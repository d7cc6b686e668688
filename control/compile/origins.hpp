// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "control/kube/evaluate.hpp"

namespace rampart::compile {

/// The entries of policies that a verdict can name, by numbers that an entry keeps as long as its
/// policy stays as it is: a flow that need not be judged again needs no new numbers either. A
/// number is not given out twice. Immutable; any thread.
class Origins {
 public:
  Origins() = default;
  /// `entries[i]` has the number `numbers[i]`, from 1 on and below `next`; all differ.
  Origins(std::vector<kube::Admission> entries, std::vector<uint32_t> numbers, uint32_t next);

  size_t size() const { return entries_.size(); }
  const std::vector<kube::Admission>& entries() const { return entries_; }
  /// By index into entries().
  const std::shared_ptr<const std::vector<uint32_t>>& numbers() const { return numbers_; }
  /// Null: no entry has this number (any more).
  const kube::Admission* find(uint32_t number) const;
  /// Higher than any number so far.
  uint32_t next() const { return next_; }
  bool operator==(const Origins& other) const {
    return entries_ == other.entries_ && *numbers_ == *other.numbers_;
  }

 private:
  std::vector<kube::Admission> entries_;
  std::shared_ptr<const std::vector<uint32_t>> numbers_ =
      std::make_shared<const std::vector<uint32_t>>();
  std::vector<uint32_t> by_number_;  ///< indices
  uint32_t next_ = 1;
};

}  // namespace rampart::compile
