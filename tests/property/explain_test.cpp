// SPDX-License-Identifier: Apache-2.0
//
// What `explain` says came nearest, on random clusters: each sentence is read as its reader would
// read it, what it asks for is done to the cluster or to the connection, and the plain evaluator
// must then let it through. See tests/support/chance.hpp for other seeds and longer runs.
#include <gtest/gtest.h>

#include <algorithm>
#include <iostream>
#include <memory>
#include <optional>
#include <regex>
#include <string>
#include <utility>
#include <vector>

#include "control/explain/miss.hpp"
#include "control/kube/decode_metadata.hpp"
#include "tests/support/chance.hpp"
#include "tests/support/random_cluster.hpp"

namespace rampart {
namespace {

using explain::Asked;
using explain::Miss;
using kube::Direction;
using support::RandomCluster;
using support::RandomProbe;

std::vector<std::string> split(const std::string& text, const std::string& by) {
  std::vector<std::string> parts;
  size_t at = 0;
  for (size_t next; (next = text.find(by, at)) != std::string::npos; at = next + by.size()) {
    parts.push_back(text.substr(at, next - at));
  }
  parts.push_back(text.substr(at));
  return parts;
}

void drop_label(kube::Labels& labels, const std::string& key) {
  std::erase_if(labels, [&](const auto& label) { return label.first == key; });
}

/// All sets of labels that a reader could make of what is asked for ("had label app=web (it has
/// app=api) and had no label tier=b").
std::vector<kube::Labels> with_wishes(const kube::Labels& labels, const std::string& wishes) {
  static const std::regex kWish(
      R"(had label (\w+)(?:=(\w*)| in \(([^)]*)\)))"
      R"(|had no label (\w+)(?:=\w*| in \(([^)]*)\))?|had a label (\w+)( other than)?)");
  std::vector<kube::Labels> all{labels};
  for (std::sregex_iterator it(wishes.begin(), wishes.end(), kWish), end; it != end; ++it) {
    const std::smatch& m = *it;
    std::vector<kube::Labels> next;
    for (kube::Labels& one : all) {
      if (m[4].matched) {
        drop_label(one, m[4]);
        next.push_back(one);
      } else if (m[6].matched) {
        kube::set_label(one, m[6].str(), "something");
        next.push_back(one);
      } else {
        const auto values = m[3].matched ? split(m[3], ", ") : std::vector<std::string>{m[2]};
        for (const std::string& value : values) {
          kube::set_label(one, m[1].str(), value);
          next.push_back(one);
        }
      }
    }
    all = std::move(next);
  }
  return all;
}

/// A connection, and the cluster that it is asked of.
struct Attempt {
  kube::ClusterState state;
  IpAddress subject, other;
  uint8_t protocol = 0;
  L4Port port = 0;
};

void replace_pod(Attempt& attempt, const kube::Pod& pod, const kube::Pod& by) {
  attempt.state.pods.erase({pod.ns, pod.name});
  attempt.state.pods[{by.ns, by.name}] = std::make_shared<const kube::Pod>(by);
}

/// "10.0.0.0/24 except 10.0.0.0/25, 10.0.0.192/26" -> one of what is left, if that is easily found.
std::optional<IpAddress> address_in(const kube::IpBlock& block) {
  std::vector<IpAddress> tries{block.cidr.first(), block.cidr.last()};
  for (const IpPrefix& except : block.except) {
    tries.push_back(successor(except.last()));
    tries.push_back(predecessor(except.first()));
  }
  for (const IpAddress& one : tries) {
    if (block.contains(one)) return one;
  }
  return std::nullopt;
}

class Reader {
 public:
  Reader(const Attempt& asked, const kube::Pod* other_pod, const Miss& miss)
      : asked_(asked), other_pod_(other_pod), miss_(miss) {
    const kube::NetworkPolicy& policy = *asked.state.policies.at(miss.rule.policy);
    rule_ = &(miss.rule.direction == Direction::kEgress ? policy.egress
                                                        : policy.ingress)[miss.rule.rule];
  }

