// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <array>
#include <string>
#include <string_view>

#include "control/lint/checks.hpp"
#include "control/lint/words.hpp"

// What an API server would say of the input, as findings: which rule it breaks, and what may have
// been meant.
namespace rampart::lint {
namespace {

/// Where the fields of a NetworkPolicy belong; tells a misplaced field from a misspelt one.
struct Home {
  std::string_view field, where;
};
constexpr std::array<Home, 20> kHomes{{
    {"podSelector", "in an entry of from or to, or in spec"},
    {"namespaceSelector", "in an entry of from or to"},
    {"ipBlock", "in an entry of from or to"},
    {"cidr", "in an ipBlock"},
    {"except", "in an ipBlock"},
    {"matchLabels", "in a podSelector or a namespaceSelector"},
    {"matchExpressions", "in a podSelector or a namespaceSelector"},
    {"operator", "in an entry of matchExpressions"},
    {"values", "in an entry of matchExpressions"},
    {"protocol", "in an entry of ports"},
    {"port", "in an entry of ports"},
    {"endPort", "in an entry of ports"},
    {"ports", "in an entry of ingress or egress, beside from or to"},
    {"from", "in an entry of ingress"},
    {"to", "in an entry of egress"},
    {"ingress", "in spec"},
    {"egress", "in spec"},
    {"policyTypes", "in spec"},
    {"namespace", "in metadata"},
    {"labels", "in metadata"},
}};

RuleId rule_of(kube::Fault fault) {
  switch (fault) {
    case kube::Fault::kValue:
      return RuleId::kBadValue;
    case kube::Fault::kType:
      return RuleId::kWrongType;
    case kube::Fault::kMissing:
      return RuleId::kMissingField;
    case kube::Fault::kTwice:
      return RuleId::kDuplicateKey;
    case kube::Fault::kName:
      return RuleId::kBadName;
    case kube::Fault::kLabel:
      return RuleId::kBadLabel;
    case kube::Fault::kCidr:
      return RuleId::kBadCidr;
    case kube::Fault::kPort:
      return RuleId::kBadPort;
    case kube::Fault::kKind:
      return RuleId::kUnknownKind;
  }
  return RuleId::kBadValue;
}

/// "endPort" of "spec.ingress[0].ports[1].endPort", "matchLabels[a.b/c]" of "….matchLabels[a.b/c]".
std::string_view last_step(std::string_view path) {
  size_t start = 0, open = 0;
  for (size_t i = 0; i < path.size(); ++i) {
    if (path[i] == '[') ++open;
    if (path[i] == ']' && open > 0) --open;
    if (path[i] == '.' && open == 0) start = i + 1;
  }
  return path.substr(start);
}

bool has(const std::vector<std::string>& words, std::string_view word) {
  return std::find(words.begin(), words.end(), word) != words.end();
}

/// Fills in what may have been meant by a field that nobody knows.
void guess(const kube::Problem& problem, Finding& finding) {
  const std::string& path = problem.refusal.field;
  const std::string name(last_step(path));
  const std::string parent = path.substr(0, path.size() - std::min(path.size(), name.size() + 1));
  const std::string other = name == "from" ? "to" : name == "to" ? "from" : "";
  const std::string near =
      !other.empty() && has(problem.known, other) ? other : nearest(name, problem.known);
  const auto* const home = std::find_if(kHomes.begin(), kHomes.end(),
                                        [&](const Home& entry) { return entry.field == name; });
  if (!near.empty()) {
    finding.hint = "did you mean " + near + "?";
    finding.mend = Mend{Mend::Kind::kRename, path, near, "call it " + near};
    if (home != kHomes.end()) finding.rule = RuleId::kMisplacedField;
    return;
  }
  if (home == kHomes.end()) {
    finding.hint = has(problem.known, "matchLabels")
                       ? "labels stand within matchLabels"
                       : "the fields here are " + enumerated(problem.known, 20);
    return;
  }
  finding.rule = RuleId::kMisplacedField;
  finding.hint = "it belongs " + std::string(home->where);
  const bool selector = name == "podSelector" || name == "namespaceSelector";
  const bool in_rule = has(problem.known, "ports");
  if (!selector || !in_rule) return;
  const std::string peers = has(problem.known, "to") ? "to" : "from";
  finding.message = name + " stands beside " + peers + " instead of inside an entry of it";
  finding.hint =
      "indent it by one level, without a dash of its own: then both selectors of the entry "
      "must match";
  finding.mend =
      Mend{Mend::Kind::kMoveInto, path, parent + "." + peers, "move it into the entry of " + peers};
}

}  // namespace

void find_api_problems(const kube::Survey& survey, std::vector<Finding>& out) {
  for (const kube::Problem& problem : survey.problems) {
    const kube::Refusal& refusal = problem.refusal;
    Finding& finding = out.emplace_back();
    finding.place = problem.place;
    finding.object = refusal.kind.empty() ? std::string() : refusal.kind + " " + refusal.object;
    finding.path = refusal.field;
    const std::string field(last_step(refusal.field));
    finding.message = field.empty() || refusal.reason.starts_with('\'')
                          ? refusal.reason
                          : field + " " + refusal.reason;
    if (!problem.known.empty()) {
      finding.rule = RuleId::kUnknownField;
      guess(problem, finding);
      continue;
    }
    finding.rule =
        refusal.kind.empty() && refusal.field.empty() ? RuleId::kSyntax : rule_of(refusal.fault);
    if (finding.rule == RuleId::kDuplicateKey && field.empty()) {
      finding.rule = RuleId::kDuplicateObject;
      finding.message = finding.object + " stands in the input twice";
      finding.hint = "give one of them another name, or put their rules into one policy";
      for (const auto& [key, seen] : survey.policies) {
        if (refusal.kind != "NetworkPolicy" || key.text() != refusal.object) continue;
        finding.related = Finding::Related{seen.place, {}, "the other one"};
      }
    }
    if (finding.rule == RuleId::kWrongType && field.starts_with("matchLabels[")) {
      finding.hint = "put the value in quotes";
    }
  }
  for (const auto& [place, object] : survey.unsupported) {
    out.push_back({RuleId::kUnsupportedKind, place, object.kind + " " + object.name, "kind",
                   object.kind + " of " + object.api_version + " is not enforced",
                   "only NetworkPolicy of networking.k8s.io/v1 is"});
  }
}

}  // namespace rampart::lint
