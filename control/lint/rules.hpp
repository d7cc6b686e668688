// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

/// The rules that files of objects are checked by: one table for `rampartctl validate --rules`, its
/// reference page and the SARIF that it writes.
namespace rampart::lint {

enum class Severity : uint8_t {
  kError,    ///< an API server refuses it, or it can never do anything
  kWarning,  ///< it hardly does what was meant
};

enum class RuleId : uint8_t {
  kSyntax,
  kUnknownField,
  kMisplacedField,
  kWrongType,
  kMissingField,
  kDuplicateKey,
  kDuplicateObject,
  kBadValue,
  kBadName,
  kBadLabel,
  kBadCidr,
  kBadPort,
  kUnknownKind,
  kUnsupportedKind,
  kNoSuchPod,
  kNoSuchNamespace,
  kNamespaceNameLabel,
  kNoSuchPort,
  kShadowedRule,
  kShadowedPeer,
  kShadowedPort,
  kEmptyBlock,
  kEgressWithoutDns,
};

struct Rule {
  RuleId rule;
  std::string_view id;  ///< "unknown-field"; never changes, for people write it into their settings
  Severity severity;
  std::string_view meaning;  ///< one line, no full stop
  std::string_view help;     ///< why it matters and what to do, in sentences
};

/// Every rule, in the order of RuleId.
std::span<const Rule> rules();
const Rule& rule(RuleId id);
/// The rule of that name, or null.
const Rule* find_rule(std::string_view id);
std::string_view to_string(Severity severity);  ///< "error", "warning"

}  // namespace rampart::lint
