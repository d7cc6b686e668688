// SPDX-License-Identifier: Apache-2.0
// Both directions of a flow should come in on one queue. Two ways lead there:
//
// - A key that repeats itself after 16 bits makes plain Toeplitz symmetric: it does not matter then
//   which of two fields stands where (Woo and Park, "Scalable TCP Session Monitoring with Symmetric
//   RSS", 2012). Every NIC can have it, and everybody can tell where a packet will go.
// - The symmetric Toeplitz function of some NICs, set by flow rules. It comes second, for drivers
//   that keep a key of their own (a VF's PF may insist on it): what NICs make of it differs.
//
// Never both: the function hashes source xor destination in the place of each, and under a
// repeating key these cancel out, so that everything would go to one queue.
#include "dataplane/dpdk/rss.hpp"

#include <algorithm>
#include <array>
#include <bit>

namespace rampart {
namespace {

constexpr uint64_t kFlows = RTE_ETH_RSS_IP | RTE_ETH_RSS_TCP | RTE_ETH_RSS_UDP | RTE_ETH_RSS_SCTP;
constexpr size_t kUsualKeyBytes = 40;

using Key = std::array<uint8_t, 128>;

// Drivers keep its address and read it again when the port starts.
Key symmetric_key = [] {
  Key key{};
  for (size_t i = 0; i < key.size(); ++i)
    key[i] = static_cast<uint8_t>(i % 2 == 0 ? kRssKey >> 8 : kRssKey);
  return key;
}();

size_t key_bytes(const rte_eth_dev_info& info) {
  const size_t bytes = info.hash_key_size != 0 ? info.hash_key_size : kUsualKeyBytes;
  return std::min(bytes, symmetric_key.size());
}

bool can_hash(const rte_eth_dev_info& info) {
  return (info.flow_type_rss_offloads & kFlows) != 0;
}

rte_eth_rss_conf wanted(const rte_eth_dev_info& info) {
  rte_eth_rss_conf conf{};
  conf.rss_key = symmetric_key.data();
  conf.rss_key_len = static_cast<uint8_t>(key_bytes(info));
  conf.rss_hf = info.flow_type_rss_offloads & kFlows;
  return conf;
}

/// What the driver says.
Rss read_back(PortId port, const rte_eth_dev_info& info) {
  Rss rss{.function = Rss::Function::kDriver};
  Key key{};
  rte_eth_rss_conf conf{};
  conf.rss_key = key.data();
  conf.rss_key_len = static_cast<uint8_t>(key_bytes(info));
  if (rte_eth_dev_rss_hash_conf_get(port, &conf) != 0 || conf.rss_hf == 0) return rss;
  rss.function = Rss::Function::kToeplitz;
  rss.types = conf.rss_hf;
  const bool ours = std::equal(key.begin(), key.begin() + key_bytes(info), symmetric_key.begin());
  rss.key = ours ? Rss::Key::kSymmetric : Rss::Key::kDriver;
  return rss;
}

/// Entry i of the port's table is queue i modulo their number. Most drivers begin so; those that
/// cannot be told otherwise do as they like, which is no error.
void fill_table(PortId port, const rte_eth_dev_info& info, unsigned rx_queues) {
  const unsigned entries = rss_entries(info, rx_queues);
  std::vector<rte_eth_rss_reta_entry64> table((entries + RTE_ETH_RETA_GROUP_SIZE - 1) /
                                              RTE_ETH_RETA_GROUP_SIZE);
  for (unsigned i = 0; i < entries; ++i) {
    rte_eth_rss_reta_entry64& group = table[i / RTE_ETH_RETA_GROUP_SIZE];
    group.mask |= uint64_t{1} << i % RTE_ETH_RETA_GROUP_SIZE;
    group.reta[i % RTE_ETH_RETA_GROUP_SIZE] = static_cast<uint16_t>(i % rx_queues);
  }
  if (entries != 0) {
    rte_eth_dev_rss_reta_update(port, table.data(), static_cast<uint16_t>(entries));
  }
}

}  // namespace

std::vector<RssRule> rss_rules_for(uint64_t offloads) {
  // i40e names the two kinds of packets without ports, the others the sum of them.
  constexpr uint64_t kV4 =
      RTE_ETH_RSS_IPV4 | RTE_ETH_RSS_FRAG_IPV4 | RTE_ETH_RSS_NONFRAG_IPV4_OTHER;
  constexpr uint64_t kV6 =
      RTE_ETH_RSS_IPV6 | RTE_ETH_RSS_FRAG_IPV6 | RTE_ETH_RSS_NONFRAG_IPV6_OTHER;
  struct Known {
    uint64_t wanted_for;
    RssRule rule;
  };
  constexpr auto kIpV4 = RTE_FLOW_ITEM_TYPE_IPV4, kIpV6 = RTE_FLOW_ITEM_TYPE_IPV6;
  constexpr auto kNoL4 = RTE_FLOW_ITEM_TYPE_END, kTcp = RTE_FLOW_ITEM_TYPE_TCP,
                 kUdp = RTE_FLOW_ITEM_TYPE_UDP, kSctp = RTE_FLOW_ITEM_TYPE_SCTP;
  constexpr Known kRules[] = {
      {kV4, {RTE_ETH_RSS_IPV4, kIpV4, kNoL4}},
      {kV6, {RTE_ETH_RSS_IPV6, kIpV6, kNoL4}},
      {RTE_ETH_RSS_NONFRAG_IPV4_TCP, {RTE_ETH_RSS_NONFRAG_IPV4_TCP, kIpV4, kTcp}},
      {RTE_ETH_RSS_NONFRAG_IPV4_UDP, {RTE_ETH_RSS_NONFRAG_IPV4_UDP, kIpV4, kUdp}},
      {RTE_ETH_RSS_NONFRAG_IPV4_SCTP, {RTE_ETH_RSS_NONFRAG_IPV4_SCTP, kIpV4, kSctp}},
      {RTE_ETH_RSS_NONFRAG_IPV6_TCP, {RTE_ETH_RSS_NONFRAG_IPV6_TCP, kIpV6, kTcp}},
      {RTE_ETH_RSS_NONFRAG_IPV6_UDP, {RTE_ETH_RSS_NONFRAG_IPV6_UDP, kIpV6, kUdp}},
      {RTE_ETH_RSS_NONFRAG_IPV6_SCTP, {RTE_ETH_RSS_NONFRAG_IPV6_SCTP, kIpV6, kSctp}},
  };
  std::vector<RssRule> rules;
  for (const Known& known : kRules) {
    if ((offloads & known.wanted_for) != 0) rules.push_back(known.rule);
  }
  return rules;
}

bool RssRules::create(PortId port, uint64_t offloads) {
  const std::vector<RssRule> wanted = rss_rules_for(offloads);
  rte_flow_attr attributes{};
  attributes.ingress = 1;
  const auto with_each = [&](auto&& fn) {
    return std::all_of(wanted.begin(), wanted.end(), [&](const RssRule& rule) {
      rte_flow_item pattern[4]{};
      pattern[0].type = RTE_FLOW_ITEM_TYPE_ETH;
      pattern[1].type = rule.l3;
      pattern[2].type = rule.l4;
      pattern[3].type = RTE_FLOW_ITEM_TYPE_END;
      rte_flow_action_rss rss{};  // key and queues are the port's: iavf and ice take none here
      rss.func = RTE_ETH_HASH_FUNCTION_SYMMETRIC_TOEPLITZ;
      rss.types = rule.types;
      rte_flow_action actions[2]{};
      actions[0].type = RTE_FLOW_ACTION_TYPE_RSS;
      actions[0].conf = &rss;
      actions[1].type = RTE_FLOW_ACTION_TYPE_END;
      rte_flow_error error{};
      return fn(pattern, actions, error);
    });
  };
  // The first rule may already undo what was configured, so all are checked before.
  const bool valid = with_each([&](const auto& pattern, const auto& actions, auto& error) {
    return rte_flow_validate(port, &attributes, pattern, actions, &error) == 0;
  });
  const bool made = valid && with_each([&](const auto& pattern, const auto& actions, auto& error) {
                      rte_flow* flow = rte_flow_create(port, &attributes, pattern, actions, &error);
                      if (flow != nullptr) rules_.push_back(flow);
                      return flow != nullptr;
                    });
  if (!made) clear(port);
  return !rules_.empty();
}

void RssRules::clear(PortId port) {
  // The last one first, as drivers put back what a rule had changed.
  for (; !rules_.empty(); rules_.pop_back()) {
    rte_flow_error error{};
    rte_flow_destroy(port, rules_.back(), &error);
  }
}

bool knows_symmetric_function(std::string_view driver) {
  return driver == "net_i40e" || driver == "net_iavf" || driver == "net_ice" ||
         driver.starts_with("net_hns3");
}

void ask_for_rss(const rte_eth_dev_info& info, unsigned rx_queues, rte_eth_conf& conf) {
  if (rx_queues <= 1 || !can_hash(info)) return;
  conf.rxmode.mq_mode = RTE_ETH_MQ_RX_RSS;
  conf.rx_adv_conf.rss_conf = wanted(info);
}

unsigned rss_entries(const rte_eth_dev_info& info, unsigned rx_queues) {
  return rx_queues > 1 && can_hash(info) && std::has_single_bit(info.reta_size) ? info.reta_size
                                                                                : 0;
}

Rss settle_rss(PortId port, unsigned rx_queues, RssRules& rules) {
  Rss rss;
  if (rx_queues <= 1) return rss;
  rte_eth_dev_info info{};
  rss.function = Rss::Function::kDriver;
  if (rte_eth_dev_info_get(port, &info) != 0 || !can_hash(info)) return rss;
  fill_table(port, info, rx_queues);
  rss = read_back(port, info);
  if (rss.key != Rss::Key::kSymmetric) {
    // It did not listen when it was configured.
    rte_eth_rss_conf conf = wanted(info);
    if (rte_eth_dev_rss_hash_update(port, &conf) == 0) rss = read_back(port, info);
  }
  if (rss.key == Rss::Key::kDriver && knows_symmetric_function(info.driver_name) &&
      rules.create(port, info.flow_type_rss_offloads)) {
    rss = read_back(port, info);
    rss.function = Rss::Function::kSymmetricToeplitz;
  }
  return rss;
}

std::string_view to_string(Rss::Function function) {
  switch (function) {
    case Rss::Function::kNone:
      return "none";
    case Rss::Function::kDriver:
      return "driver";
    case Rss::Function::kToeplitz:
      return "toeplitz";
    case Rss::Function::kSymmetricToeplitz:
      return "symmetric_toeplitz";
  }
  return {};
}

std::string_view to_string(Rss::Key key) {
  switch (key) {
    case Rss::Key::kNone:
      return {};
    case Rss::Key::kDriver:
      return "driver";
    case Rss::Key::kSymmetric:
      return "symmetric";
  }
  return {};
}

std::vector<std::string_view> rss_type_names(uint64_t types) {
  struct Name {
    uint64_t bit;
    std::string_view name;
  };
  constexpr Name kNames[] = {
      {RTE_ETH_RSS_IPV4, "ipv4"},
      {RTE_ETH_RSS_FRAG_IPV4, "ipv4-frag"},
      {RTE_ETH_RSS_NONFRAG_IPV4_TCP, "ipv4-tcp"},
      {RTE_ETH_RSS_NONFRAG_IPV4_UDP, "ipv4-udp"},
      {RTE_ETH_RSS_NONFRAG_IPV4_SCTP, "ipv4-sctp"},
      {RTE_ETH_RSS_NONFRAG_IPV4_OTHER, "ipv4-other"},
      {RTE_ETH_RSS_IPV6, "ipv6"},
      {RTE_ETH_RSS_FRAG_IPV6, "ipv6-frag"},
      {RTE_ETH_RSS_NONFRAG_IPV6_TCP, "ipv6-tcp"},
      {RTE_ETH_RSS_NONFRAG_IPV6_UDP, "ipv6-udp"},
      {RTE_ETH_RSS_NONFRAG_IPV6_SCTP, "ipv6-sctp"},
      {RTE_ETH_RSS_NONFRAG_IPV6_OTHER, "ipv6-other"},
      {RTE_ETH_RSS_IPV6_EX, "ipv6-ex"},
      {RTE_ETH_RSS_IPV6_TCP_EX, "ipv6-tcp-ex"},
      {RTE_ETH_RSS_IPV6_UDP_EX, "ipv6-udp-ex"},
  };
  std::vector<std::string_view> names;
  for (const auto& [bit, name] : kNames) {
    if ((types & bit) != 0) names.push_back(name);
    types &= ~bit;
  }
  if (types != 0) names.emplace_back("others");
  return names;
}

}  // namespace rampart
