// SPDX-License-Identifier: Apache-2.0
#include "control/compile/prove.hpp"

#include <algorithm>
#include <optional>
#include <random>
#include <utility>
#include <vector>

#include "control/compile/claimants.hpp"
#include "control/compile/place.hpp"
#include "control/compile/tables.hpp"
#include "control/compile/verdicts.hpp"
#include "control/kube/evaluate.hpp"

namespace rampart::compile {
namespace {

using kube::Direction;

/// A pod that a peer selects, and one that it does not, are looked for among so many.
constexpr unsigned kTries = 24;
/// Of what is at hand no more questions than this are thought of.
constexpr size_t kMostQuestions = 2048;
/// Addresses that have nothing to do with it.
constexpr size_t kMostStrangers = 12;
/// As many of them are asked: of a policy that changed; of a pod that changed; of either drawn by
/// lot.
constexpr size_t kProbesOfPolicy = 512;
constexpr size_t kProbesOfPod = 16;
/// Pods that a changed policy selects which are asked for.
constexpr size_t kSubjects = 3;
/// Policies that select a namespace which has other labels, or did, which are asked for.
constexpr size_t kPoliciesOfNamespace = 8;
/// Policies and pods that are drawn by lot where others have changed, and where nothing is known.
constexpr unsigned kLots = 1;
constexpr unsigned kLotsAtFirst = 100'000;

constexpr uint8_t kTcp = static_cast<uint8_t>(IpProtocol::kTcp);
constexpr uint8_t kIcmp = static_cast<uint8_t>(IpProtocol::kIcmp);

class Prover {
 public:
  using Clock = std::chrono::steady_clock;

  Prover(const Compiled& made, const Compiled* previous, std::chrono::microseconds budget,
         uint64_t seed)
      : made_(made),
        previous_(previous),
        state_(*made.state),
        tables_(made),
        claimants_(made, tables_),
        evaluator_(
            state_, [this](const IpAddress& address) { return tables_.end(address); },
            kube::Evaluator::Detail::kVerdicts),
        verdicts_(made, previous, tables_, evaluator_),
        until_(Clock::now() + budget),
        random_(seed) {}

  Proof run() {
    if (previous_ != nullptr) {
      Changes changes = find_changes(previous_->state.get(), state_);
      changed_pods(changes.pods);
      changed_policies(changes.policies);
      for (const auto& [before, after] : changes.namespaces) {
        if (before != nullptr && after != nullptr) about_namespace(*before, *after);
      }
      for (const auto& [before, after] : changes.nodes) about_node(before, after);
    }
    const unsigned lots = previous_ != nullptr ? kLots : kLotsAtFirst;
    for (unsigned n = 0; n < lots && go_on(); ++n) {
      if (const kube::NetworkPolicy* policy = any_policy()) about_policy(*policy);
      ask_some(kProbesOfPod);
      if (const kube::Pod* pod = any_pod(); pod != nullptr && check(claimants_.wrong_of(*pod))) {
        about_pod(*pod);
        about_neighbours(*pod);
      }
      ask_some(kProbesOfPod / 2);
      if (const kube::Pod* pod = any_pod()) about_another_policy(*pod);
      ask_some(kProbesOfPod / 2);
      proof_.complete = previous_ != nullptr || proof_.complete;
    }
    return std::move(proof_);
  }

 private:
  uint32_t below(size_t bound) { return static_cast<uint32_t>(random_() % bound); }
  bool go_on() {
    if (!proof_.wrong.empty()) return false;
    if (Clock::now() < until_) return true;
    proof_.complete = false;
    return false;
  }
  bool has_room() const { return questions_.size() < kMostQuestions; }

  // Who is asked about ---------------------------------------------------------------------------

  void changed_pods(std::vector<Change<kube::Pod>>& changes) {
    std::shuffle(changes.begin(), changes.end(), random_);
    // All of them are looked up before any is asked about: that is cheap.
    for (const auto& [before, after] : changes) {
      if (!go_on()) return;
      if (after != nullptr && !check(claimants_.wrong_of(*after))) return;
      if (before == nullptr || (after != nullptr && before->addresses == after->addresses))
        continue;
      for (const IpAddress& address : before->addresses) {
        if (!check(claimants_.wrong_at(address))) return;
      }
    }
    for (const auto& [before, after] : changes) {
      if (!go_on()) return;
      if (after != nullptr && counts_as_pod(*after)) about_pod(*after);
      ask_some(kProbesOfPod);
      if (before == nullptr) continue;
      for (const IpAddress& address : before->addresses) about_address(address, nullptr);
      ask_some(kProbesOfPod / 2);
    }
  }

