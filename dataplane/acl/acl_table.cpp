// SPDX-License-Identifier: Apache-2.0
#include "dataplane/acl/acl_table.hpp"

#include <atomic>
#include <cstddef>
#include <string>
#include <type_traits>

#include "dataplane/base/byte_order.hpp"

namespace rampart {
namespace {

/// What rte_acl walks over. It takes keys in network order (and rules in host order); its first
/// field must be one byte, the others come in groups of four bytes.
struct AclKey {
  uint8_t protocol;
  uint8_t padding[3];
  be16 subject;
  be16 port;
  be32 peer;
};
static_assert(sizeof(AclKey) == 12 && std::has_unique_object_representations_v<AclKey>);

enum Field : uint8_t { kProtocol, kSubject, kPort, kPeer, kFields };

RTE_ACL_RULE_DEF(ClassRule, kFields);

constexpr unsigned kBurst = 128;

rte_acl_config make_config() {
  rte_acl_config config{};
  config.num_categories = 1;
  config.num_fields = kFields;
  config.defs[kProtocol] = {RTE_ACL_FIELD_TYPE_BITMASK, 1, kProtocol, 0,
                            offsetof(AclKey, protocol)};
  config.defs[kSubject] = {RTE_ACL_FIELD_TYPE_RANGE, 2, kSubject, 1, offsetof(AclKey, subject)};
  config.defs[kPort] = {RTE_ACL_FIELD_TYPE_RANGE, 2, kPort, 1, offsetof(AclKey, port)};
  config.defs[kPeer] = {RTE_ACL_FIELD_TYPE_RANGE, 4, kPeer, 2, offsetof(AclKey, peer)};
  return config;
}

ClassRule make_rule(const AclRule& r) {
  ClassRule out{};
  out.data.category_mask = 1;
  out.data.priority = static_cast<int32_t>(RTE_ACL_MAX_PRIORITY - r.rule);
  out.data.userdata = r.rule;
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
void walk(const AclContext& context, const AclKey* keys, unsigned count, uint32_t* rules) {
  const uint8_t* data[kBurst];
  for (unsigned i = 0; i < count; ++i) data[i] = reinterpret_cast<const uint8_t*>(&keys[i]);
  // It fails only for bad numbers of categories.
  if (rte_acl_classify(context.get(), data, rules, count, 1) != 0) {
    for (unsigned i = 0; i < count; ++i) rules[i] = 0;
  }
}

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
    return std::shared_ptr<const AclTable>(new AclTable({}, std::move(plan), std::nullopt));
  }
  if (rules.size() > RTE_ACL_MAX_INDEX / 2) {
    return Error{ErrorCode::kTooLarge, std::to_string(rules.size()) + " ACL rules", {}};
  }

  auto context = AclContext::create(next_name(), RTE_ACL_RULE_SZ(kFields),
                                    static_cast<uint32_t>(rules.size()));
  if (!context) return std::move(context).error();
  std::vector<ClassRule> compiled;
  compiled.reserve(rules.size());
  for (const AclRule& r : rules) compiled.push_back(make_rule(r));
  static_assert(sizeof(ClassRule) == RTE_ACL_RULE_SZ(kFields));
  if (auto added = context->add(reinterpret_cast<const rte_acl_rule*>(compiled.data()),
                                static_cast<uint32_t>(compiled.size()));
      !added) {
    return std::move(added).error();
  }
  if (auto built = context->build(make_config()); !built) return std::move(built).error();
  return std::shared_ptr<const AclTable>(
      new AclTable(std::move(rules), std::move(plan), std::move(*context)));
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
    AclKey keys[kBurst];
    for (unsigned i = 0; i < n; ++i) {
      const AclQuery& q = queries[i];
      keys[i] = {q.protocol, {}, be16{q.subject}, be16{q.port}, be32{q.peer}};
    }
    walk(*context_, keys, n, rules);
    queries += n;
    rules += n;
    count -= n;
  }
}

void AclTable::classify_by_plan(const AclQuery* queries, unsigned count,
                                uint32_t* rules) const noexcept {
  AclKey keys[kBurst];
  unsigned about[kBurst];  // which query each key is for
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
        keys[used] = {q.protocol, {}, be16{ask.subject}, be16{q.port}, be32{view[q.peer]}};
        about[used++] = next;
      }
    }
    if (used == 0) continue;
    walk(*context_, keys, used, answers);
    for (unsigned k = 0; k < used; ++k) {
      uint32_t& best = rules[about[k]];
      if (answers[k] != 0 && (best == 0 || answers[k] < best)) best = answers[k];
    }
  }
}

}  // namespace rampart
