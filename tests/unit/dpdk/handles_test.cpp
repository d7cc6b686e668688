// SPDX-License-Identifier: Apache-2.0
// Memory, pools, rings and grace periods.
#include <gtest/gtest.h>
#include <rte_lcore.h>
#include <rte_malloc.h>

#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <numeric>
#include <string>
#include <thread>
#include <vector>

#include "dataplane/dpdk/memory.hpp"
#include "dataplane/dpdk/mempool.hpp"
#include "dataplane/dpdk/qsbr.hpp"
#include "dataplane/dpdk/ring.hpp"

namespace rampart {
namespace {

using namespace std::chrono_literals;

struct Line {
  uint64_t words[8];
};

TEST(HugeArrayTest, IsZeroAndAligned) {
  for (int round = 0; round < 2; ++round) {  // the second one gets used memory
    auto array = HugeArray<Line>::create(1000, "flows");
    ASSERT_TRUE(array) << array.error().text();
    EXPECT_EQ(reinterpret_cast<uintptr_t>(array->data()) % 64, 0U);
    ASSERT_EQ(array->size(), 1000U);
    for (Line& line : array->span()) {
      for (uint64_t& word : line.words) {
        ASSERT_EQ(word, 0U);
        word = ~uint64_t{0};
      }
    }
  }
}

TEST(HugeArrayTest, SaysWhatDidNotFit) {
  const auto array = HugeArray<Line>::create(uint64_t{1} << 30, "flows of worker 3");
  ASSERT_FALSE(array);
  EXPECT_EQ(array.error().code, ErrorCode::kNoMemory);
  EXPECT_EQ(array.error().text(), "flows of worker 3: no room for 65537 MiB in DPDK's heap");
  EXPECT_FALSE(HugeArray<Line>::create(~size_t{0} / 8, "more than there are bytes"));
}

TEST(MempoolTest, HandsOutAllItHasAndNoMore) {
  constexpr uint32_t kCount = 100;
  auto pool = Mempool::create({.name = "exhaust", .count = kCount, .cache = 0, .data_room = 2176});
  ASSERT_TRUE(pool) << pool.error().text();
  EXPECT_EQ(pool->available(), kCount);
  std::vector<rte_mbuf*> taken;
  while (rte_mbuf* m = rte_pktmbuf_alloc(pool->get())) taken.push_back(m);
  EXPECT_EQ(taken.size(), kCount);
  EXPECT_EQ(pool->in_use(), kCount);
  EXPECT_EQ(pool->available(), 0U);
  for (rte_mbuf* m : taken) rte_pktmbuf_free(m);
  EXPECT_EQ(pool->available(), kCount);
}

TEST(MempoolTest, AFrameOfTheMtuFitsOneBuffer) {
  for (const uint32_t mtu : {1280U, 1500U, 3498U, 9000U, Mempool::kMaxMtu}) {
    const uint16_t room = Mempool::data_room_for(mtu);
    EXPECT_GE(room, RTE_PKTMBUF_HEADROOM + 14 + 8 + 4 + mtu);
    auto pool =
        Mempool::create({.name = "mtu" + std::to_string(mtu), .count = 8, .data_room = room});
    ASSERT_TRUE(pool) << pool.error().text();
    rte_mbuf* m = rte_pktmbuf_alloc(pool->get());
    ASSERT_NE(m, nullptr);
    EXPECT_NE(rte_pktmbuf_append(m, static_cast<uint16_t>(14 + 8 + 4 + mtu)), nullptr);
    rte_pktmbuf_free(m);
    EXPECT_EQ(Mempool::mtu_of(14 + 8 + 4 + mtu), mtu);
  }
  EXPECT_EQ(Mempool::data_room_for(1000000), Mempool::data_room_for(Mempool::kMaxMtu));
  EXPECT_EQ(Mempool::data_room_for(Mempool::mtu_of(2048)), RTE_PKTMBUF_HEADROOM + 2048);
  EXPECT_EQ(Mempool::mtu_of(7), 0U);
}

/// Bytes in use on DPDK's heap.
uint64_t heap_in_use() {
  uint64_t sum = 0;
  for (int socket = 0; socket < RTE_MAX_NUMA_NODES; ++socket) {
    rte_malloc_socket_stats stats{};
    if (rte_malloc_get_socket_stats(socket, &stats) == 0) sum += stats.heap_allocsz_bytes;
  }
  return sum;
}

TEST(MempoolTest, KnowsWhatItWillTake) {
  for (const uint32_t mtu : {1500U, 9000U}) {
    const uint16_t room = Mempool::data_room_for(mtu);
    const uint64_t before = heap_in_use();
    const uint64_t estimate = Mempool::memory_for(10000, room, kOrdinaryPage);
    const auto pool = Mempool::create({.name = "take", .count = 10000, .data_room = room});
    ASSERT_TRUE(pool) << pool.error().text();
    const uint64_t taken = heap_in_use() - before;
    EXPECT_LE(taken, estimate) << mtu;
    EXPECT_GE(taken, estimate * 8 / 10) << mtu;
  }
}

TEST(MempoolTest, HugePagesHoldMoreBuffers) {
  const uint16_t room = Mempool::data_room_for(1500);
  const uint64_t bytes = uint64_t{100000} * (sizeof(rte_mbuf) + room);
  const uint64_t estimate = Mempool::memory_for(100000, room, kHugePage);
  EXPECT_GT(estimate, bytes);
  EXPECT_LT(estimate, bytes * 12 / 10);
  EXPECT_LT(estimate, Mempool::memory_for(100000, room, kOrdinaryPage) * 7 / 10);
}

TEST(MempoolTest, RefusesByName) {
  const Mempool::Params params{.name = "twice", .count = 10, .data_room = 2176};
  const auto first = Mempool::create(params);
  ASSERT_TRUE(first);
  const auto second = Mempool::create(params);
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code, ErrorCode::kConflict);
  EXPECT_EQ(Mempool::create({.name = "none", .count = 0}).error().code, ErrorCode::kInvalid);
  EXPECT_EQ(Mempool::create({.name = std::string(40, 'x'), .count = 1}).error().code,
            ErrorCode::kTooLarge);
  const auto huge = Mempool::create({.name = "huge", .count = 1U << 20, .data_room = 9344});
  ASSERT_FALSE(huge);
  EXPECT_EQ(huge.error().code, ErrorCode::kNoMemory);
  EXPECT_NE(huge.error().text().find("huge: no room for 1048576 packet buffers"), std::string::npos)
      << huge.error().text();
}

TEST(SpscRingTest, KeepsOrderAndHoldsExactlyItsCapacity) {
  auto ring = SpscRing<int>::create("order", 100);
  ASSERT_TRUE(ring) << ring.error().text();
  EXPECT_EQ(ring->capacity(), 100U);
  std::array<int, 150> values{};
  std::array<int*, 150> in{}, out{};
  for (size_t i = 0; i < values.size(); ++i) in[i] = &values[i];
  EXPECT_EQ(ring->enqueue(in.data(), 150), 100U);
  EXPECT_EQ(ring->enqueue(in.data(), 1), 0U);
  EXPECT_EQ(ring->size(), 100U);
  EXPECT_EQ(ring->dequeue(out.data(), 150), 100U);
  for (size_t i = 0; i < 100; ++i) ASSERT_EQ(out[i], in[i]);
  EXPECT_EQ(ring->dequeue(out.data(), 1), 0U);
}

TEST(SpscRingTest, KeepsOrderBetweenTwoThreads) {
  constexpr size_t kItems = 200000;
  auto ring = SpscRing<size_t>::create("threads", 64);
  ASSERT_TRUE(ring);
  std::vector<size_t> values(kItems);
  std::iota(values.begin(), values.end(), 0);
  std::thread producer([&] {
    for (size_t at = 0; at < kItems;) {
      size_t* burst[16];
      const auto n = static_cast<uint32_t>(std::min<size_t>(16, kItems - at));
      for (uint32_t i = 0; i < n; ++i) burst[i] = &values[at + i];
      const uint32_t took = ring->enqueue(burst, n);
      at += took;
      if (took == 0) std::this_thread::yield();
    }
  });
  size_t expected = 0, wrong = 0;
  while (expected < kItems) {
    size_t* burst[32];
    const uint32_t n = ring->dequeue(burst, 32);
    for (uint32_t i = 0; i < n; ++i) wrong += *burst[i] != expected++;
    if (n == 0) std::this_thread::yield();
  }
  producer.join();
  EXPECT_EQ(wrong, 0U);
}

TEST(SpscRingTest, RefusesByName) {
  const auto ring = SpscRing<int>::create("same", 8);
  ASSERT_TRUE(ring);
  EXPECT_EQ(SpscRing<int>::create("same", 8).error().code, ErrorCode::kConflict);
  EXPECT_EQ(SpscRing<int>::create("none", 0).error().code, ErrorCode::kInvalid);
  EXPECT_EQ(SpscRing<int>::create("endless", ~0U).error().code, ErrorCode::kTooLarge);
  EXPECT_EQ(SpscRing<int>::create(std::string(40, 'x'), 8).error().code, ErrorCode::kTooLarge);
}

TEST(QsbrTest, WaitsForWhoIsOnline) {
  auto qsbr = Qsbr::create(2);
  ASSERT_TRUE(qsbr);
  ASSERT_TRUE(qsbr->add_reader(0));
  qsbr->online(0);
  EXPECT_FALSE(qsbr->wait_grace_period(20ms));  // it never reports
  std::atomic<bool> stop{false};
  std::atomic<int> uses{0};
  int shared = 1;
  std::atomic<int*> slot{&shared};
  std::thread reader([&] {
    while (!stop.load()) {
      if (const int* p = slot.load(std::memory_order_acquire)) uses += *p;
      qsbr->quiescent(0);
    }
    qsbr->offline(0);
  });
  while (uses.load() == 0) std::this_thread::yield();
  slot.store(nullptr, std::memory_order_release);
  EXPECT_TRUE(qsbr->wait_grace_period());
  const int after = uses.load();
  for (int i = 0; i < 100; ++i) std::this_thread::yield();
  EXPECT_EQ(uses.load(), after);  // nobody looks at it any more
  stop = true;
  reader.join();
  EXPECT_TRUE(qsbr->wait_grace_period(20ms));  // offline holds up nobody
}

TEST(QsbrTest, WhoSleepsOfflineHoldsUpNobody) {
  auto qsbr = Qsbr::create(3);
  ASSERT_TRUE(qsbr);
  ASSERT_TRUE(qsbr->add_reader(1));
  ASSERT_TRUE(qsbr->add_reader(2));  // never goes online
  std::atomic<int> phase{0};
  std::thread sleeper([&] {
    qsbr->online(1);
    phase = 1;
    while (phase.load() != 2) std::this_thread::sleep_for(1ms);
    qsbr->offline(1);
    phase = 3;
    while (phase.load() != 4) std::this_thread::sleep_for(1ms);  // asleep
  });
  while (phase.load() != 1) std::this_thread::yield();
  EXPECT_FALSE(qsbr->wait_grace_period(20ms));
  phase = 2;
  while (phase.load() != 3) std::this_thread::yield();
  EXPECT_TRUE(qsbr->wait_grace_period(60s));
  phase = 4;
  sleeper.join();
}

TEST(QsbrTest, KnowsItsReaders) {
  auto qsbr = Qsbr::create(1);
  ASSERT_TRUE(qsbr);
  EXPECT_FALSE(qsbr->add_reader(4000));
  EXPECT_FALSE(Qsbr::create(0));
}

}  // namespace
}  // namespace rampart
