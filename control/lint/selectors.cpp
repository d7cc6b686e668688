// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <array>
#include <set>
#include <string>

#include "control/kube/decode_metadata.hpp"
#include "control/lint/checks.hpp"
#include "control/lint/words.hpp"

// Selectors that select nothing, and namespaces selected by a label that nobody sets.
namespace rampart::lint {
namespace {

using kube::LabelRequirement;
using kube::LabelSelector;
using Op = LabelRequirement::Op;
using Candidates = std::vector<const kube::Labels*>;

/// "app=web" or the like.
std::string text_of(const LabelRequirement& requirement) {
  const std::string& key = requirement.key;
  switch (requirement.op) {
    case Op::kIn:
      return requirement.values.size() == 1 ? key + "=" + requirement.values.front()
                                            : key + " in (" + enumerated(requirement.values) + ")";
    case Op::kNotIn:
      return key + " not in (" + enumerated(requirement.values) + ")";
    case Op::kExists:
      return key;
    case Op::kDoesNotExist:
      return "!" + key;
  }
  return key;
}

std::string text_of(const LabelSelector& selector) {
  std::string text;
  for (const LabelRequirement& requirement : selector.requirements) {
    text += (text.empty() ? "" : ", ") + text_of(requirement);
  }
  return text;
}

/// What the candidates have instead, told by the first requirement that none of them meets.
std::string near_miss(const LabelSelector& selector, const Candidates& candidates) {
  if (candidates.empty()) return {};
  for (const LabelRequirement& requirement : selector.requirements) {
    const LabelSelector alone{{requirement}};
    if (std::any_of(candidates.begin(), candidates.end(),
                    [&](const kube::Labels* labels) { return alone.matches(*labels); })) {
      continue;
    }
    std::set<std::string> keys, values;
    for (const kube::Labels* labels : candidates) {
      for (const auto& [key, value] : *labels) keys.insert(key);
      if (const auto* value = kube::find_label(*labels, requirement.key)) values.insert(*value);
    }
    if (values.empty()) {
      const std::string near =
          nearest(requirement.key, std::vector<std::string>(keys.begin(), keys.end()));
      return "none of them has a label " + requirement.key +
             (near.empty() ? std::string() : "; did you mean " + near + "?");
    }
    const std::vector<std::string> known(values.begin(), values.end());
    const std::string near =
        requirement.values.empty() ? std::string() : nearest(requirement.values.front(), known);
    return "there " + requirement.key + " is " + enumerated(known) +
           (near.empty() ? std::string() : "; did you mean " + near + "?");
  }
  return selector.requirements.size() > 1 ? "none of them has all of these labels at once" : "";
}

class SelectorChecks {
 public:
  explicit SelectorChecks(const Case& input) : input_(input), state_(input.survey.state) {
    for (const auto& [key, ns] : state_.namespaces) {
      if (!ns->implied) known_.emplace_back(key.name, ns->labels);
    }
    for (const std::string_view name : kBuiltIn) {
      if (!is_given(std::string(name))) {
        known_.emplace_back(name, namespace_labels(state_, std::string(name)));
      }
    }
  }

  void check(const Judged& judged, std::vector<Finding>& out) const {
    const auto& policy = judged.policy;
    check_pods(judged, "spec.podSelector", policy.subject, {policy.ns}, out);
    for (const RuleView& view : rules_of(policy)) {
      for (size_t i = 0; i < view.rule.peers.size(); ++i) {
        check_peer(judged, view.peer_path(i), view.rule.peers[i], out);
      }
    }
  }

 private:
  /// Whether the input tells which pods are there: it holds some, or at least the Namespace.
  bool pods_known(const std::string& ns) const {
    const auto first = state_.pods.lower_bound(kube::ObjectKey{ns, {}});
    return (first != state_.pods.end() && first->first.ns == ns) || is_given(ns);
  }
  bool is_given(const std::string& ns) const {
    const auto found = state_.namespaces.find(kube::ObjectKey{{}, ns});
    return found != state_.namespaces.end() && !found->second->implied;
  }

  void check_peer(const Judged& judged, const std::string& path, const kube::PolicyPeer& peer,
                  std::vector<Finding>& out) const {
    std::vector<std::string> namespaces{judged.policy.ns};
    if (peer.namespace_selector) {
      if (input_.blind.namespaces) return;
      namespaces.clear();
      for (const auto& [name, labels] : known_) {
        if (peer.namespace_selector->matches(labels)) namespaces.push_back(name);
      }
      if (namespaces.empty()) {
        Candidates candidates;
        for (const auto& [name, labels] : known_) candidates.push_back(&labels);
        Finding finding =
            judged.finding(RuleId::kNoSuchNamespace, path + ".namespaceSelector",
                           "no namespace of the input has " + text_of(*peer.namespace_selector),
                           near_miss(*peer.namespace_selector, candidates));
        if (!named_by_label(*peer.namespace_selector)) out.push_back(std::move(finding));
        return;
      }
    }
    if (peer.pod_selector) {
      check_pods(judged, path + ".podSelector", *peer.pod_selector, namespaces, out);
    }
  }