  /// What a reader could make of it; none: it is no advice that can be taken here.
  std::vector<Attempt> attempts() const {
    static const std::string kPass = "would pass if the ";
    std::vector<Attempt> all{asked_};
    if (miss_.rule.peer) {
      if (miss_.what.find(kPass) != 0) return {};
      all = about_the_peer(miss_.what.substr(miss_.what.find(' ', kPass.size()) + 1));
    }
    static const std::regex kNamed(R"( and named its port (\d+) (\w+))");
    if (std::smatch m; std::regex_search(miss_.what, m, kNamed)) {
      for (Attempt& one : all) {
        kube::Pod pod{};
        pod.ns = pod.name = "elsewhere";
        pod.addresses = {one.other};
        const auto number = static_cast<L4Port>(std::stoul(m[1]));
        pod.ports = {{m[2], static_cast<IpProtocol>(one.protocol), number}};
        one.state.pods[{pod.ns, pod.name}] = std::make_shared<const kube::Pod>(pod);
      }
    } else if (miss_.rule.port) {
      for (Attempt& one : all) {
        if (!change_port(one)) return {};
      }
    }
    return all;
  }

 private:
  std::vector<Attempt> about_the_peer(const std::string& what) const {
    const kube::PolicyPeer& peer = rule_->peers[*miss_.rule.peer];
    Attempt made = asked_;
    if (peer.ip_block) {
      if (what.find("used its address ") == 0) {
        made.other = *IpAddress::parse(split(what.substr(17), ",").front());
        for (const IpAddress& mine : subject().addresses) {
          if (mine.family() == made.other.family()) made.subject = mine;
        }
        return {made};
      }
      if (what.find("were not in ") == 0) {
        // Anywhere else in the block that is named.
        const IpPrefix left = *IpPrefix::parse(split(what.substr(12), ",").front());
        std::vector<Attempt> all;
        for (const IpAddress& beside : {predecessor(left.first()), successor(left.last())}) {
          const bool excepted = std::any_of(
              peer.ip_block->except.begin(), peer.ip_block->except.end(),
              [&](const IpPrefix& e) { return e.contains(beside) && !e.contains(asked_.other); });
          if (!peer.ip_block->cidr.contains(beside) || excepted) continue;
          all.push_back(made);
          all.back().other = beside;
        }
        return all;
      }
      const auto address = address_in(*peer.ip_block);
      if (!address || what.find("had an address in ") != 0) return {};
      made.other = *address;
      if (made.other.family() != made.subject.family()) return {};
      return {made};
    }
    if (other_pod_ == nullptr) return {};
    const auto halves = split(what, "were in a namespace that ");
    kube::Pod pod = *other_pod_;
    pod.name = "changed";  // where it moves to there may be one of its name
    if (const size_t at = halves[0].find("were in namespace "); at != std::string::npos) {
      pod.ns = miss_.rule.policy.ns;
    }
    std::vector<Attempt> all;
    for (const kube::Labels& labels : with_wishes(pod.labels, halves[0])) {
      pod.labels = labels;
      if (halves.size() == 1) {
        all.push_back(asked_);
        replace_pod(all.back(), *other_pod_, pod);
        continue;
      }
      for (const kube::Labels& of_namespace : with_wishes(namespace_labels(), halves[1])) {
        kube::Namespace elsewhere{"elsewhere", of_namespace, false};
        pod.ns = elsewhere.name;
        all.push_back(asked_);
        replace_pod(all.back(), *other_pod_, pod);
        all.back().state.namespaces[{{}, elsewhere.name}] =
            std::make_shared<const kube::Namespace>(elsewhere);
      }
    }
    return all;
  }

  bool change_port(Attempt& attempt) const {
    const kube::PolicyPort& entry = rule_->ports[*miss_.rule.port];
    attempt.protocol = static_cast<uint8_t>(entry.protocol);
    if (const auto* range = std::get_if<kube::PolicyPort::Range>(&entry.port)) {
      attempt.port = range->last;
    } else if (const auto* name = std::get_if<kube::PolicyPort::Name>(&entry.port)) {
      const kube::Pod* destination =
          miss_.rule.direction == Direction::kIngress ? &subject() : other_pod_;
      const bool elsewhere = miss_.rule.direction == Direction::kEgress && destination != nullptr &&
                             attempt.other != asked_.other && !other_pod_has(attempt.other);
      if (destination == nullptr || elsewhere) return false;
      for (const kube::ContainerPort& port : destination->ports) {
        if (port.name != *name || port.protocol != entry.protocol) continue;
        attempt.port = port.number;
        return true;
      }
      return false;
    }
    return true;
  }

  bool other_pod_has(const IpAddress& address) const {
    const auto& all = other_pod_->addresses;
    return std::find(all.begin(), all.end(), address) != all.end();
  }
  const kube::Pod& subject() const {
    return *kube::Evaluator(asked_.state).end(asked_.subject).pods.front();
  }
  kube::Labels namespace_labels() const {
    return asked_.state.namespaces.at({{}, other_pod_->ns})->labels;
  }