  void changed_policies(const std::vector<Change<kube::NetworkPolicy>>& changes) {
    for (const auto& [before, after] : changes) {
      for (const kube::NetworkPolicy* policy : {after, before}) {
        if (policy == nullptr || !go_on()) continue;
        about_policy(*policy);
        ask_some(kProbesOfPolicy);
      }
    }
  }

  /// A namespace with other labels: its pods as peers of those whose rules select it now or did,
  /// and no longer or not yet.
  void about_namespace(const kube::Namespace& before, const kube::Namespace& after) {
    const auto members = some_in(after.name, kSubjects);
    std::vector<IpAddress> peers;
    for (const kube::Pod* pod : members) add(peers, pod->addresses);
    const auto other_one = [&](const kube::PolicyPeer& peer) {
      return peer.namespace_selector && peer.namespace_selector->matches(before.labels) !=
                                            peer.namespace_selector->matches(after.labels);
    };
    size_t left = peers.empty() ? 0 : kPoliciesOfNamespace;
    for (const auto& [key, policy] : state_.policies) {
      if (left == 0 || !go_on()) return;
      for (const auto& [direction, rules] : {std::pair(Direction::kIngress, &policy->ingress),
                                             {Direction::kEgress, &policy->egress}}) {
        for (const kube::PolicyRule& rule : *rules) {
          if (std::none_of(rule.peers.begin(), rule.peers.end(), other_one)) continue;
          for (const kube::Pod* subject : some_subjects(*policy)) {
            about_peer(*subject, direction, rule, peers);
          }
        }
      }
      left -= questions_.empty() ? 0 : 1;
      ask_some(kProbesOfPolicy);
    }
  }

  /// A node that comes, goes or has other addresses: its pods and it, and others and it.
  void about_node(const kube::Node* before, const kube::Node* after) {
    if (before != nullptr && after != nullptr && *before == *after) return;
    if (after != nullptr && !check(claimants_.wrong_of(*after))) return;
    std::vector<const kube::Pod*> pods;
    for (size_t e = 0; e < made_.endpoints.size() && pods.size() < kSubjects && go_on(); ++e) {
      const kube::Pod* pod = made_.endpoints[e];
      const std::string& name = (after != nullptr ? after : before)->name;
      if (pod != nullptr && pod->node_name == name) pods.push_back(pod);
    }
    for (const kube::Node* node : {before, after}) {
      if (node == nullptr) continue;
      for (const IpAddress& address : node->addresses) {
        if (!check(claimants_.wrong_at(address)) || !check(claimants_.wrong_node_at(address)))
          return;
        for (const kube::Pod* pod : pods) between(*pod, address);
        about_address(address, nullptr);
      }
    }
    ask_some(kProbesOfPod);
  }

  const kube::Pod* any_pod() {
    for (unsigned n = 0; n < kTries && !made_.endpoints.empty(); ++n) {
      const kube::Pod* pod = made_.endpoints[below(made_.endpoints.size())];
      if (pod != nullptr && !pod->addresses.empty()) return pod;
    }
    return nullptr;
  }
  const kube::NetworkPolicy* any_policy() {
    if (state_.policies.empty()) return nullptr;
    const kube::Pod* pod = any_pod();
    if (pod == nullptr) return nullptr;
    const auto policies =
        evaluator_.isolating(*pod, one_of({Direction::kEgress, Direction::kIngress}));
    return policies.empty() ? nullptr : policies[below(policies.size())];
  }
  template <typename T>
  T one_of(std::initializer_list<T> list) {
    return *(list.begin() + below(list.size()));
  }

  /// Pods of a namespace, from anywhere in it on.
  std::vector<const kube::Pod*> some_in(const std::string& ns, size_t most) {
    std::vector<const kube::Pod*> found;
    for (auto at = state_.pods.lower_bound({ns, {}});
         at != state_.pods.end() && at->first.ns == ns && found.size() < most; ++at) {
      if (counts_as_pod(*at->second) && !at->second->addresses.empty()) {
        found.push_back(at->second.get());
      }
    }
    return found;
  }

  // What is asked --------------------------------------------------------------------------------

  /// Pods that a policy selects, and one of its namespace that it does not.
  std::vector<const kube::Pod*> some_subjects(const kube::NetworkPolicy& policy) {
    constexpr size_t kLookedAt = 256;
    std::vector<const kube::Pod*> subjects;
    const kube::Pod* other = nullptr;
    for (const kube::Pod* pod : some_in(policy.ns, kLookedAt)) {
      if (!policy.subject.matches(pod->labels)) {
        other = pod;
      } else if (subjects.size() < kSubjects) {
        subjects.push_back(pod);
      } else if (below(8) == 0) {
        subjects[below(kSubjects)] = pod;
      }
    }
    if (other != nullptr) subjects.push_back(other);
    return subjects;
  }

