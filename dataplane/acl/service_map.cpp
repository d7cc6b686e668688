// SPDX-License-Identifier: Apache-2.0
#include "dataplane/acl/service_map.hpp"

#include <map>
#include <set>

namespace rampart {

std::optional<ServiceMap> ServiceMap::make(const std::vector<AclRule>& rules) {
  std::map<uint8_t, std::set<uint32_t>> cuts;  // by protocol: where a run of ports begins
  for (const AclRule& r : rules) {
    if (r.any_protocol) {
      if (r.port_first != 0 || r.port_last != 65535) return std::nullopt;
      continue;
    }
    std::set<uint32_t>& of_protocol = cuts[r.protocol];
    of_protocol.insert({0, r.port_first, r.port_last + 1U});
    of_protocol.erase(65536);
  }
  ServiceMap made;
  std::map<Page, uint16_t> known;
  const auto page_number = [&](const Page& page) {
    const auto [entry, added] = known.try_emplace(page, static_cast<uint16_t>(made.pages_.size()));
    if (added) made.pages_.push_back(page);
    return entry->second;
  };
  made.index_.emplace_back().fill(page_number({}));
  unsigned number = 0;
  for (const auto& [protocol, firsts] : cuts) {
    if (number + firsts.size() > 255) return std::nullopt;
    made.slot_[protocol] = static_cast<uint8_t>(made.index_.size());
    auto& index = made.index_.emplace_back();
    auto next = firsts.begin();
    for (uint32_t high = 0; high < 256; ++high) {
      Page page;
      for (uint32_t low = 0; low < 256; ++low) {
        if (next != firsts.end() && *next == (high << 8 | low)) ++number, ++next;
        page[low] = static_cast<uint8_t>(number);
      }
      index[high] = page_number(page);
    }
  }
  made.last_ = static_cast<uint8_t>(number);
  return made;
}

std::pair<uint8_t, uint8_t> ServiceMap::range(const AclRule& rule) const noexcept {
  if (rule.any_protocol) return {0, last_};
  return {find(rule.protocol, rule.port_first), find(rule.protocol, rule.port_last)};
}

}  // namespace rampart
