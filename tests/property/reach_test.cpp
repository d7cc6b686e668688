// SPDX-License-Identifier: Apache-2.0
//
// Random clusters: the matrix against the plain evaluator, connection by connection, and what
// differs between two clusters against what the evaluator says of each. For other seeds and longer
// runs see tests/support/chance.hpp.
#include <gtest/gtest.h>

#include <iostream>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "control/kube/evaluate.hpp"
#include "control/reach/difference.hpp"
#include "control/reach/reach.hpp"
#include "tests/support/chance.hpp"
#include "tests/support/random_cluster.hpp"

namespace rampart {
namespace {

using support::RandomCluster;
using support::RandomProbe;

/// The end that an address is of; -1 where the matrix makes no statement (shared addresses).
long end_of(const IpAddress& address, const kube::Evaluator& evaluator, const reach::Reach& reach,
            const reach::Vocabulary& vocabulary) {
  const kube::End who = evaluator.end(address);
  if (who.is_shared()) return -1;
  reach::End::Key key;
  key.zone = vocabulary.zone_of(address);
  if (!who.pods.empty()) {
    for (const auto& [own, kind] : vocabulary.kinds_of(*who.pods.front())) {
      if (own == address) key = kind;
    }
  }
  for (size_t i = 0; i < reach.ends().size(); ++i) {
    if (reach.ends()[i].key == key) return static_cast<long>(i);
  }
  ADD_FAILURE() << address.text() << " is of no end";
  return -1;
}

/// Whether one end is a node that the other, a pod, runs on.
bool own_node(const kube::End& a, const kube::End& b) {
  return a.pods.size() == 1 && b.nodes.size() == 1 && a.pods.front()->node_name == b.nodes.front();
}

TEST(Reach, TheMatrixEqualsTheEvaluator) {
  size_t allowed = 0, denied = 0, by_name = 0, outside = 0;
  const uint64_t rounds = support::rounds(600);
  for (uint64_t round = 0; round < rounds; ++round) {
    SCOPED_TRACE("round " + std::to_string(round));
    RandomCluster random(support::seed() + round);
    const kube::ClusterState state = random.make();
    const reach::Vocabulary vocabulary({&state});
    reach::PortSets sets;
    const auto reach = reach::Reach::of(state, vocabulary, sets);
    ASSERT_TRUE(reach);
    const kube::Evaluator evaluator(state);
    for (const RandomProbe& probe : random.probes(state, 300)) {
      const long from = end_of(probe.from, evaluator, *reach, vocabulary);
      const long to = end_of(probe.to, evaluator, *reach, vocabulary);
      const kube::End source = evaluator.end(probe.from), target = evaluator.end(probe.to);
      if (from < 0 || to < 0 || probe.from == probe.to || own_node(source, target) ||
          own_node(target, source)) {
        continue;
      }
      const auto said = evaluator.evaluate(probe.from, probe.to, probe.protocol, probe.port);
      const auto cell = reach->at(static_cast<size_t>(from), static_cast<size_t>(to));
      ASSERT_EQ(sets[cell].contains(probe.protocol, probe.port), said.allowed)
          << probe.text() << ": " << said.why << "; the matrix says " << sets[cell].text()
          << " from " << reach->ends()[static_cast<size_t>(from)].name << " to "
          << reach->ends()[static_cast<size_t>(to)].name;
      ASSERT_EQ(reach->isolated_egress(static_cast<size_t>(from)), said.egress.isolated);
      ASSERT_EQ(reach->isolated_ingress(static_cast<size_t>(to)), said.ingress.isolated);
      ++(said.allowed ? allowed : denied);
      by_name += said.ingress.admission && said.ingress.admission->port;
      outside += source.pods.empty() || target.pods.empty();
    }
  }
  std::cout << allowed << " allowed, " << denied << " denied, " << outside
            << " with an end that is no pod\n";
  EXPECT_GT(allowed, rounds * 20);
  EXPECT_GT(denied, rounds * 10);
  EXPECT_GT(outside, rounds * 10);
  EXPECT_GT(by_name, rounds);
}

TEST(Reach, TheDifferenceEqualsTheEvaluators) {
  size_t opened = 0, closed = 0, same = 0;
  const uint64_t rounds = support::rounds(600) / 2;
  for (uint64_t round = 0; round < rounds; ++round) {
    SCOPED_TRACE("round " + std::to_string(round));
    RandomCluster random(~support::seed() + round);
    const kube::ClusterState before = random.make();
    kube::ClusterState after = before;
    if (round % 2 == 0) after.policies = random.make().policies;
    for (uint32_t changes = 1 + random.below(3); changes > 0; --changes) random.change(after);
    reach::PortSets sets;
    const auto difference = reach::compare(before, after, sets);
    ASSERT_TRUE(difference);
    std::map<std::pair<std::string, std::string>, std::pair<reach::PortSet, reach::PortSet>> pairs;
    for (const auto& pair : difference->pairs) {
      for (const std::string& from : difference->parties[pair.from].pods) {
        for (const std::string& to : difference->parties[pair.to].pods) {
          auto& [open, close] = pairs[{from, to}];
          open = open.united(sets[pair.opened]);
          close = close.united(sets[pair.closed]);
        }
      }
    }
    const kube::Evaluator old(before), now(after);
    const auto pod_of = [](const kube::Evaluator& evaluator, const IpAddress& address) {
      const kube::End who = evaluator.end(address);
      if (who.is_shared() || who.pods.size() != 1 || who.pods.front()->addresses.size() != 1) {
        return std::string();
      }
      return who.pods.front()->ns + "/" + who.pods.front()->name;
    };
    for (const RandomProbe& probe : random.probes(before, 300)) {
      const std::string from = pod_of(old, probe.from), to = pod_of(old, probe.to);
      if (from.empty() || to.empty() || from == to) continue;
      if (from != pod_of(now, probe.from) || to != pod_of(now, probe.to)) continue;
      const bool was = old.evaluate(probe.from, probe.to, probe.protocol, probe.port).allowed;
      const bool is = now.evaluate(probe.from, probe.to, probe.protocol, probe.port).allowed;
      const auto& [open, close] = pairs[{from, to}];
      ASSERT_EQ(open.contains(probe.protocol, probe.port), is && !was)
          << probe.text() << " from " << from << " to " << to << ", opened " << open.text();
      ASSERT_EQ(close.contains(probe.protocol, probe.port), was && !is)
          << probe.text() << " from " << from << " to " << to << ", closed " << close.text();
      opened += is && !was;
      closed += was && !is;
      same += was == is;
    }
  }
  std::cout << opened << " opened, " << closed << " closed, " << same << " as before\n";
  EXPECT_GT(opened, rounds / 10);
  EXPECT_GT(closed, rounds / 10);
  EXPECT_GT(same, rounds * 4);
}

TEST(Reach, OfSomeEndsEqualsOfAll) {
  size_t computed = 0, left_out = 0;
  const uint64_t rounds = support::rounds(600);
  for (uint64_t round = 0; round < rounds; ++round) {
    SCOPED_TRACE("round " + std::to_string(round));
    RandomCluster random(support::seed() * 3 + round);
    const kube::ClusterState state = random.make();
    const reach::Vocabulary vocabulary({&state});
    reach::PortSets sets;
    const auto all = reach::Reach::of(state, vocabulary, sets);
    ASSERT_TRUE(all);
    std::vector<bool> wanted;
    const uint32_t share = 1 + random.below(6);
    for (size_t i = 0; i < all->ends().size(); ++i) wanted.push_back(random.one_in(share));
    const auto some = reach::Reach::of(state, all->ends(), wanted, sets);
    ASSERT_TRUE(some);
    for (size_t from = 0; from < wanted.size(); ++from) {
      ASSERT_EQ(some->isolated_egress(from), all->isolated_egress(from));
      ASSERT_EQ(some->isolated_ingress(from), all->isolated_ingress(from));
      for (size_t to = 0; to < wanted.size(); ++to) {
        ASSERT_EQ(some->pairs().has(from, to), wanted[from] || wanted[to]);
        ++(some->pairs().has(from, to) ? computed : left_out);
        if (!some->pairs().has(from, to)) continue;
        ASSERT_EQ(some->at(from, to), all->at(from, to))
            << all->ends()[from].name << " to " << all->ends()[to].name;
      }
    }
  }
  std::cout << computed << " pairs computed, " << left_out << " left out\n";
  EXPECT_GT(computed, rounds * 20);
  EXPECT_GT(left_out, rounds * 20);
}

/// A party of a difference that is there before and after, and its two ends.
struct Track {
  size_t before = 0, after = 0, party = 0;
};

std::vector<Track> tracks_of(const reach::Reach& before, const reach::Reach& after,
                             const reach::Difference& difference) {
  std::vector<Track> tracks;
  for (size_t old = 0; old < before.ends().size(); ++old) {
    for (size_t now = 0; now < after.ends().size(); ++now) {
      const reach::End &was = before.ends()[old], &is = after.ends()[now];
      for (size_t i = 0; i < difference.parties.size(); ++i) {
        const reach::Party& party = difference.parties[i];
        const bool kind = was.key == is.key && party.name == is.name && party.before && party.after;
        const bool moved = was.key != is.key && party.before && party.after &&
                           party.name.ends_with(is.name + " (was " + was.name + ")");
        if (kind || moved) tracks.push_back({old, now, i});
      }
    }
  }
  return tracks;
}

TEST(Reach, TheDifferenceEqualsThatOfWholeMatrices) {
  size_t differ = 0, same = 0;
  const uint64_t rounds = support::rounds(600) / 3;
  for (uint64_t round = 0; round < rounds; ++round) {
    SCOPED_TRACE("round " + std::to_string(round));
    RandomCluster random(~support::seed() * 5 + round);
    const kube::ClusterState before = random.make();
    kube::ClusterState after = before;
    for (uint32_t changes = 1 + random.below(3); changes > 0; --changes) random.change(after);
    const reach::Vocabulary vocabulary({&before, &after});
    reach::PortSets sets;
    const auto old = reach::Reach::of(before, vocabulary, sets);
    const auto now = reach::Reach::of(after, vocabulary, sets);
    const auto difference = reach::compare(before, after, sets);
    ASSERT_TRUE(old && now && difference);
    std::map<std::pair<size_t, size_t>, std::pair<reach::PortSets::Id, reach::PortSets::Id>> said;
    for (const auto& pair : difference->pairs) {
      said[{pair.from, pair.to}] = {pair.opened, pair.closed};
    }
    const auto tracks = tracks_of(*old, *now, *difference);
    for (const Track& from : tracks) {
      for (const Track& to : tracks) {
        const auto was = old->at(from.before, to.before), is = now->at(from.after, to.after);
        const auto found = said.find({from.party, to.party});
        ASSERT_EQ(found != said.end(), was != is)
            << difference->parties[from.party].name << " to " << difference->parties[to.party].name
            << ": " << sets[was].text() << " becomes " << sets[is].text();
        ++(was == is ? same : differ);
        if (was == is) continue;
        ASSERT_EQ(found->second, std::pair(sets.without(is, was), sets.without(was, is)));
      }
    }
  }
  std::cout << differ << " pairs differ, " << same << " do not\n";
  EXPECT_GT(differ, rounds * 5);
  EXPECT_GT(same, rounds * 50);
}

}  // namespace
}  // namespace rampart
