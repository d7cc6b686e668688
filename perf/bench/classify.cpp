// SPDX-License-Identifier: Apache-2.0
// First packets' questions to the allow rules, by the number of rules, beside the list read from
// its beginning. Every rule allows a peer class on a port to a subject class; of the questions,
// half are a rule's and half miss by the port.
#include <cstdint>
#include <memory>
#include <random>
#include <vector>

#include "dataplane/acl/acl_table.hpp"
#include "perf/bench/tsc.hpp"
#include "tests/support/eal.hpp"

namespace rampart {
namespace {

constexpr unsigned kBurst = 32;
constexpr size_t kAsked = 1 << 16;
constexpr uint16_t kSubjects = 110;
constexpr L4Port kPorts[] = {80, 443, 8080, 5432, 6379, 9090, 3306, 9200};

std::vector<AclRule> rules(size_t count) {
  std::mt19937 random(7);
  std::vector<AclRule> made;
  for (size_t i = 0; i < count; ++i) {
    AclRule rule;
    rule.protocol = 6;
    rule.subject_first = rule.subject_last = static_cast<uint16_t>(1 + random() % kSubjects);
    rule.peer_first = rule.peer_last = static_cast<uint32_t>(1 + i);
    rule.port_first = rule.port_last = kPorts[random() % std::size(kPorts)];
    if (random() % 16 == 0) rule.port_last = static_cast<L4Port>(rule.port_first + 99);
    rule.rule = static_cast<uint32_t>(1 + i);
    made.push_back(rule);
  }
  return made;
}

std::vector<AclQuery> questions(const std::vector<AclRule>& rules) {
  std::mt19937 random(11);
  std::vector<AclQuery> asked;
  for (size_t i = 0; i < kAsked; ++i) {
    const AclRule& rule = rules[random() % rules.size()];
    const L4Port port = random() % 2 == 0 ? rule.port_first : L4Port{20000};
    asked.push_back({rule.protocol, rule.subject_first, rule.peer_first, port});
  }
  return asked;
}

uint32_t in_order(const std::vector<AclRule>& rules, const AclQuery& asked) {
  for (const AclRule& rule : rules) {
    if (rule.protocol == asked.protocol && rule.subject_first <= asked.subject &&
        asked.subject <= rule.subject_last && rule.peer_first <= asked.peer &&
        asked.peer <= rule.peer_last && rule.port_first <= asked.port &&
        asked.port <= rule.port_last) {
      return rule.rule;
    }
  }
  return 0;
}

/// rte_acl may use vectors of 512 bits.
bool has_avx512() {
  return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl") &&
         __builtin_cpu_supports("avx512cd") && __builtin_cpu_supports("avx512bw");
}

void classify_burst(benchmark::State& state) {
  test::limit_vectors(static_cast<uint16_t>(state.range(1)));
  const auto list = rules(static_cast<size_t>(state.range(0)));
  const auto asked = questions(list);
  const auto table = AclTable::build(list);
  if (!table) return state.SkipWithError(table.error().text().c_str());
  for (size_t i = 0; i < 256; ++i) {
    uint32_t rule = 0;
    (*table)->classify(&asked[i], 1, &rule);
    if (rule != in_order(list, asked[i])) return state.SkipWithError("a wrong answer");
  }
  uint32_t found[kBurst];
  size_t at = 0;
  bench::CyclesPerItem cycles(state);
  cycles.items_per_iteration(kBurst);
  for (auto _ : state) {
    (*table)->classify(&asked[at], kBurst, found);
    benchmark::DoNotOptimize(found);
    at = (at + kBurst) % kAsked;
  }
}

/// A burst of 64 first packets whose subjects are in as many parts of the rules as it says, 400
/// rules each (control/compile/README.md): a call for each part, with its share of the packets.
void classify_parts(benchmark::State& state) {
  constexpr unsigned kPackets = 64;
  const auto parts = static_cast<size_t>(state.range(0));
  const auto list = rules(400);
  const auto asked = questions(list);
  std::vector<std::shared_ptr<const AclTable>> tables;
  tables.reserve(parts);
  for (size_t i = 0; i < parts; ++i) {
    auto table = AclTable::build(list);
    if (!table) return state.SkipWithError(table.error().text().c_str());
    tables.push_back(*std::move(table));
  }
  const auto share = static_cast<unsigned>(kPackets / parts);
  uint32_t found[kPackets];
  size_t at = 0;
  bench::CyclesPerItem cycles(state);
  cycles.items_per_iteration(kPackets);
  for (auto _ : state) {
    for (size_t i = 0; i < parts; ++i) {
      tables[i]->classify(&asked[at + i * share], share, found + i * share);
    }
    benchmark::DoNotOptimize(found);
    at = (at + kPackets) % kAsked;
  }
}

void one_by_one(benchmark::State& state) {
  const auto list = rules(static_cast<size_t>(state.range(0)));
  const auto asked = questions(list);
  size_t at = 0;
  bench::CyclesPerItem cycles(state);
  for (auto _ : state) {
    benchmark::DoNotOptimize(in_order(list, asked[at]));
    at = (at + 1) % kAsked;
  }
}

void sizes_and_widths(benchmark::internal::Benchmark* all) {
  for (const int64_t rules : {10, 100, 1000, 10000, 100000}) {
    for (const int64_t bits : {128, 256, 512}) {
      if (bits < 512 || has_avx512()) all->Args({rules, bits});
    }
  }
}

BENCHMARK(classify_burst)->ArgNames({"rules", "bits"})->Apply(sizes_and_widths);
BENCHMARK(classify_parts)->ArgName("parts")->RangeMultiplier(2)->Range(1, 64);
BENCHMARK(one_by_one)->ArgName("rules")->Arg(10)->Arg(100)->Arg(1000);

}  // namespace
}  // namespace rampart

int main(int argc, char** argv) {
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 2;
  if (!rampart::test::start_eal(1024)) return 1;
  benchmark::RunSpecifiedBenchmarks();
  rampart::test::stop_eal();
  return 0;
}
