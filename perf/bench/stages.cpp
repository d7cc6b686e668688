// SPDX-License-Identifier: Apache-2.0
// What the stages cost a packet, one by one, without a device: bursts of 64 in buffers of their
// own, under 1,000 rules. `established`: one more packet of flows that go on. `first`: every packet
// opens a flow (TCP: a SYN), in a table that is emptied outside of the measured time.
// `connections`: a whole one of TCP, seven packets of it, a burst for each step. Of each figure the
// median over bursts, TSC cycles a packet.
//
// The clock is the machine's, and noisy. Instructions are not:
//
//   valgrind --tool=callgrind --toggle-collect=measured --callgrind-out-file=out
//     BUILD/perf/bench_stages --benchmark_filter=established/tcp4/flows:1024
//   callgrind_annotate --inclusive=yes --tree=caller out
//
// counts those of the measured bursts alone; divide by calls of `measured` times 64.
#include <rte_mbuf.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "dataplane/stages/flow_ops.hpp"
#include "perf/bench/tsc.hpp"
#include "tests/support/eal.hpp"
#include "tests/support/stage_bench.hpp"

namespace rampart {

/// When each stage of a burst was done.
struct Laps {
  enum : unsigned { kParse, kTrack, kClassify, kAll, kCount };
  std::array<uint64_t, kCount> cycles;
};

/// Runs the burst that stands in `w`. Known by its name to callgrind.
extern "C" [[gnu::noinline]] void measured(WorkerState& w, const RuleSet& r, Laps& laps) {
  Burst& b = w.burst;
  const uint64_t start = __rdtsc();
  parse(b, w, r);
  steer(b, w, r);
  const uint64_t parsed = __rdtsc();
  track(b, w, r);
  const uint64_t tracked = __rdtsc();
  classify(b, w, r);
  const uint64_t classified = __rdtsc();
  settle(b, w, r);
  laps.cycles = {parsed - start, tracked - parsed, classified - tracked, __rdtsc() - start};
}

namespace {

using test::Bytes;
using test::kAck;
using test::kFin;
using test::kSyn;
using test::packet;
using test::PacketBuilder;
using test::StageBench;

constexpr unsigned kBurst = Burst::kSize;
constexpr size_t kRules = 1000;
constexpr unsigned kPods = 110;
constexpr L4Port kPorts[] = {80, 443, 8080, 5432, 6379, 9090, 3306, 9200};

enum Kind : int { kUdp4, kTcp4, kUdp6, kTcp6 };
constexpr const char* kKindNames[] = {"udp4", "tcp4", "udp6", "tcp6"};
constexpr bool is_v6(int kind) {
  return kind == kUdp6 || kind == kTcp6;
}
constexpr bool is_tcp(int kind) {
  return kind == kTcp4 || kind == kTcp6;
}

std::string address(bool v6, unsigned net, size_t number) {
  const std::string v4 = "10." + std::to_string(net) + "." + std::to_string(number / 250) + "." +
                         std::to_string(1 + number % 250);
  return v6 ? "fd00::" + v4 : v4;
}

/// Rule n: from peer n to one of the pods, on one port.
struct Allowed {
  size_t peer;
  unsigned pod;
  L4Port port;
};

template <typename T>
T must(Result<T> r) {
  if (!r) {
    std::fprintf(stderr, "bench_stages: %s\n", r.error().text().c_str());
    std::abort();
  }
  return *std::move(r);
}

/// The rules, in force, and what they allow.
std::vector<Allowed> put_in_force(StageBench& bench) {
  std::mt19937 random(7);
  std::vector<Allowed> allowed;
  std::vector<AclRule> acl;
  std::vector<AddressMap::Entry> entries;
  std::vector<Subjects> subjects(1 + kPods + kRules);
  const auto add = [&](unsigned net, size_t number, uint32_t class_id) {
    for (const bool v6 : {false, true}) {
      Identity id;
      id.class_id = id.endpoint = class_id;
      entries.push_back({must(IpAddress::parse(address(v6, net, number))), id});
    }
  };
  for (unsigned pod = 0; pod < kPods; ++pod) {
    add(1, pod, 1 + pod);
    subjects[1 + pod].ingress.number = static_cast<uint16_t>(1 + pod);
  }
  for (size_t n = 0; n < kRules; ++n) {
    const Allowed a{n, static_cast<unsigned>(random() % kPods),
                    kPorts[random() % std::size(kPorts)]};
    add(2, n, static_cast<uint32_t>(1 + kPods + n));
    for (const uint8_t protocol : {uint8_t{6}, uint8_t{17}}) {
      AclRule rule;
      rule.protocol = protocol;
      rule.subject_first = rule.subject_last = static_cast<uint16_t>(1 + a.pod);
      rule.peer_first = rule.peer_last = static_cast<uint32_t>(1 + kPods + n);
      rule.port_first = rule.port_last = a.port;
      rule.rule = static_cast<uint32_t>(acl.size() + 1);
      acl.push_back(rule);
    }
    allowed.push_back(a);
  }
  bench.rules = std::make_shared<RuleSet>();
  bench.rules->mode = RuleSet::Mode::kByTables;
  bench.rules->revision = bench.rules->policy_changed_in = 1;
  bench.rules->addresses = must(AddressMap::build(entries, {}, {}, 1, nullptr));
  bench.rules->subjects = std::make_shared<const std::vector<Subjects>>(std::move(subjects));
  bench.rules->parts = {{must(AclTable::build(acl)), nullptr, nullptr}};
  return allowed;
}

/// One packet of flow `n`, of those that the rules allow.
Bytes frame(int kind, const std::vector<Allowed>& allowed, size_t n, bool back, uint8_t flags,
            uint32_t sequence, uint32_t acknowledged, size_t payload) {
  const Allowed& a = allowed[n % allowed.size()];
  const auto port = static_cast<uint16_t>(1024 + n / allowed.size());
  const std::string peer = address(is_v6(kind), 2, a.peer), pod = address(is_v6(kind), 1, a.pod);
  PacketBuilder p = packet().ip(back ? pod : peer, back ? peer : pod);
  const uint16_t from = back ? a.port : port, to = back ? port : a.port;
  if (is_tcp(kind)) {
    p.tcp(from, to, flags).tcp_sequence(sequence, acknowledged);
  } else {
    p.udp(from, to);
  }
  return p.payload(payload).pad_to(60).bytes();
}

/// A worker, and buffers that go through it again and again.
class Bench {
 public:
  Bench(size_t flows, size_t frames)
      : bench_(static_cast<uint32_t>(2 * flows)),
        pool_(must(
            Mempool::create({.name = "frames-" + std::to_string(++made_),
                             .count = static_cast<uint32_t>(frames),
                             .cache = 0,
                             .data_room = static_cast<uint16_t>(RTE_PKTMBUF_HEADROOM + 128)}))) {
    allowed_ = put_in_force(bench_);
    bench_.w.tsc_hz = Tsc{1} << 31;
  }
  ~Bench() {
    for (rte_mbuf* m : buffers_) rte_pktmbuf_free(m);
  }
  Bench(const Bench&) = delete;

