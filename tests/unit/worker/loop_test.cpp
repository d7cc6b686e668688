// SPDX-License-Identifier: Apache-2.0
// The loop itself, over a port that is a ring, on a thread of its own.
#include <gtest/gtest.h>

#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "dataplane/dpdk/ethdev.hpp"
#include "dataplane/packet/parse.hpp"
#include "dataplane/state/handoff.hpp"
#include "dataplane/worker/worker.hpp"
#include "tests/support/stage_bench.hpp"

namespace rampart::test {
namespace {

/// Runs the worker's loop until it has made a report, which it does at the end of its first pass.
void run_one_pass(StageBench& bench) {
  auto qsbr = Qsbr::create(1);
  ASSERT_TRUE(qsbr);
  ASSERT_TRUE(qsbr->add_reader(0));
  WorkerShared shared;
  shared.rules = bench.rules.get();
  shared.qsbr = &*qsbr;
  Mailbox& box = *bench.w.mailbox;
  const uint32_t next = box.report_made.load() + 1;
  box.report_asked = next;
  std::thread worker([&] { run_worker(bench.w, shared); });
  while (box.report_made.load() != next) std::this_thread::yield();
  shared.stop = true;
  worker.join();
}

/// Port 1 of a bench becomes a ring: what leaves there can be received.
class Loop : public testing::Test {
 protected:
  void SetUp() override {
    static unsigned number = 0;
    auto opened = EthDev::open({.name = "out",
                                .device = *Device::parse("net_ring_l" + std::to_string(number++)),
                                .workers = 1,
                                .pool = &bench.pool()});
    ASSERT_TRUE(opened) << opened.error().text();
    out.emplace(*std::move(opened));
    ASSERT_TRUE(out->start());
    bench.w.ports[1].dpdk_port = out->id();
    bench.w.ports[1].tx_queue = 0;
  }
  void give(const Bytes& bytes, HandoffTag::Purpose purpose, uint8_t in_port = 0) {
    rte_mbuf* m = bench.buffer(bytes);
    HandoffTag::write(m, HandoffTag::pack(purpose, in_port, 0));
    ASSERT_EQ(bench.w.to[0]->enqueue(&m, 1), 1U);
    ++bench.w.counters.ports[in_port].given;
  }
  std::vector<Bytes> left() {
    std::vector<Bytes> all;
    rte_mbuf* m = nullptr;
    while (out->rx_burst(0, &m, 1) == 1) {
      const auto* data = rte_pktmbuf_mtod(m, const uint8_t*);
      all.emplace_back(data, data + m->data_len);
      rte_pktmbuf_free(m);
    }
    return all;
  }
  StageBench bench;
  std::optional<EthDev> out;
};

TEST_F(Loop, WhatAWorkerGivesItselfIsTakenUpWholeInOnePass) {
  // 150 to be judged, 50 that may leave.
  const Bytes judged = packet().ipv4("10.0.0.1", "10.0.0.2").udp(1, 53).bytes();
  const Bytes allowed = packet().ipv4("10.0.0.1", "10.0.0.2").udp(2, 53).bytes();
  for (unsigned n = 0; n < 200; ++n) {
    if (n % 4 != 0) {
      give(judged, HandoffTag::kJudge);
    } else {
      give(allowed, HandoffTag::kTransmit);
    }
  }
  run_one_pass(bench);
  const PortWork& work = bench.w.mailbox->report.ports[0];
  EXPECT_EQ(work.taken, 200U);
  EXPECT_EQ(work.forwarded, 200U);
  EXPECT_EQ(bench.w.flows(), 1U);
  EXPECT_EQ(bench.w.to[0]->size(), 0U);
}

// Each SYN of a flood is answered through the ring to ourselves, which has room for fewer than come
// in one pass.
TEST_F(Loop, AnswersAreSaidAsFastAsTheyAreMade) {
  bench.set_rules({{"10.0.0.2", "10.0.0.1", 80}}, 1);
  bench.w.challenge.active = true;
  bench.w.workers = 3;
  std::optional<HandoffRing> from[3], to[3];
  constexpr unsigned kEach = 320, kInOnePass = kEach - kLongRing;
  static_assert(2 * kInOnePass > StageBench::kOwnRing);
  uint16_t port = 1000;
  for (unsigned other = 1; other < 3; ++other) {
    const std::string name = "answers-" + std::to_string(other);
    from[other] = *HandoffRing::create(name + "f", 1000);
    to[other] = *HandoffRing::create(name + "t", 8);
    bench.w.from[other] = &*from[other];
    bench.w.to[other] = &*to[other];
    for (unsigned n = 0; n < kEach;) {
      const Bytes bytes = packet().ipv4("10.0.0.2", "10.0.0.1").tcp(++port, 80, kSyn).bytes();
      ParsedPacket p;
      parse_frame(bytes.data(), static_cast<uint32_t>(bytes.size()),
                  static_cast<uint32_t>(bytes.size()), p);
      FlowKeyV4 key;
      if (bench.w.owner_of(aim_at(p, 0, bench.w.seed, key).hash) != 0) continue;
      rte_mbuf* m = bench.buffer(bytes);
      HandoffTag::write(m, HandoffTag::pack(HandoffTag::kJudge, 1, 0));
      ASSERT_EQ(from[other]->enqueue(&m, 1), 1U);
      ++n;
    }
  }
  run_one_pass(bench);
  const WorkerCounters& report = bench.w.mailbox->report;
  EXPECT_EQ(report.challenged, 2U * kInOnePass);
  EXPECT_EQ(report.ports[0].originated, 2U * kInOnePass);
  EXPECT_EQ(report.ports[0].forwarded, 2U * kInOnePass);
  bench.w.workers = 1;
}

/// The first of two workers.
class LoopOfTwo : public Loop {
 protected:
  void SetUp() override {
    Loop::SetUp();
    static unsigned number = 0;
    const std::string name = "loop-" + std::to_string(number++);
    from = HandoffRing::create(name + "-from", 1000);
    to = HandoffRing::create(name + "-to", 1000);
    ASSERT_TRUE(from && to);
    bench.w.workers = 2;
    bench.w.from[1] = &*from;
    bench.w.to[1] = &*to;
  }
  void TearDown() override {
    empty(*from);
    empty(*to);
    bench.w.workers = 1;
  }
  static void empty(HandoffRing& ring) {
    rte_mbuf* m = nullptr;
    while (ring.dequeue(&m, 1) == 1) rte_pktmbuf_free(m);
  }
  /// Puts so many packets into a ring.
  void lay(HandoffRing& ring, unsigned count) {
    for (; count != 0; --count) {
      rte_mbuf* m = bench.buffer(packet().ipv4("10.0.0.1", "10.0.0.2").udp(1, 53).bytes());
      HandoffTag::write(m, HandoffTag::pack(HandoffTag::kTransmit, 0, 0));
      ASSERT_EQ(ring.enqueue(&m, 1), 1U);
    }
  }
  /// So many that the other worker owns, and so many of our own, can be received on port 1.
  void send(unsigned others, unsigned own = 0) {
    bench.w.ports[1].rx_queue = 0;
    for (uint16_t port = 1000; others + own != 0; ++port) {
      const Bytes bytes = packet().ipv4("10.0.0.2", "10.0.0.1").udp(port, 53).bytes();
      ParsedPacket p;
      parse_frame(bytes.data(), static_cast<uint32_t>(bytes.size()),
                  static_cast<uint32_t>(bytes.size()), p);
      FlowKeyV4 key;
      unsigned& wanted = bench.w.owner_of(aim_at(p, 0, bench.w.seed, key).hash) == 1 ? others : own;
      if (wanted == 0) continue;
      rte_mbuf* m = bench.buffer(bytes);
      ASSERT_EQ(out->tx_burst(0, &m, 1), 1U);
      --wanted;
    }
  }
  /// Of the first pass of a run: the report is made at its end.
  const PortWork& reported(unsigned port) const { return bench.w.mailbox->report.ports[port]; }

