// SPDX-License-Identifier: Apache-2.0
#include "control/lint/rules.hpp"

#include <algorithm>
#include <array>

namespace rampart::lint {
namespace {

constexpr auto kError = Severity::kError;
constexpr auto kWarning = Severity::kWarning;

constexpr std::array<Rule, 23> kRules{{
    {RuleId::kSyntax, "syntax", kError, "the file is neither YAML nor JSON, or holds no object",
     "Nothing of the document can be read, so nothing of it was checked."},
    {RuleId::kUnknownField, "unknown-field", kError,
     "a field that the API does not have, mostly a misspelt one",
     "kubectl refuses it, an older API server drops it in silence, and either way the policy does "
     "not "
     "say what its author wrote. A rule that lost its selector so lets everybody in."},
    {RuleId::kMisplacedField, "misplaced-field", kError,
     "a field of the API in a place where it does not belong",
     "The classic is a podSelector beside `to` or `from` where it should stand within one of their "
     "entries: it is dropped, and the rule then speaks of every pod that the rest selects. Mind "
     "the "
     "dash: within one entry selectors must both match, as two entries either will do."},
    {RuleId::kWrongType, "wrong-type", kError,
     "a value of the wrong type, such as a string for a number",
     "The API server refuses the object. YAML reads plain yes, no, on, off and 080 as something "
     "else "
     "than text: put such values in quotes."},
    {RuleId::kMissingField, "missing-field", kError, "a field that must be there is not",
     "The API server refuses the object. An empty peer or port entry counts: `- {}` in `from` "
     "names "
     "nobody."},
    {RuleId::kDuplicateKey, "duplicate-key", kError, "a key that stands twice in one mapping",
     "Readers disagree about which one counts; most drop the first without a word. Two "
     "podSelectors "
     "are two entries of a list, each with a dash of its own."},
    {RuleId::kDuplicateObject, "duplicate-object", kError,
     "two objects of one kind, namespace and name",
     "Whichever is applied last replaces the other: one of the two policies is not in force."},
    {RuleId::kBadValue, "bad-value", kError, "a value that the API does not allow here",
     "The API server refuses the object."},
    {RuleId::kBadName, "bad-name", kError, "a name that no object or namespace can have",
     "Names are DNS names in lower case: RFC 1123."},
    {RuleId::kBadLabel, "bad-label", kError, "a label key or value with the wrong syntax",
     "No object can carry such a label, and the API server refuses a selector with it."},
    {RuleId::kBadCidr, "bad-cidr", kError,
     "an address block that is none, or an except that is not within its block",
     "`cidr` and each `except` are ADDRESS/LENGTH of one family; an `except` must be a strict part "
     "of "
     "its `cidr`."},
    {RuleId::kBadPort, "bad-port", kError, "a port out of range, or an endPort without its port",
     "Ports are 1 to 65535. `endPort` needs a numeric `port` that is not above it; a name has at "
     "most "
     "15 characters and a letter among them."},
    {RuleId::kUnknownKind, "unknown-kind", kError, "an apiVersion or kind that does not exist",
     "No API server takes it; a policy of a misspelt kind protects nothing."},
    {RuleId::kUnsupportedKind, "unsupported-kind", kWarning,
     "a policy of a kind that is not enforced",
     "Only networking.k8s.io/v1 NetworkPolicy is enforced; what this object allows or denies is "
     "not."},
    {RuleId::kNoSuchPod, "selector-matches-no-pod", kWarning,
     "a podSelector that no pod of the input matches",
     "The policy, or this part of its rule, is about nobody. Judged only where the input tells: it "
     "must hold pods (or workloads with pod templates) of the namespaces in question."},
    {RuleId::kNoSuchNamespace, "selector-matches-no-namespace", kWarning,
     "a namespaceSelector that no namespace of the input matches",
     "The rule lets nobody in. Judged only where the input holds Namespaces."},
    {RuleId::kNamespaceNameLabel, "namespace-name-label", kWarning,
     "a namespace selected by a `name` label that is not there, where kubernetes.io/metadata.name "
     "would do",
     "No cluster sets a label `name` on namespaces by itself. Every namespace carries "
     "kubernetes.io/metadata.name, and nobody can change it: select by that one, or label the "
     "namespaces and keep their manifests beside the policies."},
    {RuleId::kNoSuchPort, "named-port-nowhere", kWarning,
     "a named port that none of the pods in question has",
     "Names of ports are looked up on the destination pods, with the protocol of the entry. Where "
     "no "
     "container port has the name, the entry allows nothing."},
    {RuleId::kShadowedRule, "shadowed-rule", kWarning,
     "a rule that allows nothing that another does not allow anyway",
     "Rules only add up. A rule that is wholly covered says nothing, and whoever tightens it later "
     "wonders why nothing changes: mostly the other one is wider than was meant."},
    {RuleId::kShadowedPeer, "shadowed-peer", kWarning,
     "a peer that another peer of its rule covers",
     "Entries of one list are alternatives; a narrow one beside a wide one restricts nothing. "
     "Perhaps "
     "the two selectors were meant as one entry (without the second dash), where both must match."},
    {RuleId::kShadowedPort, "shadowed-port", kWarning,
     "a port that another entry of its rule covers",
     "Entries of one list are alternatives; this one adds nothing."},
    {RuleId::kEmptyBlock, "except-empties-block", kError,
     "an except list that leaves nothing of its block",
     "The block allows no address at all. Mostly the wrong half was excepted."},
    {RuleId::kEgressWithoutDns, "egress-without-dns", kWarning,
     "pods isolated for egress with rules, none of which lets DNS through",
     "Names then do not resolve, and most programs fail before they open the connection that the "
     "rules "
     "allow. A policy without any egress rule is taken for a lock and left alone."},
}};

constexpr bool in_order() {
  for (size_t i = 0; i < kRules.size(); ++i) {
    if (static_cast<size_t>(kRules[i].rule) != i) return false;
  }
  return true;
}
static_assert(in_order() && kRules.back().rule == RuleId::kEgressWithoutDns);

}  // namespace

std::span<const Rule> rules() {
  return kRules;
}

const Rule& rule(RuleId id) {
  return kRules[static_cast<size_t>(id)];
}

const Rule* find_rule(std::string_view id) {
  const auto* found = std::find_if(kRules.begin(), kRules.end(),
                                   [&](const Rule& candidate) { return candidate.id == id; });
  return found == kRules.end() ? nullptr : found;
}

std::string_view to_string(Severity severity) {
  return severity == Severity::kError ? "error" : "warning";
}

}  // namespace rampart::lint
