// SPDX-License-Identifier: Apache-2.0
// The last step, over a port that is a ring.
#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

#include "dataplane/dpdk/ethdev.hpp"
#include "dataplane/state/handoff.hpp"
#include "tests/support/stage_bench.hpp"

namespace rampart::test {
namespace {

using enum DropReason;

class Transmit : public testing::Test {
 protected:
  /// A burst that came in on port 0 and is allowed.
  void leave(unsigned count) {
    Burst& b = bench.w.burst;
    b.count = count;
    b.whole = true;
    const Bytes bytes = packet().ipv4("10.0.0.1", "10.0.0.2").udp(1, 2).bytes();
    for (unsigned i = 0; i < count; ++i) {
      b.mbuf[i] = bench.buffer(bytes);
      b.in_port[i] = 0;
      b.fate[i] = Fate::kForward;
      b.frame_bytes[i] = static_cast<uint32_t>(bytes.size());
    }
    transmit(b, bench.w, *bench.rules);
  }
  const PortWork& work() const { return bench.w.counters.ports[0]; }
  StageBench bench{10, 0, 2};
};

TEST_F(Transmit, APortThatIsBeingResetTakesNothing) {
  bench.active = false;
  leave(3);
  EXPECT_EQ(bench.drops(kPortDown), 3U);
  EXPECT_EQ(bench.buffers_out(), 0U);
}

TEST_F(Transmit, WithoutAQueueOfItsOwnAWorkerHandsOver) {
  bench.w.ports[1].tx_worker = 1;
  leave(10);  // the ring holds eight
  EXPECT_EQ(work().given, 8U);
  EXPECT_EQ(bench.drops(kHandoffFull), 2U);
  EXPECT_EQ(bench.buffers_out(), 8U);
  rte_mbuf* m = nullptr;
  ASSERT_EQ(bench.w.to[1]->dequeue(&m, 1), 1U);
  EXPECT_EQ(HandoffTag::purpose(HandoffTag::read(m)), HandoffTag::kTransmit);
  EXPECT_EQ(HandoffTag::in_port(HandoffTag::read(m)), 0);
  rte_pktmbuf_free(m);
}

TEST_F(Transmit, WhatThePortDoesNotTakeIsCountedAndFreed) {
  auto port = EthDev::open({.name = "out",
                            .device = *Device::parse("net_ring_transmit"),
                            .workers = 1,
                            .pool = &bench.pool()});
  ASSERT_TRUE(port) << port.error().text();
  ASSERT_TRUE(port->start());
  bench.w.ports[1].dpdk_port = port->id();
  bench.w.ports[1].tx_queue = 0;
  leave(64);
  EXPECT_EQ(work().forwarded, 64U);
  EXPECT_EQ(work().forwarded_bytes, 64U * 42);
  // Nobody reads the ring, which holds 1,023.
  for (unsigned burst = 1; burst < 20; ++burst) leave(64);
  EXPECT_EQ(work().forwarded, 1023U);
  EXPECT_EQ(bench.drops(kTxFull), 20U * 64 - 1023);
  EXPECT_EQ(bench.buffers_out(), 1023U);
}

TEST_F(Transmit, FramesInSeveralBuffersLeaveInOne) {
  auto port = EthDev::open({.name = "out",
                            .device = *Device::parse("net_ring_chains"),
                            .workers = 1,
                            .pool = &bench.pool()});
  ASSERT_TRUE(port) << port.error().text();
  ASSERT_TRUE(port->start());
  bench.w.ports[1].dpdk_port = port->id();
  bench.w.ports[1].tx_queue = 0;
  const auto frame = [](size_t size) {
    return packet().ipv4("10.0.0.1", "10.0.0.2").udp(1, 2).payload(size).bytes();
  };
  // The last but one fits no buffer; it alone is lost.
  const std::vector<Bytes> frames{frame(1400), frame(10), frame(1900), frame(3000), frame(20)};
  Burst& b = bench.w.burst;
  b.count = 0;
  b.whole = false;
  for (const Bytes& one : frames) {
    rte_mbuf* m = bench.chain(one, 500);
    EXPECT_EQ(m->nb_segs, (one.size() + 499) / 500);
    b.in_port[b.count] = 0;
    b.fate[b.count] = Fate::kForward;
    b.frame_bytes[b.count] = m->pkt_len;
    b.mbuf[b.count++] = m;
  }
  transmit(b, bench.w, *bench.rules);
  EXPECT_EQ(work().forwarded, 4U);
  EXPECT_EQ(work().forwarded_bytes,
            frames[0].size() + frames[1].size() + frames[2].size() + frames[4].size());
  EXPECT_EQ(bench.drops(kTxError), 1U);
  EXPECT_EQ(bench.buffers_out(), 4U);
  for (const size_t n : {0U, 1U, 2U, 4U}) {
    rte_mbuf* m = nullptr;
    ASSERT_EQ(port->rx_burst(0, &m, 1), 1U);
    EXPECT_EQ(m->nb_segs, 1U);
    const auto* data = rte_pktmbuf_mtod(m, const uint8_t*);
    EXPECT_TRUE(Bytes(data, data + m->data_len) == frames[n]);
    rte_pktmbuf_free(m);
  }
}

}  // namespace
}  // namespace rampart::test