  Result<HandoffRing> from = Error{}, to = Error{};
};

TEST_F(LoopOfTwo, AGiverKeepsNobodyFromItsPortsForLong) {
  lay(*from, 500);
  run_one_pass(bench);
  EXPECT_EQ(reported(0).taken, 4U * Burst::kSize);
  EXPECT_EQ(reported(0).forwarded, 4U * Burst::kSize);
  run_one_pass(bench);
  run_one_pass(bench);
  run_one_pass(bench);
  EXPECT_EQ(reported(0).taken, 500U);
  EXPECT_EQ(from->size(), 0U);
  EXPECT_EQ(left().size(), 500U);
}

TEST_F(LoopOfTwo, OfARingThatIsNotLongOneBurstIsTaken) {
  lay(*from, Burst::kSize + kLongRing);
  run_one_pass(bench);
  EXPECT_EQ(reported(0).taken, Burst::kSize);
  empty(*from);
  left();
  lay(*from, Burst::kSize + kLongRing + 1);
  const uint64_t before = bench.w.counters.ports[0].taken;
  run_one_pass(bench);
  EXPECT_EQ(reported(0).taken - before, 2U * Burst::kSize);
}

TEST_F(LoopOfTwo, APortWaitsForAWorkerThatComesBehind) {
  send(Burst::kSize);
  lay(*to, kLongRing + 1);
  bench.w.backpressure[1].targets = 1U << 1;
  run_one_pass(bench);
  EXPECT_EQ(reported(1).received, 0U);
  EXPECT_EQ(bench.w.mailbox->report.held_back, 1U);
}

TEST_F(LoopOfTwo, ALoopThatWaitsIsNotIdle) {
  send(0);
  lay(*to, kLongRing + 1);
  bench.w.backpressure[1].targets = 1U << 1;
  run_one_pass(bench);  // the first one waits
  EXPECT_GT(bench.w.counters.loops, bench.w.counters.idle_loops);
}

TEST_F(LoopOfTwo, AnotherPortDoesNot) {
  send(Burst::kSize);
  lay(*to, kLongRing + 1);
  bench.w.backpressure[0].targets = 1U << 1;
  run_one_pass(bench);
  EXPECT_EQ(reported(1).received, Burst::kSize);
  EXPECT_EQ(bench.w.mailbox->report.held_back, 0U);
}

TEST_F(LoopOfTwo, NotIfTheRingIsShort) {
  send(Burst::kSize);
  lay(*to, kLongRing);
  bench.w.backpressure[1].targets = 1U << 1;
  run_one_pass(bench);
  EXPECT_EQ(reported(1).received, Burst::kSize);
  EXPECT_EQ(bench.w.mailbox->report.held_back, 0U);
}

TEST_F(LoopOfTwo, APortThatHasFilledARingWaits) {
  lay(*to, kLongRing);
  send(2 * Burst::kSize);
  run_one_pass(bench);  // receives
  run_one_pass(bench);
  EXPECT_GE(bench.w.counters.held_back, 1U);
  // It does not last: in time all is received.
  const uint64_t& received = bench.w.counters.ports[1].received;
  for (unsigned n = 0; n < 1000 && received != 2U * Burst::kSize; ++n) run_one_pass(bench);
  EXPECT_EQ(to->size(), kLongRing + 2 * Burst::kSize);
}

TEST_F(LoopOfTwo, NotIfItWasNoWholeBurstOrMuchOfItOurOwn) {
  lay(*to, kLongRing);
  send(Burst::kSize - 1);
  run_one_pass(bench);
  EXPECT_EQ(to->size(), kLongRing + Burst::kSize - 1);
  send(Burst::kSize - 5, 5);
  run_one_pass(bench);
  run_one_pass(bench);
  EXPECT_EQ(to->size(), kLongRing + 2 * Burst::kSize - 6);
  EXPECT_EQ(bench.w.counters.held_back, 0U);
}

TEST_F(Loop, TheStagesCyclesAreThoseOfTheLoop) {
  for (uint16_t n = 0; n < 100; ++n) {
    give(packet().ipv4("10.0.0.1", "10.0.0.2").udp(n + 1, 53).bytes(), HandoffTag::kJudge);
  }
  run_one_pass(bench);
  const WorkerCounters& c = bench.w.counters;
  EXPECT_GT(c.busy_cycles, 0U);
  const auto stages = c.stages.counted();
  ASSERT_EQ(stages.has_value(), kCountStageCycles);
  if (!stages) return;
  EXPECT_EQ(stages->packets(), 100U);
  uint64_t sum = 0;
  for (unsigned i = 0; i < kStages; ++i) sum += stages->of(static_cast<Stage>(i));
  EXPECT_EQ(sum - stages->of(Stage::kBetween), c.busy_cycles);
  for (const Stage stage : {Stage::kParse, Stage::kSteer, Stage::kTrack, Stage::kClassify,
                            Stage::kSettle, Stage::kTransmit, Stage::kTx}) {
    EXPECT_GT(stages->of(stage), 0U) << kStageNames[static_cast<unsigned>(stage)];
  }
  EXPECT_EQ(stages->of(Stage::kRx), 0U) << "nothing came from a port";
}

TEST_F(Loop, HeldFragmentsLeaveBehindTheirFirst) {
  bench.set_rules({{"10.0.0.1", "10.0.0.2", 80}}, 1);
  const auto pieces =
      packet().ipv4("10.0.0.1", "10.0.0.2").udp(1, 80).payload(3000).fragments(1000);
  ASSERT_EQ(pieces.size(), 4U);
  for (const unsigned n : {3U, 1U, 0U, 2U}) give(pieces[n], HandoffTag::kJudge);
  run_one_pass(bench);
  const PortWork& work = bench.w.mailbox->report.ports[0];
  EXPECT_EQ(work.forwarded, 4U);
  EXPECT_EQ(work.given, 6U);
  EXPECT_EQ(work.taken, 6U);
  EXPECT_TRUE(left() == (std::vector{pieces[0], pieces[2], pieces[3], pieces[1]}));
  EXPECT_EQ(bench.buffers_out(), 0U);
}

TEST_F(Loop, ACheckedFragmentIsKnownByItsTag) {
  bench.set_rules({{"10.0.0.1", "10.0.0.2", 80}}, 1);
  const auto pieces =
      packet().ipv4("10.0.0.1", "10.0.0.2").udp(1, 80).payload(3000).fragments(1000);
  // Without its first: who has checked it is not to hold it here.
  give(pieces[1], HandoffTag::kFragment);
  give(pieces[2], HandoffTag::kJudge);
  run_one_pass(bench);
  EXPECT_EQ(bench.drops(DropReason::kFragmentLimit), 1U);
  EXPECT_EQ(bench.w.fragments.held(), 1U);
}

// The buffer of a packet that was answered is on its way again before its burst has ended: it must
// not be taken for one of the burst's packets that may leave.
TEST_F(Loop, AnAnswerInTheBufferOfAPacketThatWasHandedOverLeavesOnce) {
  bench.w.challenge.active = true;
  for (uint16_t n = 0; n < 50; ++n) {
    give(packet().ipv4("10.0.0.1", "10.0.0.2").tcp(n + 1, 80, kSyn).bytes(), HandoffTag::kJudge, 1);
  }
  run_one_pass(bench);
  run_one_pass(bench);
  const auto& ports = bench.w.mailbox->report.ports;
  EXPECT_EQ(ports[1].drops[static_cast<unsigned>(DropReason::kSynChallenged)], 50U);
  EXPECT_EQ(ports[0].originated, 50U);
  EXPECT_EQ(ports[0].forwarded, 50U);
  EXPECT_EQ(ports[0].taken, 50U);
}

TEST_F(Loop, WhatLiesInTheRingsOrIsHeldAtTheEndIsDroppedByName) {
  bench.set_rules({{"10.0.0.1", "10.0.0.2", 80}}, 1);
  bench.run(packet().ipv4("10.0.0.1", "10.0.0.2").protocol(17).fragment(64, false).payload(9), 1);
  for (unsigned n = 0; n < 100; ++n) {
    give(packet().ipv4("10.0.0.1", "10.0.0.2").udp(1, 53).bytes(), HandoffTag::kJudge, 1);
  }
  drain_rings(bench.w);
  EXPECT_EQ(bench.w.counters.ports[1].given, 101U);
  EXPECT_EQ(bench.w.counters.ports[1].taken, 101U);
  EXPECT_EQ(bench.drops(DropReason::kStopping), 101U);
  EXPECT_EQ(bench.buffers_out(), 0U);
}

}  // namespace
}  // namespace rampart::test