  /// Both directions of a policy, for some of its subjects.
  void about_policy(const kube::NetworkPolicy& policy) {
    for (const kube::Pod* subject : some_subjects(policy)) {
      if (!check(claimants_.wrong_of(*subject))) return;
      about_rules(policy, *subject, Direction::kIngress);
      about_rules(policy, *subject, Direction::kEgress);
    }
  }

  void about_rules(const kube::NetworkPolicy& policy, const kube::Pod& subject,
                   Direction direction) {
    const auto& all = direction == Direction::kEgress ? policy.egress : policy.ingress;
    std::vector<kube::PolicyRule> none(all.empty() ? 1 : 0);
    std::vector<const kube::PolicyRule*> rules;
    for (const kube::PolicyRule& rule : all.empty() ? none : all) rules.push_back(&rule);
    std::shuffle(rules.begin(), rules.end(), random_);
    for (const kube::PolicyRule* each : rules) {
      const kube::PolicyRule& rule = *each;
      if (rule.peers.empty()) {
        about_peer(subject, direction, rule, any_addresses(subject));
      }
      for (const kube::PolicyPeer& peer : rule.peers) {
        if (!has_room()) return;
        about_peer(subject, direction, rule, members_and_neighbours(policy, peer));
      }
    }
  }

  void about_peer(const kube::Pod& subject, Direction direction, const kube::PolicyRule& rule,
                  const std::vector<IpAddress>& peers) {
    for (const IpAddress& peer : peers) {
      for (const IpAddress& mine : subject.addresses) {
        if (mine.family() != peer.family()) continue;
        const bool egress = direction == Direction::kEgress;
        const IpAddress &from = egress ? mine : peer, &to = egress ? peer : mine;
        const auto services = services_of(rule, to);
        const uint32_t first = below(services.size());
        for (size_t i = 0; i < services.size(); ++i) {
          if (!has_room()) return;
          const auto turn = static_cast<uint32_t>((i + first) % services.size());
          questions_.push_back({from, to, services[i], turn});
        }
      }
    }
  }

  std::vector<IpAddress> any_addresses(const kube::Pod& beside) {
    std::vector<IpAddress> found = strangers();
    const auto mates = some_in(beside.ns, 16);
    if (!mates.empty()) add(found, mates[below(mates.size())]->addresses);
    return found;
  }
  /// Addresses that have nothing to do with what is at hand: of nobody, of a node, of a pod, of a
  /// block that some policy speaks of.
  std::vector<IpAddress> strangers() {
    std::vector<IpAddress> found{IpAddress::v4(static_cast<uint32_t>(random_()))};
    if (const kube::Pod* pod = any_pod()) {
      add(found, pod->addresses);
      add(found, pod->host_addresses);
    }
    const kube::NetworkPolicy* policy = any_policy();
    if (policy == nullptr) return found;
    for (const auto* rules : {&policy->ingress, &policy->egress}) {
      for (const kube::PolicyRule& rule : *rules) {
        for (const kube::PolicyPeer& peer : rule.peers) {
          if (!peer.ip_block || found.size() > kMostStrangers) continue;
          found.push_back(peer.ip_block->cidr.first());
          for (const IpPrefix& except : peer.ip_block->except) found.push_back(except.first());
        }
      }
    }
    return found;
  }
  static void add(std::vector<IpAddress>& to, const std::vector<IpAddress>& more) {
    to.insert(to.end(), more.begin(), more.end());
  }

