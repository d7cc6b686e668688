// SPDX-License-Identifier: Apache-2.0
// Two ways to ask rte_acl about both directions of a connection, on the same policies:
//
//   ours        a question for each direction that is isolated, each with a subject class and a
//   peer
//               class that are numbered for their ends of rules; judge() of a compiled rule set
//   categories  one question with one class for the source and one for the destination, answered
//               for egress and ingress at once (rte_acl's categories come in fours)
//
// One class for both ends must tell apart whatever either end of any rule does, so its ranges are
// more and its rules too. `rules` and `build_ms` stand beside the cycles a connection.
#include <rte_acl.h>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdio>
#include <numeric>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include "control/compile/classes.hpp"
#include "control/compile/compile.hpp"
#include "control/compile/refinement.hpp"
#include "dataplane/base/byte_order.hpp"
#include "dataplane/dpdk/acl_context.hpp"
#include "perf/bench/tsc.hpp"
#include "tests/support/eal.hpp"
#include "tests/support/shapes.hpp"

namespace rampart {
namespace {

using compile::Box;
using compile::kNone;
using compile::Range;
using compile::Ranges;

constexpr unsigned kBurst = 32;
constexpr size_t kAsked = 16 << 10;
constexpr unsigned kCategories = 4;

support::Shape shape(int64_t which) {
  support::Shape made;
  if (which == 1) made = {.namespaces = 10, .crossing_labels = true};
  if (which == 2) made = {.pods = 20000, .policies = 2000, .namespaces = 400};
  return made;
}
const char* shape_name(int64_t which) {
  return which == 0   ? "5,000 pods, 200 policies"
         : which == 1 ? "the same, labels that cross"
                      : "20,000 pods, 2,000 policies";
}

/// Connections between pods drawn by lot, as pairs of IPv4 addresses.
std::vector<std::pair<IpAddress, IpAddress>> connections(size_t pods) {
  std::mt19937 random(1);
  const auto pod = [&] {
    return IpAddress::v4(0x0A000000 + static_cast<uint32_t>(random() % pods));
  };
  std::vector<std::pair<IpAddress, IpAddress>> made;
  while (made.size() < kAsked) {
    const IpAddress from = pod(), to = pod();
    if (from != to) made.emplace_back(from, to);
  }
  return made;
}

double milliseconds_since(std::chrono::steady_clock::time_point begin) {
  return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - begin)
      .count();
}

void ours(benchmark::State& state) {
  const auto cluster =
      std::make_shared<const kube::ClusterState>(support::make_cluster(shape(state.range(0))));
  auto compiled = compile::compile(cluster, 1, nullptr);
  if (!compiled) return state.SkipWithError(compiled.error().text().c_str());
  const RuleSet& rules = *(*compiled)->rules;
  const auto begin = std::chrono::steady_clock::now();
  const AclTable& acl = *rules.parts.front().acl;
  auto again = AclTable::build(acl.rules(), acl.plan());
  const double build_ms = milliseconds_since(begin);

  std::vector<Question> questions;
  for (const auto& [from, to] : connections(cluster->pods.size())) {
    questions.push_back({rules.addresses->find(from), rules.addresses->find(to), 6, 80});
  }
  Verdict verdicts[kBurst];
  size_t at = 0, allowed = 0, asked = 0;
  {
    bench::CyclesPerItem cycles(state);
    cycles.items_per_iteration(kBurst);
    for (auto _ : state) {
      judge(rules, &questions[at], kBurst, verdicts);
      benchmark::DoNotOptimize(verdicts);
      at = (at + kBurst) % kAsked;
    }
  }
  for (const Question& q : questions) {
    judge(rules, &q, 1, verdicts);
    allowed += verdicts[0].outcome == Outcome::kAllow;
    asked += ((*rules.subjects)[q.source->class_id].egress.number != 0) +
             ((*rules.subjects)[q.destination->class_id].ingress.number != 0);
  }
  state.counters["rules"] = static_cast<double>(acl.rules().size());
  state.counters["build_ms"] = build_ms;
  state.counters["allowed"] = static_cast<double>(allowed) / kAsked;
  state.counters["questions"] = static_cast<double>(asked) / kAsked;
  state.SetLabel(shape_name(state.range(0)));
}

/// The other way: one numbering of atoms for subjects of both directions and peers.
class CategoryTable {
 public:
  struct Key {
    uint8_t protocol;
    uint8_t padding[3];
    be32 source;
    be32 destination;
    be16 port;
    be16 unused;
  };
  enum Field : uint8_t { kProtocol, kSource, kDestination, kPort, kUnused, kFields };
  RTE_ACL_RULE_DEF(Rule, kFields);

