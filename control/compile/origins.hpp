// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "control/kube/cow_map.hpp"
#include "control/kube/evaluate.hpp"
#include "control/kube/model.hpp"

namespace rampart::compile {

/// What a policy became.
struct PolicyPlace {
  /// What a verdict can name of it: (rule × peer × port) entries. Never null.
  std::shared_ptr<const std::vector<kube::Admission>> entries;
  uint32_t first = 0;    ///< number of the first of them; the others follow
  size_t acl_rules = 0;  ///< that it became
  /// Why it isolates its pods and allows nothing, or empty.
  std::string fails_closed;
  bool operator==(const PolicyPlace& other) const;
};

/// The entries of policies that a verdict can name, by numbers that an entry keeps as long as its
/// policy stays as it is: a flow that need not be judged again needs no new numbers either. A
/// number is not given out twice. Copies share what they have in common; threads as with CowMap.
class Origins {
 public:
  /// Null: no entry has this number (any more).
  const kube::Admission* find(uint32_t number) const;
  /// Null: there is no such policy.
  const PolicyPlace* of(const kube::ObjectKey& policy) const;

  const kube::CowMap<kube::ObjectKey, std::shared_ptr<const PolicyPlace>>& policies() const {
    return policies_;
  }
  /// Those that fail closed.
  const kube::CowMap<kube::ObjectKey, std::shared_ptr<const PolicyPlace>>& failing() const {
    return failing_;
  }
  size_t entries() const { return entries_; }
  size_t acl_rules() const { return acl_rules_; }
  /// Higher than any number so far.
  uint32_t next() const { return next_; }
  bool operator==(const Origins& other) const;

  /// Puts a policy's place down. Its entries keep the numbers of those of before if there are as
  /// many of them; `place.first` is not looked at. Returns the number of the first.
  uint32_t set(const kube::ObjectKey& policy, PolicyPlace place);
  /// The policy is gone, or another one now: its numbers are, too.
  void forget(const kube::ObjectKey& policy);

 private:
  kube::CowMap<kube::ObjectKey, std::shared_ptr<const PolicyPlace>> policies_, failing_;
  kube::CowMap<uint32_t, std::shared_ptr<const PolicyPlace>> by_number_;
  size_t entries_ = 0, acl_rules_ = 0;
  uint32_t next_ = 1;
};

}  // namespace rampart::compile