  /// Addresses that a peer is about, and some as near to it as can be that it is not about.
  std::vector<IpAddress> members_and_neighbours(const kube::NetworkPolicy& policy,
                                                const kube::PolicyPeer& peer) {
    std::vector<IpAddress> found;
    if (peer.ip_block) {
      const auto add_around = [&](const IpPrefix& prefix) {
        found.insert(found.end(), {prefix.first(), prefix.last(), predecessor(prefix.first()),
                                   successor(prefix.last())});
      };
      add_around(peer.ip_block->cidr);
      for (const IpPrefix& except : peer.ip_block->except) add_around(except);
      std::shuffle(found.begin(), found.end(), random_);
      return found;
    }
    // Beside a member, who is near to being one: with the labels, or of a namespace with the
    // labels.
    const kube::Pod *member = nullptr, *by_labels = nullptr, *by_namespace = nullptr;
    const auto consider = [&](const kube::Pod* pod) {
      if (pod == nullptr) return;
      const bool labels = !peer.pod_selector || peer.pod_selector->matches(pod->labels);
      const bool ns = is_peer_namespace(policy, peer, pod->ns);
      if (labels && ns) {
        member = pod;
      } else if (labels || by_labels == nullptr) {
        by_labels = pod;
      }
      if (ns && !labels) by_namespace = pod;
    };
    auto mates = some_in(policy.ns, kTries);
    std::shuffle(mates.begin(), mates.end(), random_);
    for (const kube::Pod* pod : mates) consider(pod);
    const kube::Pod *near = by_labels, *mate = by_namespace;
    const bool combined = peer.pod_selector && peer.namespace_selector;
    const auto wants_more = [&] {
      return member == nullptr || (combined && (by_labels == nullptr || by_namespace == nullptr));
    };
    for (unsigned n = 0; n < kTries && (n < 2 || wants_more()); ++n) consider(any_pod());
    for (const kube::Pod* pod : {member, by_labels, by_namespace, near, mate}) {
      if (pod != nullptr) add(found, pod->addresses);
    }
    std::sort(found.begin(), found.end());
    found.erase(std::unique(found.begin(), found.end()), found.end());
    if (below(2) == 0) add(found, strangers());
    return found;
  }
  bool is_peer_namespace(const kube::NetworkPolicy& policy, const kube::PolicyPeer& peer,
                         const std::string& name) const {
    if (!peer.namespace_selector) return name == policy.ns;
    const auto ns = state_.namespaces.find({{}, name});
    return ns != state_.namespaces.end() && peer.namespace_selector->matches(ns->second->labels);
  }

  /// The boundaries of a rule's ports, and what lies beside them.
  std::vector<ProbedService> services_of(const kube::PolicyRule& rule,
                                         const IpAddress& destination) {
    std::vector<ProbedService> found;
    const auto add = [&](uint8_t protocol, unsigned port) {
      if (port <= 65535) found.push_back({protocol, static_cast<L4Port>(port)});
    };
    const auto around = [&](uint8_t protocol, unsigned first, unsigned last) {
      add(protocol, first);
      add(protocol, last);
      if (first > 0) add(protocol, first - 1);
      add(protocol, last + 1);
      add(protocol == kTcp ? static_cast<uint8_t>(IpProtocol::kUdp) : kTcp, first);
    };
    for (const kube::PolicyPort& port : rule.ports) {
      const auto protocol = static_cast<uint8_t>(port.protocol);
      if (const auto* range = std::get_if<kube::PolicyPort::Range>(&port.port)) {
        around(protocol, range->first, range->last);
      } else if (const auto* name = std::get_if<kube::PolicyPort::Name>(&port.port)) {
        for (const kube::Pod* pod : tables_.end(destination).pods) {
          for (const kube::ContainerPort& of_pod : pod->ports) {
            if (of_pod.name == *name) around(protocol, of_pod.number, of_pod.number);
          }
        }
      } else {
        around(protocol, below(65536), 65535);
      }
    }
    add(kIcmp, 0);
    if (rule.ports.empty()) add(kTcp, below(65536));
    std::sort(found.begin(), found.end());
    found.erase(std::unique(found.begin(), found.end()), found.end());
    return found;
  }

  /// A pod at each of its addresses: under its own policies, and as a peer of others.
  void about_pod(const kube::Pod& pod) {
    for (const IpAddress& address : pod.addresses) about_address(address, &pod);
    for (const IpAddress& node : pod.host_addresses) between(pod, node);
    for (const Direction direction : {Direction::kIngress, Direction::kEgress}) {
      auto policies = evaluator_.isolating(pod, direction);
      std::shuffle(policies.begin(), policies.end(), random_);
      for (const kube::NetworkPolicy* policy : policies) {
        if (!has_room()) return;
        about_rules(*policy, pod, direction);
      }
    }
  }

  /// Who is where a pod and its node are, and at the next address at which the tables know
  /// somebody.
  void about_neighbours(const kube::Pod& pod) {
    const auto node = state_.nodes.find({{}, pod.node_name});
    if (node != state_.nodes.end()) {
      if (!check(claimants_.wrong_of(*node->second))) return;
      for (const IpAddress& address : node->second->addresses) {
        if (previous_ == nullptr) between(pod, address);
      }
    }
    auto places = pod.addresses;
    add(places, pod.host_addresses);
    if (node != state_.nodes.end()) add(places, node->second->addresses);
    for (const IpAddress& address : places) {
      const auto next = tables_.next(address);
      if (next && !check(claimants_.wrong_at(*next))) return;
      if (next && previous_ == nullptr && !check(claimants_.wrong_node_at(*next))) return;
    }
  }