  const Attempt& asked_;
  const kube::Pod* const other_pod_;
  const Miss& miss_;
  const kube::PolicyRule* rule_;
};

/// Whether some pod could match it; random clusters have three keys and four values.
bool can_match(const std::optional<kube::LabelSelector>& selector) {
  const std::vector<std::string> values{"a", "b", "c", "", "something"};
  bool can = !selector;
  for (unsigned n = 0; n < 6 * 6 * 6 && !can; ++n) {
    kube::Labels labels;
    unsigned left = n;
    for (const char* key : {"app", "tier", "x"}) {
      if (left % 6 < 5) labels.emplace_back(key, values[left % 6]);
      left /= 6;
    }
    can = selector->matches(labels);
  }
  return can;
}

bool passes(const Attempt& attempt, Direction direction) {
  const kube::Evaluator evaluator(attempt.state);
  const bool egress = direction == Direction::kEgress;
  const auto made =
      evaluator.evaluate(egress ? attempt.subject : attempt.other,
                         egress ? attempt.other : attempt.subject, attempt.protocol, attempt.port);
  return (egress ? made.egress : made.ingress).allowed;
}

TEST(NearestMiss, WhatItAsksForLetsTheConnectionThrough) {
  const uint64_t rounds = support::rounds(600);
  size_t taken = 0, of_labels = 0, of_namespaces = 0, of_blocks = 0, of_ports = 0, nobody = 0;
  for (uint64_t round = 0; round < rounds; ++round) {
    SCOPED_TRACE("round " + std::to_string(round));
    RandomCluster random(support::seed() + round);
    const kube::ClusterState state = random.make();
    const kube::Evaluator evaluator(state);
    for (const RandomProbe& probe : random.probes(state, 60)) {
      const kube::End from = evaluator.end(probe.from), to = evaluator.end(probe.to);
      if (from.is_shared() || to.is_shared()) continue;
      const auto made = evaluator.evaluate(probe.from, probe.to, probe.protocol, probe.port);
      for (const Direction direction : {Direction::kEgress, Direction::kIngress}) {
        const bool egress = direction == Direction::kEgress;
        if ((egress ? made.egress : made.ingress).allowed) continue;
        const Attempt attempt{state, egress ? probe.from : probe.to, egress ? probe.to : probe.from,
                              probe.protocol, probe.port};
        const Asked asked{direction,      egress ? made.source : made.destination,
                          attempt.other,  egress ? made.destination : made.source,
                          probe.protocol, probe.port};
        for (const Miss& miss : explain::nearest_misses(evaluator, asked, 100)) {
          if (!miss.has_rule) continue;
          if (miss.what.find("its peer selects nobody") == 0) {
            const auto& policy = *state.policies.at(miss.rule.policy);
            const auto& rule = (egress ? policy.egress : policy.ingress)[miss.rule.rule];
            const auto& peer = rule.peers[*miss.rule.peer];
            ASSERT_FALSE(can_match(peer.pod_selector) && can_match(peer.namespace_selector))
                << miss.what;
            ++nobody;
          }
          for (const Attempt& then : Reader(attempt, asked.other_pod, miss).attempts()) {
            const kube::Evaluator changed(then.state);
            if (changed.end(then.other).is_shared() || changed.end(then.subject).is_shared()) {
              continue;
            }
            ASSERT_TRUE(passes(then, direction))
                << probe.text() << ", " << miss.rule.policy.text() << " " << miss.rule.rule_path()
                << ": " << miss.what;
            ++taken;
            of_labels += miss.what.find(" label ") != std::string::npos;
            of_namespaces += miss.what.find("in a namespace that") != std::string::npos;
            of_blocks += miss.rule.peer && miss.what.find('/') != std::string::npos;
            of_ports += miss.rule.port.has_value();
          }
        }
      }
    }
  }
  std::cout << taken << " taken: of labels " << of_labels << ", namespaces " << of_namespaces
            << ", blocks " << of_blocks << ", ports " << of_ports << "; " << nobody
            << " peers select nobody\n";
  EXPECT_GT(of_labels, rounds);
  EXPECT_GT(of_namespaces, rounds / 2);
  EXPECT_GT(of_blocks, rounds);
  EXPECT_GT(of_ports, rounds);
  EXPECT_GT(nobody, 0U);
}

}  // namespace
}  // namespace rampart
