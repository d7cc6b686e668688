// SPDX-License-Identifier: Apache-2.0
// A snapshot's text to objects, by the number of pods, beside what the JSON parser alone takes
// (simdjson's DOM). One policy in ten pods. Bytes a second are those of the text.
#include <simdjson.h>

#include <string>

#include "control/kube/decode.hpp"
#include "perf/bench/tsc.hpp"

namespace rampart {
namespace {

std::string pod(size_t n) {
  const auto number = std::to_string(n);
  const std::string address = "10." + std::to_string(n >> 16 & 255) + "." +
                              std::to_string(n >> 8 & 255) + "." + std::to_string(n & 255);
  return R"({"apiVersion":"v1","kind":"Pod","metadata":{"name":"pod-)" + number +
         R"(","namespace":"team-)" + std::to_string(n % 50) + R"(","labels":{"app":"a)" +
         std::to_string(n % 200) + R"(","pod-template-hash":")" + number +
         R"("}},"spec":{"nodeName":"node-)" + std::to_string(n / 50) +
         R"(","containers":[{"name":"main","ports":[{"name":"http","containerPort":8080}]}]},)" +
         R"("status":{"phase":"Running","podIPs":[{"ip":")" + address + R"("},{"ip":"fd00::)" +
         address + R"("}]}})";
}

std::string policy(size_t n) {
  return R"({"apiVersion":"networking.k8s.io/v1","kind":"NetworkPolicy","metadata":{"name":"policy-)" +
         std::to_string(n) + R"(","namespace":"team-)" + std::to_string(n % 50) +
         R"("},"spec":{"podSelector":{"matchLabels":{"app":"a)" + std::to_string(n % 200) +
         R"("}},"policyTypes":["Ingress"],"ingress":[{"from":[{"podSelector":{"matchLabels":{"app":"a)" +
         std::to_string((n + 1) % 200) +
         R"("}}},{"ipBlock":{"cidr":"192.168.0.0/16"}}],"ports":[{"protocol":"TCP","port":443}]}]}})";
}

std::string snapshot(size_t pods) {
  std::string out = R"({"apiVersion":"v1","kind":"List","items":[)";
  for (size_t n = 0; n < pods; ++n) out += (n == 0 ? "" : ",") + pod(n);
  for (size_t n = 0; n < pods / 10; ++n) out += "," + policy(n);
  return out + "]}";
}

void decode(benchmark::State& state) {
  const auto pods = static_cast<size_t>(state.range(0));
  const std::string text = snapshot(pods);
  for (auto _ : state) {
    const auto decoded = kube::decode_snapshot(text);
    if (!decoded.has_value() || decoded->state.pods.size() != pods ||
        decoded->state.policies.size() != pods / 10) {
      return state.SkipWithError("not what was written");
    }
  }
  state.SetBytesProcessed(state.iterations() * static_cast<int64_t>(text.size()));
}

void json_alone(benchmark::State& state) {
  const simdjson::padded_string text(snapshot(static_cast<size_t>(state.range(0))));
  simdjson::dom::parser parser;
  for (auto _ : state) {
    simdjson::dom::element root;
    if (parser.parse(text).get(root) != simdjson::SUCCESS) return state.SkipWithError("no JSON");
    benchmark::DoNotOptimize(root);
  }
  state.SetBytesProcessed(state.iterations() * static_cast<int64_t>(text.size()));
}

void sizes(benchmark::internal::Benchmark* b) {
  b->ArgName("pods")->Arg(100)->Arg(1000)->Arg(10000)->Arg(100000)->Unit(benchmark::kMillisecond);
}
BENCHMARK(decode)->Apply(sizes);
BENCHMARK(json_alone)->Apply(sizes);

}  // namespace
}  // namespace rampart

BENCHMARK_MAIN();
