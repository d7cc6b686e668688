// SPDX-License-Identifier: Apache-2.0
#include "perf/floor/rules.hpp"

#include <arpa/inet.h>
#include <rte_acl.h>

#include <algorithm>
#include <cstddef>
#include <fstream>
#include <iterator>
#include <sstream>
#include <vector>

namespace rampart::perf {
namespace {

enum Field : uint8_t { kProtocol, kSource, kDestination, kSourcePort, kPort, kFields };
RTE_ACL_RULE_DEF(Rule, kFields);

// rte_acl wants the first field to be a byte and all others in groups of four bytes.
constexpr rte_acl_field_def kDefinitions[kFields] = {
    {RTE_ACL_FIELD_TYPE_BITMASK, 1, kProtocol, 0, offsetof(Question, protocol)},
    {RTE_ACL_FIELD_TYPE_MASK, 4, kSource, 1, offsetof(Question, source)},
    {RTE_ACL_FIELD_TYPE_MASK, 4, kDestination, 2, offsetof(Question, destination)},
    {RTE_ACL_FIELD_TYPE_RANGE, 2, kSourcePort, 3, offsetof(Question, source_port)},
    {RTE_ACL_FIELD_TYPE_RANGE, 2, kPort, 3, offsetof(Question, port)},
};

bool read_prefix(const std::string& text, rte_acl_field& out) {
  const size_t slash = text.find('/');
  in_addr address{};
  if (slash == std::string::npos ||
      inet_pton(AF_INET, text.substr(0, slash).c_str(), &address) != 1) {
    return false;
  }
  unsigned length = 0;
  if (!(std::istringstream(text.substr(slash + 1)) >> length) || length > 32) return false;
  out.value.u32 = ntohl(address.s_addr);
  out.mask_range.u32 = length;
  return true;
}

bool read_rule(const std::string& line, Rule& out) {
  std::istringstream words(line);
  std::string source, destination;
  unsigned protocol = 0, first = 0, last = 0;
  if (!(words >> source >> destination >> protocol >> first >> last)) return false;
  if (!read_prefix(source, out.field[kSource]) ||
      !read_prefix(destination, out.field[kDestination]) || protocol > 255 || first > last ||
      last > 65535) {
    return false;
  }
  out.field[kProtocol].value.u8 = static_cast<uint8_t>(protocol);
  out.field[kProtocol].mask_range.u8 = 0xff;
  out.field[kSourcePort].mask_range.u16 = 0xffff;
  out.field[kPort].value.u16 = static_cast<uint16_t>(first);
  out.field[kPort].mask_range.u16 = static_cast<uint16_t>(last);
  out.data = {.category_mask = 1, .priority = 1, .userdata = 1};
  return true;
}

}  // namespace

Result<AclContext> load_rules(const std::string& path) {
  std::ifstream file(path);
  if (!file) return Error{ErrorCode::kNotFound, "cannot be read", path};
  std::vector<Rule> rules;
  std::string line;
  for (unsigned number = 1; std::getline(file, line); ++number) {
    if (!read_rule(line, rules.emplace_back())) {
      return Error{ErrorCode::kInvalid, "is no rule", path + ":" + std::to_string(number)};
    }
  }
  auto context = AclContext::create("floor", RTE_ACL_RULE_SZ(kFields),
                                    static_cast<uint32_t>(rules.size() + 1));
  if (!context) return context;
  for (const Rule& rule : rules) {
    const auto* plain = reinterpret_cast<const rte_acl_rule*>(&rule);
    if (Result<void> added = context->add(plain, 1); !added) return added.error();
  }
  rte_acl_config config{};
  config.num_categories = 1;
  config.num_fields = kFields;
  std::copy(std::begin(kDefinitions), std::end(kDefinitions), config.defs);
  if (Result<void> built = context->build(config); !built) return built.error();
  for (const auto how : {RTE_ACL_CLASSIFY_AVX512X32, RTE_ACL_CLASSIFY_AVX512X16,
                         RTE_ACL_CLASSIFY_AVX2, RTE_ACL_CLASSIFY_SSE}) {
    if (rte_acl_set_ctx_classify(context->get(), how) == 0) break;
  }
  return context;
}

}  // namespace rampart::perf
