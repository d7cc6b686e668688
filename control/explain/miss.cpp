// SPDX-License-Identifier: Apache-2.0
#include "control/explain/miss.hpp"

#include <algorithm>
#include <optional>
#include <tuple>
#include <utility>

#include "control/explain/describe.hpp"

namespace rampart::explain {
namespace {

using kube::Direction;
using Op = kube::LabelRequirement::Op;
using kube::PolicyPort;

// What a difference counts. A label or a port is what people mistype; that another kind of end was
// meant altogether is what they hardly ever mean.
constexpr unsigned kOtherProtocol = 1, kOtherPort = 2, kOneLabel = 2, kOtherNamespace = 3,
                   kExcepted = 3, kNoPortsAtAll = 5, kOutsideBlock = 8, kNoPod = 9,
                   kNothingAllowed = 1000;

/// What is missing of one entry.
struct Gap {
  unsigned distance = 0;
  std::string what;
};

/// "(it has app=db)", or nothing if there is no such label.
std::string present(const kube::Labels& labels, const std::string& key) {
  const std::string* value = kube::find_label(labels, key);
  return value == nullptr ? "" : " (it has " + key + "=" + *value + ")";
}

/// What a requirement that does not hold asks for, after "the source": "had label app=web".
std::string wish(const kube::LabelRequirement& need, const kube::Labels& labels) {
  const bool one = need.values.size() == 1;
  switch (need.op) {
    case Op::kIn:
      return "had label " + (one ? text_of(need) : need.key + " in (" + listed(need.values) + ")") +
             present(labels, need.key);
    case Op::kNotIn:
    case Op::kDoesNotExist: {
      const std::string* value = kube::find_label(labels, need.key);
      return "had no label " + need.key + (value == nullptr ? "" : "=" + *value);
    }
    case Op::kExists:
      return "had a label " + need.key;
  }
  return {};
}

/// The requirements of a selector that do not hold, as wishes.
std::vector<std::string> wishes(const kube::LabelSelector& selector, const kube::Labels& labels) {
  std::vector<std::string> all;
  for (const auto& need : selector.requirements) {
    if (!kube::LabelSelector{{need}}.matches(labels)) all.push_back(wish(need, labels));
  }
  return all;
}

class Misses {
 public:
  Misses(const kube::Evaluator& evaluator, const Asked& asked)
      : evaluator_(evaluator),
        asked_(asked),
        egress_(asked.direction == Direction::kEgress),
        other_(egress_ ? "the destination" : "the source"),
        destination_(egress_ ? asked.other_pod : asked.subject) {}

  void add(const kube::NetworkPolicy& policy) {
    const auto& rules = egress_ ? policy.egress : policy.ingress;
    Miss miss;
    miss.rule.policy = {policy.ns, policy.name};
    miss.rule.direction = asked_.direction;
    if (!policy.fails_closed.empty() || rules.empty()) {
      miss.has_rule = false;
      miss.distance = kNothingAllowed;
      miss.what = policy.fails_closed.empty()
                      ? std::string("has no rules for ") + (egress_ ? "egress" : "ingress") +
                            ": it allows nothing"
                      : "allows nothing because " + policy.fails_closed;
      found_.push_back(std::move(miss));
      return;
    }
    for (size_t i = 0; i < rules.size(); ++i) {
      miss.rule.rule = i;
      add_rule(policy, rules[i], miss);
    }
  }

  std::vector<Miss> nearest(size_t most) && {
    std::stable_sort(found_.begin(), found_.end(),
                     [](const Miss& a, const Miss& b) { return a.distance < b.distance; });
    if (found_.size() > most) found_.resize(most);
    return std::move(found_);
  }

