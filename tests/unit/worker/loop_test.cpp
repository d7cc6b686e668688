// SPDX-License-Identifier: Apache-2.0
// The loop itself, over a port that is a ring, on a thread of its own.
#include <gtest/gtest.h>

#include <thread>

#include "dataplane/dpdk/ethdev.hpp"
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

TEST(Loop, WhatAWorkerGivesItselfIsTakenUpWholeInOnePass) {
  StageBench bench;
  auto port = EthDev::open({.name = "out",
                            .device = *Device::parse("net_ring_loop"),
                            .workers = 1,
                            .pool = &bench.pool()});
  ASSERT_TRUE(port) << port.error().text();
  ASSERT_TRUE(port->start());
  bench.w.ports[1].dpdk_port = port->id();
  bench.w.ports[1].tx_queue = 0;
  // 150 to be judged, 50 that may leave.
  const Bytes judged = packet().ipv4("10.0.0.1", "10.0.0.2").udp(1, 53).bytes();
  const Bytes allowed = packet().ipv4("10.0.0.1", "10.0.0.2").udp(2, 53).bytes();
  for (unsigned n = 0; n < 200; ++n) {
    const bool judge = n % 4 != 0;
    rte_mbuf* m = bench.buffer(judge ? judged : allowed);
    m->hash.usr = HandoffTag::pack(judge ? HandoffTag::kJudge : HandoffTag::kTransmit, 0, 0);
    ASSERT_EQ(bench.w.to[0]->enqueue(&m, 1), 1U);
    ++bench.w.counters.ports[0].given;
  }
  run_one_pass(bench);
  const PortWork& work = bench.w.mailbox->report.ports[0];
  EXPECT_EQ(work.taken, 200U);
  EXPECT_EQ(work.forwarded, 200U);
  EXPECT_EQ(bench.w.flows(), 1U);
  EXPECT_EQ(bench.w.to[0]->size(), 0U);
}

// The buffer of a packet that was answered is on its way again before its burst has ended: it must
// not be taken for one of the burst's packets that may leave.
TEST(Loop, AnAnswerInTheBufferOfAPacketThatWasHandedOverLeavesOnce) {
  StageBench bench;
  auto port = EthDev::open({.name = "out",
                            .device = *Device::parse("net_ring_answer"),
                            .workers = 1,
                            .pool = &bench.pool()});
  ASSERT_TRUE(port) << port.error().text();
  ASSERT_TRUE(port->start());
  bench.w.ports[1].dpdk_port = port->id();
  bench.w.ports[1].tx_queue = 0;
  bench.w.challenge.active = true;
  for (uint16_t n = 0; n < 50; ++n) {
    rte_mbuf* m = bench.buffer(packet().ipv4("10.0.0.1", "10.0.0.2").tcp(n + 1, 80, kSyn).bytes());
    m->hash.usr = HandoffTag::pack(HandoffTag::kJudge, 1, 0);
    ASSERT_EQ(bench.w.to[0]->enqueue(&m, 1), 1U);
    ++bench.w.counters.ports[1].given;
  }
  run_one_pass(bench);
  run_one_pass(bench);
  const auto& ports = bench.w.mailbox->report.ports;
  EXPECT_EQ(ports[1].drops[static_cast<unsigned>(DropReason::kSynChallenged)], 50U);
  EXPECT_EQ(ports[0].originated, 50U);
  EXPECT_EQ(ports[0].forwarded, 50U);
  EXPECT_EQ(ports[0].taken, 50U);
}

TEST(Loop, WhatLiesInTheRingsAtTheEndIsDroppedByName) {
  StageBench bench;
  for (unsigned n = 0; n < 100; ++n) {
    rte_mbuf* m = bench.buffer(packet().ipv4("10.0.0.1", "10.0.0.2").udp(1, 53).bytes());
    m->hash.usr = HandoffTag::pack(HandoffTag::kJudge, 1, 0);
    ASSERT_EQ(bench.w.to[0]->enqueue(&m, 1), 1U);
  }
  drain_rings(bench.w);
  EXPECT_EQ(bench.w.counters.ports[1].taken, 100U);
  EXPECT_EQ(bench.drops(DropReason::kStopping), 100U);
  EXPECT_EQ(bench.buffers_out(), 0U);
}

}  // namespace
}  // namespace rampart::test