  const std::vector<Allowed>& allowed() const { return allowed_; }

  void add(const Bytes& bytes, uint8_t port) {
    rte_mbuf* m = rte_pktmbuf_alloc(pool_.get());
    std::memcpy(rte_pktmbuf_append(m, static_cast<uint16_t>(bytes.size())), bytes.data(),
                bytes.size());
    buffers_.push_back(m);
    ports_.push_back(port);
  }
  size_t bursts() const { return buffers_.size() / kBurst; }
  /// Not measured.
  void prepare(const Bytes& bytes, uint8_t port) {
    bench_.run({StageBench::Frame{bytes, port}});
    bench_.left.clear();
  }
  void run(size_t burst) {
    Burst& b = bench_.w.burst;
    b.count = kBurst;
    b.checked = 0;
    b.now = Tsc{1000} << kTickShift;
    for (unsigned i = 0; i < kBurst; ++i) {
      b.mbuf[i] = buffers_[burst * kBurst + i];
      b.in_port[i] = ports_[burst * kBurst + i];
    }
    Laps laps{};
    measured(bench_.w, *bench_.rules, laps);
    for (unsigned s = 0; s < Laps::kCount; ++s) cycles_[s].push_back(laps.cycles[s]);
    if (!b.all_forward()) all_forwarded_ = false;
  }
  void forget_flows() {
    forget(bench_.w.flows_v4);
    forget(bench_.w.flows_v6);
  }
  /// Says what came of it.
  void report(benchmark::State& state) {
    if (!all_forwarded_) return state.SkipWithError("not every packet was forwarded");
    constexpr const char* kNames[] = {"parse", "track", "classify", "cycles"};
    for (unsigned s = 0; s < Laps::kCount; ++s) {
      const auto middle = cycles_[s].begin() + static_cast<ptrdiff_t>(cycles_[s].size() / 2);
      std::nth_element(cycles_[s].begin(), middle, cycles_[s].end());
      state.counters[kNames[s]] = static_cast<double>(*middle) / kBurst;
    }
    state.SetItemsProcessed(static_cast<int64_t>(cycles_[0].size() * kBurst));
  }

 private:
  template <typename Key>
  void forget(FlowTable<Key>& table) {
    for (uint32_t chunk = 0; chunk < table.chunks(); ++chunk) {
      table.for_each_in_chunk(chunk, [&](uint32_t slot) {
        end_flow(bench_.w, table, slot, hash_of(table[slot].key, bench_.w.seed));
      });
    }
  }