 private:
  void add_rule(const kube::NetworkPolicy& policy, const kube::PolicyRule& rule, Miss miss) {
    miss.rule.peer = miss.rule.port = std::nullopt;
    const auto [peer, peer_gap] = nearest_peer(policy, rule);
    const auto [port, port_gap] = nearest_port(rule);
    if (peer_gap.distance + port_gap.distance == 0) return;  // this one admits it
    if (peer_gap.distance > 0) miss.rule.peer = peer;
    if (port_gap.distance > 0) miss.rule.port = port;
    miss.distance = peer_gap.distance + port_gap.distance;
    miss.what = peer_gap.what;
    if (!port_gap.what.empty()) miss.what += (miss.what.empty() ? "" : "; and ") + port_gap.what;
    found_.push_back(std::move(miss));
  }

  std::pair<size_t, Gap> nearest_peer(const kube::NetworkPolicy& policy,
                                      const kube::PolicyRule& rule) const {
    std::pair<size_t, Gap> best{0, {}};
    for (size_t i = 0; i < rule.peers.size(); ++i) {
      Gap gap = peer_gap(policy, rule.peers[i]);
      if (i == 0 || gap.distance < best.second.distance) best = {i, std::move(gap)};
    }
    if (best.second.distance > 0) {
      best.second.what = "would pass if " + other_ + " " + best.second.what;
    }
    return best;
  }

  Gap peer_gap(const kube::NetworkPolicy& policy, const kube::PolicyPeer& peer) const {
    if (peer.ip_block) return block_gap(*peer.ip_block);
    if (asked_.other_pod == nullptr) {
      return {kNoPod, "were one of " + text_of(peer, policy.ns) + " (" + asked_.other.text() +
                          " is no pod's address)"};
    }
    const kube::Pod& pod = *asked_.other_pod;
    Gap gap;
    std::vector<std::string> needs;
    if (peer.pod_selector) needs = wishes(*peer.pod_selector, pod.labels);
    gap.distance = kOneLabel * static_cast<unsigned>(needs.size());
    if (!peer.namespace_selector) {
      if (pod.ns != policy.ns) {
        gap.distance += kOtherNamespace;
        needs.push_back("were in namespace " + policy.ns);
      }
    } else {
      const auto labels = namespace_labels(pod.ns);
      const auto missing = wishes(*peer.namespace_selector, labels);
      gap.distance += kOneLabel * static_cast<unsigned>(missing.size());
      if (!missing.empty()) needs.push_back("were in a namespace that " + listed(missing));
    }
    gap.what = listed(needs);
    return gap;
  }

  kube::Labels namespace_labels(const std::string& ns) const {
    const auto& all = evaluator_.state().namespaces;
    const auto found = all.find({{}, ns});
    return found == all.end() ? kube::Labels{} : found->second->labels;
  }

  Gap block_gap(const kube::IpBlock& block) const {
    if (block.contains(asked_.other)) return {};
    if (!block.cidr.contains(asked_.other)) {
      return {kOutsideBlock, "had an address in " + text_of(block)};
    }
    for (const IpPrefix& except : block.except) {
      if (!except.contains(asked_.other)) continue;
      return {kExcepted,
              "were not in " + except.text() + ", which is excepted from " + block.cidr.text()};
    }
    return {};
  }

  bool same_protocol(const PolicyPort& entry) const {
    return static_cast<uint8_t>(entry.protocol) == asked_.protocol;
  }

  /// The numbers that an entry stands for at this destination.
  std::vector<PolicyPort::Range> numbers(const PolicyPort& entry) const {
    if (std::holds_alternative<PolicyPort::Any>(entry.port)) return {{0, 65535}};
    if (const auto* range = std::get_if<PolicyPort::Range>(&entry.port)) return {*range};
    std::vector<PolicyPort::Range> all;
    if (destination_ == nullptr) return all;
    for (const kube::ContainerPort& port : destination_->ports) {
      if (port.name == std::get<PolicyPort::Name>(entry.port) && port.protocol == entry.protocol) {
        all.push_back({port.number, port.number});
      }
    }
    return all;
  }

