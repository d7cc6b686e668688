// SPDX-License-Identifier: Apache-2.0
#include "control/explain/miss.hpp"

#include <algorithm>
#include <map>
#include <optional>
#include <set>
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
                   kExcepted = 3, kOtherAddress = 3, kNoPortsAtAll = 5, kOutsideBlock = 8,
                   kNoPod = 9, kNobody = 500, kNothingAllowed = 1000;

/// What is missing of one entry.
struct Gap {
  unsigned distance = 0;
  std::string what;        ///< of a peer: after "would pass if the source", but for kNobody
  bool elsewhere = false;  ///< it would be another end altogether, of which nothing is known
};

/// " (it has app=db)", or nothing if there is no such label.
std::string present(const kube::Labels& labels, const std::string& key) {
  const std::string* value = kube::find_label(labels, key);
  return value == nullptr ? "" : " (it has " + key + "=" + *value + ")";
}

/// What all requirements of a selector about one key leave of its values.
struct Wanted {
  bool there = false;      ///< In, Exists
  bool not_there = false;  ///< DoesNotExist
  bool listed = false;     ///< In: one of `values`
  std::vector<std::string> values, but_not;

  void add(const kube::LabelRequirement& need) {
    there |= need.op == Op::kIn || need.op == Op::kExists;
    not_there |= need.op == Op::kDoesNotExist;
    if (need.op == Op::kNotIn) {
      but_not.insert(but_not.end(), need.values.begin(), need.values.end());
    } else if (need.op == Op::kIn) {
      if (!std::exchange(listed, true)) {
        values = need.values;
      } else {
        drop(need.values, false);
      }
    }
  }
  /// Keeps of `values` those that are in `others`, or drops them.
  void drop(const std::vector<std::string>& others, bool if_there) {
    std::erase_if(values, [&](const std::string& value) {
      return (std::find(others.begin(), others.end(), value) != others.end()) == if_there;
    });
  }
};

/// What a key would have to be, after "the source": "had label app=web". Nothing: it cannot be.
std::optional<std::string> wish(const std::string& key, Wanted wanted, const kube::Labels& labels) {
  if (wanted.not_there) {
    if (wanted.there) return std::nullopt;
    const std::string* value = kube::find_label(labels, key);
    return "had no label " + key + (value == nullptr ? "" : "=" + *value);
  }
  if (wanted.listed) {
    wanted.drop(wanted.but_not, true);
    if (wanted.values.empty()) return std::nullopt;
    return "had label " + text_of(kube::LabelRequirement{key, Op::kIn, wanted.values}) +
           present(labels, key);
  }
  if (!wanted.there) {
    const bool one = wanted.but_not.size() == 1;
    return "had no label " + text_of(kube::LabelRequirement{key, Op::kIn, wanted.but_not}) +
           (one ? "" : present(labels, key));
  }
  if (wanted.but_not.empty()) return "had a label " + key;
  return "had a label " + key + " other than " +
         text_of(kube::LabelRequirement{key, Op::kIn, wanted.but_not});
}