  explicit CategoryTable(const kube::ClusterState& state) : kinds_(state) {
    for (uint32_t zone = 0; zone < kinds_.zones.count(); ++zone) kinds_.atoms.add(zone, kNone);
    for (const auto& [key, pod] : state.pods) {
      for (const IpAddress& address : pod->addresses) {
        kinds_.atoms.add(kinds_.zones.zone_of(address), kinds_.group(*pod));
      }
    }
    std::vector<const kube::NetworkPolicy*> policies;
    for (const auto& [key, policy] : state.policies) policies.push_back(policy.get());
    const auto demands = compile::collect(policies, kinds_);
    const auto members = find_members(demands, kinds_);
    const auto boxes = make_boxes(demands, kinds_, members);
    const auto subjects = number_subjects(demands, kinds_.groups, members, boxes);
    const compile::Atoms& atoms = kinds_.atoms;
    std::vector<Ranges> sets = boxes.peer_sets;
    for (const auto& set : boxes.subject_sets) sets.push_back(atoms_of(set.groups));
    // Whether a direction is isolated at all is a rule here too: one that allows the others.
    Ranges open[2];
    for (size_t d = 0; d < 2; ++d) {
      std::vector<uint32_t> not_isolated;
      for (uint32_t a = 0; a < atoms.size(); ++a) {
        const uint32_t group = atoms.group(a);
        if (group == kNone || subjects.of_group[d][group] == 0) not_isolated.push_back(a);
      }
      sets.push_back(compile::make_ranges(not_isolated));
    }
    number(sets);
    for (size_t d = 0; d < 2; ++d) open[d] = ranges_[sets.size() - 2 + d];
    for (const Box& box : boxes.boxes) {
      add(boxes.subject_sets[box.subjects].direction,
          ranges_[boxes.peer_sets.size() + box.subjects],
          box.peers == kNone ? kAll : ranges_[box.peers], box.service, box.origin + 1);
    }
    const compile::Service any{true, 0, 0, 65535, kNone};
    for (const auto direction : {kube::Direction::kEgress, kube::Direction::kIngress}) {
      add(direction, open[static_cast<size_t>(direction)], kAll, any, RTE_ACL_MAX_PRIORITY - 1);
    }
  }

  bool build() {
    const auto begin = std::chrono::steady_clock::now();
    auto made = AclContext::create("categories-" + std::to_string(++builds_),
                                   RTE_ACL_RULE_SZ(kFields), static_cast<uint32_t>(rules_.size()));
    if (!made) return false;
    context_.emplace(std::move(*made));
    rte_acl_config config{};
    config.num_categories = kCategories;
    config.num_fields = kFields;
    config.defs[kProtocol] = {RTE_ACL_FIELD_TYPE_BITMASK, 1, kProtocol, 0, offsetof(Key, protocol)};
    config.defs[kSource] = {RTE_ACL_FIELD_TYPE_RANGE, 4, kSource, 1, offsetof(Key, source)};
    config.defs[kDestination] = {RTE_ACL_FIELD_TYPE_RANGE, 4, kDestination, 2,
                                 offsetof(Key, destination)};
    config.defs[kPort] = {RTE_ACL_FIELD_TYPE_RANGE, 2, kPort, 3, offsetof(Key, port)};
    config.defs[kUnused] = {RTE_ACL_FIELD_TYPE_RANGE, 2, kUnused, 3, offsetof(Key, unused)};
    const bool built = context_->add(reinterpret_cast<const rte_acl_rule*>(rules_.data()),
                                     static_cast<uint32_t>(rules_.size())) &&
                       context_->build(config);
    build_ms_ = milliseconds_since(begin);
    return built;
  }

  /// The class of a pod's address.
  uint32_t find(const kube::Pod& pod, const IpAddress& address) {
    return numbers_[*kinds_.atoms.find(kinds_.zones.zone_of(address), kinds_.group(pod))];
  }
  /// `results`: kCategories a key; egress in the first, ingress in the second, 0 for denied.
  void classify(const uint8_t** keys, unsigned count, uint32_t* results) const {
    rte_acl_classify(context_->get(), keys, results, count, kCategories);
  }
  size_t rules() const { return rules_.size(); }
  double build_ms() const { return build_ms_; }

 private:
  inline static const Ranges kAll{{0, 0xFFFFFFFF}};