  bool number_fits(const PolicyPort& entry) const {
    const auto all = numbers(entry);
    return std::any_of(all.begin(), all.end(), [&](const PolicyPort::Range& range) {
      return range.first <= asked_.port && asked_.port <= range.last;
    });
  }

  /// "8080", "http (8080)", "http (no port of web/b)".
  std::string entry_text(const PolicyPort& entry) const {
    if (!std::holds_alternative<PolicyPort::Name>(entry.port)) return port_text(entry);
    const auto all = numbers(entry);
    if (!all.empty()) return port_text(entry) + " (" + std::to_string(all.front().first) + ")";
    const std::string whom =
        destination_ == nullptr ? asked_.other.text() : destination_->ns + "/" + destination_->name;
    return port_text(entry) + " (which is no port of " + whom + ")";
  }

  std::pair<size_t, Gap> nearest_port(const kube::PolicyRule& rule) const {
    if (rule.ports.empty()) return {};
    const std::string asked_text = protocol_text(asked_.protocol);
    if (!has_ports(asked_.protocol)) {
      std::vector<std::string> words;
      for (const PolicyPort& entry : rule.ports) words.push_back(text_of(entry));
      return {0,
              {kNoPortsAtAll, listed(words) + (words.size() == 1 ? " is" : " are") + " allowed, " +
                                  asked_text + " is not (only a rule without ports allows it)"}};
    }
    size_t nearest = rule.ports.size(), other = rule.ports.size();
    unsigned nearest_by = 0;
    std::vector<std::string> same;
    for (size_t i = 0; i < rule.ports.size(); ++i) {
      const PolicyPort& entry = rule.ports[i];
      if (!same_protocol(entry)) {
        if (number_fits(entry) && other == rule.ports.size()) other = i;
        continue;
      }
      if (number_fits(entry)) return {i, {}};
      same.push_back(entry_text(entry));
      const unsigned by = away(entry);
      if (nearest == rule.ports.size() || by < nearest_by) {
        nearest = i;
        nearest_by = by;
      }
    }
    const std::string number = std::to_string(asked_.port);
    if (other < rule.ports.size()) {
      const std::string allowed = protocol_text(static_cast<uint8_t>(rule.ports[other].protocol));
      return {other,
              {kOtherProtocol,
               allowed + " " + number + " is allowed, " + asked_text + " " + number + " is not"}};
    }
    if (!same.empty()) {
      return {nearest,
              {kOtherPort, std::string(same.size() == 1 ? "port " : "ports ") + listed(same) +
                               (same.size() == 1 ? " is allowed, " : " are allowed, ") + number +
                               " is not"}};
    }
    std::vector<std::string> words;
    for (const PolicyPort& entry : rule.ports) words.push_back(text_of(entry));
    return {
        0,
        {kOtherProtocol + kOtherPort, listed(words) + (words.size() == 1 ? " is" : " are") +
                                          " allowed, " + asked_text + " " + number + " is not"}};
  }

  /// How far the number asked about is from those of an entry.
  unsigned away(const PolicyPort& entry) const {
    unsigned least = 65536;
    for (const PolicyPort::Range& range : numbers(entry)) {
      const int below = range.first - asked_.port, above = asked_.port - range.last;
      least = std::min(least, static_cast<unsigned>(std::max({below, above, 0})));
    }
    return least;
  }

  const kube::Evaluator& evaluator_;
  const Asked& asked_;
  const bool egress_;
  const std::string other_;
  const kube::Pod* const destination_;
  std::vector<Miss> found_;
};

}  // namespace

std::vector<Miss> nearest_misses(const kube::Evaluator& evaluator, const Asked& asked,
                                 size_t most) {
  Misses misses(evaluator, asked);
  for (const kube::NetworkPolicy* policy : evaluator.isolating(*asked.subject, asked.direction)) {
    misses.add(*policy);
  }
  return std::move(misses).nearest(most);
}

}  // namespace rampart::explain
