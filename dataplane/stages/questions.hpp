// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cstring>
#include <type_traits>

#include "dataplane/addr/address_map.hpp"
#include "dataplane/packet/burst.hpp"
#include "dataplane/state/rule_set.hpp"

namespace rampart {

/// What is to be asked about one flow: its key, and which end of it opened (or would open) it.
template <typename Key>
struct Asked {
  const Key& key;
  unsigned opener;
};

namespace detail {

/// `ends`: what is known of the addresses of both ends of the key.
template <typename Key>
Question question_of(const Key& key, unsigned opener, const Identity* const* ends) {
  const auto protocol = static_cast<IpProtocol>(key.protocol);
  const bool has_ports =
      protocol == IpProtocol::kTcp || protocol == IpProtocol::kUdp || protocol == IpProtocol::kSctp;
  const L4Port port = has_ports ? key.port[1 - opener].host() : L4Port{0};
  return {ends[opener], ends[1 - opener], key.protocol, port};
}

}  // namespace detail

/// Writes the questions about `count` flows (at most a burst) of one family: addresses to classes
/// in bulk. at(n) gives an Asked<Key>.
template <typename At>
void ask(const AddressMap& map, unsigned count, At&& at, Question* questions) noexcept {
  const Identity* found[2 * Burst::kSize];
  uint8_t opener[Burst::kSize];
  using Key = std::remove_cvref_t<decltype(at(0U).key)>;
  if constexpr (std::is_same_v<Key, FlowKeyV4>) {
    be32 addresses[2 * Burst::kSize];
    for (unsigned n = 0; n < count; ++n) {
      const Asked<Key> a = at(n);
      std::memcpy(addresses + 2 * n, a.key.address, sizeof a.key.address);
      opener[n] = static_cast<uint8_t>(a.opener);
    }
    map.find_v4(addresses, 2 * count, found);
  } else {
    uint8_t addresses[2 * Burst::kSize][16];
    for (unsigned n = 0; n < count; ++n) {
      const Asked<Key> a = at(n);
      std::memcpy(addresses + 2 * n, a.key.address, sizeof a.key.address);
      opener[n] = static_cast<uint8_t>(a.opener);
    }
    map.find_v6(addresses, 2 * count, found);
  }
  for (unsigned n = 0; n < count; ++n) {
    questions[n] = detail::question_of(at(n).key, opener[n], found + 2 * n);
  }
}

/// Judges `count` flows (at most a burst) of one family, whatever the mode of the rule set.
template <typename At>
void judge_flows(const RuleSet& r, unsigned count, Verdict* verdicts, At&& at) noexcept {
  if (r.mode == RuleSet::Mode::kByTables) {
    Question questions[Burst::kSize];
    ask(*r.addresses, count, at, questions);
    judge(r, questions, count, verdicts);
  } else {
    const Outcome all = r.mode == RuleSet::Mode::kPassAll ? Outcome::kAllow : Outcome::kDenyIngress;
    std::fill_n(verdicts, count, Verdict{all, 0, 0});
  }
}

}  // namespace rampart