  void check_pods(const Judged& judged, const std::string& path, const LabelSelector& selector,
                  const std::vector<std::string>& namespaces, std::vector<Finding>& out) const {
    if (selector.selects_all() || input_.blind.pods) return;
    Candidates candidates;
    for (const std::string& ns : namespaces) {
      if (!pods_known(ns)) return;
      for (auto pod = state_.pods.lower_bound(kube::ObjectKey{ns, {}});
           pod != state_.pods.end() && pod->first.ns == ns; ++pod) {
        if (pod->second->host_network) continue;  // selected by nothing
        if (selector.matches(pod->second->labels)) return;
        candidates.push_back(&pod->second->labels);
      }
    }
    const std::string where = namespaces.size() == 1
                                  ? "namespace " + namespaces.front()
                                  : "the " + std::to_string(namespaces.size()) + " namespaces";
    out.push_back(judged.finding(
        RuleId::kNoSuchPod, path, "no pod of " + where + " has " + text_of(selector),
        candidates.empty() ? "the input holds no pods there" : near_miss(selector, candidates)));
  }

  /// Whether find_namespace_name_labels has something better to say.
  bool named_by_label(const LabelSelector& selector) const {
    std::vector<Finding> found;
    kube::NetworkPolicy policy;
    policy.ingress.push_back({{{std::nullopt, selector, std::nullopt}}, {}});
    find_namespace_name_labels({input_.survey, input_.blind, {{policy, {}, true}}}, found);
    return !found.empty();
  }

  const Case& input_;
  const kube::ClusterState& state_;
  /// Namespaces that the input holds, and those that are in every cluster.
  std::vector<std::pair<std::string, kube::Labels>> known_;
};

/// Keys by which people mean a namespace's name.
bool means_name(std::string_view key) {
  static constexpr std::array<std::string_view, 8> kKeys{"name",
                                                         "namespace",
                                                         "ns",
                                                         "kubernetes.io/name",
                                                         "kubernetes.io/namespace",
                                                         "metadata.name",
                                                         "k8s.io/metadata.name",
                                                         "namespace-name"};
  return std::find(kKeys.begin(), kKeys.end(), key) != kKeys.end();
}

/// Whether a namespace of the input has that label with one of the values.
bool is_set(const kube::ClusterState& state, const LabelRequirement& requirement) {
  const LabelSelector alone{{requirement}};
  return std::any_of(state.namespaces.begin(), state.namespaces.end(),
                     [&](const auto& entry) { return alone.matches(entry.second->labels); });
}

bool is_known_name(const kube::ClusterState& state, const std::string& ns) {
  return std::find(kBuiltIn.begin(), kBuiltIn.end(), ns) != kBuiltIn.end() ||
         state.namespaces.count(kube::ObjectKey{{}, ns}) > 0;
}

}  // namespace

void find_lonely_selectors(const Case& input, std::vector<Finding>& out) {
  const SelectorChecks checks(input);
  for (const Judged& judged : input.policies) checks.check(judged, out);
}

void find_namespace_name_labels(const Case& input, std::vector<Finding>& out) {
  const kube::ClusterState& state = input.survey.state;
  const std::string label(kube::kNamespaceNameLabel);
  for (const Judged& judged : input.policies) {
    for (const RuleView& view : rules_of(judged.policy)) {
      for (size_t i = 0; i < view.rule.peers.size(); ++i) {
        const auto& selector = view.rule.peers[i].namespace_selector;
        if (!selector) continue;
        for (const LabelRequirement& requirement : selector->requirements) {
          if (requirement.op != Op::kIn || requirement.key == label || is_set(state, requirement)) {
            continue;
          }
          const bool names =
              std::all_of(requirement.values.begin(), requirement.values.end(),
                          [&](const std::string& value) { return is_known_name(state, value); });
          // Of other keys only the Namespaces of the input can tell.
          if (!means_name(requirement.key) && (input.blind.namespaces || !names)) continue;
          const std::string path =
              view.peer_path(i) + ".namespaceSelector.matchLabels[" + requirement.key + "]";
          const std::string values = enumerated(requirement.values);
          Finding& finding = out.emplace_back(judged.finding(
              RuleId::kNamespaceNameLabel, path,
              "no cluster labels its namespaces with " + text_of(requirement) + " by itself" +
                  (input.blind.namespaces ? "" : ", and no Namespace of the input has it"),
              "select by " + label + ": " + values + ", which every namespace carries"));
          if (requirement.values.size() != 1) continue;
          finding.mend = Mend{Mend::Kind::kRename, path, label, "select by " + label};
        }
      }
    }
  }
}

}  // namespace rampart::lint
