// SPDX-License-Identifier: Apache-2.0
//
// The floor under every figure: the cheapest loop that could still be called a stateful filter,
// over the same frames, flows and driver as the appliance. Receives a burst, parses down to the
// five-tuple, hashes, looks every flow up (one cache line, all fetched ahead), counts packet, bytes
// and time in it, sends. A flow that is not there is asked of the rules (rte_acl, in bulk; IPv6 is
// always allowed) and put into the table, or dropped.
//
// It leaves out what a firewall may not: expiry, TCP states and windows, ICMP errors, fragments,
// checksums, handover between workers, counters by rule, changes of rules while packets flow.
//
//   floor --in DEVICE --out DEVICE --core N --flows N --mbufs N --rules FILE
//
// Says "ready", then obeys lines on stdin:
//
//   mode io [N]   only receives and sends: what the driver costs; then does nothing for N TSC
//                 cycles a packet, which count for nothing: a source that waits for us gives as
//                 long bursts to somebody who has something to do
//   mode floor    all of the above
//   mode none     waits
//   lap N         empties the table, then handles N packets, and answers as below for these alone
//   stats         answers with a line of JSON: packets, sent, hits, created, denied, unparsed,
//   flows
//                 (live), cpu_ns (of the thread that handles packets), busy_cycles (TSC, of the
//                 polls that moved packets)
//
// and ends with stdin.
#include <rte_launch.h>
#include <rte_pause.h>
#include <unistd.h>

#include <atomic>
#include <cstdio>
#include <ctime>
#include <iostream>
#include <memory>
#include <sstream>
#include <string>

#include "dataplane/dpdk/eal.hpp"
#include "dataplane/dpdk/memory.hpp"
#include "perf/floor/parse.hpp"
#include "perf/gen/generator.hpp"

