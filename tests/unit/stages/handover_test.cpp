// SPDX-License-Identifier: Apache-2.0
// Two workers that hand each other what is not theirs do to packets and flows what one alone does.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <vector>

#include "dataplane/state/handoff.hpp"
#include "tests/support/chance.hpp"
#include "tests/unit/stages/traffic.hpp"

namespace rampart::test {
namespace {

using Frames = std::vector<StageBench::Frame>;

/// A datagram in pieces, in any order, of a flow of its own.
Frames pieces(std::mt19937_64& random, bool v6, uint16_t port) {
  auto all = packet()
                 .ip(v6 ? "fd00::1" : "10.0.0.1", v6 ? "fd00::2" : "10.0.0.2")
                 .udp(port, random() % 3 != 0 ? 53 : 81)
                 .payload(300)
                 .fragments(104, port);
  std::shuffle(all.begin(), all.end(), random);
  Frames frames;
  frames.reserve(all.size());
  for (const Bytes& one : all) frames.push_back({one});
  return frames;
}

class Handover : public testing::Test {
 protected:
  static constexpr uint32_t kRing = 256;

  std::array<StageBench*, 3> all() { return {&alone_, &first_, &second_}; }

  /// A burst that one of the two receives, and the one alone. A flow's packets stay in order: all
  /// of them go through the ring, or none.
  void run(const Frames& frames, unsigned receiver) {
    alone_.run(frames);
    pair_[receiver]->run(frames);
    // To whom checks a fragment, and to whom its flow is: nothing goes further.
    for (unsigned way = 0; way < 2; ++way) {
      std::array<uint32_t, 2> there{first_.w.to[1]->size(), second_.w.to[0]->size()};
      for (const unsigned giver : {0U, 1U}) {
        HandoffRing& ring = *pair_[giver]->w.to[1 - giver];
        for (; there[giver] != 0; there[giver] -= std::min(there[giver], Burst::kSize)) {
          pair_[1 - giver]->take_over(ring);
        }
      }
    }
    ASSERT_EQ(first_.w.to[1]->size() + second_.w.to[0]->size(), 0U);
  }

  void compare(uint64_t round) {
    const WorkerCounters &one = alone_.w.counters, &a = first_.w.counters, &b = second_.w.counters;
    const auto sum = [&](auto member) { return a.*member + b.*member; };
    using Counters = WorkerCounters;
    for (const auto member :
         {&Counters::flow_hits, &Counters::flow_misses, &Counters::flows_created,
          &Counters::flows_expired, &Counters::flows_cut, &Counters::flows_rejudged,
          &Counters::passed_always, &Counters::tunnelled}) {
      ASSERT_EQ(one.*member, sum(member)) << "round " << round;
    }
    for (unsigned port = 0; port < 2; ++port) {
      for (unsigned why = 0; why < kDropReasons; ++why) {
        ASSERT_EQ(one.ports[port].drops[why], a.ports[port].drops[why] + b.ports[port].drops[why])
            << "round " << round << ", " << kDropReasonTexts[why].name;
      }
      ASSERT_EQ(one.ports[port].forwarded, a.ports[port].forwarded + b.ports[port].forwarded);
      ASSERT_EQ(a.ports[port].given + b.ports[port].given,
                a.ports[port].taken + b.ports[port].taken);
    }
    auto flows = flows_of(first_);
    const auto others = flows_of(second_);
    const size_t count = flows.size() + others.size();
    flows.insert(others.begin(), others.end());
    ASSERT_EQ(flows.size(), count) << "a flow of both, round " << round;
    ASSERT_TRUE(flows == flows_of(alone_)) << "round " << round;
    // What has left, in any order.
    std::vector<Bytes> left = first_.left;
    left.insert(left.end(), second_.left.begin(), second_.left.end());
    std::sort(left.begin(), left.end());
    std::sort(alone_.left.begin(), alone_.left.end());
    ASSERT_TRUE(left == alone_.left) << "round " << round;
    for (StageBench* bench : all()) bench->left.clear();
  }

