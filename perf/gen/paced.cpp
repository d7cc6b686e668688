// SPDX-License-Identifier: Apache-2.0
//
// UDP datagrams of many flows at a steady rate into one memif, and how long each took until it came
// out of another.
//
//   paced --left SOCKET --right SOCKET --core N --flows N --source ADDRESS --destination ADDRESS
//         --port N
//
// Flow n is from port 1024 + n % 60000 of the source n / 60000 after ADDRESS. Says "ready", then
// obeys lines on stdin, and ends with it:
//
//   rate N      so many a second; 0: none, max: as many as go in
//   stats       answers with a line of JSON: sent, received, late (bursts that were not sent when
//               they were due, but 10 µs later or more)
//   latency     answers with what those took that came out since it was asked last (count, and in
//               nanoseconds p50, p99, p99.9, max), and forgets them
//
// A datagram holds the time at which it was given to the driver. It is as many as are due that go
// together, so that what comes in at the other end is not in bursts of our making.
#include <rte_cycles.h>

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <cstring>
#include <iostream>
#include <limits>
#include <mutex>
#include <sstream>
#include <string>
#include <utility>

#include "perf/gen/generator.hpp"
#include "perf/gen/latencies.hpp"

namespace rampart::perf {
namespace {

constexpr uint16_t kBurst = 32;
constexpr uint32_t kPorts = 60000;
constexpr uint64_t kMax = std::numeric_limits<uint64_t>::max();

class Paced {
 public:
  Paced(const Arguments& a, EthDev& left, EthDev& right, const Mempool& pool)
      : left_(left),
        right_(right),
        pool_(pool.get()),
        frame_(FrameMaker::Kind::kUdp, {2, 0, 0, 0, 0, 1}, {2, 0, 0, 0, 0, 2}),
        flows_(static_cast<uint32_t>(a.number("--flows"))),
        source_(a.ipv4("--source")),
        destination_(a.ipv4("--destination")),
        port_(static_cast<uint16_t>(a.number("--port"))),
        hz_(rte_get_tsc_hz()) {}

  std::atomic<bool> stop{false};
  std::atomic<uint64_t> rate{0};
  std::atomic<uint64_t> sent{0}, received{0}, late{0};

  Latencies take_latencies() {
    const std::lock_guard lock(latencies_lock_);
    return std::exchange(latencies_, Latencies{});
  }

  void run() {
    uint64_t rate_now = 0, began = 0, number = 0;
    while (!stop.load(std::memory_order_relaxed)) {
      take();
      if (const uint64_t wanted = rate.load(std::memory_order_relaxed); wanted != rate_now) {
        rate_now = wanted;
        began = rte_rdtsc();
        number = 0;
      }
      if (rate_now == 0) continue;
      if (rate_now == kMax) {
        send(kBurst);
        continue;
      }
      const double elapsed = static_cast<double>(rte_rdtsc() - began) / static_cast<double>(hz_);
      const auto due = static_cast<uint64_t>(elapsed * static_cast<double>(rate_now));
      if (due <= number) continue;
      if (due - number > std::min<uint64_t>(kBurst, rate_now / 100000 + 1)) {
        // We have been away for ten microseconds: what was due then is not made up for.
        add(late, 1);
        number = due - 1;
      }
      const auto count = static_cast<uint16_t>(due - number);
      send(count);
      number = due;
    }
  }

 private:
  void send(uint16_t count) {
    rte_mbuf* frames[kBurst];
    if (rte_pktmbuf_alloc_bulk(pool_, frames, count) != 0) return;
    const uint64_t now = rte_rdtsc();
    for (uint16_t i = 0; i < count; ++i) {
      const uint32_t n = next_;
      next_ = next_ + 1 < flows_ ? next_ + 1 : 0;
      auto* bytes = rte_pktmbuf_mtod(frames[i], uint8_t*);
      frame_.write(
          bytes,
          {source_ + n / kPorts, destination_, static_cast<uint16_t>(1024 + n % kPorts), port_}, 0);
      std::memset(bytes + FrameMaker::kUdpPayload - 2, 0, 2);  // no checksum (RFC 768)
      std::memcpy(bytes + FrameMaker::kUdpPayload, &now, sizeof now);
      frames[i]->data_len = FrameMaker::kBytes;
      frames[i]->pkt_len = FrameMaker::kBytes;
    }
    const uint16_t done = left_.tx_burst(0, frames, count);
    rte_pktmbuf_free_bulk(frames + done, count - done);
    add(sent, done);
  }

  void take() {
    rte_mbuf* frames[kBurst];
    rte_pktmbuf_free_bulk(frames, left_.rx_burst(0, frames, kBurst));
    const uint16_t count = right_.rx_burst(0, frames, kBurst);
    if (count == 0) return;
    const uint64_t now = rte_rdtsc();
    {
      const std::lock_guard lock(latencies_lock_);
      for (uint16_t i = 0; i < count; ++i) {
        if (frames[i]->data_len < FrameMaker::kBytes) continue;
        uint64_t stamp = 0;
        std::memcpy(&stamp, rte_pktmbuf_mtod(frames[i], uint8_t*) + FrameMaker::kUdpPayload,
                    sizeof stamp);
        latencies_.add(static_cast<uint64_t>(static_cast<double>(now - stamp) * 1e9 /
                                             static_cast<double>(hz_)));
      }
    }
    rte_pktmbuf_free_bulk(frames, count);
    add(received, count);
  }

  EthDev &left_, &right_;
  rte_mempool* pool_;
  FrameMaker frame_;
  uint32_t flows_, source_, destination_;
  uint16_t port_;
  uint64_t hz_;
  uint32_t next_ = 0;
  std::mutex latencies_lock_;
  Latencies latencies_;
};

void obey(Paced& paced) {
  for (std::string line; std::getline(std::cin, line);) {
    std::istringstream words(line);
    std::string command, what;
    words >> command >> what;
    if (command == "rate") {
      uint64_t number = kMax;
      if (what != "max" && !(std::istringstream(what) >> number)) reject(line);
      paced.rate = number;
    } else if (command == "stats") {
      std::printf("{\"sent\": %lu, \"received\": %lu, \"late\": %lu}\n", paced.sent.load(),
                  paced.received.load(), paced.late.load());
    } else if (command == "latency") {
      const Latencies l = paced.take_latencies();
      std::printf("{\"count\": %lu, \"p50\": %lu, \"p99\": %lu, \"p99.9\": %lu, \"max\": %lu}\n",
                  l.total(), l.quantile(0.5), l.quantile(0.99), l.quantile(0.999), l.longest());
    } else {
      reject(line);
    }
    std::fflush(stdout);
  }
}

int run(int count, char** words) {
  const auto a = Arguments::parse(
      count, words,
      {"--left", "--right", "--core", "--flows", "--source", "--destination", "--port"});
  if (!a) {
    fail(a.error());
    return 2;
  }
  const auto ground = Ground::lay("paced", static_cast<unsigned>(a->number("--core")), 256, 32767);
  if (!ground) return fail(ground.error());
  auto left = open_memif(0, a->text("--left"), ground->pool);
  if (!left) return fail(left.error());
  auto right = open_memif(1, a->text("--right"), ground->pool);
  if (!right) return fail(right.error());

  Paced paced(*a, *left, *right, ground->pool);
  return run_beside(paced, [&] { obey(paced); });
}

}  // namespace
}  // namespace rampart::perf

int main(int argc, char** argv) {
  return rampart::perf::run(argc, argv);
}