  static inline unsigned made_ = 0;
  StageBench bench_;
  Mempool pool_;
  std::vector<Allowed> allowed_;
  std::vector<rte_mbuf*> buffers_;
  std::vector<uint8_t> ports_;
  std::array<std::vector<uint64_t>, Laps::kCount> cycles_;
  bool all_forwarded_ = true;
};

/// Both directions in turn, in an order that is none. A segment is sent again and again: its
/// numbers stay within the windows, and are looked at as those of a new one are.
void established(benchmark::State& state, int kind) {
  const auto flows = static_cast<size_t>(state.range(0));
  Bench bench(flows, 2 * flows);
  std::vector<std::pair<size_t, bool>> order;
  for (size_t n = 0; n < flows; ++n) {
    if (is_tcp(kind)) {
      bench.prepare(frame(kind, bench.allowed(), n, false, kSyn, 1000, 0, 0), 0);
      bench.prepare(frame(kind, bench.allowed(), n, true, kSyn | kAck, 5000, 1001, 0), 1);
    }
    bench.prepare(frame(kind, bench.allowed(), n, false, kAck, 1001, 5001, 2), 0);
    bench.prepare(frame(kind, bench.allowed(), n, true, kAck, 5001, 1003, 2), 1);
    for (const bool back : {false, true}) order.emplace_back(n, back);
  }
  std::shuffle(order.begin(), order.end(), std::mt19937(1));
  for (const auto& [n, back] : order) {
    bench.add(
        frame(kind, bench.allowed(), n, back, kAck, back ? 5001 : 1001, back ? 1003 : 5001, 2),
        back ? 1 : 0);
  }
  size_t burst = 0;
  for (auto _ : state) {
    bench.run(burst);
    burst = burst + 1 < bench.bursts() ? burst + 1 : 0;
  }
  bench.report(state);
}

void first(benchmark::State& state, int kind) {
  const auto flows = static_cast<size_t>(state.range(0));
  Bench bench(flows, flows);
  std::vector<size_t> order(flows);
  for (size_t n = 0; n < flows; ++n) order[n] = n;
  std::shuffle(order.begin(), order.end(), std::mt19937(1));
  for (const size_t n : order) {
    bench.add(frame(kind, bench.allowed(), n, false, kSyn, 1000, 0, 0), 0);
  }
  for (auto _ : state) {
    bench.forget_flows();
    for (size_t burst = 0; burst < bench.bursts(); ++burst) bench.run(burst);
  }
  bench.report(state);
}

void connections(benchmark::State& state, int kind) {
  const auto flows = static_cast<size_t>(state.range(0));
  struct Step {
    bool back;
    uint8_t flags;
    uint32_t sequence, acknowledged;
    size_t payload;
  };
  constexpr Step kSteps[] = {
      {false, kSyn, 1000, 0, 0},           {true, kSyn | kAck, 5000, 1001, 0},
      {false, kAck, 1001, 5001, 2},        {true, kAck, 5001, 1003, 2},
      {false, kAck | kFin, 1003, 5003, 0}, {true, kAck | kFin, 5003, 1004, 0},
      {false, kAck, 1004, 5004, 0}};
  Bench bench(flows, flows * std::size(kSteps));
  for (size_t group = 0; group + kBurst <= flows; group += kBurst) {
    for (const Step& s : kSteps) {
      for (size_t n = group; n < group + kBurst; ++n) {
        bench.add(
            frame(kind, bench.allowed(), n, s.back, s.flags, s.sequence, s.acknowledged, s.payload),
            s.back ? 1 : 0);
      }
    }
  }
  for (auto _ : state) {
    bench.forget_flows();
    for (size_t burst = 0; burst < bench.bursts(); ++burst) bench.run(burst);
  }
  bench.report(state);
}

void add(const char* what, void (*bench)(benchmark::State&, int), int kind,
         std::initializer_list<int64_t> flows) {
  const std::string name = std::string(what) + "/" + kKindNames[kind];
  for (const int64_t count : flows) {
    benchmark::RegisterBenchmark(name.c_str(), [=](benchmark::State& s) { bench(s, kind); })
        ->ArgName("flows")
        ->Arg(count);
  }
}

}  // namespace
}  // namespace rampart

int main(int argc, char** argv) {
  using namespace rampart;
  for (const int kind : {kUdp4, kTcp4, kUdp6, kTcp6}) {
    add("established", established, kind, {1024, 65536});
    add("first", first, kind, {1024, 65536});
  }
  for (const int kind : {kTcp4, kTcp6}) add("connections", connections, kind, {1024, 16384});
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 2;
  if (!test::start_eal(1024)) return 1;
  test::limit_vectors(512);
  benchmark::RunSpecifiedBenchmarks();
  test::stop_eal();
  return 0;
}