  Ranges atoms_of(const std::vector<uint32_t>& groups) const {
    std::vector<uint32_t> found;
    for (const uint32_t group : groups) {
      const auto& some = kinds_.atoms.of_group(group);
      found.insert(found.end(), some.begin(), some.end());
    }
    return compile::make_ranges(std::move(found));
  }
  void number(const std::vector<Ranges>& sets) {
    std::vector<uint32_t> order(sets.size());
    std::iota(order.begin(), order.end(), 0);
    std::stable_sort(order.begin(), order.end(),
                     [&](uint32_t a, uint32_t b) { return size_of(sets[a]) > size_of(sets[b]); });
    compile::Refinement refinement(kinds_.atoms.size());
    for (const uint32_t s : order) refinement.split(sets[s]);
    numbers_ = refinement.numbers();
    for (const Ranges& set : sets) ranges_.push_back(translate(set, numbers_));
  }
  void add(kube::Direction direction, const Ranges& subjects, const Ranges& peers,
           const compile::Service& service, uint32_t number) {
    const bool egress = direction == kube::Direction::kEgress;
    for (const Range& s : subjects) {
      for (const Range& p : peers) {
        const Range& source = egress ? s : p;
        const Range& destination = egress ? p : s;
        Rule rule{};
        rule.data.category_mask = egress ? 1 : 2;
        rule.data.priority = static_cast<int32_t>(RTE_ACL_MAX_PRIORITY - number);
        rule.data.userdata = number;
        rule.field[kProtocol].value.u8 = service.any_protocol ? 0 : service.protocol;
        rule.field[kProtocol].mask_range.u8 = service.any_protocol ? 0 : 0xFF;
        rule.field[kSource].value.u32 = source.first;
        rule.field[kSource].mask_range.u32 = source.last;
        rule.field[kDestination].value.u32 = destination.first;
        rule.field[kDestination].mask_range.u32 = destination.last;
        rule.field[kPort].value.u16 = service.first;
        rule.field[kPort].mask_range.u16 = service.last;
        rule.field[kUnused].mask_range.u16 = 0xFFFF;
        rules_.push_back(rule);
      }
    }
  }

  inline static unsigned builds_ = 0;
  compile::Kinds kinds_;
  std::vector<uint32_t> numbers_;
  std::vector<Ranges> ranges_;
  std::vector<Rule> rules_;
  std::optional<AclContext> context_;
  double build_ms_ = 0;
};

void categories(benchmark::State& state) {
  const kube::ClusterState cluster = support::make_cluster(shape(state.range(0)));
  CategoryTable table(cluster);
  if (!table.build()) return state.SkipWithError("rte_acl refused to build");
  std::vector<uint32_t> class_of(cluster.pods.size());
  for (const auto& [key, pod] : cluster.pods) {
    const IpAddress& address = pod->addresses.front();
    class_of[address.v4_host() - 0x0A000000] = table.find(*pod, address);
  }
  std::vector<CategoryTable::Key> keys;
  for (const auto& [from, to] : connections(cluster.pods.size())) {
    keys.push_back({6,
                    {},
                    be32{class_of[from.v4_host() - 0x0A000000]},
                    be32{class_of[to.v4_host() - 0x0A000000]},
                    be16{80},
                    be16{0}});
  }
  uint32_t results[kBurst * kCategories];
  const uint8_t* data[kBurst];
  size_t at = 0, allowed = 0;
  {
    bench::CyclesPerItem cycles(state);
    cycles.items_per_iteration(kBurst);
    for (auto _ : state) {
      for (unsigned i = 0; i < kBurst; ++i)
        data[i] = reinterpret_cast<const uint8_t*>(&keys[at + i]);
      table.classify(data, kBurst, results);
      benchmark::DoNotOptimize(results);
      at = (at + kBurst) % kAsked;
    }
  }
  for (const CategoryTable::Key& key : keys) {
    data[0] = reinterpret_cast<const uint8_t*>(&key);
    table.classify(data, 1, results);
    allowed += results[0] != 0 && results[1] != 0;
  }
  state.counters["rules"] = static_cast<double>(table.rules());
  state.counters["build_ms"] = table.build_ms();
  state.counters["allowed"] = static_cast<double>(allowed) / kAsked;
  state.counters["questions"] = 1;
  state.SetLabel(shape_name(state.range(0)));
}

BENCHMARK(ours)->Arg(0)->Arg(1)->Arg(2);
BENCHMARK(categories)->Arg(0)->Arg(1)->Arg(2);

}  // namespace
}  // namespace rampart

int main(int argc, char** argv) {
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 2;
  if (!rampart::test::start_eal(2048)) return 1;
  benchmark::RunSpecifiedBenchmarks();
  rampart::test::stop_eal();
  return 0;
}