  StageBench alone_, first_{1000, 0, 2, kRing}, second_{1000, 1, 2, kRing};
  std::array<StageBench*, 2> pair_{&first_, &second_};
};

TEST_F(Handover, TwoWorkersDoWhatOneAloneDoes) {
  Packets packets(support::seed());
  std::mt19937_64 random(support::seed() + 1);
  const std::vector<StageBench::Allow> rules = {
      {"10.0.0.1", "10.0.0.2", 80}, {"10.0.0.1", "10.0.0.2", 53}, {"fd00::1", "fd00::2", 80}};
  Revision revision = 1;
  const auto publish = [&](size_t allowed) {
    for (StageBench* bench : all()) {
      bench->set_rules({rules.begin(), rules.begin() + static_cast<ptrdiff_t>(allowed)}, revision);
    }
  };
  publish(3);
  uint16_t port = 2000;
  std::vector<Talk> talks;
  for (uint64_t round = 0; round < support::rounds(1000); ++round) {
    if (round % 20 == 0) {
      ++revision;
      publish(2 + random() % 2);
      talks.clear();
      for (unsigned n = 0; n < 4; ++n) {
        talks.emplace_back(n >= 2, n % 2 != 0, ++port);
        for (const auto& frame : talks.back().handshake()) {
          run({frame}, n % 2);
          if (HasFatalFailure()) return;
        }
      }
    }
    if (random() % 8 == 0) {
      const auto seconds = static_cast<double>(random() % 70);
      for (StageBench* bench : all()) bench->pass_seconds(seconds);
      for (StageBench* bench : all()) bench->sweep();
    }
    Frames frames;
    // Nothing but segments of one family, which are read by eights, or of all kinds.
    const bool only_segments = random() % 3 == 0, v6 = random() % 2 != 0;
    for (unsigned n = 1 + random() % 40; n != 0; --n) {
      if (only_segments) {
        const Talk newcomer(v6, random() % 2 != 0, static_cast<uint16_t>(20000 + random() % 500));
        frames.push_back(random() % 3 == 0 ? newcomer.segment(false, kSyn, 0, 0)
                                           : talks[(v6 ? 2 : 0) + random() % 2].next(random));
        continue;
      }
      switch (random() % 8) {
        case 0:
          frames.push_back({packet().arp("10.0.0.1", "10.0.0.2").bytes()});
          break;
        case 1:
          frames.push_back(
              {packet().ipv4("10.0.0.1", "10.0.0.2").protocol(47).payload(40).bytes()});
          break;
        case 2:
        case 3:
        case 4:
          frames.push_back(packets.next(packets.below(12)));
          break;
        default:
          frames.push_back(talks[random() % talks.size()].next(random));
      }
    }
    if (random() % 4 == 0) {
      for (auto& piece : pieces(random, random() % 2 != 0, ++port)) frames.push_back(piece);
    }
    run(frames, random() % 2);
    if (!HasFatalFailure()) compare(round);
    if (HasFatalFailure()) return;
  }
  for (const WorkerCounters* c : {&first_.w.counters, &second_.w.counters}) {
    EXPECT_GT(c->handed_over, 2000U);
    EXPECT_GT(c->flow_hits, 2000U);
    EXPECT_GT(c->flows_created, 100U);
    EXPECT_GT(c->flows_expired + c->flows_cut, 20U);
  }
}

TEST_F(Handover, EqualAddressesOnTwoWiresAreTwoFlows) {
  for (StageBench* bench : all()) bench->w.ports[1].wire = 1;
  Frames frames;
  for (uint16_t port = 1000; port < 1020; ++port) {
    for (const uint8_t in_port : {0, 1, 1}) {
      frames.push_back({packet().ipv4("10.0.0.1", "10.0.0.2").udp(port, 53).bytes(), in_port});
    }
  }
  for (const unsigned receiver : {0U, 1U}) {
    run(frames, receiver);
    compare(receiver);
  }
  EXPECT_EQ(alone_.w.flows(), 40U);
  EXPECT_GT(first_.w.counters.handed_over, 10U);
}

TEST_F(Handover, AFrameInSeveralBuffersIsKnownByItsTaker) {
  for (StageBench* bench : all()) bench->set_mode(RuleSet::Mode::kPassAll);
  HandoffRing& ring = *first_.w.to[1];
  for (uint16_t port = 1000; port < 1100; ++port) {
    const Bytes bytes = packet().ipv4("10.0.0.1", "10.0.0.2").udp(port, 53).payload(200).bytes();
    for (const size_t each : {bytes.size(), size_t{100}}) {
      if (first_.run(first_.chain(bytes, each)) != StageBench::kHanded) continue;
      EXPECT_EQ(second_.take_over(ring), std::vector{StageBench::kForwarded});
      EXPECT_EQ(second_.w.burst.whole, each == bytes.size());
      EXPECT_EQ(second_.w.burst.frame_bytes[0], bytes.size());
      EXPECT_TRUE(second_.left.back() == bytes);
    }
  }
  EXPECT_GT(second_.left.size(), 50U);
}

TEST_F(Handover, WhatIsOnlyToLeaveIsForwardedUnseen) {
  for (StageBench* bench : all()) bench->set_mode(RuleSet::Mode::kDropAll);
  const Bytes bytes = packet().ipv4("10.0.0.1", "10.0.0.2").udp(1, 53).bytes();
  std::vector<StageBench::End> ends;
  for (unsigned n = 0; n < 10; ++n) {
    rte_mbuf* m = first_.buffer(bytes);
    const bool leaves = n % 3 == 0;
    HandoffTag::write(
        m, HandoffTag::pack(leaves ? HandoffTag::kTransmit : HandoffTag::kJudge, n % 2, 0));
    ASSERT_EQ(first_.w.to[1]->enqueue(&m, 1), 1U);
    ends.push_back(leaves ? StageBench::kForwarded : StageBench::dropped(DropReason::kNoPolicyYet));
  }
  StageBench& taker = second_;
  taker.w.workers = 1;  // so that the flow is its own
  EXPECT_EQ(taker.take_over(*first_.w.to[1]), ends);
  EXPECT_EQ(taker.w.counters.ports[0].taken, 5U);
  EXPECT_EQ(taker.w.counters.ports[1].taken, 5U);
  EXPECT_EQ(taker.w.counters.flow_hits + taker.w.counters.flow_misses, 6U);
  taker.w.workers = 2;
}

}  // namespace
}  // namespace rampart::test