  /// A pod and an address that may be its node's.
  void between(const kube::Pod& pod, const IpAddress& node) {
    for (const IpAddress& address : pod.addresses) {
      if (node.family() != address.family() || !has_room()) continue;
      questions_.push_back({node, address, some_service(&pod, Direction::kIngress)});
      questions_.push_back({address, node, some_service(nullptr, Direction::kIngress)});
    }
  }

  /// A pod under what a policy says of others.
  void about_another_policy(const kube::Pod& pod) {
    const kube::NetworkPolicy* policy = any_policy();
    if (policy == nullptr) return;
    about_rules(*policy, pod, Direction::kIngress);
    about_rules(*policy, pod, Direction::kEgress);
  }

  /// An address as a peer of pods that some policy isolates.
  void about_address(const IpAddress& address, const kube::Pod* pod) {
    for (unsigned n = 0; n < 3; ++n) {
      const auto mates =
          pod != nullptr && n == 0 ? some_in(pod->ns, 16) : std::vector<const kube::Pod*>{};
      const kube::Pod* other = mates.empty() ? any_pod() : mates[below(mates.size())];
      if (other == nullptr) return;
      for (const IpAddress& theirs : other->addresses) {
        if (theirs.family() != address.family() || !has_room()) continue;
        questions_.push_back({theirs, address, some_service(pod, Direction::kIngress)});
        questions_.push_back({address, theirs, some_service(other, Direction::kIngress)});
      }
    }
  }
  /// Something that a policy of the pod's speaks of.
  ProbedService some_service(const kube::Pod* pod, Direction direction) {
    const ProbedService any{kTcp, static_cast<L4Port>(below(65536))};
    if (pod == nullptr) return any;
    if (pod != last_subject_ || direction != last_direction_) {
      last_subject_ = pod;
      last_direction_ = direction;
      last_isolating_ = evaluator_.isolating(*pod, direction);
    }
    const auto& policies = last_isolating_;
    if (policies.empty()) return any;
    const kube::NetworkPolicy& policy = *policies[below(policies.size())];
    if (policy.ingress.empty() || pod->addresses.empty()) return any;
    const auto services =
        services_of(policy.ingress[below(policy.ingress.size())], pod->addresses.front());
    return services.empty() ? any : services[below(services.size())];
  }

  // Asking ---------------------------------------------------------------------------------------

  /// Whether the tables know who is where; false, having said so, if they do not.
  bool check(std::string wrong) { return wrong.empty() || disagree(std::move(wrong)); }
  bool disagree(std::string how) {
    if (proof_.wrong.empty()) proof_.wrong = std::move(how);
    return false;
  }

  struct Asked {
    IpAddress from, to;
    ProbedService service;
    uint32_t turn = 0;  ///< among those that differ from it in nothing but the service
  };
  /// Asks at most so many of the questions there are, drawn by lot, and forgets them. Of many, no
  /// two ends have their next turn before all others have had as many.
  void ask_some(size_t most) {
    std::shuffle(questions_.begin(), questions_.end(), random_);
    if (most >= kProbesOfPolicy && questions_.size() > most) {
      std::nth_element(questions_.begin(), questions_.begin() + static_cast<ptrdiff_t>(most),
                       questions_.end(),
                       [](const Asked& a, const Asked& b) { return a.turn < b.turn; });
    }
    for (size_t q = 0; q < questions_.size() && q < most && go_on(); ++q) ask(questions_[q]);
    questions_.clear();
  }

  void ask(const Asked& asked) {
    ++proof_.probes;
    check(verdicts_.wrong_of(asked.from, asked.to, asked.service));
  }

  const Compiled& made_;
  const Compiled* const previous_;
  const kube::ClusterState& state_;
  const Tables tables_;
  const Claimants claimants_;
  const kube::Evaluator evaluator_;
  const Verdicts verdicts_;
  const Clock::time_point until_;
  std::mt19937_64 random_;
  std::vector<Asked> questions_;  ///< about what is at hand
  // What some_service() was last asked about, and what isolates it: mostly it is asked again.
  const kube::Pod* last_subject_ = nullptr;
  Direction last_direction_ = Direction::kIngress;
  std::vector<const kube::NetworkPolicy*> last_isolating_;
  Proof proof_;
};

}  // namespace

Proof prove(const Compiled& made, const Compiled* previous, std::chrono::microseconds budget,
            uint64_t seed) {
  return Prover(made, previous, budget, seed).run();
}

}  // namespace rampart::compile
