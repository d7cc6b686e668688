// SPDX-License-Identifier: Apache-2.0
// Bursts of datagrams, each of another flow that goes on, through the stages from parse to settle:
// what an established packet costs without any driver, by the shape of its frame (`_alone`: in a
// burst of its own). All of it lies in the caches. With callgrind it counts instructions:
//
//   valgrind --tool=callgrind --toggle-collect='*run_burst*' build/perf/bench_burst
//     --benchmark_filter='udp6$' --benchmark_min_time=0.01
#include <algorithm>
#include <numeric>
#include <random>
#include <vector>

#include "perf/bench/tsc.hpp"
#include "tests/support/eal.hpp"
#include "tests/support/stage_bench.hpp"

namespace rampart {
namespace {

using test::packet;
using test::PacketBuilder;
using test::StageBench;

constexpr unsigned kFlows = 31 * Burst::kSize;  // as many as the bench has buffers for

/// Frames of 64 bytes (tagged ones 68) from client `n` to one of its servers.
using Make = PacketBuilder (*)(unsigned n);
PacketBuilder udp4(unsigned n) {
  return packet()
      .ipv4("10.0.1.7", n % 2 != 0 ? "10.0.0.9" : "10.0.2.9")
      .udp(static_cast<uint16_t>(1024 + n), 8125)
      .payload(22);
}
PacketBuilder udp6(unsigned n) {
  return packet()
      .ipv6("fd00::10:1:7", n % 2 != 0 ? "fd00::10:0:9" : "fd00::10:2:9")
      .udp(static_cast<uint16_t>(1024 + n), 8125)
      .payload(2);
}
PacketBuilder udp4_tagged(unsigned n) {
  return udp4(n).vlan(100);
}
PacketBuilder udp6_tagged(unsigned n) {
  return udp6(n).vlan(100);
}
PacketBuilder in_turn(unsigned n) {
  return n % 2 != 0 ? udp6(n) : udp4(n);
}
PacketBuilder in_turn_tagged(unsigned n) {
  return in_turn(n).vlan(100);
}
/// As they come: of either family, some of them tagged, now and then one with IP options.
PacketBuilder any(unsigned n) {
  const unsigned dice = (n * 2654435761U) >> 16;
  PacketBuilder p = dice % 3 == 0 ? udp6(n) : udp4(n);
  if (dice % 16 == 1) p.ip_option({148, 4, 0, 0});
  return dice % 5 == 0 ? p.vlan(100) : p;
}

[[gnu::always_inline]] inline void run_stages(WorkerState& w, const RuleSet& r) {
  Burst& b = w.burst;
  b.checked = 0;
  parse(b, w, r);
  steer(b, w, r);
  track(b, w, r);
  classify(b, w, r);
  settle(b, w, r);
}
/// What is measured: no packet opens a flow.
[[gnu::noinline]] void run_burst(WorkerState& w, const RuleSet& r) {
  run_stages(w, r);
}

enum class Order {
  kShuffled,  ///< all flows, again and again, in an order that is none
  kZipf,      ///< drawn: the k-th comes as often as 1/k
};

/// The flows of whole bursts of packets, one behind the other.
std::vector<unsigned> draw(Order order) {
  std::mt19937 random(1);
  std::vector<unsigned> flows(kFlows);
  std::iota(flows.begin(), flows.end(), 0U);
  std::shuffle(flows.begin(), flows.end(), random);
  if (order == Order::kShuffled) {
    // Shapes in the order in which they are made.
    for (unsigned n = 0; n < kFlows; ++n) flows[n] = (flows[n] & ~1U) | (n & 1U);
    return flows;
  }
  std::vector<double> weights(kFlows);
  for (unsigned k = 0; k < kFlows; ++k) weights[k] = 1.0 / (k + 1);
  std::discrete_distribution<unsigned> rank(weights.begin(), weights.end());
  std::vector<unsigned> drawn(size_t{32} * kFlows);
  for (unsigned& flow : drawn) flow = flows[rank(random)];
  return drawn;
}

/// `count`: packets a burst.
void established(benchmark::State& state, Make make, Order order = Order::kShuffled,
                 unsigned count = Burst::kSize) {
  StageBench bench(kFlows);
  std::vector<rte_mbuf*> buffers;
  buffers.reserve(kFlows);
  for (unsigned n = 0; n < kFlows; ++n) buffers.push_back(bench.buffer(make(n).bytes()));
  std::vector<rte_mbuf*> frames;
  for (const unsigned flow : draw(order)) frames.push_back(buffers[flow]);
  const size_t bursts = frames.size() / count;
  Burst& b = bench.w.burst;
  b.now = Tsc{1000} << kTickShift;
  b.count = count;
  std::fill_n(b.in_port, Burst::kSize, uint8_t{0});
  const auto receive = [&](size_t at) { std::copy_n(&frames[at * count], count, b.mbuf); };
  bool forwarded = true;
  for (size_t at = 0; at < bursts; ++at) {
    receive(at);
    run_stages(bench.w, *bench.rules);
    forwarded &= b.all_forward();
  }
  const uint64_t misses = bench.w.counters.flow_misses;
  {
    bench::CyclesPerItem cycles(state);
    cycles.items_per_iteration(count);
    size_t at = 0;
    for (auto _ : state) {
      receive(at);
      run_burst(bench.w, *bench.rules);
      forwarded &= b.all_forward();
      at = at + 1 == bursts ? 0 : at + 1;
    }
  }
  for (rte_mbuf* m : buffers) rte_pktmbuf_free(m);
  if (!forwarded || bench.w.counters.flow_misses != misses) {
    state.SkipWithError("not every packet went on in its flow");
  }
}

BENCHMARK_CAPTURE(established, udp4, udp4);
BENCHMARK_CAPTURE(established, udp6, udp6);
BENCHMARK_CAPTURE(established, udp4_tagged, udp4_tagged);
BENCHMARK_CAPTURE(established, udp6_tagged, udp6_tagged);
BENCHMARK_CAPTURE(established, in_turn, in_turn);
BENCHMARK_CAPTURE(established, in_turn_tagged, in_turn_tagged);
BENCHMARK_CAPTURE(established, any, any);
BENCHMARK_CAPTURE(established, udp4_alone, udp4, Order::kShuffled, 1U);
BENCHMARK_CAPTURE(established, udp6_alone, udp6, Order::kShuffled, 1U);
BENCHMARK_CAPTURE(established, udp4_zipf, udp4, Order::kZipf);
BENCHMARK_CAPTURE(established, udp6_zipf, udp6, Order::kZipf);

}  // namespace
}  // namespace rampart

int main(int argc, char** argv) {
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 2;
  if (!rampart::test::start_eal(256)) return 1;
  benchmark::RunSpecifiedBenchmarks();
  rampart::test::stop_eal();
  return 0;
}