namespace rampart::perf {
namespace {

constexpr uint16_t kBurst = 64;  // as the appliance

struct Tally {
  uint64_t packets = 0, sent = 0, hits = 0, created = 0, denied = 0, unparsed = 0;
  uint64_t flows = 0, cpu_ns = 0, busy_cycles = 0;
};

uint64_t cpu_ns() {
  timespec now{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<uint64_t>(now.tv_sec) * 1'000'000'000 + static_cast<uint64_t>(now.tv_nsec);
}

/// The packets of one family in a burst, side by side.
template <typename Key>
struct Columns {
  unsigned count = 0;
  rte_mbuf* frame[kBurst];
  Key key[kBurst];
  uint64_t hash[kBurst];
};

class Floor {
 public:
  enum class Mode : uint8_t { kNone, kIo, kFloor };

  Floor(EthDev& in, EthDev& out, rte_acl_ctx* rules, Table<KeyV4> v4, Table<KeyV6> v6)
      : in_(in), out_(out), rules_(rules), v4_(v4), v6_(v6) {}

  std::atomic<bool> stop{false};
  std::atomic<Mode> mode{Mode::kNone};
  std::atomic<uint64_t> pause{0};  ///< TSC cycles a packet, in mode io

  void run() {
    while (!stop.load(std::memory_order_relaxed)) {
      if (asked_.load(std::memory_order_acquire) != Asked::kNothing) answer();
      const Mode now = mode.load(std::memory_order_relaxed);
      if (now == Mode::kNone) {
        usleep(100);
      } else {
        poll(in_, out_, now);
        poll(out_, in_, now);
      }
    }
  }

  /// Of the thread that does not run().
  Tally stats() { return ask(Asked::kStats); }
  Tally lap(uint64_t packets) {
    lap_ = packets;
    return ask(Asked::kLap);
  }

 private:
  enum class Asked : uint8_t { kNothing, kStats, kLap };

  Tally ask(Asked what) {
    asked_.store(what, std::memory_order_release);
    while (asked_.load(std::memory_order_acquire) != Asked::kNothing) usleep(50);
    return answer_;
  }

  void answer() {
    if (asked_.load(std::memory_order_acquire) == Asked::kLap) {
      v4_.clear();
      v6_.clear();
      const Tally before = tally_;
      const uint64_t began = cpu_ns();
      while (tally_.packets - before.packets < lap_ && !stop.load(std::memory_order_relaxed)) {
        poll(in_, out_, Mode::kFloor);
        poll(out_, in_, Mode::kFloor);
      }
      answer_ = {tally_.packets - before.packets,
                 tally_.sent - before.sent,
                 tally_.hits - before.hits,
                 tally_.created - before.created,
                 tally_.denied - before.denied,
                 tally_.unparsed - before.unparsed,
                 v4_.size() + v6_.size(),
                 cpu_ns() - began,
                 tally_.busy_cycles - before.busy_cycles};
    } else {
      answer_ = tally_;
      answer_.flows = v4_.size() + v6_.size();
      answer_.cpu_ns = cpu_ns();
    }
    asked_.store(Asked::kNothing, std::memory_order_release);
  }

  void poll(EthDev& from, EthDev& to, Mode how) {
    const uint64_t began = rte_rdtsc();
    rte_mbuf* frames[kBurst];
    unsigned count = from.rx_burst(0, frames, kBurst);
    if (count == 0) return;
    tally_.packets += count;
    if (how == Mode::kFloor) count = handle(frames, count);
    const unsigned sent = to.tx_burst(0, frames, static_cast<uint16_t>(count));
    if (sent != count) rte_pktmbuf_free_bulk(frames + sent, count - sent);
    tally_.sent += sent;
    const uint64_t done = rte_rdtsc();
    tally_.busy_cycles += done - began;
    if (how != Mode::kIo) return;
    const uint64_t until = done + count * pause.load(std::memory_order_relaxed);
    while (rte_rdtsc() < until) rte_pause();
  }

  /// Leaves what is to be sent in `frames`, and says how many.
  unsigned handle(rte_mbuf** frames, unsigned count) {
    for (unsigned i = 0; i < count; ++i) rte_prefetch0(rte_pktmbuf_mtod(frames[i], const void*));
    now_ = static_cast<uint32_t>(rte_rdtsc() >> 20);
    four_.count = six_.count = 0;
    for (unsigned i = 0; i < count; ++i) {
      KeyV4& v4 = four_.key[four_.count];
      KeyV6& v6 = six_.key[six_.count];
      switch (parse(*frames[i], v4, questions_[four_.count], v6)) {
        case Family::kV4:
          take(four_, v4_, frames[i]);
          break;
        case Family::kV6:
          take(six_, v6_, frames[i]);
          break;
        case Family::kNone:
          ++tally_.unparsed;
          rte_pktmbuf_free(frames[i]);
          break;
      }
    }
    kept_ = 0;
    look_up(four_, v4_, frames);
    if (missed_count_ != 0) first_packets(frames);
    look_up(six_, v6_, frames);
    for (unsigned m = 0; m < missed_count_; ++m) create(six_, v6_, missed_[m], frames);
    return kept_;
  }

  template <typename Key>
  void take(Columns<Key>& columns, Table<Key>& table, rte_mbuf* frame) {
    const unsigned at = columns.count++;
    columns.frame[at] = frame;
    columns.hash[at] = columns.key[at].hash();
    table.prefetch(columns.hash[at]);
  }

  template <typename Key>
  void look_up(Columns<Key>& columns, Table<Key>& table, rte_mbuf** kept) {
    missed_count_ = 0;
    for (unsigned i = 0; i < columns.count; ++i) {
      Line<Key>& line = table.find(columns.key[i], columns.hash[i]);
      if (!line.key.used()) {
        missed_[missed_count_++] = i;
        continue;
      }
      count_in(line, columns.frame[i]);
      kept[kept_++] = columns.frame[i];
    }
    tally_.hits += columns.count - missed_count_;
  }

  template <typename Key>
  void count_in(Line<Key>& line, const rte_mbuf* frame) {
    ++line.packets;
    line.bytes += frame->pkt_len;
    line.last_seen = now_;
  }

  void first_packets(rte_mbuf** kept) {
    const uint8_t* asked[kBurst];
    uint32_t allowed[kBurst];
    for (unsigned m = 0; m < missed_count_; ++m) {
      asked[m] = reinterpret_cast<const uint8_t*>(&questions_[missed_[m]]);
    }
    rte_acl_classify(rules_, asked, allowed, missed_count_, 1);
    for (unsigned m = 0; m < missed_count_; ++m) {
      if (allowed[m] != 0) {
        create(four_, v4_, missed_[m], kept);
      } else {
        ++tally_.denied;
        rte_pktmbuf_free(four_.frame[missed_[m]]);
      }
    }
  }

  /// Into the table, unless an earlier packet of the burst was of the same flow.
  template <typename Key>
  void create(Columns<Key>& columns, Table<Key>& table, unsigned i, rte_mbuf** kept) {
    Line<Key>& line = table.find(columns.key[i], columns.hash[i]);
    if (!line.key.used()) {
      if (table.full()) {
        ++tally_.denied;
        return rte_pktmbuf_free(columns.frame[i]);
      }
      line.key = columns.key[i];
      table.took_one();
      ++tally_.created;
    }
    count_in(line, columns.frame[i]);
    kept[kept_++] = columns.frame[i];
  }

  EthDev &in_, &out_;
  rte_acl_ctx* rules_;
  Table<KeyV4> v4_;
  Table<KeyV6> v6_;
  Columns<KeyV4> four_;
  Columns<KeyV6> six_;
  Question questions_[kBurst];
  unsigned missed_[kBurst];
  unsigned missed_count_ = 0, kept_ = 0;
  uint32_t now_ = 0;
  Tally tally_, answer_;
  uint64_t lap_ = 0;
  std::atomic<Asked> asked_{Asked::kNothing};
};

void print(const Tally& t) {
  std::printf(
      "{\"packets\": %lu, \"sent\": %lu, \"hits\": %lu, \"created\": %lu, \"denied\": %lu, "
      "\"unparsed\": %lu, \"flows\": %lu, \"cpu_ns\": %lu, \"busy_cycles\": %lu}\n",
      t.packets, t.sent, t.hits, t.created, t.denied, t.unparsed, t.flows, t.cpu_ns, t.busy_cycles);
  std::fflush(stdout);
}

void obey(Floor& floor) {
  for (std::string line; std::getline(std::cin, line);) {
    std::istringstream words(line);
    std::string command, mode;
    uint64_t packets = 0;
    words >> command;
    if (command == "stats") {
      print(floor.stats());
    } else if (command == "lap" && words >> packets) {
      print(floor.lap(packets));
    } else if (command == "mode" && words >> mode) {
      uint64_t pause = 0;
      words >> pause;
      floor.pause = pause;
      if (mode == "io") {
        floor.mode = Floor::Mode::kIo;
      } else if (mode == "floor") {
        floor.mode = Floor::Mode::kFloor;
      } else if (mode == "none") {
        floor.mode = Floor::Mode::kNone;
      } else {
        reject(line);
      }
    } else {
      reject(line);
    }
  }
}

Result<EthDev> open(const std::string& name, const std::string& text, const Mempool& pool) {
  const auto device = Device::parse(text);
  if (!device) return device.error();
  auto port = EthDev::open({.name = name, .device = *device, .pool = &pool, .fast_free = true});
  if (!port) return port;
  if (Result<void> started = port->start(); !started) return started.error();
  return port;
}

int run(int count, char** words) {
  const auto a =
      Arguments::parse(count, words, {"--in", "--out", "--core", "--flows", "--mbufs", "--rules"});
  if (!a) {
    fail(a.error());
    return 2;
  }
  const uint64_t flows = a->number("--flows");
  const auto mbufs = static_cast<uint32_t>(a->number("--mbufs"));
  const uint64_t lines = Table<KeyV4>::lines_for(flows);
  const uint16_t room = Mempool::data_room_for(1500);
  EalParams params;
  params.cpus = {static_cast<unsigned>(a->number("--core"))};
  const auto heap_mib = [&](uint64_t page_bytes) {
    const uint64_t pool_bytes = Mempool::memory_for(mbufs, room, page_bytes);
    return static_cast<unsigned>((pool_bytes + 2 * lines * kCacheLine + 16 * uint64_t{mbufs}) >>
                                 20) +
           256;
  };
  params.memory_mib = heap_mib(kOrdinaryPage);
  params.huge_mib = heap_mib(kHugePage);
  params.extra = "--force-max-simd-bitwidth=512";
  const bool lends = a->text("--in").find("zero-copy=yes") != std::string::npos;
  if (lends) params.extra += " --single-file-segments";  // net_memif wants it then
  auto eal = Eal::start(params);
  if (!eal) return fail(eal.error());
  auto rules = load_rules(a->text("--rules"));
  if (!rules) return fail(rules.error());
  auto v4 = HugeArray<Line<KeyV4>>::create(lines, "the table of IPv4 flows");
  if (!v4) return fail(v4.error());
  auto v6 = HugeArray<Line<KeyV6>>::create(lines, "the table of IPv6 flows");
  if (!v6) return fail(v6.error());
  const auto pool = Mempool::create({.name = "floor", .count = mbufs, .data_room = room});
  if (!pool) return fail(pool.error());
  auto in = open("in", a->text("--in"), *pool);
  if (!in) return fail(in.error());
  auto out = open("out", a->text("--out"), *pool);
  if (!out) return fail(out.error());

  const auto floor = std::make_unique<Floor>(*in, *out, rules->get(), Table<KeyV4>(v4->span()),
                                             Table<KeyV6>(v6->span()));
  const auto loop = [](void* it) {
    static_cast<Floor*>(it)->run();
    return 0;
  };
  if (rte_eal_remote_launch(loop, floor.get(), Eal::worker_lcore(0)) != 0) return 1;
  std::puts("ready");
  std::fflush(stdout);
  obey(*floor);
  floor->stop = true;
  rte_eal_mp_wait_lcore();
  return 0;
}

}  // namespace
}  // namespace rampart::perf

int main(int argc, char** argv) {
  return rampart::perf::run(argc, argv);
}
