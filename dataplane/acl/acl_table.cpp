// SPDX-License-Identifier: Apache-2.0
#include "dataplane/acl/acl_table.hpp"

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <string>
#include <type_traits>

#include "dataplane/base/byte_order.hpp"

namespace rampart {
namespace {

/// What rte_acl walks over, byte by byte. It takes keys in network order (and rules in host order);
/// its first field must be one byte, the others come in groups of four bytes.
///
/// Most rules fit a key of five bytes. What tells most comes first, and what rules that are for
/// everything are for everything of, last: so few parts of the tree are there twice.
struct NarrowKey {
  uint8_t subject_high;
  uint8_t padding[3];
  uint8_t subject_low;
  uint8_t service;
  be16 peer;
};
/// Where there are too many services or peers, one of nine.
struct WideKey {
  uint8_t protocol;
  uint8_t padding[3];
  be16 subject;
  be16 port;
  be32 peer;
};
static_assert(sizeof(NarrowKey) == 8 && std::has_unique_object_representations_v<NarrowKey>);
static_assert(sizeof(WideKey) == 12 && std::has_unique_object_representations_v<WideKey>);

enum NarrowField : uint8_t { kSubjectHigh, kSubjectLow, kService, kNarrowPeer, kNarrowFields };
enum WideField : uint8_t { kProtocol, kSubject, kPort, kPeer, kWideFields };

RTE_ACL_RULE_DEF(NarrowRule, kNarrowFields);
RTE_ACL_RULE_DEF(WideRule, kWideFields);

constexpr unsigned kBurst = 128;
/// In a narrow key: all peers from here on, which only rules for every peer are for.
constexpr uint32_t kOtherPeers = 0xFFFF;
constexpr uint32_t kLastPeer = 0xFFFFFFFF;

rte_acl_config narrow_config() {
  rte_acl_config config{};
  config.num_categories = 1;
  config.num_fields = kNarrowFields;
  config.defs[kSubjectHigh] = {RTE_ACL_FIELD_TYPE_RANGE, 1, kSubjectHigh, 0,
                               offsetof(NarrowKey, subject_high)};
  config.defs[kSubjectLow] = {RTE_ACL_FIELD_TYPE_RANGE, 1, kSubjectLow, 1,
                              offsetof(NarrowKey, subject_low)};
  config.defs[kService] = {RTE_ACL_FIELD_TYPE_RANGE, 1, kService, 1, offsetof(NarrowKey, service)};
  config.defs[kNarrowPeer] = {RTE_ACL_FIELD_TYPE_RANGE, 2, kNarrowPeer, 1,
                              offsetof(NarrowKey, peer)};
  return config;
}
rte_acl_config wide_config() {
  rte_acl_config config{};
  config.num_categories = 1;
  config.num_fields = kWideFields;
  config.defs[kProtocol] = {RTE_ACL_FIELD_TYPE_BITMASK, 1, kProtocol, 0,
                            offsetof(WideKey, protocol)};
  config.defs[kSubject] = {RTE_ACL_FIELD_TYPE_RANGE, 2, kSubject, 1, offsetof(WideKey, subject)};
  config.defs[kPort] = {RTE_ACL_FIELD_TYPE_RANGE, 2, kPort, 1, offsetof(WideKey, port)};
  config.defs[kPeer] = {RTE_ACL_FIELD_TYPE_RANGE, 4, kPeer, 2, offsetof(WideKey, peer)};
  return config;
}

template <typename Rule>
Rule rule_of(const AclRule& r) {
  Rule out{};
  out.data.category_mask = 1;
  out.data.priority = static_cast<int32_t>(RTE_ACL_MAX_PRIORITY - r.rule);
  out.data.userdata = r.rule;
  return out;
}

WideRule wide_rule(const AclRule& r) {
  auto out = rule_of<WideRule>(r);
  out.field[kProtocol].value.u8 = r.any_protocol ? 0 : r.protocol;
  out.field[kProtocol].mask_range.u8 = r.any_protocol ? 0 : 0xFF;
  out.field[kSubject].value.u16 = r.subject_first;
  out.field[kSubject].mask_range.u16 = r.subject_last;
  out.field[kPort].value.u16 = r.port_first;
  out.field[kPort].mask_range.u16 = r.port_last;
  out.field[kPeer].value.u32 = r.peer_first;
  out.field[kPeer].mask_range.u32 = r.peer_last;
  return out;
}

/// A rule as one for each row of subjects: those with the same upper byte, or whole rows.
void add_narrow(const AclRule& r, const ServiceMap& services, std::vector<NarrowRule>& rules) {
  const auto add = [&](unsigned high, unsigned last_high, unsigned low, unsigned last_low) {
    auto out = rule_of<NarrowRule>(r);
    const auto [service, last_service] = services.range(r);
    out.field[kSubjectHigh].value.u8 = static_cast<uint8_t>(high);
    out.field[kSubjectHigh].mask_range.u8 = static_cast<uint8_t>(last_high);
    out.field[kSubjectLow].value.u8 = static_cast<uint8_t>(low);
    out.field[kSubjectLow].mask_range.u8 = static_cast<uint8_t>(last_low);
    out.field[kService].value.u8 = service;
    out.field[kService].mask_range.u8 = last_service;
    out.field[kNarrowPeer].value.u16 = static_cast<uint16_t>(r.peer_first);
    out.field[kNarrowPeer].mask_range.u16 =
        static_cast<uint16_t>(std::min(r.peer_last, kOtherPeers));
    rules.push_back(out);
  };
  const unsigned high = r.subject_first >> 8, last_high = r.subject_last >> 8;
  const unsigned low = r.subject_first & 0xFF, last_low = r.subject_last & 0xFF;
  if (high == last_high) return add(high, high, low, last_low);
  add(high, high, low, 0xFF);
  if (last_high - high > 1) add(high + 1, last_high - 1, 0, 0xFF);
  add(last_high, last_high, 0, last_low);
}

/// Whether the peers of all rules fit a narrow key.
bool have_few_peers(const std::vector<AclRule>& rules) {
  return std::all_of(rules.begin(), rules.end(), [](const AclRule& r) {
    return r.peer_first < kOtherPeers && (r.peer_last < kOtherPeers || r.peer_last == kLastPeer);
  });
}

/// A name that no context of this process has or had.
std::string next_name() {
  static std::atomic<uint64_t> builds{0};
  return "acl-b" + std::to_string(builds.fetch_add(1, std::memory_order_relaxed) + 1);
}

/// Why a plan cannot be followed, or null.
const char* check_plan(const AclPlan& plan) {
  if (plan.first.empty()) return plan.asks.empty() ? nullptr : "asks without classes";
  if (plan.first.back() != plan.asks.size()) return "asks that belong to no class";
  for (size_t s = 0; s + 1 < plan.first.size(); ++s) {
    if (plan.first[s] > plan.first[s + 1]) return "asks out of order";
    if (plan.first[s + 1] - plan.first[s] > kMaxAsks) return "too many asks for a class";
  }
  for (const AclPlan::Ask& ask : plan.asks) {
    if (ask.view >= plan.views.size()) return "an ask without its view";
  }
  return nullptr;
}

/// Writes the rules that match `count` keys (at most kBurst).
template <typename Key>
void walk(const AclContext& context, const Key* keys, unsigned count, uint32_t* rules) {
  const uint8_t* data[kBurst];
  for (unsigned i = 0; i < count; ++i) data[i] = reinterpret_cast<const uint8_t*>(&keys[i]);
  // It fails only for bad numbers of categories.
  if (rte_acl_classify(context.get(), data, rules, count, 1) != 0) {
    for (unsigned i = 0; i < count; ++i) rules[i] = 0;
  }
}

template <typename Rule>
Result<AclContext> compile(const std::vector<Rule>& rules, const rte_acl_config& config) {
  auto context = AclContext::create(next_name(), sizeof(Rule), static_cast<uint32_t>(rules.size()));
  if (!context) return context;
  if (auto added = context->add(reinterpret_cast<const rte_acl_rule*>(rules.data()),
                                static_cast<uint32_t>(rules.size()));
      !added) {
    return std::move(added).error();
  }
  if (auto built = context->build(config); !built) return std::move(built).error();
  return context;
}
static_assert(sizeof(NarrowRule) == RTE_ACL_RULE_SZ(kNarrowFields) &&
              sizeof(WideRule) == RTE_ACL_RULE_SZ(kWideFields));

}  // namespace

Result<std::shared_ptr<const AclTable>> AclTable::build(std::vector<AclRule> rules, AclPlan plan) {
  if (const char* wrong = check_plan(plan)) {
    return Error{ErrorCode::kInvalid, wrong, "ACL plan"};
  }
  for (size_t i = 0; i < rules.size(); ++i) {
    const AclRule& r = rules[i];
    const char* wrong = r.rule == 0                        ? "its number is 0"
                        : r.rule >= RTE_ACL_MAX_PRIORITY   ? "its number is too large"
                        : r.subject_first > r.subject_last ? "its subjects are crossed"
                        : r.peer_first > r.peer_last       ? "its peers are crossed"
                        : r.port_first > r.port_last       ? "its ports are crossed"
                                                           : nullptr;
    if (wrong != nullptr) {
      return Error{ErrorCode::kInvalid, wrong, "ACL rule " + std::to_string(i)};
    }
  }
  if (rules.empty()) {
    return std::shared_ptr<const AclTable>(
        new AclTable({}, std::move(plan), std::nullopt, std::nullopt));
  }
  if (rules.size() > RTE_ACL_MAX_INDEX / 2) {
    return Error{ErrorCode::kTooLarge, std::to_string(rules.size()) + " ACL rules", {}};
  }

  auto services = have_few_peers(rules) ? ServiceMap::make(rules) : std::nullopt;
  Result<AclContext> context = [&] {
    if (services) {
      std::vector<NarrowRule> narrow;
      narrow.reserve(rules.size());
      for (const AclRule& r : rules) add_narrow(r, *services, narrow);
      return compile(narrow, narrow_config());
    }
    std::vector<WideRule> wide;
    wide.reserve(rules.size());
    for (const AclRule& r : rules) wide.push_back(wide_rule(r));
    return compile(wide, wide_config());
  }();
  if (!context) return std::move(context).error();
  return std::shared_ptr<const AclTable>(
      new AclTable(std::move(rules), std::move(plan), std::move(services), std::move(*context)));
}

void AclTable::ask(const AclQuery* queries, unsigned count, uint32_t* rules) const noexcept {
  if (services_) {
    NarrowKey keys[kBurst];
    for (unsigned i = 0; i < count; ++i) {
      const AclQuery& q = queries[i];
      keys[i] = {static_cast<uint8_t>(q.subject >> 8),
                 {},
                 static_cast<uint8_t>(q.subject),
                 services_->find(q.protocol, q.port),
                 be16{static_cast<uint16_t>(std::min(q.peer, kOtherPeers))}};
    }
    walk(*context_, keys, count, rules);
  } else {
    WideKey keys[kBurst];
    for (unsigned i = 0; i < count; ++i) {
      const AclQuery& q = queries[i];
      keys[i] = {q.protocol, {}, be16{q.subject}, be16{q.port}, be32{q.peer}};
    }
    walk(*context_, keys, count, rules);
  }
}

void AclTable::classify(const AclQuery* queries, unsigned count, uint32_t* rules) const noexcept {
  if (!context_) {
    for (unsigned i = 0; i < count; ++i) rules[i] = 0;
    return;
  }
  if (!plan_.first.empty()) {
    classify_by_plan(queries, count, rules);
    return;
  }
  while (count > 0) {
    const unsigned n = count < kBurst ? count : kBurst;
    ask(queries, n, rules);
    queries += n;
    rules += n;
    count -= n;
  }
}

void AclTable::classify_by_plan(const AclQuery* queries, unsigned count,
                                uint32_t* rules) const noexcept {
  AclQuery asks[kBurst];
  unsigned about[kBurst];  // which query each of them is for
  uint32_t answers[kBurst];
  for (unsigned next = 0; next < count;) {
    unsigned used = 0;
    for (; next < count && used + kMaxAsks <= kBurst; ++next) {
      const AclQuery& q = queries[next];
      rules[next] = 0;
      if (q.subject + 1U >= plan_.first.size()) continue;
      for (uint32_t a = plan_.first[q.subject]; a < plan_.first[q.subject + 1]; ++a) {
        const AclPlan::Ask ask = plan_.asks[a];
        const std::vector<uint32_t>& view = plan_.views[ask.view];
        if (q.peer >= view.size()) continue;
        asks[used] = {q.protocol, ask.subject, view[q.peer], q.port};
        about[used++] = next;
      }
    }
    if (used == 0) continue;
    ask(asks, used, answers);
    for (unsigned k = 0; k < used; ++k) {
      uint32_t& best = rules[about[k]];
      if (answers[k] != 0 && (best == 0 || answers[k] < best)) best = answers[k];
    }
  }
}

}  // namespace rampart