/// What of the labels a selector wants otherwise, as wishes: those that hold must go on to hold
/// when they come true. Nothing: no labels do.
std::optional<std::vector<std::string>> wishes(const kube::LabelSelector& selector,
                                               const kube::Labels& labels) {
  std::map<std::string, Wanted> wanted;
  std::set<std::string> unmet;
  for (const auto& need : selector.requirements) {
    wanted[need.key].add(need);
    if (!kube::LabelSelector{{need}}.matches(labels)) unmet.insert(need.key);
  }
  std::vector<std::string> all;
  for (const std::string& key : unmet) {
    auto one = wish(key, std::move(wanted[key]), labels);
    if (!one) return std::nullopt;
    all.push_back(*std::move(one));
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
    auto [peer, peer_gap] = nearest_peer(policy, rule);
    elsewhere_ = egress_ && peer_gap.elsewhere;
    auto [port, port_gap] = nearest_port(rule);
    if (const auto named = elsewhere_ ? named_port(rule) : std::nullopt) {
      peer_gap.what += " and named its port " + std::to_string(asked_.port) + " " +
                       port_text(rule.ports[*named]);
      std::tie(port, port_gap) = std::pair(*named, Gap{kOtherPort, {}, false});
    }
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
    if (best.second.distance > 0 && best.second.distance < kNobody) {
      best.second.what = "would pass if " + other_ + " " + best.second.what;
    }
    return best;
  }

  Gap peer_gap(const kube::NetworkPolicy& policy, const kube::PolicyPeer& peer) const {
    if (peer.ip_block) return block_gap(*peer.ip_block);
    if (asked_.other_pod == nullptr) {
      return {kNoPod,
              "were one of " + text_of(peer, policy.ns) + " (" + asked_.other.text() +
                  " is no pod's address)",
              true};
    }
    const kube::Pod& pod = *asked_.other_pod;
    Gap gap;
    std::optional<std::vector<std::string>> needs{std::in_place}, of_namespace{std::in_place};
    if (peer.pod_selector) needs = wishes(*peer.pod_selector, pod.labels);
    if (peer.namespace_selector) {
      of_namespace = wishes(*peer.namespace_selector, namespace_labels(pod.ns));
    }
    if (!needs || !of_namespace) {
      return {kNobody,
              "its peer selects nobody: " + text_of(peer, policy.ns) + " contradicts itself"};
    }
    gap.distance = kOneLabel * static_cast<unsigned>(needs->size() + of_namespace->size());
    if (!peer.namespace_selector && pod.ns != policy.ns) {
      gap.distance += kOtherNamespace;
      needs->push_back("were in namespace " + policy.ns);
    }
    if (!of_namespace->empty()) {
      needs->push_back("were in a namespace that " + listed(*of_namespace));
    }
    gap.what = listed(*needs);
    return gap;
  }

  kube::Labels namespace_labels(const std::string& ns) const {
    const auto& all = evaluator_.state().namespaces;
    const auto found = all.find({{}, ns});
    return found == all.end() ? kube::Labels{} : found->second->labels;
  }

  Gap block_gap(const kube::IpBlock& block) const {
    if (block.contains(asked_.other)) return {};
    if (const IpAddress* address = other_address_in(block)) {
      return {kOtherAddress,
              "used its address " + address->text() + ", which is in " + text_of(block)};
    }
    if (!block.cidr.contains(asked_.other)) {
      return {kOutsideBlock, "had an address in " + text_of(block), true};
    }
    const IpPrefix* widest = nullptr;  // exceptions may lie within each other
    for (const IpPrefix& except : block.except) {
      if (!except.contains(asked_.other)) continue;
      if (widest == nullptr || except.length() < widest->length()) widest = &except;
    }
    return {kExcepted,
            "were not in " + widest->text() + ", which is excepted from " + block.cidr.text(),
            true};
  }

  /// Another address of the other end that the block contains, and from or to which the subject
  /// has one of the family.
  const IpAddress* other_address_in(const kube::IpBlock& block) const {
    if (asked_.other_pod == nullptr) return nullptr;
    for (const IpAddress& address : asked_.other_pod->addresses) {
      const auto& own = asked_.subject->addresses;
      const bool meets = std::any_of(own.begin(), own.end(), [&](const IpAddress& mine) {
        return mine.family() == address.family();
      });
      if (meets && block.contains(address)) return &address;
    }
    return nullptr;
  }

  bool same_protocol(const PolicyPort& entry) const {
    return static_cast<uint8_t>(entry.protocol) == asked_.protocol;
  }

  /// The numbers that an entry stands for at this destination.
  std::vector<PolicyPort::Range> numbers(const PolicyPort& entry) const {
    if (std::holds_alternative<PolicyPort::Any>(entry.port)) return {{0, 65535}};
    if (const auto* range = std::get_if<PolicyPort::Range>(&entry.port)) return {*range};
    std::vector<PolicyPort::Range> all;
    if (destination_ == nullptr || elsewhere_) return all;
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
    if (!all.empty()) {
      std::vector<std::string> words;
      words.reserve(all.size());
      for (const PolicyPort::Range& one : all) words.push_back(std::to_string(one.first));
      return port_text(entry) + " (" + listed(words) + ")";
    }
    if (elsewhere_) return port_text(entry) + " (by its name)";
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

  /// The entry by whose name the port would be allowed at another destination; nothing if there is
  /// none, or if an entry allows it by its number.
  std::optional<size_t> named_port(const kube::PolicyRule& rule) const {
    std::optional<size_t> found;
    for (size_t i = rule.ports.size(); i-- > 0;) {
      if (!same_protocol(rule.ports[i])) continue;
      if (number_fits(rule.ports[i])) return std::nullopt;
      if (std::holds_alternative<PolicyPort::Name>(rule.ports[i].port)) found = i;
    }
    return found;
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
  bool elsewhere_ = false;  ///< it would be another destination, whose names of ports nobody knows
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
