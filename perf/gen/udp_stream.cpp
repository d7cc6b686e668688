// SPDX-License-Identifier: Apache-2.0
//
// Both ends of a wire, each a memif to a port of the appliance: what goes in at the left end is
// looked at when it comes out at the right one. Two kinds of traffic, each on or off:
//
//   load    datagrams of many flows, one after the other, as many as the appliance takes, each with
//           the time when it was sent
//   probe   a datagram of one more flow every --probe-us, and how long it took
//
//   udp_stream --left SOCKET --right SOCKET --core N --flows N --probe-us N
//              --sources ADDRESS --source-count N --destinations ADDRESS --destination-count N
//              --port N --probe-source ADDRESS
//
// Says "ready", then obeys lines on stdin: "load on", "load off", "probe on", "probe off", "stats"
// (a line of JSON), "latency" (one with what the probes took, and forgets them); ends with it.
//
// A probe is due by the clock, whether the one before has come back or not, and while one is on its
// way this program does nothing but wait for it, before all other programs on its CPU
// (SCHED_FIFO): what it measures is the appliance's doing.
#include <pthread.h>
#include <rte_cycles.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <cstring>
#include <iostream>
#include <mutex>
#include <string>
#include <vector>

#include "perf/gen/generator.hpp"
#include "perf/gen/latencies.hpp"

namespace rampart::perf {
namespace {

constexpr uint16_t kBurst = 32;
constexpr uint32_t kIsProbe = 1U << 31;  ///< in a datagram's number
constexpr uint16_t kFirstPort = 1024;

struct Tally {
  std::atomic<uint64_t> sent{0}, received{0}, full{0};
  std::atomic<uint64_t> last_sent_ns{0};  ///< of what came out: when the latest was sent
  std::atomic<uint64_t> probes_sent{0}, probes_received{0};
};

class Wire {
 public:
  Wire(const Arguments& a, EthDev& left, EthDev& right, const Mempool& pool)
      : left_(left),
        right_(right),
        pool_(pool.get()),
        maker_(FrameMaker::Kind::kUdp, {2, 0, 0, 0, 0, 1}, {2, 0, 0, 0, 0, 2}),
        flows_(static_cast<uint32_t>(a.number("--flows"))),
        sources_(a.ipv4("--sources")),
        source_count_(static_cast<uint32_t>(a.number("--source-count"))),
        destinations_(a.ipv4("--destinations")),
        destination_count_(static_cast<uint32_t>(a.number("--destination-count"))),
        probe_source_(a.ipv4("--probe-source")),
        port_(static_cast<uint16_t>(a.number("--port"))),
        between_(a.number("--probe-us") * rte_get_tsc_hz() / 1000000),
        hz_(rte_get_tsc_hz()) {}

  std::atomic<bool> stop{false}, loading{false}, probing{false};
  Tally tally;

  bool fits() const {
    return flows_ / (source_count_ * destination_count_) < 65536U - kFirstPort && flows_ < kIsProbe;
  }

  Latencies take_latencies() {
    const std::lock_guard lock(latencies_lock_);
    return std::exchange(latencies_, Latencies{});
  }

  void run() {
    bool first = false;
    uint64_t due = rte_rdtsc();
    while (!stop.load(std::memory_order_relaxed)) {
      const bool probe = probing.load(std::memory_order_relaxed);
      if (probe != first) {
        go_first(first = probe);
        due = rte_rdtsc();
      }
      take();
      if (probe && static_cast<int64_t>(rte_rdtsc() - due) >= 0) {
        send_probe(due);
        due += between_;
      }
      if (loading.load(std::memory_order_relaxed)) {
        load();
      } else if (tally.probes_received == tally.probes_sent) {
        doze(probe ? due : rte_rdtsc() + hz_ / 10000);
      }
    }
    take();
  }

 private:
  /// Before all other programs on this CPU, or not.
  static void go_first(bool first) {
    const sched_param priority{.sched_priority = first ? 50 : 0};
    pthread_setschedparam(pthread_self(), first ? SCHED_FIFO : SCHED_OTHER, &priority);
  }

  /// Leaves the CPU to others until shortly before a time.
  void doze(uint64_t until) const {
    constexpr int64_t kEarlyUs = 60;  // what waking up may take
    const auto us = static_cast<int64_t>(until - rte_rdtsc()) / static_cast<int64_t>(hz_ / 1000000);
    if (us > kEarlyUs) usleep(static_cast<useconds_t>(us - kEarlyUs));
  }

  void write(rte_mbuf* m, const FrameMaker::Ends& ends, uint32_t number, uint64_t stamp) const {
    auto* bytes = rte_pktmbuf_mtod(m, uint8_t*);
    maker_.write(bytes, ends, number);
    std::memset(bytes + FrameMaker::kUdpPayload - 2, 0, 2);  // no checksum (RFC 768)
    std::memcpy(bytes + FrameMaker::kUdpPayload + 4, &stamp, sizeof stamp);
    m->data_len = FrameMaker::kBytes;
    m->pkt_len = FrameMaker::kBytes;
  }

