// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <compare>
#include <cstdint>
#include <optional>
#include <string>

#include "control/compile/compile.hpp"
#include "control/compile/tables.hpp"
#include "control/kube/evaluate.hpp"

namespace rampart::compile {

/// What a connection asks for. `protocol`: IANA number; `port`: host order, 0 for those without.
struct ProbedService {
  uint8_t protocol = 0;
  L4Port port = 0;
  auto operator<=>(const ProbedService&) const = default;
};

/// Whether the compiled rules and the policies say the same of a connection: for the proof. One
/// thread; what it was made from must outlive it.
class Verdicts {
 public:
  /// `previous` may be null. `evaluator`: of the state that `made` was compiled from.
  Verdicts(const Compiled& made, const Compiled* previous, const Tables& tables,
           const kube::Evaluator& evaluator)
      : made_(made), previous_(previous), tables_(tables), evaluator_(evaluator) {}

  /// What is wrong, in words; empty: nothing. That a live flow would keep a verdict of `previous`
  /// which is another one now is wrong as well.
  std::string wrong_of(const IpAddress& from, const IpAddress& to,
                       const ProbedService& service) const;

 private:
  struct Asked {
    const IpAddress &from, &to;
    ProbedService service;
    std::string text() const;
  };
  static Verdict judged(const RuleSet& rules, const Asked& asked);
  bool is_origin(uint32_t rule, const std::optional<kube::Admission>& expected) const;
  std::string origin_text(uint32_t rule) const;
  bool agrees(const Asked& asked, const Verdict& verdict, const kube::Explanation& plain) const;
  bool is_kept_wrongly(const Asked& asked, const Verdict& now) const;

  const Compiled& made_;
  const Compiled* previous_;
  const Tables& tables_;
  const kube::Evaluator& evaluator_;
};

}  // namespace rampart::compile
