// SPDX-License-Identifier: Apache-2.0
// The policy compiler over clusters of growing size: a desired state compiled from nothing, one
// pod of a known kind that comes and goes, and a policy that changes. `acl_ms` is what of it
// rte_acl takes.
#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "control/compile/compile.hpp"
#include "control/kube/decode.hpp"
#include "control/kube/decode_metadata.hpp"
#include "perf/bench/tsc.hpp"
#include "tests/support/eal.hpp"
#include "tests/support/shapes.hpp"

namespace rampart {
namespace {

using State = std::shared_ptr<const kube::ClusterState>;

State cluster(const benchmark::State& state) {
  const auto pods = static_cast<size_t>(state.range(0)),
             policies = static_cast<size_t>(state.range(1));
  return std::make_shared<const kube::ClusterState>(
      support::make_cluster({.pods = pods,
                             .policies = policies,
                             .namespaces = policies / 10,
                             .crossing_labels = state.range(2) != 0}));
}

std::shared_ptr<const compile::Compiled> make(benchmark::State& state, State desired,
                                              Revision revision,
                                              const compile::Compiled* previous) {
  auto made = compile::compile(std::move(desired), revision, previous);
  if (!made) {
    state.SkipWithError(made.error().text().c_str());
    return nullptr;
  }
  return *made;
}

void note(benchmark::State& state, const compile::Compiled& made) {
  const auto begin = std::chrono::steady_clock::now();
  auto again = AclTable::build(made.rules->parts[0].acl->rules(), made.rules->parts[0].acl->plan());
  state.counters["acl_ms"] =
      std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - begin).count();
  state.counters["rules"] = static_cast<double>(made.acl_rules);
  state.counters["entries"] = static_cast<double>(made.policy_entries);
  state.counters["classes"] = static_cast<double>(made.classes);
  state.counters["subjects"] = static_cast<double>(made.subjects);
}

/// One state follows the other, each with the one before.
std::shared_ptr<const compile::Compiled> there_and_back(benchmark::State& state, const State& one,
                                                        const State& other) {
  auto made = make(state, one, 1, nullptr);
  Revision revision = 1;
  for (auto _ : state) {
    if (!made) break;
    made = make(state, revision % 2 != 0 ? other : one, revision + 1, made.get());
    ++revision;
  }
  return made;
}

void from_nothing(benchmark::State& state) {
  const State desired = cluster(state);
  std::shared_ptr<const compile::Compiled> made;
  for (auto _ : state) made = make(state, desired, 1, nullptr);
  if (made) note(state, *made);
}

/// The cluster in the file that RAMPART_SNAPSHOT names, as perf/gen/cluster.py writes them.
State read_file(benchmark::State& state) {
  const char* path = std::getenv("RAMPART_SNAPSHOT");
  if (path == nullptr) {
    state.SkipWithError("RAMPART_SNAPSHOT names no file");
    return nullptr;
  }
  std::ifstream file(path);
  const std::string text{std::istreambuf_iterator<char>(file), {}};
  auto read = kube::decode_snapshot(text);
  if (!read) {
    state.SkipWithError(read.error().text().c_str());
    return nullptr;
  }
  return std::make_shared<const kube::ClusterState>(std::move(read->state));
}

void from_file(benchmark::State& state) {
  const State desired = read_file(state);
  if (!desired) return;
  std::shared_ptr<const compile::Compiled> made;
  for (auto _ : state) made = make(state, desired, 1, nullptr);
  if (made) note(state, *made);
}

/// A thousand pods of it get other addresses at once, and have them back.
void thousand_pods_of_file(benchmark::State& state) {
  const State all = read_file(state);
  if (!all) return;
  auto moved = std::make_shared<kube::ClusterState>(*all);
  uint32_t number = 0;
  for (const auto& [key, pod] : all->pods) {
    if (++number % (all->pods.size() / 1000) != 0) continue;
    kube::Pod other = *pod;
    for (IpAddress& address : other.addresses) {
      if (address.is_v4()) address = IpAddress::v4(0x0AF00000 + number);
    }
    moved->pods[key] = std::make_shared<const kube::Pod>(std::move(other));
  }
  there_and_back(state, all, moved);
}

/// One pod of it after the other becomes a kind that there was not before, and what it was again:
/// the first is timed. As one_pod, one in a hundred and the slowest stand beside.
void newcomers_of_file(benchmark::State& state) {
  const State all = read_file(state);
  if (!all) return;
  constexpr size_t kPods = 200;
  std::vector<State> others;
  std::string last_app;
  size_t number = 0;
  for (const auto& [key, pod] : all->pods) {
    const std::string* app = kube::find_label(pod->labels, "app");
    if (++number % (all->pods.size() / kPods) == 1 && app != nullptr) last_app = *app;
    if (number % (all->pods.size() / kPods) != 0 || pod->host_network) continue;
    kube::Pod other = *pod;
    kube::set_label(other.labels, "tier", "database");
    kube::set_label(other.labels, "app", last_app);
    kube::set_label(other.labels, "k8s-app", "kube-dns");
    auto changed = std::make_shared<kube::ClusterState>(*all);
    changed->pods.insert_or_assign(key, std::make_shared<const kube::Pod>(std::move(other)));
    others.push_back(std::move(changed));
  }
  auto made = make(state, all, 1, nullptr);
  std::vector<double> took;
  size_t next = 0;
  for (auto _ : state) {
    if (!made) break;
    const auto begin = std::chrono::steady_clock::now();
    made = make(state, others[next % others.size()], made->rules->revision + 1, made.get());
    const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - begin;
    state.SetIterationTime(seconds.count());
    took.push_back(1000 * seconds.count());
    if (made) made = make(state, all, made->rules->revision + 1, made.get());
    ++next;
  }
  std::sort(took.begin(), took.end());
  state.counters["median_ms"] = took[took.size() / 2];
  state.counters["p99_ms"] = took[took.size() * 99 / 100];
  state.counters["most_ms"] = took.back();
}

void one_pod(benchmark::State& state) {
  const State all = cluster(state);
  auto fewer = std::make_shared<kube::ClusterState>(*all);
  fewer->pods.erase(std::next(fewer->pods.begin(), static_cast<ptrdiff_t>(fewer->pods.size() / 2)));
  const auto made = there_and_back(state, all, fewer);
  if (made && made->rules->policy_changed_in != 1) state.SkipWithError("the policy changed");
}

void one_policy(benchmark::State& state) {
  const State all = cluster(state);
  auto changed = std::make_shared<kube::ClusterState>(*all);
  const kube::ObjectKey key =
      std::next(changed->policies.begin(), static_cast<ptrdiff_t>(changed->policies.size() / 2))
          ->first;
  auto policy = *changed->policies.at(key);
  policy.isolates_ingress = true;
  policy.ingress.push_back({{}, {{IpProtocol::kTcp, kube::PolicyPort::Range{7, 7}}}});
  changed->policies[key] = std::make_shared<const kube::NetworkPolicy>(policy);
  there_and_back(state, all, changed);
}

void sizes(benchmark::internal::Benchmark* b) {
  b->ArgNames({"pods", "policies", "crossing"})->Unit(benchmark::kMillisecond);
  for (const int crossing : {0, 1}) {
    b->Args({1000, 100, crossing})->Args({10000, 1000, crossing})->Args({100000, 10000, crossing});
  }
}
BENCHMARK(from_nothing)->Apply(sizes);
BENCHMARK(from_file)->Unit(benchmark::kMillisecond);
BENCHMARK(thousand_pods_of_file)->Unit(benchmark::kMillisecond);
BENCHMARK(newcomers_of_file)->Unit(benchmark::kMillisecond)->UseManualTime()->Iterations(200);
BENCHMARK(one_pod)->Apply(sizes);
BENCHMARK(one_policy)->Apply(sizes);

}  // namespace
}  // namespace rampart

int main(int argc, char** argv) {
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 2;
  if (!rampart::test::start_eal(4096)) return 1;
  benchmark::RunSpecifiedBenchmarks();
  rampart::test::stop_eal();
  return 0;
}