  void send_probe(uint64_t due) {
    rte_mbuf* m = rte_pktmbuf_alloc(pool_);
    if (m == nullptr) return;
    // Being late by itself is no latency of the appliance's; being kept waiting by it is.
    const bool waited = tally.probes_received != tally.probes_sent;
    write(m, {probe_source_, destinations_, kFirstPort, port_}, kIsProbe,
          waited ? due : rte_rdtsc());
    add(tally.probes_sent, 1);
    send(&m, 1);
  }

  void load() {
    rte_mbuf* frames[kBurst];
    if (rte_pktmbuf_alloc_bulk(pool_, frames, kBurst) != 0) return;
    const uint64_t now = monotonic_ns();
    for (rte_mbuf* m : frames) {
      // Neighbours in time are not neighbours in number.
      const uint32_t n = next_;
      next_ = next_ + kStride < flows_ ? next_ + kStride : ++lap_start_ % kStride;
      if (next_ >= flows_) next_ = 0;
      const uint32_t pair = n % (source_count_ * destination_count_);
      write(
          m,
          {sources_ + pair % source_count_, destinations_ + pair / source_count_,
           static_cast<uint16_t>(kFirstPort + 1 + n / (source_count_ * destination_count_)), port_},
          n, now);
    }
    send(frames, kBurst);
    add(tally.sent, kBurst);
  }

  void send(rte_mbuf** frames, uint16_t count) {
    uint16_t sent = 0;
    for (;;) {
      sent += left_.tx_burst(0, frames + sent, static_cast<uint16_t>(count - sent));
      if (sent == count) return;
      add(tally.full, 1);
      if (stop.load(std::memory_order_relaxed)) {
        return rte_pktmbuf_free_bulk(frames + sent, count - sent);
      }
      take();
    }
  }

  void take() {
    rte_mbuf* frames[kBurst];
    const uint16_t count = right_.rx_burst(0, frames, kBurst);
    if (count == 0) return;
    const uint64_t now = rte_rdtsc();
    for (uint16_t i = 0; i < count; ++i) {
      if (frames[i]->data_len < FrameMaker::kBytes) continue;
      const auto* payload = rte_pktmbuf_mtod(frames[i], const uint8_t*) + FrameMaker::kUdpPayload;
      uint64_t stamp = 0;
      std::memcpy(&stamp, payload + 4, sizeof stamp);
      if ((payload[0] & 0x80) == 0) {
        add(tally.received, 1);
        if (stamp > tally.last_sent_ns) tally.last_sent_ns = stamp;
        continue;
      }
      add(tally.probes_received, 1);
      const std::lock_guard lock(latencies_lock_);
      latencies_.add(
          static_cast<uint64_t>(static_cast<double>(now - stamp) * 1e9 / static_cast<double>(hz_)));
    }
    rte_pktmbuf_free_bulk(frames, count);
  }

  static constexpr uint32_t kStride = 1009;

  EthDev& left_;
  EthDev& right_;
  rte_mempool* pool_;
  FrameMaker maker_;
  uint32_t flows_, sources_, source_count_, destinations_, destination_count_, probe_source_;
  uint16_t port_;
  uint64_t between_, hz_;
  uint32_t next_ = 0, lap_start_ = 0;
  std::mutex latencies_lock_;
  Latencies latencies_;
};

void obey(Wire& wire) {
  const Tally& t = wire.tally;
  for (std::string command; std::getline(std::cin, command);) {
    if (command == "load on" || command == "load off") {
      wire.loading = command == "load on";
    } else if (command == "probe on" || command == "probe off") {
      wire.probing = command == "probe on";
    } else if (command == "stats") {
      std::printf(
          "{\"sent\": %lu, \"received\": %lu, \"full\": %lu, \"last_sent_ns\": %lu, "
          "\"probes_sent\": %lu, \"probes_received\": %lu}\n",
          t.sent.load(), t.received.load(), t.full.load(), t.last_sent_ns.load(),
          t.probes_sent.load(), t.probes_received.load());
    } else if (command == "latency") {
      const Latencies l = wire.take_latencies();
      std::printf("{\"count\": %lu, \"p50\": %lu, \"p99\": %lu, \"p99.9\": %lu, \"max\": %lu}\n",
                  l.total(), l.quantile(0.5), l.quantile(0.99), l.quantile(0.999), l.longest());
    } else {
      reject(command);
    }
    std::fflush(stdout);
  }
}

int run(int count, char** words) {
  const auto a = Arguments::parse(
      count, words,
      {"--left", "--right", "--core", "--flows", "--sources", "--source-count", "--destinations",
       "--destination-count", "--port", "--probe-source", "--probe-us"});
  if (!a) {
    fail(a.error());
    return 2;
  }
  const auto ground = Ground::lay("stream", static_cast<unsigned>(a->number("--core")), 128, 16383);
  if (!ground) return fail(ground.error());
  auto left = open_memif(0, a->text("--left"), ground->pool);
  if (!left) return fail(left.error());
  auto right = open_memif(1, a->text("--right"), ground->pool);
  if (!right) return fail(right.error());

  Wire wire(*a, *left, *right, ground->pool);
  if (!wire.fits()) {
    return fail({ErrorCode::kInvalid, "more than there are ports for", "--flows"});
  }
  return run_beside(wire, [&] { obey(wire); });
}

}  // namespace
}  // namespace rampart::perf

int main(int argc, char** argv) {
  return rampart::perf::run(argc, argv);
}
